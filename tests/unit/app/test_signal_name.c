/* Names of signals and what belongs to them. */
#include "app/hooks/signal_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_what_is_a_name(void **state)
{
    (void)state;
    static const char *const names[] = {"a",           "tick-tock_2", "a.b.c",
                                        "user.x.<id>", "user.x.*",    "a.b.<under_score>"};
    static const char *const others[] = {"",          ".",        "a.",       "a.b",      "a.b.",
                                         "a.b.c.d",   "a..c",     ".b.c",     "a b",      "a.b.c d",
                                         "<id>",      "a.<id>.c", "<id>.b.c", "a.b.<>",   "a.b.<",
                                         "a.b.<i d>", "a.b.c*",   "*",        "a.b.<id>x"};
    struct cv_signal_name name;
    for (size_t i = 0; i < CV_COUNT(names); i++)
        assert_null(cv_signal_name_parse(names[i], &name));
    for (size_t i = 0; i < CV_COUNT(others); i++) {
        if (cv_signal_name_parse(others[i], &name) == NULL)
            fail_msg("\"%s\" is taken for a name", others[i]);
    }
}

static void test_what_belongs_to_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *dispatched;
        bool fits;
        const char *param;
    } cases[] = {
        {"a.b.c", "a.b.c", true, NULL},     {"a.b.c", "a.b.cd", false, NULL},
        {"a.b.c", "a.b", false, NULL},      {"a.b.<x>", "a.b.c", true, "c"},
        {"a.b.<x>", "a.b.42", true, "42"},  {"a.b.*", "a.b.42", true, "42"},
        {"a.b.<x>", "a.b.", false, NULL},   {"a.b.<x>", "a.b", false, NULL},
        {"a.b.<x>", "a.bc.d", false, NULL}, {"a.b.<x>", "a.b.c.d", false, NULL},
        {"tick", "tick", true, NULL},       {"tick", "tock", false, NULL},
    };
    for (size_t i = 0; i < CV_COUNT(cases); i++) {
        struct cv_signal_name name;
        const char *param = "unset";
        assert_null(cv_signal_name_parse(cases[i].name, &name));
        bool fits = cv_signal_name_fits(&name, cases[i].dispatched, &param);
        if (fits != cases[i].fits)
            fail_msg("%s and %s", cases[i].name, cases[i].dispatched);
        if (fits && cases[i].param == NULL)
            assert_null(param);
        else if (fits)
            assert_string_equal(param, cases[i].param);
    }
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        const char *wanted;
        bool is_exclusive;
        bool fits;
    } cases[] = {
        {NULL, NULL, true, true},   {NULL, "a=1", true, false},  {NULL, "a=1", false, true},
        {"a=1", "a=1", true, true}, {"a=1", "a=2", true, false}, {"a=1", "a=2", false, false},
        {"a=1", NULL, true, false}, {"a=1", NULL, false, false},
    };
    for (size_t i = 0; i < CV_COUNT(cases); i++)
        assert_int_equal(
            cv_signal_condition_fits(cases[i].given, cases[i].wanted, cases[i].is_exclusive),
            cases[i].fits);
}

static uint32_t own(const char *text)
{
    struct cv_signal_name name;
    assert_null(cv_signal_name_parse(text, &name));
    return cv_signal_name_own(&name);
}

static void test_coveys_own(void **state)
{
    (void)state;
    struct cv_signal_name name;
    assert_int_equal(own("server.init.before"), 1);
    assert_int_equal(own("server.init.after"), 2);
    assert_int_equal(own("server.init.<when>"), 3);
    assert_int_equal(own("server.init.never"), 0);
    assert_int_equal(own("init"), 0);
    assert_string_equal(cv_signal_name_of(0), "server.init.before");
    assert_null(cv_signal_name_parse("http.x.y", &name));
    assert_true(cv_signal_name_is_own(&name));
    assert_null(cv_signal_name_parse("https.x.y", &name));
    assert_false(cv_signal_name_is_own(&name));
    assert_null(cv_signal_name_parse_heard("https.x.y", &name));
    assert_null(cv_signal_name_parse_heard("http.lifecycle.*", &name));
    assert_non_null(cv_signal_name_parse_heard("http.x.y", &name));
    assert_non_null(cv_signal_name_parse_heard("a b", &name));
    assert_null(cv_signal_name_parse("server", &name));
    assert_false(cv_signal_name_is_own(&name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_name),
        cmocka_unit_test(test_what_belongs_to_a_name),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_coveys_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
