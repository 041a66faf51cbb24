/* Request bodies: collected, streamed, limited, refused, read over. */
#include "rig.h"

#define POST(length) "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"
#define CHUNKED "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- Hosts ---- */

static char streamed[1 << 20];
static size_t streamed_len;
static ssize_t stream_end;
static int64_t stream_limit = -1;

/* Reads a streamed body as it comes; answers "all" or the error. */
static void host_stream(struct rig *rig, const struct cv_event *event)
{
    struct cv_exchange *x = event->exchange;
    if (event->kind == CV_EV_REQUEST) {
        streamed_len = 0;
        stream_end = cv_exchange_limit(x, stream_limit);
    }
    rig->held = x;
    while (stream_end == 0 || stream_end == -EAGAIN) {
        ssize_t n = cv_exchange_read(x, streamed + streamed_len, 1000);
        if (n > 0) {
            streamed_len += (size_t)n;
            continue;
        }
        stream_end = n;
        if (n == -EAGAIN)
            return;
        break;
    }
    streamed[streamed_len] = '\0';
    answer_text(x, stream_end == 0 ? "all" : "failed");
    cv_exchange_release(x);
    rig->held = NULL;
}

/* Answers at once, without a look at the body; to /next with its target. */
static void host_early(struct rig *rig, const struct cv_event *event)
{
    const struct cv_h1_head *head = cv_exchange_head(event->exchange);
    if (head->target_len == 5) {
        host_target(rig, event);
    } else if (event->kind == CV_EV_REQUEST) {
        answer_text(event->exchange, "early");
        cv_exchange_release(event->exchange);
    }
}

/* ---- Failures ---- */

static void test_a_body_past_the_limit_is_413_and_the_host_is_told(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_echo);
    say_and_hear_all(rig, POST("100001"));
    assert_got(rig, "HTTP/1.1 413 ");
    assert_int_equal(rig->got_error, 0);
    assert_int_equal(rig->gone, CV_GONE_BODY);
    rig_free(rig);
}

static void test_a_chunked_body_past_the_limit_is_413(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_echo);
    static char much[200000];
    int len = snprintf(much, sizeof(much), CHUNKED "30000\r\n");
    memset(much + len, 'x', sizeof(much) - (size_t)len);
    int fd = rig_connect(rig);
    size_t said = 0;
    while (said < sizeof(much)) {
        ssize_t n = send(fd, much + said, sizeof(much) - said, MSG_DONTWAIT | MSG_NOSIGNAL);
        said += n > 0 ? (size_t)n : 0;
        rig_step(rig, 1);
    }
    hear(rig, fd, "HTTP/1.1 413 ");
    shutdown(fd, SHUT_WR);
    hear(rig, fd, NULL);
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

static void test_a_malformed_chunk_is_400(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_echo);
    say_and_hear_all(rig, CHUNKED "5\r\nhelloX");
    assert_got(rig, "HTTP/1.1 400 ");
    assert_int_equal(rig->gone, CV_GONE_BODY);
    rig->host = host_stream;
    say_and_hear_all(rig, CHUNKED "5\r\nhelloX");
    assert_got(rig, "\r\n\r\nfailed");
    assert_got(rig, "Connection: close");
    assert_int_equal(stream_end, -EBADMSG);
    rig_free(rig);
}

static void test_a_body_that_ends_early_is_400(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_echo);
    int fd = rig_connect(rig);
    say_text(fd, POST("10") "hello");
    shutdown(fd, SHUT_WR);
    hear(rig, fd, NULL);
    assert_got(rig, "HTTP/1.1 400 ");
    close(fd);

    rig->host = host_stream;
    fd = rig_connect(rig);
    say_text(fd, POST("10") "hello");
    shutdown(fd, SHUT_WR);
    forget(rig);
    hear(rig, fd, NULL);
    assert_int_equal(stream_end, -ECONNRESET);
    assert_string_equal(streamed, "hello");
    close(fd);
    rig_free(rig);
}

static void test_a_streamed_body_past_its_limit_says_so(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_stream);
    stream_limit = 4;
    say_and_hear_all(rig, CHUNKED "5\r\nhello\r\n0\r\n\r\n");
    assert_int_equal(stream_end, -EMSGSIZE);
    int fd = rig_connect(rig);
    forget(rig);
    say_text(fd, POST("5") "hello");
    hear(rig, fd, "failed");
    assert_int_equal(stream_end, -EMSGSIZE);
    stream_limit = -1;
    close(fd);
    rig_free(rig);
}

/* ---- Collecting ---- */

/* Sends `request` cut at each byte, and byte by byte; each time it and a second request must be
 * answered. */
static void answered_however_cut(struct rig *rig, const char *request, const char *answer)
{
    for (size_t cut = 1; cut < strlen(request); cut++) {
        int fd = rig_connect(rig);
        forget(rig);
        say(fd, request, cut);
        rig_step(rig, 1);
        rig_step(rig, 1);
        say_text(fd, request + cut);
        hear(rig, fd, answer);
        say_text(fd, POST("0"));
        rig_until(rig, (fetch(rig, fd), count_of(rig, "HTTP/1.1 200 OK")) == 2);
        close(fd);
    }
    int fd = rig_connect(rig);
    forget(rig);
    for (const char *at = request; *at != '\0'; at++) {
        say(fd, at, 1);
        rig_step(rig, 1);
    }
    hear(rig, fd, answer);
    close(fd);
}

static void test_a_collected_body_is_the_same_however_cut(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_echo);
    answered_however_cut(rig, POST("11") "hello world", "\r\n\r\nhello world");
    answered_however_cut(rig, CHUNKED "6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\nT: x\r\n\r\n",
                         "\r\n\r\nhello world");
    rig_free(rig);
}

static void test_a_streamed_body_is_the_same_however_cut(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_stream);
    answered_however_cut(rig, POST("11") "hello world", "\r\n\r\nall");
    assert_string_equal(streamed, "hello world");
    answered_however_cut(rig, CHUNKED "6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\nT: x\r\n\r\n",
                         "\r\n\r\nall");
    assert_string_equal(streamed, "hello world");
    rig_free(rig);
}

static void test_a_collected_body_ends_with_nul_and_stays_after_the_answer(void **state)
{
    (void)state;
    const char *requests[] = {POST("5") "hello", CHUNKED "5\r\nhello\r\n0\r\n\r\n"};
    for (size_t i = 0; i < CV_COUNT(requests); i++) {
        struct rig *rig = rig_of(host_hold);
        int fd = rig_connect(rig);
        say_text(fd, requests[i]);
        rig_until(rig, rig->held != NULL);
        assert_int_equal(cv_exchange_collect(rig->held, -1), 1);
        answer_text(rig->held, "ok");
        hear(rig, fd, "ok");
        close(fd);
        rig_until(rig, cv_server_connections(rig->server) == 0);
        struct cv_span body = cv_exchange_body(rig->held);
        assert_int_equal(body.len, 5);
        assert_string_equal(body.at, "hello");
        cv_exchange_release(rig->held);
        rig_free(rig);
    }
}

static void test_no_body_is_an_empty_one(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    char some[8];
    for (int i = 0; i < 2; i++) {
        rig->held = NULL;
        say_text(fd, NEXT);
        rig_until(rig, rig->held != NULL);
        if (i == 0)
            assert_int_equal(cv_exchange_collect(rig->held, 0), 1);
        else
            assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 0);
        assert_int_equal(cv_exchange_body(rig->held).len, 0);
        answer_text(rig->held, "ok");
        cv_exchange_release(rig->held);
    }
    close(fd);
    rig_free(rig);
}

static void test_a_long_body_is_collected_over_many_reads(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_echo);
    static char body[90000];
    for (size_t i = 0; i < sizeof(body) - 1; i++)
        body[i] = (char)('a' + i % 26);
    int fd = rig_connect(rig);
    say_text(fd, POST("89999"));
    for (size_t said = 0; said < sizeof(body) - 1; said += 9999) {
        size_t left = sizeof(body) - 1 - said;
        say(fd, body + said, left < 9999 ? left : 9999);
        rig_step(rig, 1);
    }
    rig_until(rig, (fetch(rig, fd), rig->got_len) > sizeof(body));
    assert_got(rig, body);
    close(fd);
    rig_free(rig);
}

static void test_a_body_of_many_reads_is_collected_whole(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    static char much[8 << 20];
    int fd = rig_connect(rig);
    int large = sizeof(much); /* much more than one turn reads, ready in the socket */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
    say_text(fd, POST("8388608"));
    rig_until(rig, rig->held != NULL);
    struct cv_exchange *x = rig->held;
    size_t sent = 0;
    assert_int_equal(cv_exchange_collect(x, -1), 0);
    while (rig->bodies == 0) {
        ssize_t n = send(fd, much + sent, sizeof(much) - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        rig_step(rig, 1);
    }
    assert_int_equal(cv_exchange_body(x).len, sizeof(much));
    cv_exchange_release(x);
    hear(rig, fd, "500");
    close(fd);
    rig_free(rig);
}

/* ---- Streaming ---- */

static void test_a_host_that_does_not_read_stops_the_client(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    static char much[65536], some[65536];
    const size_t total = 64u << 20;
    say_text(fd, POST("67108864"));
    rig_until(rig, rig->held != NULL);
    assert_int_equal(cv_exchange_read(rig->held, some, 1), -EAGAIN);
    size_t sent = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t n = send(fd, much, sizeof(much), MSG_DONTWAIT);
        idle = n > 0 ? 0 : idle + 1;
        sent += n > 0 ? (size_t)n : 0;
        rig_step(rig, 1);
    }
    assert_true(sent < total / 2); /* the rest is the kernel's buffers */

    size_t read = 0;
    while (read < total) {
        ssize_t n = cv_exchange_read(rig->held, some, sizeof(some));
        assert_true(n > 0 || n == -EAGAIN);
        read += n > 0 ? (size_t)n : 0;
        size_t left = total - sent;
        n = send(fd, much, left < sizeof(much) ? left : sizeof(much), MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        rig_step(rig, 0);
    }
    assert_int_equal(cv_exchange_read(rig->held, some, sizeof(some)), 0);
    answer_text(rig->held, "ok");
    cv_exchange_release(rig->held);
    hear(rig, fd, "ok");
    close(fd);
    rig_free(rig);
}

/* ---- Expect ---- */

#define EXPECT "POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

static void test_100_continue_leaves_when_the_host_asks(void **state)
{
    (void)state;
    void (*hosts[])(struct rig *, const struct cv_event *) = {host_echo, host_stream};
    for (size_t i = 0; i < CV_COUNT(hosts); i++) {
        struct rig *rig = rig_of(hosts[i]);
        int fd = rig_connect(rig);
        say_text(fd, EXPECT);
        hear(rig, fd, "HTTP/1.1 100 Continue\r\n\r\n");
        assert_not_got(rig, "200");
        say_text(fd, "hello");
        hear(rig, fd, i == 0 ? "\r\n\r\nhello" : "\r\n\r\nall");
        assert_int_equal(count_of(rig, "100 Continue"), 1);
        assert_not_got(rig, "Connection: close");
        close(fd);
        rig_free(rig);
    }
}

static void test_no_100_to_a_client_that_has_not_waited(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_echo);
    int fd = rig_connect(rig);
    say_text(fd, EXPECT "hello");
    hear(rig, fd, "\r\n\r\nhello");
    assert_not_got(rig, "100 Continue");
    close(fd);
    rig_free(rig);
}

static void test_an_early_answer_to_an_expectation_closes(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_early);
    int fd = rig_connect(rig);
    say_text(fd, EXPECT);
    hear(rig, fd, "early");
    assert_got(rig, "Connection: close");
    assert_not_got(rig, "100 Continue");
    shutdown(fd, SHUT_WR);
    hear(rig, fd, NULL);
    close(fd);
    rig_free(rig);
}

/* ---- What the host does not read ---- */

static void test_a_short_unread_body_is_read_over(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_early);
    const char *requests[] = {POST("5") "hello", CHUNKED "5\r\nhello\r\n0\r\n\r\n"};
    for (size_t i = 0; i < CV_COUNT(requests); i++) {
        size_t head = (size_t)(strstr(requests[i], "\r\n\r\n") - requests[i]) + 4;
        for (size_t cut = head; cut < strlen(requests[i]); cut++) {
            int fd = rig_connect(rig);
            forget(rig);
            say(fd, requests[i], cut);
            hear(rig, fd, "early");
            say_text(fd, requests[i] + cut);
            say_text(fd, NEXT);
            hear(rig, fd, "\r\n\r\n/next");
            close(fd);
        }
    }
    rig_free(rig);
}

static void test_a_long_unread_body_closes_but_the_answer_arrives(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_early);
    static char much[100000];
    int fd = rig_connect(rig);
    say_text(fd, POST("1000000"));
    for (int i = 0; i < 10; i++) {
        say(fd, much, sizeof(much));
        rig_step(rig, 2);
    }
    shutdown(fd, SHUT_WR);
    hear(rig, fd, NULL);
    assert_got(rig, "\r\n\r\nearly");
    assert_got(rig, "Connection: close");
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

static void test_a_long_unread_chunked_body_closes(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_early);
    static char much[100000];
    int fd = rig_connect(rig);
    say_text(fd, CHUNKED "186A0\r\n");
    hear(rig, fd, "early");
    say(fd, much, sizeof(much));
    shutdown(fd, SHUT_WR);
    hear(rig, fd, NULL);
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_past_the_limit_is_413_and_the_host_is_told),
        cmocka_unit_test(test_a_chunked_body_past_the_limit_is_413),
        cmocka_unit_test(test_a_malformed_chunk_is_400),
        cmocka_unit_test(test_a_body_that_ends_early_is_400),
        cmocka_unit_test(test_a_streamed_body_past_its_limit_says_so),
        cmocka_unit_test(test_a_collected_body_is_the_same_however_cut),
        cmocka_unit_test(test_a_streamed_body_is_the_same_however_cut),
        cmocka_unit_test(test_a_collected_body_ends_with_nul_and_stays_after_the_answer),
        cmocka_unit_test(test_no_body_is_an_empty_one),
        cmocka_unit_test(test_a_long_body_is_collected_over_many_reads),
        cmocka_unit_test(test_a_body_of_many_reads_is_collected_whole),
        cmocka_unit_test(test_a_host_that_does_not_read_stops_the_client),
        cmocka_unit_test(test_100_continue_leaves_when_the_host_asks),
        cmocka_unit_test(test_no_100_to_a_client_that_has_not_waited),
        cmocka_unit_test(test_an_early_answer_to_an_expectation_closes),
        cmocka_unit_test(test_a_short_unread_body_is_read_over),
        cmocka_unit_test(test_a_long_unread_body_closes_but_the_answer_arrives),
        cmocka_unit_test(test_a_long_unread_chunked_body_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
