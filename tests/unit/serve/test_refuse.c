/* What is refused: each limit by its own name, in the answer, in the log and in the metrics. */
#include "rig.h"

#include "logged.h"
#include "serve/refuse.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define LAST "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static struct cv_metrics_page page;

static struct rig *rig_counting(void (*host)(struct rig *, const struct cv_event *))
{
    struct rig *rig = rig_new(host);
    memset(&page, 0, sizeof(page));
    rig->config.metrics.page = &page;
    return rig;
}

static uint64_t refused(enum cv_refused reason)
{
    return cv_metrics_get(&page.refused[reason]);
}

/* ---- Heads ---- */

static void test_each_limit_of_a_head_has_its_name(void **state)
{
    (void)state;
    struct rig *rig = rig_counting(host_target);
    rig->config.limits.head =
        (struct cv_h1_limits){.head_max = 200, .target_max = 20, .fields_max = 3};
    rig_start(rig);

    say_and_hear_all(rig, "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_got(rig, "HTTP/1.1 414 ");
    assert_got(rig, "(REQUEST_MAX_TARGET)");
    assert_int_equal(refused(CV_REFUSED_TARGET_TOO_LONG), 1);
    assert_logged("127.0.0.1: refused with 414: The request target is too long "
                  "(REQUEST_MAX_TARGET is 20 bytes)");

    say_and_hear_all(rig, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nA: b\r\nA: b\r\n\r\n");
    assert_got(rig, "HTTP/1.1 431 ");
    assert_int_equal(refused(CV_REFUSED_TOO_MANY_FIELDS), 1);
    assert_logged("(REQUEST_MAX_FIELDS is 3)");

    char head[300];
    (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: x\r\nA: %0220d\r\n\r\n", 0);
    say_and_hear_all(rig, head);
    assert_got(rig, "HTTP/1.1 431 ");
    assert_int_equal(refused(CV_REFUSED_HEAD_TOO_LARGE), 1);
    assert_logged("(REQUEST_MAX_HEADER_SIZE is 200 bytes)");
    rig_free(rig);
}

static void test_many_refusals_are_one_line_and_a_number(void **state)
{
    (void)state;
    struct rig *rig = rig_counting(host_target);
    rig_start(rig);
    for (int i = 0; i < 50; i++)
        say_and_hear_all(rig, "nonsense\r\n\r\n");
    assert_int_equal(refused(CV_REFUSED_MALFORMED), 50);
    assert_int_equal(lines_logged(), 1);
    rig_free(rig);
    assert_int_equal(lines_logged(), 2);
    assert_logged("49 more in the last 10 s: refused with 400: The request is malformed");
}

/* ---- Bodies ---- */

static void test_a_streamed_body_past_its_limit_is_counted_too(void **state)
{
    (void)state;
    struct rig *rig = rig_counting(host_hold);
    rig_start(rig);
    int fd = rig_connect(rig);
    say_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n01234567890");
    rig_until(rig, rig->held != NULL);
    cv_exchange_set_name(rig->held, "/up");
    assert_int_equal(cv_exchange_limit(rig->held, 10), -EMSGSIZE);
    assert_int_equal(refused(CV_REFUSED_BODY_TOO_LARGE), 1);
    assert_logged("refused with 413 at /up: The request body is too large "
                  "(.body_max is 10 bytes)");
    answer_text(rig->held, "too long");
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

#define POST(length) "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"

static void test_all_bodies_together_have_a_limit(void **state)
{
    (void)state;
    struct rig *rig = rig_counting(host_echo);
    rig->config.limits.bodies_memory = 10;
    rig_start(rig);
    int first = rig_post(rig, POST("10"), "012345");
    rig_settle(rig);
    int second = rig_post(rig, POST("8"), "abcdefgh");
    hear(rig, second, NULL);
    assert_got(rig, "HTTP/1.1 503 ");
    assert_got(rig, "The bodies of requests take too much memory (BODIES_MAX_MEMORY)");
    assert_int_equal(refused(CV_REFUSED_BODIES_MEMORY), 1);
    assert_logged("(BODIES_MAX_MEMORY is 10 bytes)");
    close(second);

    forget(rig);
    say_text(first, "6789"); /* what has been refused is not counted */
    hear(rig, first, "0123456789");
    int third = rig_post(rig, POST("9"), "abcdefgh"); /* nor what has been answered */
    rig_settle(rig);
    close(third); /* nor what will not be */
    rig_settle(rig);
    int fourth = rig_post(rig, POST("10"), "ABCDEFGHIJ");
    hear(rig, fourth, "ABCDEFGHIJ");
    assert_int_equal(refused(CV_REFUSED_BODIES_MEMORY), 1);
    close(fourth);
    close(first);
    rig_free(rig);
}

/* ---- Numbers of requests ---- */

static void test_the_last_request_of_a_connection_closes_it(void **state)
{
    (void)state;
    struct rig *rig = rig_counting(host_target);
    rig->config.limits.keep_alive_requests = 3;
    rig_start(rig);
    say_and_hear_all(rig, GET GET GET GET);
    assert_int_equal(count_of(rig, "HTTP/1.1 200 "), 3);
    assert_int_equal(count_of(rig, "Connection: close"), 1);
    assert_int_equal(rig->got_error, 0);
    rig_free(rig);
}

/* Holds the first and answers the others. */
static void host_hold_first(struct rig *rig, const struct cv_event *event)
{
    if (event->kind == CV_EV_REQUEST && rig->held != NULL) {
        answer_text(event->exchange, "served");
        cv_exchange_release(event->exchange);
    } else if (event->kind == CV_EV_REQUEST) {
        rig->held = event->exchange;
    }
}

static void test_one_request_more_than_may_be_is_503_and_keeps_its_connection(void **state)
{
    (void)state;
    struct rig *rig = rig_counting(host_hold_first);
    rig->config.limits.in_flight_max = 1;
    rig_start(rig);
    int first = rig_connect(rig);
    say_text(first, GET);
    rig_until(rig, rig->held != NULL);

    int second = rig_connect(rig);
    say_text(second, GET);
    hear(rig, second, "HTTP/1.1 503 ");
    assert_got(rig, "Too many requests are being worked on (IN_FLIGHT_MAX)");
    assert_not_got(rig, "Connection: close");
    assert_int_equal(rig->requests, 1); /* the host has not heard of it */
    assert_int_equal(refused(CV_REFUSED_IN_FLIGHT_MAX), 1);
    assert_int_equal(cv_metrics_get(&page.requests[CV_METRICS_REFUSED][CV_METRICS_5XX]), 1);
    assert_logged("(IN_FLIGHT_MAX is 1)");

    answer_text(rig->held, "held");
    cv_exchange_release(rig->held);
    rig_settle(rig);
    forget(rig);
    say_text(second, LAST);
    hear(rig, second, NULL);
    assert_got(rig, "served");
    close(first);
    close(second);
    rig_free(rig);
}

static void test_the_body_of_a_request_too_many_is_read_over(void **state)
{
    (void)state;
    struct rig *rig = rig_counting(host_hold_first);
    rig->config.limits.in_flight_max = 1;
    rig_start(rig);
    int first = rig_connect(rig);
    say_text(first, GET);
    rig_until(rig, rig->held != NULL);
    say_and_hear_all(rig, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"
                          "lo" LAST);
    assert_int_equal(count_of(rig, "HTTP/1.1 503 "), 2);
    answer_text(rig->held, "held");
    cv_exchange_release(rig->held);
    close(first);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        logging(test_each_limit_of_a_head_has_its_name),
        logging(test_many_refusals_are_one_line_and_a_number),
        logging(test_a_streamed_body_past_its_limit_is_counted_too),
        logging(test_all_bodies_together_have_a_limit),
        logging(test_the_last_request_of_a_connection_closes_it),
        logging(test_one_request_more_than_may_be_is_503_and_keeps_its_connection),
        logging(test_the_body_of_a_request_too_many_is_read_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
