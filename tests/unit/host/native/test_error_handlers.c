/* Error handlers: what reaches them, what they may answer, and what follows if they fail. */
#include "rig.h"

static struct rig rig;

static int fails(covey_req *req)
{
    covey_set_header(req, "ETag", "\"of the page\"");
    covey_set_header(req, "X-Kept", "yes");
    return covey_fail(req, (int)covey_param_int(req, "status"), "because of %s",
                      covey_param(req, "status"));
}

static int fails_with_errno(covey_req *req)
{
    (void)req;
    return -EIO;
}

static int answers_and_fails(covey_req *req)
{
    (void)covey_text(req, 200, "half");
    return covey_fail(req, 409, "no");
}

static int body(covey_req *req)
{
    size_t len;
    (void)covey_body(req, &len);
    return covey_textf(req, 200, "%zu", len);
}

static int stream(covey_req *req)
{
    char room[64];
    ssize_t n;
    while ((n = covey_body_read(req, room, sizeof(room))) > 0)
        continue;
    return n < 0 ? (int)n : covey_text(req, 200, "read");
}

static int plain(covey_req *req)
{
    return covey_textf(req, 200, "status %d, %s", covey_error_status(req),
                       covey_error_text(req) != NULL ? covey_error_text(req) : "no text");
}

/* ---- Handlers ---- */

static int tells(covey_req *req)
{
    return covey_textf(req, covey_error_status(req), "told: %d %s", covey_error_status(req),
                       covey_error_text(req));
}

static int says_nothing(covey_req *req)
{
    (void)req;
    return 0;
}

static int fails_itself(covey_req *req)
{
    return covey_fail(req, 418, "in the error handler");
}

static int fails_with_code(covey_req *req)
{
    (void)covey_text(req, 200, "not this");
    return -ENOSPC;
}

static int streams(covey_req *req)
{
    if (covey_respond(req, 503, .type = "text/plain") < 0)
        return -EIO;
    return covey_send(req, "streamed", 8);
}

static int cuts(covey_req *req)
{
    if (covey_respond(req, 504, .type = "text/plain") < 0 || covey_send(req, "half", 4) < 0)
        return -EPIPE;
    return -EIO;
}

static int waits(covey_req *req)
{
    int rc = covey_sleep_ms(1);
    return rc < 0 ? rc : covey_text(req, 200, "after a while");
}

static int fails_behind(covey_req *req)
{
    return covey_query(req, "behind") != NULL ? covey_fail(req, 409, "behind") : 0;
}

static int setup(covey_app *app)
{
    covey_middleware(app, COVEY_RESPONSE, fails_behind);
    covey_get(app, "/fails/<status:int>", fails);
    covey_get(app, "/errno", fails_with_errno);
    covey_get(app, "/half", answers_and_fails);
    covey_get(app, "/plain", plain);
    covey_post(app, "/body", body, .body_max = 10);
    covey_post(app, "/slow", body, .request_timeout = 100);
    covey_post(app, "/stream", stream, .stream = true, .body_max = 10);
    covey_on_error(app, 404, tells);
    covey_on_error(app, 405, tells);
    covey_on_error(app, 408, tells);
    covey_on_error(app, 409, tells);
    covey_on_error(app, 413, tells);
    covey_on_error(app, 400, tells);
    covey_on_error(app, COVEY_SERVER_ERROR, tells);
    covey_on_error(app, 402, says_nothing);
    covey_on_error(app, 403, fails_itself);
    covey_on_error(app, 501, fails_with_code);
    covey_on_error(app, 503, streams);
    covey_on_error(app, 504, cuts);
    covey_on_error(app, 429, waits);
    return 0;
}

static void start(void)
{
    rig_init(&rig, setup);
    rig_start(&rig);
}

static void assert_answer(const char *answer, int status, const char *text)
{
    assert_status(answer, status);
    assert_body(answer, text);
}

static void test_they_answer_with_what_they_like(void **state)
{
    (void)state;
    start();
    assert_answer(rig_get(&rig, "/fails/404"), 404, "told: 404 because of 404");
    assert_answer(rig_get(&rig, "/fails/500"), 500, "told: 500 because of 500");
    assert_answer(rig_get(&rig, "/errno"), 500, "told: 500 Input/output error");
    assert_answer(rig_get(&rig, "/half"), 409, "told: 409 no");
    assert_answer(rig_get(&rig, "/fails/429"), 200, "after a while");
    assert_answer(rig_get(&rig, "/plain"), 200, "status 0, no text");
    assert_answer(rig_get(&rig, "/plain?behind"), 409, "told: 409 behind");
    rig_assert_logged(&rig, "GET /fails/<status:int>: 500 Internal Server Error: because of 500");
    rig_stop(&rig);
}

static void test_fields_of_the_page_that_failed_are_gone(void **state)
{
    (void)state;
    start();
    const char *answer = rig_get(&rig, "/fails/404");
    assert_lacks(answer, "ETag");
    assert_has(answer, "X-Kept: yes");
    rig_stop(&rig);
}

static void test_what_has_no_route_reaches_the_apps(void **state)
{
    (void)state;
    start();
    assert_answer(rig_get(&rig, "/nowhere"), 404, "told: 404 Requested URL /nowhere not found");
    assert_answer(rig_get(&rig, "/nowhere/%ff%c3%a4"), 404,
                  "told: 404 Requested URL /nowhere/\xef\xbf\xbd\xc3\xa4 not found");
    const char *answer = rig_ask(&rig, "PUT /plain", "", NULL);
    assert_answer(answer, 405, "told: 405 Method PUT not allowed for URL /plain");
    assert_has(answer, "Allow: GET, HEAD, OPTIONS");
    assert_answer(rig_get(&rig, "/plain%"), 400,
                  "told: 400 The request target has a broken escape");
    rig_stop(&rig);
}

static void test_refused_bodies_reach_them(void **state)
{
    (void)state;
    start();
    static const char too_large[] = "told: 413 The request body is too large";
    const char *chunked = "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n";
    const char *answer = rig_ask(&rig, "POST /body", "", "01234567890");
    assert_status(answer, 413);
    assert_has(answer, too_large);
    answer = rig_ask(&rig, "POST /body", chunked, NULL);
    assert_status(answer, 413);
    assert_has(answer, too_large);
    answer = rig_ask(&rig, "POST /stream", "", "01234567890");
    assert_status(answer, 413);
    assert_has(answer, too_large);
    answer = rig_ask(&rig, "POST /stream", chunked, NULL);
    assert_status(answer, 413);
    answer = rig_ask(&rig, "POST /body", "Transfer-Encoding: chunked\r\n\r\nno number", NULL);
    assert_status(answer, 400);
    assert_has(answer, "told: 400 The request body is malformed");
    assert_answer(rig_ask(&rig, "POST /body", "", "0123456789"), 200, "10");
    rig_stop(&rig);
}

static void test_a_body_that_does_not_come_reaches_them(void **state)
{
    (void)state;
    start();
    int fd = rig_connect(&rig);
    rig_send(fd, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    const char *answer = rig_read_all(fd, NULL);
    assert_status(answer, 408);
    assert_has(answer, "told: 408 The request body did not arrive in time");
    assert_has(answer, "Connection: close");
    close(fd);
    rig_stop(&rig);
}

static void test_those_that_do_not_answer_leave_it_to_covey(void **state)
{
    (void)state;
    start();
    const char *answer = rig_get(&rig, "/fails/402");
    assert_status(answer, 402);
    assert_has(answer, "402 Payment Required: because of 402");
    answer = rig_get(&rig, "/fails/403");
    assert_status(answer, 403);
    assert_has(answer, "because of 403");
    rig_assert_logged(&rig, "GET /fails/<status:int>: error handler fails_itself (");
    rig_assert_logged(&rig, "failed: in the error handler");
    answer = rig_get(&rig, "/fails/501");
    assert_status(answer, 501);
    assert_lacks(answer, "not this");
    rig_assert_logged(&rig, "error handler fails_with_code (");
    rig_assert_logged(&rig, "failed: No space left on device");
    rig_stop(&rig);
}

static void test_they_may_stream(void **state)
{
    (void)state;
    start();
    const char *answer = rig_get(&rig, "/fails/503");
    assert_status(answer, 503);
    assert_has(answer, "streamed\r\n0\r\n\r\n");
    answer = rig_get(&rig, "/fails/504");
    assert_status(answer, 504);
    assert_has(answer, "half");
    assert_lacks(answer, "\r\n0\r\n");
    rig_assert_logged(&rig, "error handler cuts (");
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_answer_with_what_they_like),
        cmocka_unit_test(test_fields_of_the_page_that_failed_are_gone),
        cmocka_unit_test(test_what_has_no_route_reaches_the_apps),
        cmocka_unit_test(test_refused_bodies_reach_them),
        cmocka_unit_test(test_a_body_that_does_not_come_reaches_them),
        cmocka_unit_test(test_those_that_do_not_answer_leave_it_to_covey),
        cmocka_unit_test(test_they_may_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
