#include "cli/status/show.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

static struct cv_control_slot slots[2] = {
    {.slot = 3,
     .who = "worker 3",
     .pid = 77,
     .state = "READY",
     .generation = 2,
     .starts = 3,
     .connections = 5,
     .uptime_ms = 61000,
     .has_exit = 1,
     .exit = {.signaled = true, .code = SIGSEGV}},
    {.slot = CV_CONTROL_MAIN, .kind = CV_KIND_MAIN, .who = "main", .state = "WAITING"}};
static struct cv_ctl_status status = {.fleet = {.name = "shop \"x\"",
                                                .guardian = 70,
                                                .master = 71,
                                                .wanted = 2,
                                                .ready = 1,
                                                .n_listeners = 2,
                                                .is_stopping = 1,
                                                .reload_waits = 1,
                                                .reload = "rolling"},
                                      .listeners = "http://127.0.0.1:1\0unix:/s",
                                      .slots = slots,
                                      .n = 2};

static void test_times_are_short(void **state)
{
    (void)state;
    assert_string_equal(cv_ctl_time(-1).text, "0s");
    assert_string_equal(cv_ctl_time(59999).text, "59s");
    assert_string_equal(cv_ctl_time(60000).text, "1m00s");
    assert_string_equal(cv_ctl_time(2 * 3600000 + 7 * 60000).text, "2h07m");
    assert_string_equal(cv_ctl_time(INT64_C(86400000) * 4 + 3600000 * 11).text, "4d11h");
    assert_true(strlen(cv_ctl_time(INT64_MAX).text) < sizeof(cv_ctl_time(0).text));
}

static void test_table_names_everything(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    cv_ctl_show(to, &status);
    (void)fclose(to);
    const char *const words[] = {"1 of 2 workers", "unix:/s",  "stopping", "reload: rolling",
                                 "another reload", "worker 3", "main",     "WAITING",
                                 "1m01s",          "signal 11"};
    for (size_t i = 0; i < CV_COUNT(words); i++)
        if (strstr(text, words[i]) == NULL)
            fail_msg("\"%s\" is not in:\n%s", words[i], text);
    free(text);
}

static void test_json_is_what_programs_can_read(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    assert_int_equal(cv_ctl_show_json(to, &status), 0);
    (void)fclose(to);
    json_t *all = json_loads(text, 0, NULL);
    assert_non_null(all);
    assert_string_equal(json_string_value(json_object_get(all, "name")), "shop \"x\"");
    assert_true(json_is_true(json_object_get(all, "stopping")));
    assert_int_equal(json_array_size(json_object_get(all, "listeners")), 2);
    const json_t *worker = json_array_get(json_object_get(all, "workers"), 0);
    assert_int_equal(json_integer_value(json_object_get(worker, "restarts")), 2);
    const json_t *main = json_array_get(json_object_get(all, "workers"), 1);
    assert_true(json_is_null(json_object_get(main, "slot")));
    assert_true(json_is_null(json_object_get(main, "last_exit")));
    json_decref(all);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_short),
        cmocka_unit_test(test_table_names_everything),
        cmocka_unit_test(test_json_is_what_programs_can_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
