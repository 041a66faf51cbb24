/* A worker's life: setup, listeners in order, failing starts, drains, the main process.
 */
#include "rig.h"

#include <stdlib.h>

static char order[512];
static _Atomic int n_called, last_code, n_waiting, n_ended;
static covey_app *the_app;

static int note(const char *what)
{
    size_t len = strlen(order);
    snprintf(order + len, sizeof(order) - len, "%s ", what);
    n_called++;
    return 0;
}

static void reset(void)
{
    order[0] = '\0';
    n_called = last_code = n_waiting = n_ended = 0;
}

#define NOTING(name)                                                                               \
    static int name(covey_app *app)                                                                \
    {                                                                                              \
        (void)app;                                                                                 \
        covey_sleep_ms(1); /* they may wait */                                                     \
        return note(#name);                                                                        \
    }
NOTING(start_1)
NOTING(start_2)
NOTING(started_1)
NOTING(started_2)
NOTING(stopping_1)
NOTING(stopping_2)
NOTING(stopped_1)
NOTING(stopped_2)
NOTING(main_start)
NOTING(main_ready)
NOTING(main_stop)

static int fails_with_errno(covey_app *app)
{
    (void)app;
    return -ENOENT;
}

static int fails_with_text(covey_app *app)
{
    return covey_setup_fail(app, "no database at %s", "db:5432");
}

static int fails_silently_wrong(covey_app *app)
{
    covey_setup_fail(app, "said so, returned 0");
    return 0;
}

static int asks_config(covey_app *app)
{
    covey_config_int(app, "NUMBER", 1);
    return 0;
}

static int waits_long(covey_app *app)
{
    (void)app;
    n_waiting++;
    last_code = covey_sleep_ms(60000);
    n_ended++;
    return last_code;
}

static int quick(covey_req *req)
{
    return covey_text(req, 200, "quick");
}

static int registers_late(covey_app *app)
{
    covey_get(app, "/late", quick);
    return 0;
}

static int slow(covey_req *req)
{
    n_waiting++;
    int rc = covey_sleep_ms(200);
    return rc < 0 ? rc : covey_text(req, 200, "slow");
}

static struct rig rig;

/* Runs `setup` until it fails; the exit code. */
static int run_failing(covey_setup_fn *setup)
{
    reset();
    rig_init(&rig, setup);
    rig_launch(&rig);
    int code = rig_join(&rig);
    close(rig.log);
    return code;
}

/* ---- Setup that fails ---- */

static int setup_errno(covey_app *app)
{
    (void)app;
    return -EACCES;
}

static int setup_text(covey_app *app)
{
    return covey_setup_fail(app, "cannot read %s", "x.conf");
}

static int setup_pattern(covey_app *app)
{
    covey_get(app, "/<x:real>", quick);
    covey_get(app, "no slash", quick);
    return 0;
}

static int setup_conflict(covey_app *app)
{
    covey_get(app, "/<x>", quick);
    covey_route(app, "GET", "/<y>", quick);
    return 0;
}

static int setup_nulls(covey_app *app)
{
    covey_get(app, "/", NULL);
    return 0;
}

static int setup_event(covey_app *app)
{
    covey_listener(app, (enum covey_event)99, start_1);
    return 0;
}

static int setup_null_listener(covey_app *app)
{
    covey_listener(app, COVEY_AFTER_SERVER_START, NULL);
    return 0;
}

static int setup_phase(covey_app *app)
{
    covey_middleware(app, (enum covey_phase)99, quick);
    return 0;
}

static int setup_size(covey_app *app)
{
    covey_route_at(app, "GET", "/", &(struct covey_route){.handler = quick, .size = 4096}, "a.c",
                   1);
    return 0;
}

static int setup_size_zero(covey_app *app)
{
    covey_route_at(app, "GET", "/", &(struct covey_route){.handler = quick}, "a.c", 1);
    return 0;
}

static int setup_config(covey_app *app)
{
    covey_config_bool(app, "NUMBER", true);
    return 0;
}

static void assert_setup_fails(covey_setup_fn *setup, const char *reason)
{
    assert_int_equal(run_failing(setup), CV_EXIT_LOAD);
    assert_has(rig.reason, reason);
}

static void test_a_failing_setup_is_exit_4_with_its_reason(void **state)
{
    (void)state;
    setenv("RIG_NUMBER", "many", 1);
    assert_setup_fails(setup_errno, "setup failed: Permission denied");
    assert_setup_fails(setup_text, "cannot read x.conf");
    assert_setup_fails(setup_pattern, "test_native.c:");
    assert_has(rig.reason, "route /<x:real>: a parameter's type must be");
    assert_setup_fails(setup_conflict, "route /<y>: it conflicts with GET /<x>, registered at ");
    assert_setup_fails(setup_nulls, "route /: the handler is NULL");
    assert_setup_fails(setup_event, "listener start_1: there is no such event");
    assert_setup_fails(setup_null_listener, "it is NULL");
    assert_setup_fails(setup_phase, "middleware quick: there is no such phase");
    assert_setup_fails(
        setup_size,
        "a.c:1: route /: options of an unknown size: the program was built for another covey");
    assert_setup_fails(setup_size_zero, "options of an unknown size");
    assert_setup_fails(setup_config, "setting NUMBER: \"many\" is no truth value");
}

/* ---- Starts that fail ---- */

static int start_errno(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, start_1);
    covey_listener(app, COVEY_BEFORE_SERVER_START, fails_with_errno);
    covey_listener(app, COVEY_BEFORE_SERVER_START, start_2);
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, stopping_1);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    return 0;
}

static int start_text(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, fails_with_text);
    return 0;
}

static int start_silent(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, fails_silently_wrong);
    return 0;
}

static int start_config(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, asks_config);
    return 0;
}

static int start_after(covey_app *app)
{
    covey_listener(app, COVEY_AFTER_SERVER_START, fails_with_errno);
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, stopping_1);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    return 0;
}

static void test_a_failing_start_listener_is_exit_3_naming_it(void **state)
{
    (void)state;
    setenv("RIG_NUMBER", "many", 1);
    assert_int_equal(run_failing(start_errno), CV_EXIT_BOOT);
    assert_has(rig.reason, "before_server_start listener fails_with_errno (");
    assert_has(rig.reason, "test_native.c:");
    assert_has(rig.reason, ") failed: No such file or directory");
    assert_string_equal(order, "start_1 ");
    assert_false(rig.is_ready);

    assert_int_equal(run_failing(start_text), CV_EXIT_BOOT);
    assert_string_equal(rig.reason, "no database at db:5432");
    assert_int_equal(run_failing(start_silent), CV_EXIT_BOOT);
    assert_string_equal(rig.reason, "said so, returned 0");
    assert_int_equal(run_failing(start_config), CV_EXIT_BOOT);
    assert_has(rig.reason, "setting NUMBER: \"many\" is no whole number");
    assert_int_equal(run_failing(start_after), CV_EXIT_BOOT);
    assert_has(rig.reason, "after_server_start listener fails_with_errno");
    assert_string_equal(order, "");
}

static void test_a_bad_listening_descriptor_is_exit_71(void **state)
{
    (void)state;
    static const int none = -1;
    reset();
    rig_init(&rig, setup_config);
    unsetenv("RIG_NUMBER");
    rig.config.server.listeners = &none;
    close(rig.listener);
    rig_launch(&rig);
    assert_int_equal(rig_join(&rig), CV_EXIT_OS);
    assert_true(strlen(rig.reason) > 0);
    close(rig.log);
}

/* ---- The whole life ---- */

static int setup_all(covey_app *app)
{
    the_app = app;
    covey_listener(app, COVEY_BEFORE_SERVER_START, start_1);
    covey_listener(app, COVEY_BEFORE_SERVER_START, start_2);
    covey_listener(app, COVEY_AFTER_SERVER_START, started_1);
    covey_listener(app, COVEY_AFTER_SERVER_START, started_2);
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, stopping_1);
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, stopping_2);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_2);
    covey_listener(app, COVEY_MAIN_PROCESS_START, main_start);
    covey_listener(app, COVEY_MAIN_PROCESS_READY, main_ready);
    covey_listener(app, COVEY_MAIN_PROCESS_STOP, main_stop);
    covey_get(app, "/quick", quick);
    covey_get(app, "/slow", slow, .name = "slow one");
    return 0;
}

static void test_listeners_run_in_order_and_stop_ones_reversed(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_all);
    rig_start(&rig);
    rig_until(n_called == 4);
    assert_body(rig_get(&rig, "/quick"), "quick");
    assert_true(cv_native_has_main_listeners(rig.native));
    assert_int_equal(cv_native_routes(rig.native), 2);
    assert_string_equal(cv_native_route_name(rig.native, 0), "/quick");
    assert_string_equal(cv_native_route_name(rig.native, 1), "slow one");
    rig_stop(&rig);
    assert_string_equal(order, "start_1 start_2 started_1 started_2 "
                               "stopping_2 stopping_1 stopped_2 stopped_1 ");
    assert_has(rig.progress, "before_server_start listener start_1 (");
    assert_int_equal(rig.n_drained, 1);
}

static void test_setup_may_run_before_there_is_a_loop(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_all);
    rig.is_halved = true;
    rig_start(&rig);
    rig_until(n_called == 4);
    assert_body(rig_get(&rig, "/quick"), "quick");
    assert_body(rig_get(&rig, "/slow"), "slow");
    rig_stop(&rig);
    assert_string_equal(order, "start_1 start_2 started_1 started_2 "
                               "stopping_2 stopping_1 stopped_2 stopped_1 ");
}

static void test_the_main_process_runs_its_own_listeners(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_all);
    rig.is_main = true;
    rig_start(&rig);
    assert_string_equal(order, "main_start main_ready ");
    rig_stop(&rig);
    assert_string_equal(order, "main_start main_ready main_stop ");
    close(rig.listener);
}

static int setup_main_fails(covey_app *app)
{
    covey_listener(app, COVEY_MAIN_PROCESS_START, fails_with_errno);
    covey_listener(app, COVEY_MAIN_PROCESS_STOP, main_stop);
    return 0;
}

static void test_a_failing_main_listener_is_exit_3(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_main_fails);
    rig.is_main = true;
    rig_launch(&rig);
    assert_int_equal(rig_join(&rig), CV_EXIT_BOOT);
    assert_has(rig.reason, "main_process_start listener fails_with_errno");
    assert_string_equal(order, "");
    close(rig.listener);
    close(rig.log);
}

static void test_a_drain_lets_running_requests_finish(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_all);
    rig_start(&rig);
    int fd = rig_connect(&rig);
    rig_send(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_until(n_waiting == 1);
    rig_drain(&rig, CV_DRAIN_STOP, 10000);
    const char *answer = rig_read_all(fd, NULL);
    assert_has(answer, "onnection: close");
    assert_body(answer, "slow");
    close(fd);
    assert_int_equal(rig_join(&rig), 0);
    close(rig.log);
}

/* ---- Ends that come early, or meet resistance ---- */

static int setup_waits_in_start(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, start_1);
    covey_listener(app, COVEY_BEFORE_SERVER_START, waits_long);
    covey_listener(app, COVEY_BEFORE_SERVER_START, start_2);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    return 0;
}

static void test_a_wish_to_end_during_the_start_ends_its_waits(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_waits_in_start);
    rig_launch(&rig);
    rig_until(n_waiting == 1);
    rig_drain(&rig, CV_DRAIN_STOP, 10000);
    assert_int_equal(rig_join(&rig), 0);
    assert_int_equal(last_code, -ECANCELED);
    assert_string_equal(order, "start_1 ");
    assert_string_equal(rig.reason, "");
    assert_false(rig.is_ready);
    close(rig.log);
}

static int setup_waits_after_start(covey_app *app)
{
    covey_listener(app, COVEY_AFTER_SERVER_START, waits_long);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    covey_get(app, "/quick", quick);
    return 0;
}

static void test_requests_are_served_while_after_server_start_waits(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_waits_after_start);
    rig_start(&rig);
    rig_until(n_waiting == 1);
    assert_body(rig_get(&rig, "/quick"), "quick");
    rig_stop(&rig);
    assert_int_equal(last_code, -ECANCELED);
    assert_string_equal(order, "stopped_1 ");
}

static int setup_waits_in_stop(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, waits_long);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, waits_long);
    return 0;
}

static void test_stop_listeners_are_bounded_by_the_stop_time(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_waits_in_stop);
    rig.config.stop_timeout = 300;
    rig_start(&rig);
    int64_t before = cv_clock_ns();
    rig_drain(&rig, CV_DRAIN_STOP, 60000);
    assert_int_equal(rig_join(&rig), 0);
    assert_true(cv_clock_ns() - before < 10 * CV_SECOND);
    assert_int_equal(n_ended, 2);
    assert_string_equal(order, "stopped_1 ");
    rig_assert_logged(&rig, "before_server_stop listener waits_long");
    rig_assert_logged(&rig, "failed: Operation canceled");
    close(rig.log);
}

static int never_ends(covey_app *app)
{
    (void)app;
    for (;;)
        covey_sleep_ms(5);
    return 0;
}

static int setup_never_ends(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, never_ends);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    return 0;
}

static void test_a_stop_listener_that_never_ends_is_named_and_abandoned(void **state)
{
    (void)state;
    static struct cv_native *volatile abandoned; /* reachable for the leak checker */
    reset();
    rig_init(&rig, setup_never_ends);
    rig.config.stop_timeout = 200;
    rig_start(&rig);
    rig_drain(&rig, CV_DRAIN_STOP, 60000);
    assert_int_equal(rig_join(&rig), 0);
    abandoned = rig.native;
    assert_non_null(abandoned);
    rig_assert_logged(&rig, "before_server_stop listener never_ends (");
    rig_assert_logged(&rig, "goes on although its time is over");
    rig_assert_logged(&rig, "1 handlers, listeners or tasks have not ended and are abandoned");
    close(rig.log);
}

static int setup_waits_before_stop(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, waits_long);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stopped_1);
    return 0;
}

static void test_a_second_wish_shortens_the_first(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup_waits_before_stop);
    rig.config.stop_timeout = 60000;
    rig_start(&rig);
    rig_drain(&rig, CV_DRAIN_RETIRE, 60000);
    rig_until(n_waiting == 1);
    rig_drain(&rig, CV_DRAIN_STOP, 0);
    assert_int_equal(rig_join(&rig), 0);
    assert_int_equal(last_code, -ECANCELED);
    assert_string_equal(order, "stopped_1 ");
    close(rig.log);
}

static int late_setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, registers_late);
    return 0;
}

static void test_registering_after_setup_is_refused_and_logged(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, late_setup);
    rig_start(&rig);
    assert_status(rig_get(&rig, "/late"), 404);
    rig_assert_logged(&rig, "covey_route() works in setup only");
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failing_setup_is_exit_4_with_its_reason),
        cmocka_unit_test(test_a_failing_start_listener_is_exit_3_naming_it),
        cmocka_unit_test(test_a_bad_listening_descriptor_is_exit_71),
        cmocka_unit_test(test_listeners_run_in_order_and_stop_ones_reversed),
        cmocka_unit_test(test_setup_may_run_before_there_is_a_loop),
        cmocka_unit_test(test_the_main_process_runs_its_own_listeners),
        cmocka_unit_test(test_a_failing_main_listener_is_exit_3),
        cmocka_unit_test(test_a_drain_lets_running_requests_finish),
        cmocka_unit_test(test_a_wish_to_end_during_the_start_ends_its_waits),
        cmocka_unit_test(test_requests_are_served_while_after_server_start_waits),
        cmocka_unit_test(test_stop_listeners_are_bounded_by_the_stop_time),
        cmocka_unit_test(test_a_stop_listener_that_never_ends_is_named_and_abandoned),
        cmocka_unit_test(test_a_second_wish_shortens_the_first),
        cmocka_unit_test(test_registering_after_setup_is_refused_and_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
