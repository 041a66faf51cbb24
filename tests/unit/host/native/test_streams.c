/* Streamed bodies both ways: order, limits, back-pressure, truncation. */
#include "rig.h"

static _Atomic int64_t n_sent;
static _Atomic int last_code;
static _Atomic int n_ended;

static int chunks(covey_req *req)
{
    if (covey_set_header(req, "X-Before", "1") < 0 ||
        covey_respond(req, 200, .type = "text/plain") < 0)
        return -EIO;
    if (covey_set_header(req, "X-After", "1") != -EPERM || covey_status(req) != 200)
        return -EIO;
    covey_send(req, "one,", 4);
    covey_sleep_ms(5);
    covey_send(req, "two", 3);
    return covey_end(req);
}

static int unended(covey_req *req)
{
    covey_respond(req, 200, .length = 3);
    return covey_send(req, "abc", 3);
}

static int too_short(covey_req *req)
{
    covey_respond(req, 200, .length = 10);
    covey_send(req, "abc", 3);
    last_code = covey_end(req);
    return 0;
}

static int too_long(covey_req *req)
{
    covey_respond(req, 200, .length = 3);
    last_code = covey_send(req, "abcd", 4);
    covey_send(req, "abc", 3);
    return 0;
}

static int fails_late(covey_req *req)
{
    covey_respond(req, 200);
    covey_send(req, "abc", 3);
    return covey_fail(req, 404, "too late for this");
}

static int wrong_order(covey_req *req)
{
    int bad = covey_send(req, "x", 1) != -EINVAL;
    bad += covey_end(req) != -EINVAL;
    bad += covey_respond(req, 99) != -EINVAL;
    bad +=
        covey_respond_with(req, &(struct covey_response){.status = 200, .size = 4096}) != -EINVAL;
    bad += covey_respond(req, 200, .type = "a\r\nb") != -EINVAL;
    bad += covey_respond(req, 200) != 0;
    bad += covey_respond(req, 200) != -EALREADY;
    bad += covey_text(req, 200, "x") != -EALREADY;
    covey_send(req, bad ? "bad" : "good", bad ? 3 : 4);
    bad = covey_end(req) != 0;
    bad += covey_send(req, "x", 1) != -EALREADY;
    bad += covey_end(req) != -EALREADY;
    last_code = bad;
    return 0;
}

static int sends_much(covey_req *req)
{
    static char block[16384];
    int rc = covey_respond(req, 200);
    for (int i = 0; i < 4096 && rc == 0; i++) { /* 64 MiB: more than the kernel's buffers */
        rc = covey_send(req, block, sizeof(block));
        n_sent += rc == 0 ? (int64_t)sizeof(block) : 0;
    }
    last_code = rc;
    n_ended++;
    return rc;
}

/* Only what it waits for could end it. */
static int sends_forever(covey_req *req)
{
    int status = (int)covey_query_int(req, "status", 200);
    int rc = covey_respond(req, status, .length = covey_query_int(req, "length", 0));
    while (rc == 0)
        rc = covey_send(req, "once more", 9);
    last_code = rc;
    n_ended++;
    return rc;
}

static int counts(covey_req *req)
{
    char piece[1000];
    ssize_t n;
    size_t total = 0;
    while ((n = covey_body_read(req, piece, sizeof(piece))) > 0)
        total += (size_t)n;
    last_code = (int)n;
    n_ended++;
    size_t len = 1;
    if (covey_body(req, &len) != NULL || len != 0)
        return -EIO;
    return n < 0 ? (int)n : covey_textf(req, 200, "%zu", total);
}

static int reads_late(covey_req *req)
{
    covey_sleep_ms(300);
    return counts(req);
}

static int ignores_body(covey_req *req)
{
    return covey_text(req, 200, "did not read");
}

static int setup(covey_app *app)
{
    covey_get(app, "/chunks", chunks);
    covey_get(app, "/forever", sends_forever);
    covey_get(app, "/packed", sends_forever, .compress = 1);
    covey_get(app, "/unended", unended);
    covey_get(app, "/short", too_short);
    covey_get(app, "/long", too_long);
    covey_get(app, "/late", fails_late);
    covey_get(app, "/order", wrong_order);
    covey_get(app, "/much", sends_much);
    covey_post(app, "/count", counts, .stream = true, .body_max = COVEY_OFF);
    covey_post(app, "/small", counts, .stream = true, .body_max = 10);
    covey_post(app, "/reads-late", reads_late, .stream = true, .body_max = COVEY_OFF);
    covey_post(app, "/ignores", ignores_body, .stream = true);
    return 0;
}

static struct rig rig;

static int start(void **state)
{
    (void)state;
    n_sent = 0;
    n_ended = 0;
    last_code = 1;
    rig_init(&rig, setup);
    rig.config.server.limits.request_timeout = 1000;
    rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

/* ---- Answers ---- */

static void test_a_short_answer_closes_the_connection(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/short");
    assert_has(answer, "ontent-Length: 10\r\n");
    assert_body(answer, "abc");
    assert_int_equal(last_code, -EIO);
}

static void test_a_long_answer_is_refused(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/long"), "abc");
    assert_int_equal(last_code, -EMSGSIZE);
}

static void test_a_failure_behind_the_head_truncates_visibly(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/late");
    assert_status(answer, 200);
    assert_lacks(answer, "0\r\n\r\n"); /* no last chunk */
    rig_assert_logged(&rig, "GET /late: the handler failed (too late for this) after the head");
}

static void test_calls_out_of_order_are_refused(void **state)
{
    (void)state;
    assert_has(rig_get(&rig, "/order"), "good");
    assert_int_equal(last_code, 0);
}

static void test_a_client_that_leaves_ends_a_long_answer(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_send(fd, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_until(n_sent > 0);
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -ECANCELED);
    assert_true(n_sent < 64 << 20);
}

static void test_sending_waits_for_a_slow_client(void **state)
{
    (void)state;
    static char sink[1 << 16];
    int fd = rig_connect(&rig);
    rig_send(fd, "GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    rig_until(n_sent > 0);
    int64_t before;
    do { /* until nothing moves any more */
        before = n_sent;
        for (int i = 0; i < 25; i++)
            rig_nap();
    } while (n_sent != before);
    assert_true(n_sent < 64 << 20);
    assert_int_equal(n_ended, 0);

    int64_t got = 0;
    ssize_t n;
    while ((n = recv(fd, sink, sizeof(sink), 0)) > 0)
        got += n;
    close(fd);
    assert_int_equal(n, 0);
    assert_true(got > 64 << 20);
    assert_int_equal(last_code, 0);
}

static void test_chunks_and_lengths(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/chunks");
    assert_has(answer, "X-Before: 1\r\n");
    assert_lacks(answer, "X-After");
    assert_has(answer, "text/plain\r\n");
    assert_body(answer, "4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n");
    assert_body(rig_get(&rig, "/unended"), "abc");
    assert_body(rig_ask(&rig, "HEAD /chunks", "", NULL), "");
}

static void test_what_is_complete_with_its_head_ends_the_handler(void **state)
{
    static const char *const requests[] = {"HEAD /forever", "HEAD /forever?length=1000000",
                                           "HEAD /packed", "GET /forever?status=204",
                                           "GET /forever?status=304"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_body(rig_ask(&rig, requests[i], "Accept-Encoding: gzip\r\n", NULL), "");
        rig_until(n_ended == i + 1);
        assert_int_equal(last_code, -ECANCELED);
    }
    assert_has(rig_ask(&rig, requests[1], "", NULL), "Content-Length: 1000000\r\n");
    assert_lacks(rig_log(&rig), "failed");
    assert_lacks(rig_log(&rig), "shorter");
}

/* ---- Requests ---- */

static void test_a_streamed_body_past_its_limit(void **state)
{
    (void)state;
    assert_status(rig_ask(&rig, "POST /small", "", "0123456789"), 200);
    assert_status(rig_ask(&rig, "POST /small", "", "0123456789a"), 413);
    assert_int_equal(n_ended, 1);
    assert_status(rig_ask(&rig, "POST /small",
                          "Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n", NULL),
                  413);
    assert_int_equal(last_code, -EMSGSIZE);
}

static void test_a_malformed_streamed_body_is_a_400(void **state)
{
    (void)state;
    assert_status(rig_ask(&rig, "POST /count", "Transfer-Encoding: chunked\r\n\r\nzz\r\n", NULL),
                  400);
    assert_int_equal(last_code, -EBADMSG);
}

static void test_a_streamed_body_that_stalls_is_a_408(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    assert_status(rig_read_all(fd, NULL), 408);
    close(fd);
}

static void test_a_client_that_leaves_in_its_body_cancels_the_read(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    for (int i = 0; i < 20; i++)
        rig_nap();
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -ECANCELED);
}

static void test_a_streamed_body_comes_in_pieces(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Expect: 100-continue\r\nContent-Length: 6\r\n\r\n");
    char interim[26];
    assert_int_equal(recv(fd, interim, 25, MSG_WAITALL), 25);
    assert_memory_equal(interim, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    rig_send(fd, "abc");
    for (int i = 0; i < 5; i++)
        rig_nap();
    rig_send(fd, "def");
    assert_body(rig_read_all(fd, NULL), "6");
    close(fd);
}

/* A body of 16 MiB for a handler that does not read yet: the server must not take it all. */
static void test_a_slow_reader_holds_back_the_client(void **state)
{
    (void)state;
    static char block[1 << 16];
    const size_t total = 16 << 20;
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /reads-late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Content-Length: 16777216\r\n\r\n");
    size_t sent = 0;
    bool was_held = false;
    while (sent < total) {
        size_t more = total - sent < sizeof(block) ? total - sent : sizeof(block);
        ssize_t n = send(fd, block, more, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            sent += (size_t)n;
            continue;
        }
        was_held = true;
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        assert_int_equal(poll(&room, 1, RIG_WAIT_MS), 1);
    }
    assert_true(was_held);
    assert_body(rig_read_all(fd, NULL), "16777216");
    close(fd);
}

static void test_an_unread_body_is_read_over(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /ignores HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"
                 "GET /unended HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const char *answer = rig_read_all(fd, NULL);
    assert_has(answer, "did not read");
    assert_has(answer, "abc");
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_short_answer_closes_the_connection),
        TEST(test_a_long_answer_is_refused),
        TEST(test_a_failure_behind_the_head_truncates_visibly),
        TEST(test_calls_out_of_order_are_refused),
        TEST(test_a_client_that_leaves_ends_a_long_answer),
        TEST(test_sending_waits_for_a_slow_client),
        TEST(test_chunks_and_lengths),
        TEST(test_what_is_complete_with_its_head_ends_the_handler),
        TEST(test_a_streamed_body_past_its_limit),
        TEST(test_a_malformed_streamed_body_is_a_400),
        TEST(test_a_streamed_body_that_stalls_is_a_408),
        TEST(test_a_client_that_leaves_in_its_body_cancels_the_read),
        TEST(test_a_streamed_body_comes_in_pieces),
        TEST(test_a_slow_reader_holds_back_the_client),
        TEST(test_an_unread_body_is_read_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
