#include "base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Its authors' test vectors: the key is 00 .. 0f, the n-th input 00 .. n - 1. */
static void test_the_published_vectors(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    const struct cv_siphash_key key = {
        {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    char bytes[16];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_int_equal(cv_siphash(&key, cv_span(bytes, vectors[i].len)), vectors[i].hash);
}

static void test_another_key_gives_another_hash(void **state)
{
    const struct cv_siphash_key one = {{1, 2}}, other = {{1, 3}};

    (void)state;
    assert_int_not_equal(cv_siphash(&one, CV_SPAN("name")), cv_siphash(&other, CV_SPAN("name")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_published_vectors),
        cmocka_unit_test(test_another_key_gives_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
