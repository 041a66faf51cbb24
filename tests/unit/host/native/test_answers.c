/* How handlers answer: staging, header rules, JSON, redirects, errors, middleware. */
#include "rig.h"

#include <jansson.h>

static _Atomic int released;

static void release(void *bytes)
{
    free(bytes);
    released++;
}

/* ---- Handlers ---- */

static int text(covey_req *req)
{
    return covey_text(req, 200, "plain");
}

static int textf(covey_req *req)
{
    return covey_textf(req, 201, "%s-%d", "made", 7);
}

static int html(covey_req *req)
{
    return covey_html(req, 200, "<b>x</b>");
}

static int bytes(covey_req *req)
{
    return covey_bytes(req, 200, NULL, "a\0b", 3);
}

static int taken(covey_req *req)
{
    return covey_bytes_take(req, 200, "image/png", strdup("taken"), 5, release);
}

static int taken_static(covey_req *req)
{
    static char words[] = "static";
    return covey_bytes_take(req, 200, "text/x", words, 6, NULL);
}

static int taken_then_fails(covey_req *req)
{
    covey_bytes_take(req, 200, "image/png", strdup("dropped"), 7, release);
    return covey_fail(req, 409, "changed my mind");
}

static int taken_second(covey_req *req)
{
    covey_text(req, 200, "first");
    return covey_bytes_take(req, 200, NULL, strdup("second"), 6, release);
}

static int hints(covey_req *req)
{
    covey_set_header(req, "Link", "</a.css>; rel=preload");
    int rc = covey_inform(req, 103);
    int wrong = covey_inform(req, 100);
    int slept = covey_sleep_ms(1);
    covey_set_header(req, "X-Later", "yes");
    return rc == 0 && wrong == -EINVAL && slept == 0 ? covey_text(req, 200, "hinted") : -EIO;
}

static int hints_too_late(covey_req *req)
{
    covey_respond(req, 200, .length = 4);
    int rc = covey_inform(req, 103);
    return covey_send(req, rc == -EALREADY ? "late" : "none", 4);
}

static int json_text(covey_req *req)
{
    return covey_json_text(req, 202, "[1, 2]");
}

static int removes(covey_req *req)
{
    int bad = covey_remove_header(req, "X-None") != 0;
    bad += covey_remove_header(req, "Content-Length") != -EPERM;
    bad += covey_remove_header(req, "X\r\n") != -EINVAL;
    bad += covey_remove_header(req, NULL) != -EINVAL;
    covey_add_header(req, "X-Gone", "1");
    covey_add_header(req, "X-Stays", "1");
    covey_add_header(req, "x-gone", "2");
    covey_set_header(req, "Content-Type", "image/png");
    bad += covey_remove_header(req, "X-GONE") != 0;
    bad += covey_remove_header(req, "content-type") != 0;
    return covey_textf(req, 200, "bad=%d", bad);
}

static int json(covey_req *req)
{
    return covey_json(req, 200, json_pack("{s:i}", "n", 3));
}

static int jsonf(covey_req *req)
{
    return covey_jsonf(req, 200, "{s:s, s:[i,i]}", "name", "x\"y", "list", 1, 2);
}

static int json_absent(covey_req *req)
{
    return covey_json(req, 200, NULL);
}

static int json_big(covey_req *req)
{
    json_t *list = json_array();
    for (int i = 0; i < 5000; i++)
        json_array_append_new(list, json_integer(1000000 + i));
    return covey_json(req, 200, list);
}

static int json_broken(covey_req *req)
{
    return covey_jsonf(req, 200, "{s:s", "name", "x");
}

static int json_bad_utf8(covey_req *req)
{
    return covey_jsonf(req, 200, "{s:s}", "name", "\xff");
}

static int empty(covey_req *req)
{
    return covey_empty(req, 204);
}

static int redirect(covey_req *req)
{
    const char *to = covey_query(req, "to");
    return covey_redirect(req, 302, to);
}

static int redirect_with_200(covey_req *req)
{
    return covey_redirect(req, 200, "/x");
}

static int twice(covey_req *req)
{
    int first = covey_text(req, 200, "first");
    int second = covey_text(req, 404, "second");
    return first == 0 && second == -EALREADY ? second : covey_fail(req, 500, "wrong codes");
}

static int forgets(covey_req *req)
{
    (void)req;
    return 0;
}

static int status_zero(covey_req *req)
{
    return covey_text(req, 0, "x") == -EINVAL && covey_text(req, 100, "x") == -EINVAL
               ? covey_text(req, 200, "refused")
               : -EIO;
}

static int null_text(covey_req *req)
{
    return covey_text(req, 200, covey_query(req, "absent"));
}

static int headers(covey_req *req)
{
    int bad = 0;
    bad += covey_set_header(req, "Content-Length", "1") != -EPERM;
    bad += covey_set_header(req, "transfer-encoding", "chunked") != -EPERM;
    bad += covey_add_header(req, "Connection", "close") != -EPERM;
    bad += covey_add_header(req, "DATE", "today") != -EPERM;
    bad += covey_set_header(req, "X-A", "a\r\nX-Injected: 1") != -EINVAL;
    bad += covey_set_header(req, "X-A", "a\nb") != -EINVAL;
    bad += covey_set_header(req, "X-A\r\nX-Injected", "b") != -EINVAL;
    bad += covey_set_header(req, "X A", "b") != -EINVAL;
    bad += covey_set_header(req, "", "b") != -EINVAL;
    bad += covey_set_header(req, "X-A", NULL) != -EINVAL;
    bad += covey_set_header(req, NULL, "b") != -EINVAL;
    bad += covey_bytes(req, 200, "text/x\r\nX-Injected: 1", "b", 1) != -EINVAL;

    char changing[] = "one";
    bad += covey_set_header(req, "X-Copied", changing) != 0;
    changing[0] = 'X';
    bad += covey_add_header(req, "X-Many", "1") != 0;
    bad += covey_add_header(req, "x-many", "2") != 0;
    bad += covey_set_header(req, "X-Set", "old") != 0;
    bad += covey_add_header(req, "X-Set", "older") != 0;
    bad += covey_set_header(req, "x-set", "new") != 0;
    bad += covey_set_header(req, "Content-Type", "text/first") != 0;
    bad += covey_add_header(req, "content-type", "text/own") != 0;
    return covey_textf(req, 200, "bad=%d", bad);
}

static int many_headers(covey_req *req)
{
    for (int i = 0; i < 50; i++)
        if (covey_add_header(req, covey_sprintf(req, "X-%d", i), "v") < 0)
            return -ENOMEM;
    return covey_empty(req, 200);
}

static int fails(covey_req *req)
{
    int status = (int)covey_param_int(req, "status");
    covey_set_header(req, "WWW-Authenticate", "Basic");
    covey_set_header(req, "ETag", "\"1\"");
    covey_set_header(req, "Content-Type", "image/png");
    return covey_fail(req, status, "because of <%s> & \"more\"", "this");
}

static int returns(covey_req *req)
{
    return -(int)covey_param_int(req, "code");
}

static int status_of(covey_req *req)
{
    int before = covey_status(req);
    covey_empty(req, 202);
    return before == 0 && covey_status(req) == 202 ? 0 : -EIO;
}

static int setup(covey_app *app)
{
    covey_get(app, "/text", text);
    covey_get(app, "/textf", textf);
    covey_get(app, "/html", html);
    covey_get(app, "/bytes", bytes);
    covey_get(app, "/taken", taken);
    covey_get(app, "/taken-static", taken_static);
    covey_get(app, "/taken-then-fails", taken_then_fails);
    covey_get(app, "/taken-second", taken_second);
    covey_get(app, "/hints", hints);
    covey_get(app, "/hints-too-late", hints_too_late);
    covey_get(app, "/json", json);
    covey_get(app, "/json-text", json_text);
    covey_get(app, "/removes", removes);
    covey_get(app, "/jsonf", jsonf);
    covey_get(app, "/json-null", json_absent);
    covey_get(app, "/json-big", json_big);
    covey_get(app, "/json-broken", json_broken);
    covey_get(app, "/json-bad-utf8", json_bad_utf8);
    covey_get(app, "/empty", empty);
    covey_get(app, "/redirect", redirect);
    covey_get(app, "/redirect-200", redirect_with_200);
    covey_get(app, "/twice", twice);
    covey_get(app, "/forgets", forgets, .name = "the forgetful one");
    covey_get(app, "/status-zero", status_zero);
    covey_get(app, "/null-text", null_text);
    covey_get(app, "/headers", headers);
    covey_get(app, "/many-headers", many_headers);
    covey_get(app, "/fails/<status:int>", fails);
    covey_get(app, "/returns/<code:int>", returns);
    covey_get(app, "/status-of", status_of);
    covey_post(app, "/text", text);
    covey_put(app, "/text", text);
    covey_patch(app, "/text", text);
    covey_delete(app, "/text", text);
    covey_route(app, "GET, PURGE", "/own", text);
    covey_options(app, "/own-options", text);
    return 0;
}

static struct rig rig;

static int start(void **state)
{
    (void)state;
    released = 0;
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

/* ---- Errors first ---- */

static void test_the_first_answer_stands_and_the_second_is_logged(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/twice");
    assert_status(answer, 200);
    assert_body(answer, "first");
    rig_assert_logged(&rig, "GET /twice: covey_text() after the request had been answered");
}

static void test_a_handler_without_an_answer_is_a_500_with_its_name_in_the_log(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/forgets");
    assert_status(answer, 500);
    assert_lacks(answer, "without an answer");
    rig_assert_logged(&rig, "GET the forgetful one: the handler returned 0 without an answer");
}

static void test_impossible_statuses_and_null_are_refused(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/status-zero"), "refused");
    assert_status(rig_get(&rig, "/null-text"), 500);
}

static void test_fields_of_coveys_own_and_injections_are_refused(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/headers");
    assert_status(answer, 200);
    assert_lacks(answer, "Injected");
    assert_has(answer, "X-Copied: one\r\n");
    assert_has(answer, "X-Many: 1\r\n");
    assert_has(answer, "x-many: 2\r\n");
    assert_has(answer, "x-set: new\r\n");
    assert_lacks(answer, "old");
    assert_has(answer, "text/own\r\n");
    assert_lacks(answer, "text/plain");
    assert_body(answer, "bad=0");
}

static void test_a_redirect_cannot_be_split(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/redirect?to=/a%0d%0aX-Injected:%201");
    assert_status(answer, 302);
    assert_has(answer, "Location: /a%0D%0AX-Injected:%201\r\n");
    assert_lacks(answer, "\r\nX-Injected");
    assert_has(rig_get(&rig, "/redirect?to=/%5C%5Cevil/%C3%A4%22"),
               "Location: /%5C%5Cevil/%C3%A4%22\r\n");
    assert_status(rig_get(&rig, "/redirect?to="), 500);
    assert_status(rig_get(&rig, "/redirect"), 500);
    assert_status(rig_get(&rig, "/redirect-200"), 500);

    answer = rig_get(&rig, "/redirect?to=/there%3Fa=b");
    assert_status(answer, 302);
    assert_has(answer, "Location: /there?a=b\r\n");
    assert_body(answer, "");
}

static void test_a_field_can_be_taken_back(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/removes");
    assert_body(answer, "bad=0");
    assert_lacks(answer, "image/png");
    assert_has(answer, "text/plain");
    assert_has(answer, "X-Stays: 1\r\n");
    if (strcasestr(answer, "x-gone") != NULL)
        fail_msg("it is still there: %s", answer);
}

static void test_json_that_is_text(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/json-text");
    assert_status(answer, 202);
    assert_has(answer, "Content-Type: application/json\r\n");
    assert_body(answer, "[1, 2]");
}

static void test_json_that_cannot_be_made_is_a_500(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/json-null"), 500);
    assert_status(rig_get(&rig, "/json-broken"), 500);
    assert_status(rig_get(&rig, "/json-bad-utf8"), 500);
    rig_assert_logged(&rig, "GET /json-null: covey_json() with NULL");
    rig_assert_logged(&rig, "GET /json-broken: covey_jsonf(");
}

static void test_negative_codes_become_statuses(void **state)
{
    (void)state;
    char target[32];
    snprintf(target, sizeof(target), "/returns/%d", EMSGSIZE);
    assert_status(rig_get(&rig, target), 413);
    snprintf(target, sizeof(target), "/returns/%d", ENOMEM);
    assert_status(rig_get(&rig, target), 503);
    snprintf(target, sizeof(target), "/returns/%d", EIO);
    const char *answer = rig_get(&rig, target);
    assert_status(answer, 500);
    assert_lacks(answer, strerror(EIO));
    rig_assert_logged(&rig, "GET /returns/<code:int>: 500 Internal Server Error: Input/output");
    snprintf(target, sizeof(target), "/returns/%d", ECANCELED);
    assert_status(rig_get(&rig, target), 500);
    assert_status(rig_get(&rig, "/returns/404"), 500);
    rig_assert_logged(&rig, "a status is no negative code: covey_fail() makes one of it");
}

static void test_fail_shows_its_text_below_500_only(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/fails/401");
    assert_status(answer, 401);
    assert_has(answer, "because of <this>");
    assert_has(answer, "WWW-Authenticate: Basic\r\n");
    assert_lacks(answer, "ETag");
    assert_lacks(answer, "image/png");
    answer = rig_get(&rig, "/fails/502");
    assert_status(answer, 502);
    assert_lacks(answer, "because");
    rig_assert_logged(&rig, "502 Bad Gateway: because of <this>");
    assert_status(rig_get(&rig, "/fails/200"), 500);
}

static void test_error_pages_follow_accept(void **state)
{
    (void)state;
    const char *answer = rig_ask(&rig, "GET /fails/400", "Accept: text/html\r\n", NULL);
    assert_has(answer, "text/html; charset=utf-8\r\n");
    assert_has(answer, "because of &lt;this&gt; &amp; &quot;more&quot;");
    assert_has(answer, "<title>400 Bad Request</title>");

    answer = rig_ask(&rig, "GET /fails/400", "Accept: application/json\r\n", NULL);
    assert_has(answer, "application/json\r\n");
    assert_body(answer, "{\"description\":\"Bad Request\",\"status\":400,"
                        "\"message\":\"because of <this> & \\u0022more\\u0022\"}");

    answer = rig_ask(&rig, "GET /nowhere%ff%22", "Accept: application/json\r\n", NULL);
    assert_body(answer, "{\"description\":\"Not Found\",\"status\":404,"
                        "\"message\":\"Requested URL /nowhere\xef\xbf\xbd\\u0022 not found\"}");

    answer = rig_ask(&rig, "GET /fails/400", "", NULL);
    assert_body(answer, "400 Bad Request: because of <this> & \"more\"\n");
}

static void test_unknown_paths_and_methods(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/nowhere");
    assert_status(answer, 404);
    assert_body(answer, "404 Not Found: Requested URL /nowhere not found\n");
    answer = rig_ask(&rig, "BREW /own", "", NULL);
    assert_status(answer, 405);
    assert_has(answer, "Allow: GET, HEAD, PURGE, OPTIONS\r\n");
    assert_status(rig_ask(&rig, "PURGE /own", "", NULL), 200);
    assert_status(rig_ask(&rig, "POST /nowhere", "", "a body nobody wants"), 404);
}

static void test_broken_escapes_are_a_400(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/text%"), 400);
    assert_status(rig_get(&rig, "/text%00"), 400);
    assert_status(rig_get(&rig, "/text?a=%00"), 400);
    assert_status(rig_get(&rig, "/text?a=%zz"), 400);
}

/* ---- Answers ---- */

static void test_text_html_and_bytes(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/text");
    assert_status(answer, 200);
    assert_has(answer, "text/plain; charset=utf-8\r\n");
    assert_body(answer, "plain");
    answer = rig_get(&rig, "/textf");
    assert_status(answer, 201);
    assert_body(answer, "made-7");
    answer = rig_get(&rig, "/html");
    assert_has(answer, "text/html; charset=utf-8\r\n");
    assert_body(answer, "<b>x</b>");
    answer = rig_get(&rig, "/bytes");
    assert_has(answer, "application/octet-stream\r\n");
    assert_has(answer, "ontent-Length: 3\r\n");
}

static void test_each_method_has_its_registrar(void **state)
{
    (void)state;
    assert_status(rig_ask(&rig, "POST /text", "", "x"), 200);
    assert_status(rig_ask(&rig, "PUT /text", "", "x"), 200);
    assert_status(rig_ask(&rig, "PATCH /text", "", "x"), 200);
    assert_status(rig_ask(&rig, "DELETE /text", "", NULL), 200);
}

static void test_taken_bytes_are_released_once(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/taken");
    assert_has(answer, "image/png\r\n");
    assert_body(answer, "taken");
    rig_until(released == 1);
    assert_body(rig_get(&rig, "/taken-static"), "static");
    assert_status(rig_get(&rig, "/taken-then-fails"), 409);
    rig_until(released == 2);
    assert_body(rig_get(&rig, "/taken-second"), "first");
    rig_until(released == 3);
    assert_status(rig_ask(&rig, "HEAD /taken", "", NULL), 200);
    rig_until(released == 4);
}

static void test_hints_leave_ahead_and_their_fields_stay(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/hints");
    const char *first =
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 ";
    assert_int_equal(strncmp(answer, first, strlen(first)), 0);
    assert_has(answer + strlen(first), "Link: </a.css>; rel=preload");
    assert_has(answer + strlen(first), "X-Later: yes");
    assert_body(rig_get(&rig, "/hints-too-late"), "late");
    rig_assert_logged(&rig, "covey_inform() behind the answer's head, with status 103");
}

static void test_json(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/json");
    assert_has(answer, "application/json\r\n");
    assert_body(answer, "{\"n\":3}");
    assert_body(rig_get(&rig, "/jsonf"), "{\"name\":\"x\\\"y\",\"list\":[1,2]}");
    answer = rig_get(&rig, "/json-big");
    assert_has(answer, "[1000000,1000001,");
    assert_has(answer, ",1004999]");
}

static void test_an_empty_answer_has_no_body(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/empty");
    assert_status(answer, 204);
    assert_body(answer, "");
    assert_status(rig_get(&rig, "/status-of"), 202);
}

static void test_many_fields_are_all_sent(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/many-headers");
    assert_has(answer, "X-0: v\r\n");
    assert_has(answer, "X-49: v\r\n");
}

static void test_head_answers_like_get_without_the_body(void **state)
{
    (void)state;
    const char *answer = rig_ask(&rig, "HEAD /text", "", NULL);
    assert_status(answer, 200);
    assert_has(answer, "ontent-Length: 5\r\n");
    assert_body(answer, "");
    answer = rig_ask(&rig, "HEAD /nowhere", "", NULL);
    assert_status(answer, 404);
    assert_body(answer, "");
}

static void test_options_are_answered_where_no_route_does(void **state)
{
    (void)state;
    const char *answer = rig_ask(&rig, "OPTIONS /text", "", NULL);
    assert_status(answer, 204);
    assert_has(answer, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
    assert_status(rig_ask(&rig, "OPTIONS *", "", NULL), 204);
    assert_status(rig_ask(&rig, "OPTIONS /nowhere", "", NULL), 404);
    assert_body(rig_ask(&rig, "OPTIONS /own-options", "", NULL), "plain");
    answer = rig_ask(&rig, "GET /own-options", "", NULL);
    assert_status(answer, 405);
    assert_has(answer, "Allow: OPTIONS\r\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_answer_stands_and_the_second_is_logged),
        TEST(test_a_handler_without_an_answer_is_a_500_with_its_name_in_the_log),
        TEST(test_impossible_statuses_and_null_are_refused),
        TEST(test_fields_of_coveys_own_and_injections_are_refused),
        TEST(test_a_redirect_cannot_be_split),
        TEST(test_a_field_can_be_taken_back),
        TEST(test_json_that_is_text),
        TEST(test_json_that_cannot_be_made_is_a_500),
        TEST(test_negative_codes_become_statuses),
        TEST(test_fail_shows_its_text_below_500_only),
        TEST(test_error_pages_follow_accept),
        TEST(test_unknown_paths_and_methods),
        TEST(test_broken_escapes_are_a_400),
        TEST(test_text_html_and_bytes),
        TEST(test_each_method_has_its_registrar),
        TEST(test_taken_bytes_are_released_once),
        TEST(test_hints_leave_ahead_and_their_fields_stay),
        TEST(test_json),
        TEST(test_an_empty_answer_has_no_body),
        TEST(test_many_fields_are_all_sent),
        TEST(test_head_answers_like_get_without_the_body),
        TEST(test_options_are_answered_where_no_route_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
