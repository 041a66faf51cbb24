/* How a server ends its work. */
#include "rig.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"

/* A connection that has been served once and is kept. */
static int idle_connection(struct rig *rig)
{
    int fd = rig_connect(rig);
    forget(rig);
    say_text(fd, GET("/idle"));
    hear(rig, fd, "\r\n\r\n/idle");
    forget(rig);
    return fd;
}

static void test_without_connections_it_is_drained_at_once_and_once(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    rig_step(rig, 0);
    assert_int_equal(rig->drained, 1);
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    rig_settle(rig);
    assert_int_equal(rig->drained, 1);
    assert_int_equal(cv_loop_deadline(rig->loop), CV_NEVER);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&rig->address, sizeof(rig->address)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    rig_free(rig);
}

static void test_a_step_does_not_wait_while_the_host_has_not_heard_of_the_end(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    cv_server_drain(rig->server, CV_DRAIN_RETIRE, CV_NEVER);
    say_text(fd, GET("/last"));
    while (rig->drained == 0) {
        /* As a host that waits without a limit; the connection closes in the flush. */
        struct cv_event event;
        assert_true(cv_loop_step(rig->loop, CV_NEVER) >= 0);
        while (cv_server_next(rig->server, &event))
            rig_note(rig, &event);
        cv_server_flush(rig->server);
    }
    close(fd);
    rig_free(rig);
}

/* ---- Stop ---- */

static void test_stop_closes_idle_connections_at_once(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    assert_int_equal(cv_server_connections(rig->server), 0);
    rig_step(rig, 0);
    assert_int_equal(rig->drained, 1);
    hear(rig, fd, NULL);
    assert_string_equal(rig->got, "");
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

static void test_stop_answers_a_request_that_waits_in_an_idle_connections_socket(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    say_text(fd, GET("/last"));
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER); /* no step between: not seen yet */
    hear(rig, fd, NULL);
    assert_got(rig, "\r\n\r\n/last");
    assert_got(rig, "Connection: close\r\n");
    rig_until(rig, rig->drained == 1);
    close(fd);
    rig_free(rig);
}

static void test_stop_answers_all_that_was_pipelined(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    say_text(fd, GET("/1") GET("/2") GET("/3"));
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    hear(rig, fd, NULL);
    assert_int_equal(count_of(rig, "200 OK"), 3);
    assert_int_equal(count_of(rig, "Connection: close"), 1);
    close(fd);
    rig_free(rig);
}

static void test_stop_takes_what_waits_in_the_accept_queue(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = rig_connect(rig);
        say_text(fds[i], GET("/queued"));
    }
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    for (int i = 0; i < 3; i++) {
        forget(rig);
        hear(rig, fds[i], NULL);
        assert_got(rig, "\r\n\r\n/queued");
        close(fds[i]);
    }
    rig_until(rig, rig->drained == 1);
    rig_free(rig);
}

static void test_stop_waits_for_a_running_request_and_closes_behind_it(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/"));
    rig_until(rig, rig->held != NULL);
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    rig_settle(rig);
    assert_int_equal(rig->drained, 0);
    assert_int_equal(rig->gones, 0);
    answer_text(rig->held, "done");
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "Connection: close\r\n");
    assert_got(rig, "\r\n\r\ndone");
    rig_until(rig, rig->drained == 1);
    close(fd);
    rig_free(rig);
}

static void test_stop_waits_for_a_torn_request(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    say_text(fd, "GET /torn HTTP/1.1\r\nHo");
    rig_settle(rig);
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    rig_settle(rig);
    say_text(fd, "st: x\r\n\r\n");
    hear(rig, fd, NULL);
    assert_got(rig, "\r\n\r\n/torn");
    close(fd);
    rig_free(rig);
}

static void test_stop_takes_empty_lines_for_no_request(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    say_text(fd, "\r\n");
    rig_settle(rig);
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    rig_until(rig, rig->drained == 1);
    close(fd);
    rig_free(rig);
}

static void test_stop_closes_behind_an_answer_that_promised_to_keep_alive(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/"));
    rig_until(rig, rig->held != NULL);
    struct cv_answer answer = {.status = 200, .length = 5};
    assert_int_equal(cv_exchange_begin(rig->held, &answer), 0);
    hear(rig, fd, "\r\n\r\n");
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    rig_settle(rig);
    cv_exchange_write(rig->held, CV_SPAN("hello"));
    assert_int_equal(cv_exchange_end(rig->held), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "\r\n\r\nhello");
    rig_until(rig, rig->drained == 1);
    close(fd);
    rig_free(rig);
}

/* ---- Retire ---- */

static void test_retire_keeps_idle_connections_until_their_next_request(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    cv_server_drain(rig->server, CV_DRAIN_RETIRE, CV_NEVER);
    rig_settle(rig);
    assert_int_equal(cv_server_connections(rig->server), 1);
    say_text(fd, GET("/last"));
    hear(rig, fd, NULL);
    assert_got(rig, "\r\n\r\n/last");
    assert_got(rig, "Connection: close\r\n");
    rig_until(rig, rig->drained == 1);
    close(fd);
    rig_free(rig);
}

static void test_a_retirement_can_become_a_stop(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    cv_server_drain(rig->server, CV_DRAIN_RETIRE, CV_NEVER);
    rig_settle(rig);
    assert_int_equal(rig->drained, 0);
    cv_server_drain(rig->server, CV_DRAIN_STOP, CV_NEVER);
    rig_until(rig, rig->drained == 1);
    close(fd);
    rig_free(rig);
}

static void test_retire_closes_idle_connections_at_its_end(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = idle_connection(rig);
    cv_server_drain(rig->server, CV_DRAIN_RETIRE, cv_clock_ns() + 30 * CV_MS);
    rig_until(rig, rig->drained == 1);
    hear(rig, fd, NULL);
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

/* ---- The end ---- */

static void test_at_the_end_running_requests_are_told_and_cut_later(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/"));
    rig_until(rig, rig->held != NULL);
    cv_server_drain(rig->server, CV_DRAIN_STOP, cv_clock_ns() + 30 * CV_MS);
    rig_until(rig, rig->gones == 1);
    int64_t told = cv_clock_ns();
    assert_int_equal(rig->gone, CV_GONE_DRAIN);
    assert_int_equal(cv_server_connections(rig->server), 1);
    rig_until(rig, rig->drained == 1);
    assert_true(cv_clock_ns() - told > 900 * CV_MS);
    assert_int_equal(rig->gones, 2);
    assert_int_equal(answer_text(rig->held, "too late"), -ECONNRESET);
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

static void test_a_request_that_was_told_may_still_be_answered(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/"));
    rig_until(rig, rig->held != NULL);
    cv_server_drain(rig->server, CV_DRAIN_STOP, cv_clock_ns());
    rig_until(rig, rig->gones == 1);
    assert_int_equal(answer_text(rig->held, "just in time"), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "just in time");
    rig_until(rig, rig->drained == 1);
    close(fd);
    rig_free(rig);
}

static void test_a_second_call_shortens_but_does_not_prolong(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/"));
    rig_until(rig, rig->held != NULL);
    cv_server_drain(rig->server, CV_DRAIN_STOP, cv_clock_ns() + 3600 * CV_SECOND);
    cv_server_drain(rig->server, CV_DRAIN_STOP, cv_clock_ns());
    cv_server_drain(rig->server, CV_DRAIN_RETIRE, cv_clock_ns() + 3600 * CV_SECOND);
    rig_until(rig, rig->gones == 1);
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_connections_it_is_drained_at_once_and_once),
        cmocka_unit_test(test_a_step_does_not_wait_while_the_host_has_not_heard_of_the_end),
        cmocka_unit_test(test_stop_closes_idle_connections_at_once),
        cmocka_unit_test(test_stop_answers_a_request_that_waits_in_an_idle_connections_socket),
        cmocka_unit_test(test_stop_answers_all_that_was_pipelined),
        cmocka_unit_test(test_stop_takes_what_waits_in_the_accept_queue),
        cmocka_unit_test(test_stop_waits_for_a_running_request_and_closes_behind_it),
        cmocka_unit_test(test_stop_waits_for_a_torn_request),
        cmocka_unit_test(test_stop_takes_empty_lines_for_no_request),
        cmocka_unit_test(test_stop_closes_behind_an_answer_that_promised_to_keep_alive),
        cmocka_unit_test(test_retire_keeps_idle_connections_until_their_next_request),
        cmocka_unit_test(test_a_retirement_can_become_a_stop),
        cmocka_unit_test(test_retire_closes_idle_connections_at_its_end),
        cmocka_unit_test(test_at_the_end_running_requests_are_told_and_cut_later),
        cmocka_unit_test(test_a_request_that_was_told_may_still_be_answered),
        cmocka_unit_test(test_a_second_call_shortens_but_does_not_prolong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
