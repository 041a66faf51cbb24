/* The handle: how long it lives, what a host is told, what happens to it when others fail. */
#include "rig.h"

#include "serve/exchange.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\nX-Some: thing\r\n\r\n"

static void reset_by(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

/* A request that is held, on the connection returned. */
static int hold_one(struct rig *rig)
{
    int fd = rig_connect(rig);
    rig->held = NULL;
    say_text(fd, GET("/held"));
    rig_until(rig, rig->held != NULL);
    return fd;
}

static void begin_streaming(struct cv_exchange *x, int64_t length)
{
    struct cv_answer answer = {.status = 200, .length = length};
    assert_int_equal(cv_exchange_begin(x, &answer), 0);
}

static unsigned released;

static void count_release(void *arg)
{
    (void)arg;
    released++;
}

/* ---- Peers that leave ---- */

static void test_a_reset_is_told_and_writes_are_swallowed(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    reset_by(hold_one(rig));
    rig_until(rig, rig->gones == 1);
    assert_int_equal(rig->gone, CV_GONE_PEER);
    assert_int_equal(cv_server_connections(rig->server), 0);
    assert_int_equal(cv_server_exchanges(rig->server), 0);

    released = 0;
    struct cv_answer answer = {.status = 200, .body = CV_SPAN("x"), .release = count_release};
    assert_int_equal(cv_exchange_answer(rig->held, &answer), -ECONNRESET);
    assert_int_equal(released, 1);
    assert_int_equal(cv_exchange_begin(rig->held, &answer), -ECONNRESET);
    assert_int_equal(cv_exchange_write(rig->held, CV_SPAN("x")), -ECONNRESET);
    assert_int_equal(cv_exchange_end(rig->held), -ECONNRESET);
    char some[8];
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 0); /* there was no body */
    cv_exchange_abort(rig->held);
    cv_exchange_timeout(rig->held, 5);
    cv_exchange_release(rig->held);
    rig_free(rig);
}

static void test_an_exchange_outlives_its_connection(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    reset_by(hold_one(rig));
    rig_until(rig, rig->gones == 1);
    const struct cv_h1_head *head = cv_exchange_head(rig->held);
    struct cv_span target =
        cv_h1_span(cv_exchange_bytes(rig->held), head->target_at, head->target_len);
    assert_true(cv_span_eq(target, CV_SPAN("/held")));
    assert_true(cv_span_eq(cv_exchange_field(rig->held, CV_SPAN("x-some")), CV_SPAN("thing")));
    assert_null(cv_exchange_field(rig->held, CV_SPAN("x-other")).at);
    assert_string_equal(cv_exchange_peer(rig->held), "127.0.0.1");
    assert_true(cv_exchange_started(rig->held) > 0);
    cv_exchange_release(rig->held);
    rig_free(rig);
}

static void test_an_exchange_outlives_the_server(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    cv_server_free(rig->server);
    rig->server = NULL;
    assert_int_equal(answer_text(rig->held, "x"), -ECONNRESET);
    assert_string_equal(cv_exchange_peer(rig->held), "127.0.0.1");
    cv_exchange_release(rig->held);
    for (int64_t end = cv_clock_ns() + PATIENCE; !rig->got_end && cv_clock_ns() < end;)
        fetch(rig, fd);
    assert_true(rig->got_end);
    close(fd);
    cv_loop_free(rig->loop);
    free(rig);
}

static void test_a_fin_is_told_and_the_host_may_go_on(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    shutdown(fd, SHUT_WR);
    rig_until(rig, rig->gones == 1);
    assert_int_equal(rig->gone, CV_GONE_HALF);
    answer_text(rig->held, "after all");
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "after all");
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

static void test_a_fin_that_came_with_the_request_is_told_after_it(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    rig_settle(rig); /* accepted and registered */
    say_text(fd, GET("/"));
    shutdown(fd, SHUT_WR);
    rig_until(rig, rig->gones == 1);
    assert_int_equal(rig->requests, 1);
    assert_int_equal(rig->gone, CV_GONE_HALF);
    answer_text(rig->held, "ok");
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    close(fd);
    rig_free(rig);
}

static void test_a_request_whose_peer_leaves_before_it_is_taken_is_dropped(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    rig_settle(rig);
    say_text(fd, GET("/"));
    int64_t end = cv_clock_ns() + PATIENCE;
    while (cv_server_exchanges(rig->server) == 0 && cv_clock_ns() < end)
        assert_true(cv_loop_step(rig->loop, cv_clock_ns() + 5 * CV_MS) >= 0);
    reset_by(fd);
    while (cv_server_exchanges(rig->server) == 1 && cv_clock_ns() < end)
        assert_true(cv_loop_step(rig->loop, cv_clock_ns() + 5 * CV_MS) >= 0);
    rig_settle(rig);
    assert_int_equal(rig->requests, 0);
    assert_int_equal(rig->gones, 0);
    assert_int_equal(cv_server_connections(rig->server), 0);
    rig_free(rig);
}

/* ---- Hosts that do not answer ---- */

static void test_released_without_an_answer_is_500_and_the_connection_goes_on(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    cv_exchange_release(rig->held);
    hear(rig, fd, "HTTP/1.1 500 ");
    rig->host = host_target;
    say_text(fd, GET("/next"));
    hear(rig, fd, "\r\n\r\n/next");
    close(fd);
    rig_free(rig);
}

static void test_released_within_an_answer_cuts(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    begin_streaming(rig->held, -1);
    cv_exchange_write(rig->held, CV_SPAN("half"));
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "4\r\nhalf\r\n");
    assert_not_got(rig, "0\r\n\r\n");
    close(fd);
    rig_free(rig);
}

static void test_the_last_of_several_references_counts(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    cv_exchange_ref(rig->held);
    cv_exchange_release(rig->held);
    rig_settle(rig);
    fetch(rig, fd);
    assert_string_equal(rig->got, "");
    cv_exchange_release(rig->held);
    hear(rig, fd, "HTTP/1.1 500 ");
    close(fd);
    rig_free(rig);
}

static void test_abort_cuts_but_the_answers_before_it_arrive(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/1") GET("/2"));
    rig_until(rig, rig->requests == 1);
    answer_text(rig->held, "first");
    cv_exchange_release(rig->held);
    struct cv_event event;
    assert_true(cv_server_next(rig->server, &event));
    cv_exchange_abort(event.exchange);
    cv_exchange_release(event.exchange);
    hear(rig, fd, NULL);
    assert_got(rig, "first");
    assert_int_equal(count_of(rig, "HTTP/1.1"), 1);
    close(fd);
    rig_free(rig);
}

static void test_only_a_request_is_taken_as_one(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    struct cv_exchange *x;
    assert_false(cv_server_next_request(rig->server, &x));
    say_text(fd, GET("/1") GET("/2"));
    rig_until(rig, rig->requests == 1);
    assert_false(cv_server_next_request(rig->server, &x)); /* the first is not answered */
    answer_text(rig->held, "first");
    cv_exchange_release(rig->held);
    assert_true(cv_server_next_request(rig->server, &x));
    assert_int_equal(cv_exchange_head(x)->path_len, 2);
    cv_exchange_warn(x, CV_GONE_HALF);
    struct cv_exchange *none = NULL;
    assert_false(cv_server_next_request(rig->server, &none)); /* what comes first is none */
    struct cv_event event;
    assert_true(cv_server_next(rig->server, &event));
    assert_int_equal(event.kind, CV_EV_GONE);
    answer_text(x, "second");
    cv_exchange_release(x);
    hear(rig, fd, "second");
    close(fd);
    rig_free(rig);
}

static void test_an_aborted_answer_that_ends_with_the_connection_is_reset(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, "GET / HTTP/1.0\r\n\r\n");
    rig_until(rig, rig->held != NULL);
    begin_streaming(rig->held, -1);
    cv_exchange_write(rig->held, CV_SPAN("half"));
    cv_exchange_abort(rig->held);
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_int_equal(rig->got_error, ECONNRESET);
    close(fd);
    rig_free(rig);
}

/* ---- Small things ---- */

static void test_an_answer_can_be_begun_once(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    assert_false(cv_exchange_begun(rig->held));
    assert_int_equal(answer_text(rig->held, "one"), 0);
    assert_true(cv_exchange_begun(rig->held));
    assert_int_equal(answer_text(rig->held, "two"), -EALREADY);
    assert_int_equal(cv_exchange_end(rig->held), -EALREADY);
    assert_int_equal(cv_exchange_write(rig->held, CV_SPAN("x")), -EALREADY);
    cv_exchange_release(rig->held);
    hear(rig, fd, "one");
    close(fd);
    rig_free(rig);
}

static void test_a_status_that_is_none_is_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    struct cv_answer answer = {.status = 100};
    assert_int_equal(cv_exchange_answer(rig->held, &answer), -EINVAL);
    answer.status = 1000;
    assert_int_equal(cv_exchange_begin(rig->held, &answer), -EINVAL);
    assert_int_equal(answer_text(rig->held, "still"), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, "still");
    close(fd);
    rig_free(rig);
}

static void test_what_the_host_does_not_flush_leaves_with_the_next_step(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    answer_text(rig->held, "unflushed");
    cv_exchange_release(rig->held);
    assert_true(cv_loop_step(rig->loop, CV_NEVER) >= 0); /* does not wait */
    fetch(rig, fd);
    assert_got(rig, "unflushed");
    close(fd);
    rig_free(rig);
}

static void test_a_host_keeps_a_pointer_in_it(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold_one(rig);
    assert_null(cv_exchange_host(rig->held));
    cv_exchange_set_host(rig->held, rig);
    assert_ptr_equal(cv_exchange_host(rig->held), rig);
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_is_told_and_writes_are_swallowed),
        cmocka_unit_test(test_an_exchange_outlives_its_connection),
        cmocka_unit_test(test_an_exchange_outlives_the_server),
        cmocka_unit_test(test_a_fin_is_told_and_the_host_may_go_on),
        cmocka_unit_test(test_a_fin_that_came_with_the_request_is_told_after_it),
        cmocka_unit_test(test_a_request_whose_peer_leaves_before_it_is_taken_is_dropped),
        cmocka_unit_test(test_released_without_an_answer_is_500_and_the_connection_goes_on),
        cmocka_unit_test(test_released_within_an_answer_cuts),
        cmocka_unit_test(test_the_last_of_several_references_counts),
        cmocka_unit_test(test_abort_cuts_but_the_answers_before_it_arrive),
        cmocka_unit_test(test_only_a_request_is_taken_as_one),
        cmocka_unit_test(test_an_aborted_answer_that_ends_with_the_connection_is_reset),
        cmocka_unit_test(test_an_answer_can_be_begun_once),
        cmocka_unit_test(test_a_status_that_is_none_is_refused),
        cmocka_unit_test(test_what_the_host_does_not_flush_leaves_with_the_next_step),
        cmocka_unit_test(test_a_host_keeps_a_pointer_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
