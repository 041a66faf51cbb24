/* Settings as the app reads them. */
#include "app/app.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static covey_app app;

static const char *setting(void *arg, const char *name)
{
    const char *const *pairs = arg;
    for (; *pairs != NULL; pairs += 2) {
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    }
    return NULL;
}

static void open_app(const char *const *pairs)
{
    struct cv_app_host host = {.setting = setting, .arg = (void *)pairs};
    assert_int_equal(cv_app_init(&app, &host, NULL, NULL, NULL), 0);
}

static void test_what_is_not_set_is_the_fallback(void **state)
{
    (void)state;
    const char *none[] = {NULL};
    open_app(none);
    assert_string_equal(covey_config_str(&app, "A", "b"), "b");
    assert_null(covey_config_str(&app, "A", NULL));
    assert_int_equal(covey_config_int(&app, "A", -5), -5);
    assert_true(covey_config_bool(&app, "A", true));
    assert_int_equal(covey_config_int(&app, NULL, 3), 3);
    assert_false(app.failed);
    cv_app_done(&app);
}

static void test_values_are_read_as_what_is_asked_for(void **state)
{
    (void)state;
    const char *pairs[] = {"TEXT", "some text",           "EMPTY", "",   "INT", "-42",
                           "BIG",  "9223372036854775807", "YES",   "On", "NO",  "disabled",
                           NULL};
    open_app(pairs);
    assert_string_equal(covey_config_str(&app, "TEXT", NULL), "some text");
    assert_string_equal(covey_config_str(&app, "EMPTY", "x"), "");
    assert_int_equal(covey_config_int(&app, "INT", 0), -42);
    assert_int_equal(covey_config_int(&app, "BIG", 0), INT64_MAX);
    assert_true(covey_config_bool(&app, "YES", false));
    assert_false(covey_config_bool(&app, "NO", true));
    assert_false(app.failed);
    cv_app_done(&app);
}

static void test_a_wrong_value_ends_the_start(void **state)
{
    (void)state;
    const char *pairs[] = {"INT", "4x", "BOOL", "maybe", NULL};
    open_app(pairs);
    assert_int_equal(covey_config_int(&app, "INT", 7), 7);
    assert_true(app.failed);
    assert_string_equal(app.reason, "setting INT: \"4x\" is no whole number");
    assert_true(covey_config_bool(&app, "BOOL", true));
    assert_string_equal(app.reason, "setting INT: \"4x\" is no whole number"); /* the first stays */
    cv_app_done(&app);
}

static void test_a_wrong_value_later_is_the_fallback(void **state)
{
    (void)state;
    const char *pairs[] = {"INT", "99999999999999999999", NULL};
    open_app(pairs);
    app.phase = CV_APP_RUNNING;
    assert_int_equal(covey_config_int(&app, "INT", 7), 7);
    assert_false(app.failed);
    cv_app_done(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_set_is_the_fallback),
        cmocka_unit_test(test_values_are_read_as_what_is_asked_for),
        cmocka_unit_test(test_a_wrong_value_ends_the_start),
        cmocka_unit_test(test_a_wrong_value_later_is_the_fallback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
