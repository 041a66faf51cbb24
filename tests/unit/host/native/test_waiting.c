/* Waiting and cancelling: sleep, descriptors, offload, tasks, causes, shields, wrong threads. */
#include "rig.h"

#include <unistd.h>

static _Atomic int last_code, last_cause, n_waiting, n_ended, n_tasks, n_stopping;
static covey_app *the_app;
static int pipe_fds[2];

/* A wait that ends only by being cancelled. */
static int waits(covey_req *req)
{
    n_waiting++;
    int rc = covey_sleep_ms(60000);
    last_code = rc;
    last_cause = covey_cancel_cause(req);
    int again = covey_sleep_ms(1);
    if (rc == -ECANCELED && again != -ECANCELED)
        last_code = -EIO;
    n_ended++;
    return rc;
}

static int answers_anyway(covey_req *req)
{
    n_waiting++;
    last_code = covey_sleep_ms(300);
    n_ended++;
    return covey_text(req, 200, "answered");
}

static int shields(covey_req *req)
{
    n_waiting++;
    int rc = covey_sleep_ms(60000);
    int bad = rc != -ECANCELED;
    bad += covey_shield(0) != -EINVAL;
    bad += covey_shield(200) != 0;
    bad += covey_shield(200) != -EALREADY;
    bad += covey_sleep_ms(20) != 0;
    bad += covey_sleep_ms(60000) != -ECANCELED; /* the shield's time is over */
    last_code = bad;
    n_ended++;
    (void)req;
    return rc;
}

static int stubborn(covey_req *req)
{
    n_waiting++;
    int64_t until = cv_clock_ns() + 1500 * CV_MS;
    while (cv_clock_ns() < until)
        covey_sleep_ms(60000); /* ignores that it was cancelled */
    n_ended++;
    return covey_text(req, 200, "at last");
}

static int quick(covey_req *req)
{
    return covey_text(req, 200, "quick");
}

static int sleeps(covey_req *req)
{
    int64_t before = cv_clock_ns();
    int rc = covey_sleep_ms(30);
    bool is_right = rc == 0 && cv_clock_ns() - before >= 30 * CV_MS && covey_sleep_ms(0) == 0 &&
                    covey_sleep_ms(-1) == 0;
    return covey_text(req, 200, is_right ? "slept" : "wrong");
}

static int waits_fd(covey_req *req)
{
    int bad = covey_wait_fd(pipe_fds[0], COVEY_READ, 10) != -ETIMEDOUT;
    bad += covey_wait_fd(pipe_fds[0], 0, 10) != -EINVAL;
    bad += covey_wait_fd(pipe_fds[0], 64, 10) != -EINVAL;
    bad += covey_wait_fd(-1, COVEY_READ, 10) >= 0;
    bad += covey_wait_fd(pipe_fds[1], COVEY_WRITE, COVEY_OFF) != COVEY_WRITE;
    n_waiting++;
    bad += covey_wait_fd(pipe_fds[0], COVEY_READ, 60000) != COVEY_READ;
    return covey_textf(req, 200, "bad=%d", bad);
}

static int blocks(void *arg)
{
    n_waiting++;
    usleep(100000);
    return *(int *)arg;
}

static int offloads(covey_req *req)
{
    int value = 42;
    int got = covey_offload(blocks, &value);
    last_code = got;
    last_cause = covey_cancel_cause(req);
    int next = covey_sleep_ms(1);
    n_ended++;
    return next < 0 ? next : covey_textf(req, 200, "%d", got);
}

/* Everything a thread may not do. */
static int misbehaves(void *arg)
{
    covey_req *req = arg;
    char byte;
    int bad = covey_text(req, 200, "x") != -EPERM;
    bad += covey_method(req) != NULL;
    bad += covey_path(req) != NULL;
    bad += covey_header(req, "host") != NULL;
    bad += covey_query(req, "a") != NULL;
    bad += covey_param(req, "a") != NULL;
    bad += covey_alloc(req, 1) != NULL;
    bad += covey_sprintf(req, "%d", 1) != NULL;
    bad += covey_body(req, NULL) != NULL;
    bad += covey_body_read(req, &byte, 1) != -EPERM;
    bad += covey_send(req, "x", 1) != -EPERM;
    bad += covey_respond(req, 200) != -EPERM;
    bad += covey_end(req) != -EPERM;
    bad += covey_fail(req, 400, "x") != -EPERM;
    bad += covey_set_header(req, "a", "b") != -EPERM;
    bad += covey_sleep_ms(1) != -EPERM;
    bad += covey_wait_fd(0, COVEY_READ, 1) != -EPERM;
    bad += covey_offload(blocks, &bad) != -EPERM;
    bad += covey_shield(1) != -EPERM;
    bad += covey_ctx(req) != NULL;
    bad += covey_config_int(the_app, "PORT", 5) != 5;
    return bad;
}

static int has_threads(covey_req *req)
{
    return covey_textf(req, 200, "bad=%d", covey_offload(misbehaves, req));
}

static void off_fiber(void *arg)
{
    (void)arg;
    int bad = covey_sleep_ms(1) != -EPERM;
    bad += covey_wait_fd(0, COVEY_READ, 1) != -EPERM;
    bad += covey_offload(blocks, &bad) != -EPERM;
    bad += covey_shield(1) != -EPERM;
    last_code = bad;
    n_ended++;
}

/* What is deferred runs off the fiber when a taken body outlives its handler. */
static int defers_a_wait(covey_req *req)
{
    static char much[512 * 1024];
    covey_defer(req, off_fiber, NULL);
    return covey_bytes_take(req, 200, NULL, much, sizeof(much), NULL);
}

static void count_task(void *arg)
{
    (void)arg;
    if (covey_sleep_ms(1) == 0)
        n_tasks++;
}

static void task_that_waits(void *arg)
{
    (void)arg;
    n_waiting++;
    last_code = covey_sleep_ms(60000);
    n_ended++;
}

static void task_on_a_request(void *arg)
{
    char byte;
    last_code = (int)covey_body_read(arg, &byte, 1);
    n_ended++;
}

static int lends_its_request(covey_req *req)
{
    covey_add_task(covey_app_of(req), task_on_a_request, .arg = req);
    covey_sleep_ms(50);
    return covey_text(req, 200, "done");
}

static int stopping(covey_app *app)
{
    (void)app;
    n_stopping++;
    return 0;
}

static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, stopping);
    the_app = app;
    covey_get(app, "/waits", waits);
    covey_get(app, "/waits-half", answers_anyway, .half_close = true);
    covey_get(app, "/waits-short", waits, .response_timeout = 100);
    covey_get(app, "/waits-off", answers_anyway, .response_timeout = COVEY_OFF);
    covey_get(app, "/anyway", answers_anyway);
    covey_get(app, "/shields", shields);
    covey_get(app, "/stubborn", stubborn);
    covey_get(app, "/quick", quick);
    covey_post(app, "/collects", quick);
    covey_get(app, "/sleeps", sleeps);
    covey_get(app, "/waits-fd", waits_fd);
    covey_get(app, "/offloads", offloads);
    covey_get(app, "/threads", has_threads);
    covey_get(app, "/defers-a-wait", defers_a_wait);
    covey_post(app, "/lends", lends_its_request, .stream = true);
    return 0;
}

static struct rig rig;

static void reset(void)
{
    last_code = last_cause = n_waiting = n_ended = n_tasks = n_stopping = 0;
}

static int start(void **state)
{
    (void)state;
    reset();
    assert_int_equal(pipe(pipe_fds), 0);
    rig_init(&rig, setup);
    rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

static int ask_and_keep(const char *target)
{
    char request[256];
    int fd = rig_connect(&rig);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             target);
    rig_send(fd, request);
    return fd;
}

/* ---- Cancelling ---- */

static void test_a_client_that_closes_cancels_its_handler(void **state)
{
    (void)state;
    int fd = ask_and_keep("/waits");
    rig_until(n_waiting == 1);
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -ECANCELED);
    assert_int_equal(last_cause, COVEY_CAUSE_CLIENT);
}

static void test_a_client_that_resets_cancels_also_with_half_close(void **state)
{
    (void)state;
    int fd = ask_and_keep("/waits-half");
    rig_until(n_waiting == 1);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -ECANCELED);
}

static void test_a_half_close_does_not_cancel_with_half_close(void **state)
{
    (void)state;
    int fd = ask_and_keep("/waits-half");
    rig_until(n_waiting == 1);
    shutdown(fd, SHUT_WR);
    assert_body(rig_read_all(fd, NULL), "answered");
    assert_int_equal(last_code, 0);
    close(fd);

    fd = ask_and_keep("/waits");
    rig_until(n_waiting == 2);
    shutdown(fd, SHUT_WR);
    assert_string_equal(rig_read_all(fd, NULL), ""); /* nothing, rather than a 500 */
    rig_until(n_ended == 2);
    assert_int_equal(last_cause, COVEY_CAUSE_CLIENT);
    close(fd);
}

static void test_a_half_close_does_not_cancel_a_handler_that_does_not_wait(void **state)
{
    (void)state;
    int fd = ask_and_keep("/quick");
    shutdown(fd, SHUT_WR);
    assert_body(rig_read_all(fd, NULL), "quick");
    close(fd);
}

static void test_a_cancelled_handler_may_still_answer_a_half_closed_client(void **state)
{
    (void)state;
    int fd = ask_and_keep("/anyway");
    rig_until(n_waiting == 1);
    shutdown(fd, SHUT_WR);
    assert_body(rig_read_all(fd, NULL), "answered");
    assert_int_equal(last_code, -ECANCELED);
    close(fd);
}

static void test_response_timeout_cancels_and_answers_503(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/waits-short"), 503);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -ECANCELED);
    assert_int_equal(last_cause, COVEY_CAUSE_TIMEOUT);
}

static void test_the_setting_for_response_timeout_can_be_switched_off(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup);
    rig.config.server.limits.response_timeout = 100;
    rig_start(&rig);
    assert_status(rig_get(&rig, "/waits"), 503);
    assert_int_equal(last_cause, COVEY_CAUSE_TIMEOUT);
    assert_body(rig_get(&rig, "/waits-off"), "answered");
    rig_stop(&rig);
}

static void test_the_end_of_a_drain_cancels_with_503(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup);
    rig_start(&rig);
    int fd = ask_and_keep("/waits");
    rig_until(n_waiting == 1);
    rig_drain(&rig, CV_DRAIN_STOP, 100);
    assert_status(rig_read_all(fd, NULL), 503);
    close(fd);
    assert_int_equal(rig_join(&rig), 0);
    assert_int_equal(last_code, -ECANCELED);
    assert_int_equal(last_cause, COVEY_CAUSE_DRAIN);
    rig_assert_logged(&rig, "it was cancelled: the server ends, and the time for that is over");
    assert_int_equal(rig.n_drained, 1);
    close(rig.log);
}

/* Sends half a body to a route that wants all of it. */
static int send_half_a_body(void)
{
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /collects HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    for (int i = 0; i < 25; i++)
        rig_nap();
    return fd;
}

static void test_a_body_that_never_ends_is_answered_when_the_drain_ends(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup);
    rig_start(&rig);
    int fd = send_half_a_body();
    rig_drain(&rig, CV_DRAIN_STOP, 100);
    assert_status(rig_read_all(fd, NULL), 503);
    close(fd);
    assert_int_equal(rig_join(&rig), 0);
    close(rig.log);
}

static void test_a_client_that_leaves_in_its_body_is_forgotten(void **state)
{
    (void)state;
    close(send_half_a_body());
    int fd = send_half_a_body();
    shutdown(fd, SHUT_WR);
    assert_lacks(rig_read_all(fd, NULL), "200 OK");
    close(fd);
    assert_body(rig_get(&rig, "/quick"), "quick");
}

static void test_a_body_that_stalls_is_a_408(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup);
    rig.config.server.limits.request_timeout = 100;
    rig_start(&rig);
    int fd = send_half_a_body();
    assert_status(rig_read_all(fd, NULL), 408);
    close(fd);
    rig_stop(&rig);
}

static void test_a_shield_gives_time_once(void **state)
{
    (void)state;
    int fd = ask_and_keep("/shields");
    rig_until(n_waiting == 1);
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, 0);
}

static void test_a_stubborn_handler_is_named_and_starves_nobody(void **state)
{
    (void)state;
    int fd = ask_and_keep("/stubborn");
    rig_until(n_waiting == 1);
    close(fd);
    assert_body(rig_get(&rig, "/quick"), "quick");
    rig_until(n_ended == 1);
    rig_assert_logged(&rig, "GET /stubborn: the handler goes on although it was cancelled");
    rig_assert_logged(&rig, "(the client has left)");
}

/* ---- Waiting ---- */

static void test_sleeping_does_not_hold_up_others(void **state)
{
    (void)state;
    int fd = ask_and_keep("/waits");
    rig_until(n_waiting == 1);
    assert_body(rig_get(&rig, "/sleeps"), "slept");
    close(fd);
    rig_until(n_ended == 1);
}

static void test_waiting_for_a_descriptor(void **state)
{
    (void)state;
    int fd = ask_and_keep("/waits-fd");
    rig_until(n_waiting == 1);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    assert_body(rig_read_all(fd, NULL), "bad=0");
    close(fd);
}

static void test_offload_gives_the_result(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/offloads"), "42");
}

static void test_an_offloaded_call_that_has_begun_is_finished_first(void **state)
{
    (void)state;
    int fd = ask_and_keep("/offloads");
    rig_until(n_waiting == 1);
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, 42);
    assert_int_equal(last_cause, COVEY_CAUSE_CLIENT);
}

/* ---- Wrong callers ---- */

static void test_other_threads_are_refused_with_a_sentence(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/threads"), "bad=0");
    rig_assert_logged(&rig, "covey_text() was called outside the thread of the worker's loop");
    rig_assert_logged(&rig, "covey_sleep_ms() was called outside the thread");
}

static void test_waiting_off_a_fiber_is_refused_with_a_sentence(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/defers-a-wait"), 200);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, 0);
    rig_assert_logged(&rig, "covey_sleep_ms() was called off a fiber");
    rig_assert_logged(&rig, "covey_offload() was called off a fiber");
}

static void test_another_fiber_may_not_wait_for_a_request(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /lends HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Content-Length: 1\r\n\r\n");
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -EPERM);
    rig_send(fd, "x");
    assert_body(rig_read_all(fd, NULL), "done");
    close(fd);
}

/* ---- Tasks ---- */

static void test_tasks_come_from_any_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        assert_int_equal(covey_add_task(the_app, count_task), 0);
    rig_until(n_tasks == 500);
}

static void test_tasks_are_cancelled_at_the_end_and_none_begin_then(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup);
    rig_start(&rig);
    assert_int_equal(covey_add_task(the_app, task_that_waits), 0);
    rig_until(n_waiting == 1);
    rig_drain(&rig, CV_DRAIN_STOP, 1000);
    assert_int_equal(rig_join(&rig), 0);
    assert_int_equal(n_ended, 1);
    assert_int_equal(last_code, -ECANCELED);
    close(rig.log);
}

/* ---- Limits ---- */

static void test_without_a_fiber_left_the_answer_names_the_setting(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup);
    rig.config.server.limits.fibers_max = 2;
    rig_start(&rig);
    int one = ask_and_keep("/waits"), two = ask_and_keep("/waits");
    rig_until(n_waiting == 2);
    const char *answer = rig_get(&rig, "/quick");
    assert_status(answer, 503);
    assert_has(answer, "FIBERS_MAX");
    rig_assert_logged(
        &rig, "refused with 503 at /quick: Too many requests are waiting (FIBERS_MAX is 2)");
    assert_status(rig_get(&rig, "/nowhere"), 404); /* needs none */

    /* A task waits for a fiber. */
    assert_int_equal(covey_add_task(the_app, count_task), 0);
    for (int i = 0; i < 10; i++)
        rig_nap();
    assert_int_equal(n_tasks, 0);
    close(one);
    rig_until(n_tasks == 1);
    close(two);
    rig_until(n_ended == 2);
    assert_body(rig_get(&rig, "/quick"), "quick");
    rig_stop(&rig);
}

static void test_stop_listeners_run_also_when_no_fiber_is_left(void **state)
{
    (void)state;
    reset();
    rig_init(&rig, setup);
    rig.config.server.limits.fibers_max = 1;
    rig_start(&rig);
    int fd = ask_and_keep("/waits");
    rig_until(n_waiting == 1);
    rig_drain(&rig, CV_DRAIN_STOP, 100);
    assert_int_equal(rig_join(&rig), 0);
    assert_int_equal(n_stopping, 1);
    close(fd);
    close(rig.log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_client_that_closes_cancels_its_handler),
        TEST(test_a_client_that_resets_cancels_also_with_half_close),
        TEST(test_a_half_close_does_not_cancel_with_half_close),
        TEST(test_a_half_close_does_not_cancel_a_handler_that_does_not_wait),
        TEST(test_a_cancelled_handler_may_still_answer_a_half_closed_client),
        TEST(test_response_timeout_cancels_and_answers_503),
        cmocka_unit_test(test_the_setting_for_response_timeout_can_be_switched_off),
        cmocka_unit_test(test_the_end_of_a_drain_cancels_with_503),
        cmocka_unit_test(test_a_body_that_never_ends_is_answered_when_the_drain_ends),
        TEST(test_a_client_that_leaves_in_its_body_is_forgotten),
        cmocka_unit_test(test_a_body_that_stalls_is_a_408),
        TEST(test_a_shield_gives_time_once),
        TEST(test_a_stubborn_handler_is_named_and_starves_nobody),
        TEST(test_sleeping_does_not_hold_up_others),
        TEST(test_waiting_for_a_descriptor),
        TEST(test_offload_gives_the_result),
        TEST(test_an_offloaded_call_that_has_begun_is_finished_first),
        TEST(test_other_threads_are_refused_with_a_sentence),
        TEST(test_waiting_off_a_fiber_is_refused_with_a_sentence),
        TEST(test_another_fiber_may_not_wait_for_a_request),
        TEST(test_tasks_come_from_any_thread),
        cmocka_unit_test(test_tasks_are_cancelled_at_the_end_and_none_begin_then),
        cmocka_unit_test(test_without_a_fiber_left_the_answer_names_the_setting),
        cmocka_unit_test(test_stop_listeners_run_also_when_no_fiber_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
