/* Time-outs. The limits are short; what is asserted is what happens, not when, but for "not before
 * it is due". */
#include "rig.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define SHORT 60 /* ms */

static struct rig *rig_with(void (*host)(struct rig *, const struct cv_event *),
                            size_t limit_offset)
{
    struct rig *rig = rig_new(host);
    *(int64_t *)(void *)((char *)&rig->config.limits + limit_offset) = SHORT;
    rig_start(rig);
    return rig;
}

#define LIMIT(name) offsetof(struct cv_limits, name)

static void test_a_torn_head_is_408(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_target, LIMIT(head_timeout));
    int64_t begun = cv_clock_ns();
    say_and_hear_all(rig, "GET / HTTP/1.1\r\nHost:");
    assert_true(cv_clock_ns() - begun >= SHORT * CV_MS);
    assert_got(rig, "HTTP/1.1 408 ");
    rig_free(rig);
}

static void test_bytes_that_trickle_do_not_prolong_a_request(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_target, LIMIT(request_timeout));
    int fd = rig_connect(rig);
    int64_t begun = cv_clock_ns();
    say_text(fd, "GET / HTTP/1.1\r\nX: ");
    while (!rig->got_end && cv_clock_ns() - begun < PATIENCE) {
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
        usleep(1000);
        rig_step(rig, 1);
        fetch(rig, fd);
        if (strstr(rig->got, "408") != NULL)
            break;
    }
    assert_got(rig, "HTTP/1.1 408 ");
    close(fd);
    rig_free(rig);
}

static void test_a_silent_client_is_closed_without_a_word(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_target, LIMIT(request_timeout));
    say_and_hear_all(rig, "");
    assert_string_equal(rig->got, "");
    assert_int_equal(rig->got_error, 0);
    rig_free(rig);
}

static void test_a_slow_body_is_408_and_the_host_is_told(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_echo, LIMIT(request_timeout));
    say_and_hear_all(rig, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    assert_got(rig, "HTTP/1.1 408 ");
    assert_int_equal(rig->gone, CV_GONE_BODY);
    rig_free(rig);
}

static void test_a_slow_streamed_body_is_told_by_read(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_hold, LIMIT(request_timeout));
    int fd = rig_connect(rig);
    char some[8];
    say_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    rig_until(rig, rig->held != NULL);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 3);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), -EAGAIN);
    rig_until(rig, rig->bodies == 1);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), -ETIMEDOUT);
    answer_text(rig->held, "too slow");
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "Connection: close");
    assert_got(rig, "too slow");
    close(fd);
    rig_free(rig);
}

static void test_a_host_that_takes_its_time_with_a_body_is_not_the_peers_fault(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_hold, LIMIT(request_timeout));
    int fd = rig_connect(rig);
    char some[8];
    say_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    rig_until(rig, rig->held != NULL);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 3);
    int64_t late = cv_clock_ns() + 3 * SHORT * CV_MS;
    while (cv_clock_ns() < late)
        rig_step(rig, 5);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), -EAGAIN);
    say_text(fd, "lo");
    rig_until(rig, rig->bodies == 1);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 2);
    answer_text(rig->held, "fine");
    cv_exchange_release(rig->held);
    hear(rig, fd, "fine");
    close(fd);
    rig_free(rig);
}

static void test_an_idle_connection_is_closed_silently(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_target, LIMIT(keep_alive_timeout));
    int64_t begun = cv_clock_ns();
    say_and_hear_all(rig, GET);
    assert_true(cv_clock_ns() - begun >= SHORT * CV_MS);
    assert_int_equal(count_of(rig, "HTTP/1.1"), 1);
    assert_int_equal(rig->got_error, 0);
    rig_free(rig);
}

static void test_a_host_that_does_not_answer_is_503(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_hold, LIMIT(response_timeout));
    say_and_hear_all(rig, GET);
    assert_got(rig, "HTTP/1.1 503 ");
    assert_int_equal(rig->gone, CV_GONE_TIMEOUT);
    assert_int_equal(answer_text(rig->held, "too late"), -ECONNRESET);
    cv_exchange_release(rig->held);
    rig_free(rig);
}

static void test_an_exchange_may_have_a_shorter_time(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET);
    rig_until(rig, rig->held != NULL);
    cv_exchange_timeout(rig->held, SHORT);
    hear(rig, fd, "HTTP/1.1 503 ");
    rig_until(rig, rig->gone == CV_GONE_TIMEOUT);
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

static void test_an_exchange_past_its_own_time_within_an_answer_is_cut(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET);
    rig_until(rig, rig->held != NULL);
    struct cv_answer answer = {.status = 200, .length = 10};
    assert_int_equal(cv_exchange_begin(rig->held, &answer), 0);
    cv_exchange_timeout(rig->held, SHORT);
    hear(rig, fd, NULL);
    assert_got(rig, "HTTP/1.1 200 ");
    rig_until(rig, rig->gone == CV_GONE_TIMEOUT);
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

static void test_an_exchange_may_have_no_limit(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_hold, LIMIT(response_timeout));
    int fd = rig_connect(rig);
    say_text(fd, GET);
    rig_until(rig, rig->held != NULL);
    cv_exchange_timeout(rig->held, -1);
    int64_t late = cv_clock_ns() + 3 * SHORT * CV_MS;
    while (cv_clock_ns() < late)
        rig_step(rig, 5);
    assert_int_equal(answer_text(rig->held, "in the end"), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, "in the end");
    close(fd);
    rig_free(rig);
}

/* Reads up to the end: 0, or -errno. */
static int read_over(int fd)
{
    static char bytes[65536];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        continue;
    return n < 0 ? -errno : 0;
}

/* By a reset, so that the kernel keeps nothing for it. */
static void test_a_peer_that_does_not_take_the_answer_is_cut(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_hold, LIMIT(send_timeout));
    static char body[32 << 20]; /* more than the sockets hold */
    int fd = rig_connect(rig);
    say_text(fd, GET);
    rig_until(rig, rig->held != NULL);
    struct cv_answer answer = {.status = 200, .length = sizeof(body)};
    assert_int_equal(cv_exchange_begin(rig->held, &answer), 0);
    assert_true(cv_exchange_write(rig->held, cv_span(body, sizeof(body))) > 0);
    rig_until(rig, rig->gones == 1);
    assert_int_equal(rig->gone, CV_GONE_TIMEOUT);
    assert_int_equal(cv_server_connections(rig->server), 0);
    assert_int_equal(read_over(fd), -ECONNRESET);
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

static void test_a_body_that_drips_is_408(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_echo);
    rig->config.limits.body_rate_min = 1 << 20;
    rig->config.limits.rate_span = 100;
    rig_start(rig);
    int fd = rig_connect(rig);
    say_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    for (int64_t end = cv_clock_ns() + PATIENCE; !rig->got_end && cv_clock_ns() < end;) {
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
        usleep(1000);
        rig_step(rig, 10);
        fetch(rig, fd);
    }
    assert_got(rig, "HTTP/1.1 408 ");
    assert_got(rig, "The request body came too slowly (BODY_RATE_MIN).");
    assert_int_equal(rig->gone, CV_GONE_BODY);
    close(fd);
    rig_free(rig);
}

/* It drips, but nobody waits for it. */
static void test_a_body_that_nobody_reads_may_be_slow(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_hold);
    rig->config.limits.body_rate_min = 1000000;
    rig->config.limits.rate_span = 100;
    rig_start(rig);
    int fd = rig_connect(rig);
    char some[8];
    say_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    rig_until(rig, rig->held != NULL);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 3);
    for (int64_t late = cv_clock_ns() + 500 * CV_MS; cv_clock_ns() < late;)
        rig_step(rig, 5);
    say_text(fd, "lo");
    rig_settle(rig);
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 2);
    answer_text(rig->held, "fine");
    cv_exchange_release(rig->held);
    hear(rig, fd, "fine");
    close(fd);
    rig_free(rig);
}

static void host_patient(struct rig *rig, const struct cv_event *event)
{
    if (event->kind == CV_EV_REQUEST)
        cv_exchange_speed(event->exchange, -1, -1);
    host_echo(rig, event);
}

static void test_a_request_may_have_all_the_time(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_patient);
    rig->config.limits.request_timeout = SHORT;
    rig->config.limits.body_rate_min = 1000;
    rig->config.limits.rate_span = 100;
    rig_start(rig);
    int fd = rig_connect(rig);
    say_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    for (int64_t late = cv_clock_ns() + 500 * CV_MS; cv_clock_ns() < late;)
        rig_step(rig, 5);
    say_text(fd, "lo");
    hear(rig, fd, "hello");
    close(fd);
    rig_free(rig);
}

/* A client that reads a little each time the server is stepped is cut off by the rate alone. */
static void test_a_peer_that_takes_the_answer_in_drops_is_cut(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_hold);
    rig->config.limits.send_rate_min = 100 << 20;
    rig->config.limits.rate_span = 200;
    rig_start(rig);
    static char body[32 << 20];
    int fd = rig_connect(rig);
    say_text(fd, GET);
    rig_until(rig, rig->held != NULL);
    struct cv_answer answer = {.status = 200, .body = cv_span(body, sizeof(body))};
    assert_int_equal(cv_exchange_answer(rig->held, &answer), 0);
    cv_exchange_release(rig->held);
    int64_t end = cv_clock_ns() + PATIENCE;
    while (cv_server_connections(rig->server) > 0 && cv_clock_ns() < end) {
        char some[1000];
        (void)!recv(fd, some, sizeof(some), MSG_DONTWAIT);
        rig_step(rig, 10);
    }
    assert_int_equal(cv_server_connections(rig->server), 0);
    close(fd);
    rig_free(rig);
}

static void test_a_client_that_stays_after_a_refusal_is_closed(void **state)
{
    (void)state;
    struct rig *rig = rig_with(host_target, LIMIT(linger_timeout));
    int fd = rig_connect(rig);
    say_text(fd, "broken\r\n\r\n");
    hear(rig, fd, NULL);
    assert_int_equal(cv_server_connections(rig->server), 1);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    close(fd);
    rig_free(rig);
}

static void test_limits_that_are_off_arm_nothing(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    struct cv_limits *limits = &rig->config.limits;
    limits->head_timeout = limits->request_timeout = -1;
    limits->response_timeout = limits->keep_alive_timeout = -1;
    rig_start(rig);
    int fd = rig_connect(rig);
    rig_settle(rig);
    assert_int_equal(cv_server_connections(rig->server), 1);
    assert_int_equal(cv_loop_deadline(rig->loop), CV_NEVER);
    say_text(fd, GET);
    hear(rig, fd, "\r\n\r\n/");
    assert_int_equal(cv_loop_deadline(rig->loop), CV_NEVER);
    close(fd);
    rig_free(rig);
}

static void test_a_limit_of_zero_does_not_hang(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.limits.keep_alive_timeout = 0;
    rig_start(rig);
    say_and_hear_all(rig, GET);
    assert_got(rig, "HTTP/1.1 200 ");
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_torn_head_is_408),
        cmocka_unit_test(test_bytes_that_trickle_do_not_prolong_a_request),
        cmocka_unit_test(test_a_silent_client_is_closed_without_a_word),
        cmocka_unit_test(test_a_slow_body_is_408_and_the_host_is_told),
        cmocka_unit_test(test_a_slow_streamed_body_is_told_by_read),
        cmocka_unit_test(test_a_host_that_takes_its_time_with_a_body_is_not_the_peers_fault),
        cmocka_unit_test(test_an_idle_connection_is_closed_silently),
        cmocka_unit_test(test_a_host_that_does_not_answer_is_503),
        cmocka_unit_test(test_an_exchange_may_have_a_shorter_time),
        cmocka_unit_test(test_an_exchange_past_its_own_time_within_an_answer_is_cut),
        cmocka_unit_test(test_an_exchange_may_have_no_limit),
        cmocka_unit_test(test_a_peer_that_does_not_take_the_answer_is_cut),
        cmocka_unit_test(test_a_body_that_drips_is_408),
        cmocka_unit_test(test_a_body_that_nobody_reads_may_be_slow),
        cmocka_unit_test(test_a_request_may_have_all_the_time),
        cmocka_unit_test(test_a_peer_that_takes_the_answer_in_drops_is_cut),
        cmocka_unit_test(test_a_client_that_stays_after_a_refusal_is_closed),
        cmocka_unit_test(test_limits_that_are_off_arm_nothing),
        cmocka_unit_test(test_a_limit_of_zero_does_not_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
