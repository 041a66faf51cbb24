/* Server-sent events: what is sent, what is sent meanwhile, and who leaves. */
#include "rig.h"

static _Atomic int last_code;
static _Atomic int n_ended;

static int events(covey_req *req)
{
    int bad = covey_sse_begin(req) != 0;
    bad += covey_sse_begin(req) != -EALREADY;
    bad += covey_sse_send(req, "one\ntwo", .event = "tick", .id = "7", .retry = 1500) != 0;
    bad += covey_sse_send(req, "x", .event = "a\nb") != -EINVAL;
    bad += covey_sse_send(req, "x", .id = "a\r") != -EINVAL;
    bad += covey_sse_send(req, NULL, .id = "8") != 0;
    bad += covey_sse_send_with(req, &(struct covey_sse_event){"x", .size = 4096}) != -EINVAL;
    const char *last = covey_sse_last_id(req);
    return bad > 0 ? -EIO : covey_sse_send(req, last != NULL ? last : "none");
}

static int own_cache(covey_req *req)
{
    covey_set_header(req, "Cache-Control", "no-cache");
    int rc = covey_sse_begin(req);
    return rc == 0 ? covey_end(req) : rc;
}

static int wrong_order(covey_req *req)
{
    int bad = covey_sse_send(req, "x") != -EINVAL;
    bad += covey_sse_begin_with(&(struct covey_sse){req, .size = 4096}) != -EINVAL;
    bad += covey_sse_begin(req) != 0;
    bad += covey_end(req) != 0;
    bad += covey_sse_send(req, "x") != -EALREADY;
    return bad == 0 ? 0 : -EIO;
}

static int quiet(covey_req *req)
{
    int rc = covey_sse_begin(req, .heartbeat = 5);
    if (rc == 0)
        rc = covey_sleep_ms(100000);
    last_code = rc;
    n_ended++;
    return rc;
}

static int silent(covey_req *req)
{
    int rc = covey_sse_begin(req, .heartbeat = COVEY_OFF);
    if (rc == 0)
        rc = covey_sleep_ms(30);
    return rc == 0 ? covey_sse_send(req, "end") : rc;
}

/* A client that reads nothing makes it wait for room, whatever the heartbeat does meanwhile. */
static int flood(covey_req *req)
{
    static char text[32769];
    memset(text, 'x', sizeof(text) - 1);
    int rc = covey_sse_begin(req, .heartbeat = 1);
    for (int i = 0; i < 200 && rc == 0; i++)
        rc = covey_sse_send(req, text);
    last_code = rc;
    n_ended++;
    return rc;
}

static int endless(covey_req *req)
{
    int rc = covey_sse_begin(req);
    while (rc == 0)
        rc = covey_sse_send(req, "more");
    last_code = rc;
    n_ended++;
    return rc;
}

static int setup(covey_app *app)
{
    covey_get(app, "/events", events);
    covey_get(app, "/own-cache", own_cache);
    covey_get(app, "/wrong-order", wrong_order);
    covey_get(app, "/quiet", quiet);
    covey_get(app, "/silent", silent);
    covey_get(app, "/flood", flood);
    covey_get(app, "/endless", endless);
    return 0;
}

static struct rig rig;

static int start(void **state)
{
    (void)state;
    last_code = 0;
    n_ended = 0;
    rig_init(&rig, setup);
    rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void test_calls_out_of_order_are_refused(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/wrong-order"), 200);
    rig_assert_logged(&rig, "GET /wrong-order: covey_sse_send() before covey_sse_begin()");
    assert_lacks(rig_log(&rig), "failed");
}

static void test_a_client_that_leaves_cancels_the_handler(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    char some[4096];
    rig_send(fd, "GET /quiet HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(recv(fd, some, sizeof(some), 0) > 0);
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -ECANCELED);
}

static void test_head_is_answered_and_ends_the_handler(void **state)
{
    (void)state;
    const char *answer = rig_ask(&rig, "HEAD /endless", "", NULL);
    assert_has(answer, "Content-Type: text/event-stream\r\n");
    assert_body(answer, "");
    rig_until(n_ended == 1);
    assert_int_equal(last_code, -ECANCELED);
    assert_lacks(rig_log(&rig), "failed");
}

static void test_events(void **state)
{
    (void)state;
    const char *answer = rig_ask(&rig, "GET /events", "Last-Event-ID: 6\r\n", NULL);
    assert_status(answer, 200);
    assert_has(answer, "Content-Type: text/event-stream\r\n");
    assert_has(answer, "Cache-Control: no-store\r\n");
    assert_has(answer, "X-Accel-Buffering: no\r\n");
    assert_has(answer, "event: tick\nid: 7\nretry: 1500\ndata: one\ndata: two\n\n");
    assert_has(answer, "id: 8\n\n");
    assert_has(answer, "data: 6\n\n");
    assert_has(rig_get(&rig, "/events"), "data: none\n\n");
}

static void test_the_apps_own_cache_control_stays(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/own-cache");
    assert_has(answer, "Cache-Control: no-cache\r\n");
    assert_lacks(answer, "no-store");
}

static void test_a_heartbeat_while_the_handler_waits(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    char text[65536];
    size_t len = 0, beats = 0;
    rig_send(fd, "GET /quiet HTTP/1.1\r\nHost: x\r\n\r\n");
    while (beats < 3) {
        ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        assert_true(n > 0);
        text[len += (size_t)n] = '\0';
        beats = 0;
        for (const char *at = text; (at = strstr(at, "\r\n:\n\n\r\n")) != NULL; at++)
            beats++;
    }
    close(fd);
    rig_until(n_ended == 1);
}

static void test_none_where_it_is_off(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/silent");
    assert_has(answer, "data: end\n\n");
    assert_lacks(answer, "\n:\n");
}

static void test_one_who_waits_for_room_is_woken_all_the_same(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_send(fd, "GET /flood HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 10; i++)
        rig_nap();
    static char text[1 << 16];
    while (recv(fd, text, sizeof(text), 0) > 0)
        ;
    close(fd);
    rig_until(n_ended == 1);
    assert_int_equal(last_code, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_calls_out_of_order_are_refused),
        TEST(test_a_client_that_leaves_cancels_the_handler),
        TEST(test_head_is_answered_and_ends_the_handler),
        TEST(test_events),
        TEST(test_the_apps_own_cache_control_stays),
        TEST(test_a_heartbeat_while_the_handler_waits),
        TEST(test_none_where_it_is_off),
        TEST(test_one_who_waits_for_room_is_woken_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
