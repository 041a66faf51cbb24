/* Option structs of programs that know fewer fields than this library, or more. */
#include "app/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct how {
    int (*fn)(void);
    size_t size;
    int64_t first;
    int64_t later; /* older headers lack it */
};

static struct how given, known;

static bool read_with(size_t size)
{
    given = (struct how){.size = size, .first = 1, .later = 2};
    known = (struct how){.first = -1, .later = -1};
    return CV_OPTIONS_READ(&known, &given);
}

static void test_what_a_program_does_not_know_is_zero(void **state)
{
    (void)state;
    assert_true(read_with(sizeof(struct how)));
    assert_int_equal(known.later, 2);
    assert_true(read_with(offsetof(struct how, later)));
    assert_int_equal(known.first, 1);
    assert_int_equal(known.later, 0);
    assert_true(read_with(offsetof(struct how, first)));
    assert_int_equal(known.first, 0);
}

static void test_a_size_that_no_covey_has_is_refused(void **state)
{
    (void)state;
    assert_false(read_with(0));
    assert_false(read_with(offsetof(struct how, size)));
    assert_false(read_with(sizeof(struct how) + 1));
    assert_int_equal(known.first, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_program_does_not_know_is_zero),
        cmocka_unit_test(test_a_size_that_no_covey_has_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
