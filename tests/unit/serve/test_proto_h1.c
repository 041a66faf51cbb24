/* Requests on a connection: order, batches, refusals, ends. */
#include "rig.h"

#include <sys/syscall.h>

/* Stands in front of libc's, to count what the server sends. Clients use write(). */
static unsigned sends;

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    sends++;
    return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    sends++;
    return syscall(SYS_sendmsg, fd, message, flags);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- Refusals ---- */

static void refused_with(struct rig *rig, const char *request, const char *status)
{
    char line[64];
    snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
    say_and_hear_all(rig, request);
    assert_got(rig, line);
    assert_got(rig, "Connection: close\r\n");
    assert_int_equal(rig->got_error, 0);
}

static void test_what_is_not_a_request_is_refused_and_closed(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    refused_with(rig, "nonsense\r\n\r\n", "400");
    refused_with(rig, "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505");
    refused_with(rig,
                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n",
                 "400");
    assert_int_equal(rig->requests, 0);
    rig_free(rig);
}

static void test_a_head_past_the_limit_is_431_however_much_follows(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    static char request[60000];
    int len = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    memset(request + len, 'a', sizeof(request) - 1 - (size_t)len);
    refused_with(rig, request, "431");
    rig_free(rig);
}

static void test_a_refusal_waits_for_the_answers_before_it(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    say_and_hear_all(rig, GET("/one") GET("/two") "broken\r\n\r\n" GET("/three"));
    const char *one = strstr(rig->got, "/one");
    const char *two = strstr(rig->got, "/two");
    const char *bad = strstr(rig->got, "HTTP/1.1 400 ");
    assert_non_null(one);
    assert_true(one < two);
    assert_true(two < bad);
    assert_not_got(rig, "/three");
    rig_free(rig);
}

static void test_a_refusal_reaches_a_client_that_goes_on_sending(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    static char much[100000];
    say_text(fd, "broken\r\n\r\n");
    rig_settle(rig);
    for (int i = 0; i < 20; i++) {
        say(fd, much, sizeof(much));
        rig_step(rig, 2);
    }
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    hear(rig, fd, NULL);
    assert_got(rig, "HTTP/1.1 400 ");
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

static void test_a_torn_head_and_a_fin_close_silently(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    say_text(fd, "GET / HTTP/1.1\r\nHo");
    shutdown(fd, SHUT_WR);
    hear(rig, fd, NULL);
    assert_string_equal(rig->got, "");
    assert_int_equal(cv_server_connections(rig->server), 0);
    close(fd);
    rig_free(rig);
}

/* ---- Keep-alive and pipelines ---- */

static void test_a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    for (int i = 0; i < 5; i++) {
        forget(rig);
        say_text(fd, GET("/again"));
        hear(rig, fd, "/again");
        assert_not_got(rig, "Connection:");
    }
    assert_int_equal(cv_server_connections(rig->server), 1);
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    rig_free(rig);
}

static void test_each_exchange_costs_one_send(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    sends = 0;
    for (int i = 0; i < 3; i++) {
        forget(rig);
        say_text(fd, GET("/"));
        hear(rig, fd, "\r\n\r\n/");
    }
    assert_int_equal(sends, 3);
    close(fd);
    rig_free(rig);
}

static void test_all_answers_to_one_read_leave_in_one_send_and_in_order(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    sends = 0;
    say_text(fd, GET("/1") GET("/2") GET("/3") GET("/4") GET("/5") GET("/6") GET("/7") GET("/8"));
    hear(rig, fd, "\r\n\r\n/8");
    assert_int_equal(sends, 1);
    assert_int_equal(rig->requests, 8);
    const char *at = rig->got;
    for (char n = '1'; n <= '8'; n++) {
        char text[8] = {'\r', '\n', '\r', '\n', '/', n, '\0'};
        at = strstr(at, text);
        assert_non_null(at);
    }
    close(fd);
    rig_free(rig);
}

static void test_a_batch_ends_at_64_requests_and_the_rest_follows_by_itself(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    static char many[200 * sizeof(GET("/"))];
    for (int i = 0; i < 150; i++)
        memcpy(many + strlen(many), GET("/"), sizeof(GET("/")));
    int fd = rig_connect(rig);
    sends = 0;
    say_text(fd, many);
    rig_until(rig, rig->requests == 150);
    fetch(rig, fd);
    assert_int_equal(count_of(rig, "HTTP/1.1 200 OK"), 150);
    assert_int_equal(sends, 3);
    close(fd);
    rig_free(rig);
}

static void test_the_next_request_waits_for_the_answer_to_the_one_before(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/1") GET("/2"));
    rig_settle(rig);
    say_text(fd, GET("/3"));
    rig_settle(rig);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(rig->requests, i);
        assert_int_equal(cv_server_exchanges(rig->server), 1);
        answer_text(rig->held, "done");
        cv_exchange_release(rig->held);
        rig_settle(rig);
    }
    fetch(rig, fd);
    assert_int_equal(count_of(rig, "done"), 3);
    close(fd);
    rig_free(rig);
}

static void test_any_split_of_the_bytes_gives_the_same(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    const char *request = GET("/first") "GET /second HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
    for (size_t cut = 1; cut < strlen(request); cut++) {
        int fd = rig_connect(rig);
        forget(rig);
        say(fd, request, cut);
        rig_step(rig, 1);
        rig_step(rig, 1);
        say_text(fd, request + cut);
        hear(rig, fd, "\r\n\r\n/second");
        assert_int_equal(count_of(rig, "HTTP/1.1 200 OK"), 2);
        close(fd);
    }
    rig_free(rig);
}

static void test_byte_by_byte_gives_the_same(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    const char *request = GET("/first") GET("/second");
    int fd = rig_connect(rig);
    for (const char *at = request; *at != '\0'; at++) {
        say(fd, at, 1);
        rig_step(rig, 1);
    }
    hear(rig, fd, "\r\n\r\n/second");
    assert_int_equal(count_of(rig, "HTTP/1.1 200 OK"), 2);
    close(fd);
    rig_free(rig);
}

/* ---- Ends ---- */

static void test_requests_before_a_fin_are_all_answered(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    say_text(fd, GET("/1") GET("/2") GET("/3"));
    shutdown(fd, SHUT_WR);
    hear(rig, fd, NULL);
    assert_int_equal(count_of(rig, "HTTP/1.1 200 OK"), 3);
    assert_int_equal(rig->got_error, 0);
    assert_int_equal(cv_server_connections(rig->server), 0);
    close(fd);
    rig_free(rig);
}

static void test_connection_close_is_obeyed(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    say_and_hear_all(rig, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_got(rig, "Connection: close\r\n");
    assert_got(rig, "\r\n\r\n/x");
    rig_free(rig);
}

static void test_http_1_0_closes_unless_it_asks_to_keep_alive(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    say_and_hear_all(rig, "GET /x HTTP/1.0\r\n\r\n");
    assert_got(rig, "Connection: close\r\n");
    int fd = rig_connect(rig);
    forget(rig);
    say_text(fd, "GET /y HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    hear(rig, fd, "\r\n\r\n/y");
    assert_got(rig, "Connection: keep-alive\r\n");
    assert_false(rig->got_end);
    close(fd);
    rig_free(rig);
}

static void test_without_keep_alive_each_answer_closes(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.keep_alive = false;
    rig_start(rig);
    say_and_hear_all(rig, GET("/1") GET("/2"));
    assert_int_equal(count_of(rig, "HTTP/1.1 200 OK"), 1);
    assert_got(rig, "Connection: close\r\n");
    assert_int_equal(rig->got_error, 0);
    rig_free(rig);
}

static void test_a_closed_connection_leaves_nothing_armed(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    say_text(fd, GET("/"));
    hear(rig, fd, "\r\n\r\n/");
    assert_int_not_equal(cv_loop_deadline(rig->loop), CV_NEVER);
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    rig_settle(rig);
    assert_int_equal(cv_loop_deadline(rig->loop), CV_NEVER);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_a_request_is_refused_and_closed),
        cmocka_unit_test(test_a_head_past_the_limit_is_431_however_much_follows),
        cmocka_unit_test(test_a_refusal_waits_for_the_answers_before_it),
        cmocka_unit_test(test_a_refusal_reaches_a_client_that_goes_on_sending),
        cmocka_unit_test(test_a_torn_head_and_a_fin_close_silently),
        cmocka_unit_test(test_a_connection_serves_one_request_after_the_other),
        cmocka_unit_test(test_each_exchange_costs_one_send),
        cmocka_unit_test(test_all_answers_to_one_read_leave_in_one_send_and_in_order),
        cmocka_unit_test(test_a_batch_ends_at_64_requests_and_the_rest_follows_by_itself),
        cmocka_unit_test(test_the_next_request_waits_for_the_answer_to_the_one_before),
        cmocka_unit_test(test_any_split_of_the_bytes_gives_the_same),
        cmocka_unit_test(test_byte_by_byte_gives_the_same),
        cmocka_unit_test(test_requests_before_a_fin_are_all_answered),
        cmocka_unit_test(test_connection_close_is_obeyed),
        cmocka_unit_test(test_http_1_0_closes_unless_it_asks_to_keep_alive),
        cmocka_unit_test(test_without_keep_alive_each_answer_closes),
        cmocka_unit_test(test_a_closed_connection_leaves_nothing_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
