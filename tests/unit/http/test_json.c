#include "http/json.h"

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
        assert_true(cv_json_is_shallow(text, cases[i].depth));
        if (cases[i].depth > 0)
            assert_false(cv_json_is_shallow(text, cases[i].depth - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_deep_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
