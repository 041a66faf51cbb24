#include "http/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_how_deep_it_is(void **state)
{
    static const struct {
        const char *text;
        unsigned depth;
    } cases[] = {{"", 0},         {"1", 0},
                 {"[]", 1},       {"[1, {}]", 2},
                 {"[[],[]]", 2},  {"{\"a\": [{}]}", 3},
                 {"\"[[[\"", 0},  {"[\"]\\\"[[\", []]", 2},
                 {"\"[", 0},      {"\"[\\", 0},
                 {"]][", 1},      {"[[[", 3},
                 {"\"\\\\\"[", 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cv_span text = cv_span_str(cases[i].text);
        struct cv_json_limits limits = {cases[i].depth, UINT64_MAX};
        assert_int_equal(cv_json_check(text, &limits), 0);
        limits.depth--;
        if (cases[i].depth > 0)
            assert_int_equal(cv_json_check(text, &limits), -EOVERFLOW);
    }
}

static void test_how_many_values_it_has(void **state)
{
    static const struct {
        const char *text;
        uint64_t values;
    } cases[] = {{"", 0},           {"1", 0},
                 {"[]", 1},         {"[1,2,3]", 3},
                 {"[[],[],[]]", 6}, {"{\"a\":1,\"b\":{}}", 3},
                 {"\",,[[{{\"", 0}, {"[\"a,\\\",b\", 1]", 2},
                 {",,,,", 4}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cv_span text = cv_span_str(cases[i].text);
        struct cv_json_limits limits = {100, cases[i].values};
        assert_int_equal(cv_json_check(text, &limits), 0);
        limits.values--;
        if (cases[i].values > 0)
            assert_int_equal(cv_json_check(text, &limits), -E2BIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_deep_it_is),
        cmocka_unit_test(test_how_many_values_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
