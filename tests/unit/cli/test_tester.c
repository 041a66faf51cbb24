#include "cli/tester/tester.h"

#include <covey/covey.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- The app ---- */

static char events[256]; /* what has happened */

static void note(const char *what)
{
    size_t len = strlen(events);
    snprintf(events + len, sizeof(events) - len, "%s ", what);
}

static int on_start(covey_app *app)
{
    covey_app_set_ctx(app, events);
    note("start");
    return 0;
}

static int on_started(covey_app *app)
{
    (void)app;
    note("started");
    return covey_sleep_ms(1);
}

static int on_stop(covey_app *app)
{
    (void)app;
    note("stop");
    return 0;
}

static int on_stopped(covey_app *app)
{
    (void)app;
    note("stopped");
    return 0;
}

static int before(covey_req *req)
{
    return covey_set_header(req, "X-Before", covey_path(req));
}

static int echo(covey_req *req)
{
    size_t len;
    const void *body = covey_body(req, &len);
    const char *type = covey_header(req, "Content-Type");
    covey_set_header(req, "X-Method", covey_method(req));
    return covey_bytes(req, 200, type != NULL ? type : "text/plain", body, len);
}

static int field(covey_req *req)
{
    const char *value = covey_header(req, covey_query(req, "name"));
    return covey_text(req, 200, value != NULL ? value : "none");
}

static int from(covey_req *req)
{
    return covey_text(req, 200, covey_client_ip(req));
}

static int hints(covey_req *req)
{
    covey_set_header(req, "Link", "</style.css>; rel=preload");
    int rc = covey_inform(req, 103);
    return rc < 0 ? rc : covey_text(req, 200, "page");
}

static int nap(covey_req *req)
{
    int rc = covey_sleep_ms(60000);
    note(covey_cancel_cause(req) == COVEY_CAUSE_CLIENT ? "left" : "late");
    return rc < 0 ? rc : covey_text(req, 200, "rested");
}

static int add_up(void *arg)
{
    return 1 + *(int *)arg;
}

static int offload(covey_req *req)
{
    int one = 1;
    return covey_textf(req, 200, "%d", covey_offload(add_up, &one));
}

/* What comes is sent back at once. */
static int mirror(covey_req *req)
{
    char room[4096];
    ssize_t n;
    int rc = covey_respond(req, 200, .type = "text/plain");
    while (rc == 0 && (n = covey_body_read(req, room, sizeof(room))) != 0)
        rc = n < 0 ? (int)n : covey_send(req, room, (size_t)n);
    note(rc == 0 ? "ended" : "failed");
    return rc;
}

static int big(covey_req *req)
{
    static char block[10000];
    memset(block, 'b', sizeof(block));
    int rc = covey_respond(req, 200, .type = "text/plain", .length = 100 * (int64_t)sizeof(block));
    for (int i = 0; rc == 0 && i < 100; i++)
        rc = covey_send(req, block, sizeof(block));
    return rc;
}

static int cut(covey_req *req)
{
    int rc = covey_respond(req, 200, .length = 10);
    return rc < 0 ? rc : covey_send(req, "12345", 5);
}

static int bad(covey_req *req)
{
    return covey_fail(req, 418, "a teapot");
}

static int log_in(covey_req *req)
{
    covey_add_header(req, "Set-Cookie", "user=otter; Path=/");
    covey_add_header(req, "Set-Cookie", "old=; Max-Age=0");
    return covey_empty(req, 204);
}

static int self(covey_req *req)
{
    covey_test *t = covey_app_ctx(covey_app_of(req));
    return covey_text(req, 200, covey_test_get(t, "/from")->error);
}

static int setup(covey_app *app)
{
    events[0] = '\0';
    covey_listener(app, COVEY_BEFORE_SERVER_START, on_start);
    covey_listener(app, COVEY_AFTER_SERVER_START, on_started);
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, on_stop);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, on_stopped);
    covey_middleware(app, COVEY_REQUEST, before);
    covey_route(app, "GET POST PUT PATCH DELETE OPTIONS", "/echo", echo);
    covey_get(app, "/field", field);
    covey_get(app, "/from", from);
    covey_get(app, "/hints", hints);
    covey_get(app, "/nap", nap);
    covey_get(app, "/offload", offload);
    covey_post(app, "/mirror", mirror, .stream = true);
    covey_get(app, "/big", big);
    covey_get(app, "/cut", cut);
    covey_get(app, "/bad", bad);
    covey_get(app, "/login", log_in);
    covey_get(app, "/self", self);
    return 0;
}

/* ---- Whole requests ---- */

static int set_up(void **state)
{
    covey_test *t = covey_test_new(setup);
    *state = t;
    return covey_test_error(t)[0] != '\0';
}

static int tear_down(void **state)
{
    return covey_test_free(*state);
}

static void test_each_method_has_its_call(void **state)
{
    covey_test *t = *state;
    const struct covey_test_answer *answer = covey_test_get(t, "/echo");
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->error, "");
    assert_string_equal(answer->body, "");
    assert_string_equal(covey_test_header(answer, "x-method"), "GET");
    assert_string_equal(covey_test_header(answer, "X-Before"), "/echo");
    answer = covey_test_post(t, "/echo", .body = "a=1", .type = "text/x");
    assert_string_equal(answer->body, "a=1");
    assert_string_equal(covey_test_header(answer, "Content-Type"), "text/x");
    assert_string_equal(covey_test_header(answer, "X-Method"), "POST");
    assert_string_equal(covey_test_header(covey_test_put(t, "/echo"), "X-Method"), "PUT");
    assert_string_equal(covey_test_header(covey_test_patch(t, "/echo"), "X-Method"), "PATCH");
    assert_string_equal(covey_test_header(covey_test_delete(t, "/echo"), "X-Method"), "DELETE");
    assert_string_equal(covey_test_header(covey_test_options(t, "/echo"), "X-Method"), "OPTIONS");
    answer = covey_test_head(t, "/bad");
    assert_int_equal(answer->status, 418);
    assert_string_equal(answer->body, "");
    assert_int_equal(covey_test_request(t, "/echo", .method = "BREW")->status, 405);
}

static void test_headers_are_sent_and_replace_ours(void **state)
{
    covey_test *t = *state;
    assert_string_equal(covey_test_get(t, "/field?name=host")->body, "test");
    assert_string_equal(
        covey_test_get(t, "/field?name=host", .headers = {"HOST: example.com"})->body,
        "example.com");
    assert_string_equal(covey_test_get(t, "/field?name=x-b", .headers = {"X-A: 1", "X-B: 2"})->body,
                        "2");
    assert_int_equal(
        covey_test_post(t, "/echo", .body = "a", .headers = {"Content-Length: x"})->status, 400);
}

static void test_where_it_comes_from_can_be_said(void **state)
{
    covey_test *t = *state;
    assert_string_equal(covey_test_get(t, "/from")->body, "127.0.0.1");
    assert_string_equal(covey_test_get(t, "/from", .client_ip = "10.1.2.3")->body, "10.1.2.3");
    assert_string_equal(covey_test_get(t, "/from", .client_ip = "2001:db8::1")->body,
                        "2001:db8::1");
    const struct covey_test_answer *answer = covey_test_get(t, "/from", .client_ip = "home");
    assert_int_equal(answer->status, 0);
    assert_string_equal(answer->error, ".client_ip is no address: home");
}

static void test_a_request_of_another_covey_is_refused(void **state)
{
    covey_test *t = *state;
    const struct covey_test_request longer = {.path = "/", .size = sizeof(longer) + 1};
    const struct covey_test_answer *answer = covey_test_request_with(t, &longer);
    assert_int_equal(answer->status, 0);
    assert_non_null(strstr(answer->error, "options of an unknown size"));
}

static void test_error_pages_come_from_the_engine(void **state)
{
    covey_test *t = *state;
    assert_int_equal(covey_test_get(t, "/nothing")->status, 404);
    assert_int_equal(covey_test_get(t, "not a path")->status, 400);
    assert_non_null(strstr(covey_test_get(t, "/bad")->body, "a teapot"));
    assert_string_equal(covey_test_get(t, NULL)->error, "the request has no path");
}

static void test_large_bodies_go_both_ways(void **state)
{
    static char body[3000000];
    memset(body, 'x', sizeof(body));
    const struct covey_test_answer *answer =
        covey_test_post(*state, "/echo", .body = body, .len = sizeof(body));
    assert_int_equal(answer->len, sizeof(body));
    assert_memory_equal(answer->body, body, sizeof(body));
    assert_int_equal(covey_test_get(*state, "/big")->len, 1000000);
}

static void test_early_hints_are_seen(void **state)
{
    const struct covey_test_answer *answer = covey_test_get(*state, "/hints");
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->early, "103 Early Hints\r\n"));
    assert_non_null(strstr(answer->early, "Link: </style.css>; rel=preload\r\n"));
}

static void test_threads_of_the_app_answer(void **state)
{
    assert_string_equal(covey_test_get(*state, "/offload")->body, "2");
}

static void test_cut_answer_is_an_error(void **state)
{
    const struct covey_test_answer *answer = covey_test_get(*state, "/cut");
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->error, "the connection was closed after 5 bytes of the body");
}

static void test_patience_ends(void **state)
{
    const struct covey_test_answer *answer = covey_test_get(*state, "/nap", .timeout = 20);
    assert_int_equal(answer->status, 0);
    assert_string_equal(answer->error, "no answer within 20 ms");
    covey_test_wait_ms(*state, 1);
    assert_non_null(strstr(events, "left"));
}

static void test_cookies_are_kept(void **state)
{
    covey_test *t = *state;
    assert_int_equal(covey_test_set_cookie(t, "old", "1"), 0);
    assert_string_equal(covey_test_get(t, "/field?name=cookie")->body, "old=1");
    assert_int_equal(covey_test_get(t, "/login")->status, 204);
    assert_string_equal(covey_test_cookie(t, "user"), "otter");
    assert_null(covey_test_cookie(t, "old"));
    assert_string_equal(covey_test_get(t, "/field?name=cookie")->body, "user=otter");
    assert_string_equal(covey_test_get(t, "/field?name=cookie", .headers = {"Cookie: a=b"})->body,
                        "a=b");
    assert_int_equal(covey_test_set_cookie(t, "user", NULL), 0);
    assert_string_equal(covey_test_get(t, "/field?name=cookie")->body, "none");
}

/* ---- Bit by bit ---- */

static void test_bodies_go_in_and_out_piece_by_piece(void **state)
{
    char room[16];
    covey_test_stream *stream = covey_test_open(*state, "/mirror", .method = "POST");
    assert_int_equal(covey_test_look(stream)->status, 200);
    assert_int_equal(covey_test_write(stream, "one", 3), 0);
    assert_int_equal(covey_test_read(stream, room, sizeof(room)), 3);
    assert_memory_equal(room, "one", 3);
    assert_int_equal(covey_test_write(stream, "two", 3), 0);
    assert_int_equal(covey_test_read(stream, room, 2), 2);
    assert_memory_equal(room, "tw", 2);
    assert_int_equal(covey_test_write(stream, NULL, 0), 0);
    assert_int_equal(covey_test_write(stream, "x", 1), -EINVAL);
    assert_int_equal(covey_test_read(stream, room, sizeof(room)), 1);
    assert_int_equal(covey_test_read(stream, room, sizeof(room)), 0);
    assert_string_equal(covey_test_finish(stream)->body, "onetwo");
    assert_non_null(strstr(events, "ended"));
}

static void test_finish_ends_the_body(void **state)
{
    covey_test_stream *stream = covey_test_open(*state, "/mirror", .method = "POST");
    assert_int_equal(covey_test_write(stream, "all", 3), 0);
    const struct covey_test_answer *answer = covey_test_finish(stream);
    assert_string_equal(answer->body, "all");
    assert_string_equal(answer->error, "");
}

static void test_body_of_a_length_is_bounded(void **state)
{
    covey_test_stream *stream = covey_test_open(*state, "/mirror", .method = "POST", .len = 4);
    assert_int_equal(covey_test_write(stream, "ab", 2), 0);
    assert_int_equal(covey_test_write(stream, "cde", 3), -EINVAL);
    assert_int_equal(covey_test_write(stream, "cd", 2), 0);
    assert_string_equal(covey_test_finish(stream)->body, "abcd");
    stream = covey_test_open(*state, "/mirror", .method = "POST", .len = 4);
    assert_string_equal(covey_test_finish(stream)->error,
                        "4 bytes of the request's body were not sent");
    stream = covey_test_open(*state, "/from");
    assert_int_equal(covey_test_write(stream, "x", 1), -EINVAL);
    assert_string_equal(covey_test_finish(stream)->body, "127.0.0.1");
}

static void test_who_leaves_cancels_the_handler(void **state)
{
    covey_test_stream *stream = covey_test_open(*state, "/nap");
    assert_null(strstr(events, "left"));
    covey_test_leave(stream);
    assert_non_null(strstr(events, "left"));
}

static void test_two_requests_run_at_once(void **state)
{
    covey_test_stream *one = covey_test_open(*state, "/mirror", .method = "POST");
    covey_test_stream *two = covey_test_open(*state, "/mirror", .method = "POST");
    assert_int_equal(covey_test_write(two, "two", 3), 0);
    assert_int_equal(covey_test_write(one, "one", 3), 0);
    assert_string_equal(covey_test_get(*state, "/from")->body, "127.0.0.1");
    assert_string_equal(covey_test_finish(one)->body, "one");
    assert_string_equal(covey_test_finish(two)->body, "two");
}

static void test_early_refusal_ends_the_upload(void **state)
{
    static char block[1 << 20];
    covey_test_stream *stream = covey_test_open(*state, "/from", .method = "POST");
    int rc = 0;
    for (int i = 0; rc == 0 && i < 10; i++)
        rc = covey_test_write(stream, block, sizeof(block));
    assert_int_equal(rc, -ECONNRESET);
    assert_int_equal(covey_test_finish(stream)->status, 405);
}

/* ---- The worker ---- */

static void test_listeners_run_in_their_order(void **state)
{
    (void)state;
    covey_test *t = covey_test_new(setup);
    assert_string_equal(events, "start started ");
    assert_ptr_equal(covey_app_ctx(covey_test_app(t)), events);
    assert_int_equal(covey_test_free(t), 0);
    assert_string_equal(events, "start started stop stopped ");
}

/* What is given is not needed any more when it returns. */
static covey_test *new_in(const char *city)
{
    return covey_test_new(setup, COVEY_SETTINGS("CITY", city, "REQUEST_MAX_SIZE", "2"));
}

static void test_settings_apply(void **state)
{
    (void)state;
    covey_test *ulm = new_in("Ulm");
    assert_string_equal(covey_config_str(covey_test_app(ulm), "CITY", "none"), "Ulm");
    assert_int_equal(covey_test_post(ulm, "/echo", .body = "abc")->status, 413);
    assert_int_equal(covey_test_free(ulm), 0);
    covey_test *t =
        covey_test_new(setup, .request_max_size = 3, .response_timeout = 10, .log_level = "error");
    assert_int_equal(covey_test_post(t, "/echo", .body = "abcd")->status, 413);
    assert_int_equal(covey_test_post(t, "/echo", .body = "abc")->status, 200);
    assert_int_equal(covey_test_get(t, "/nap")->status, 503);
    assert_non_null(strstr(events, "late"));
    assert_int_equal(covey_test_free(t), 0);
}

static void test_access_lines_are_written_if_they_are_wanted(void **state)
{
    (void)state;
    char lines[1024] = "";
    int fds[2];
    int out = dup(STDOUT_FILENO);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)dup2(fds[1], STDOUT_FILENO);
    covey_test *t = covey_test_new(setup, .access_log = true);
    (void)dup2(out, STDOUT_FILENO);
    (void)close(fds[1]);
    assert_int_equal(covey_test_post(t, "/echo", .body = "abc")->status, 200);
    assert_int_equal(covey_test_free(t), 0);
    assert_true(read(fds[0], lines, sizeof(lines) - 1) > 0);
    assert_non_null(strstr(lines, "\"POST /echo HTTP/1.1\" 200 "));
    (void)close(fds[0]);
    (void)close(out);
}

static void test_two_workers_keep_apart(void **state)
{
    (void)state;
    covey_test *one = covey_test_new(setup);
    covey_test *two = covey_test_new(setup, .request_max_size = 1);
    assert_int_equal(covey_test_post(one, "/echo", .body = "abcd")->status, 200);
    assert_int_equal(covey_test_post(two, "/echo", .body = "abcd")->status, 413);
    assert_int_equal(covey_test_free(one), 0);
    assert_int_equal(covey_test_post(two, "/echo", .body = "a")->status, 200);
    assert_int_equal(covey_test_free(two), 0);
}

static int wrong_setup(covey_app *app)
{
    return covey_setup_fail(app, "no database at %s", "sea");
}

static int failing_start(covey_app *app)
{
    (void)app;
    return -ENOENT;
}

static int late_setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, failing_start);
    return 0;
}

static void assert_does_not_start(covey_test *t, const char *why)
{
    assert_non_null(strstr(covey_test_error(t), why));
    assert_int_equal(covey_test_get(t, "/")->status, 0);
    assert_non_null(strstr(covey_test_get(t, "/")->error, why));
    assert_null(covey_test_app(t));
    assert_int_equal(covey_test_set_cookie(t, "a", "b"), -EIO);
    covey_test_wait_ms(t, 60000);
    covey_test_leave(covey_test_open(t, "/"));
    assert_int_equal(covey_test_free(t), -EIO);
}

static void test_failed_start_is_told(void **state)
{
    (void)state;
    assert_does_not_start(covey_test_new(wrong_setup), "no database at sea");
    assert_does_not_start(covey_test_new(late_setup), "before_server_start listener failing_start");
    assert_does_not_start(covey_test_new(setup, .log_level = "loud"), "option .log_level");
    assert_int_equal(covey_test_free(NULL), 0);
}

static void test_apps_cannot_test_themselves(void **state)
{
    (void)state;
    covey_test *t = covey_test_new(setup);
    covey_app_set_ctx(covey_test_app(t), t);
    assert_string_equal(
        covey_test_get(t, "/self")->body,
        "covey_test calls cannot be made by the app's own functions, which the worker runs");
    assert_int_equal(covey_test_free(t), 0);
}

static void count_down(void *arg)
{
    int *left = arg;
    while (*left > 0 && covey_sleep_ms(1) == 0)
        --*left;
}

static void test_tasks_go_on_while_the_test_waits(void **state)
{
    (void)state;
    int left = 3;
    covey_test *t = covey_test_new(setup);
    assert_int_equal(covey_add_task(covey_test_app(t), count_down, .arg = &left), 0);
    assert_int_equal(left, 3);
    while (left > 0)
        covey_test_wait_ms(t, 1);
    assert_int_equal(covey_test_free(t), 0);
}

static void refuse_to_end(void *arg)
{
    int *turns = arg;
    while (*turns < 1 << 30) { /* its waits fail from its cancellation on */
        (void)covey_sleep_ms(1);
        ++*turns;
    }
}

static void test_what_does_not_end_is_a_leak(void **state)
{
    (void)state;
    static int turns;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* which would report the leak, too */
#endif
    setenv("COVEY_STOP_TIMEOUT", "50ms", 1);
    covey_test *t = covey_test_new(setup);
    unsetenv("COVEY_STOP_TIMEOUT");
    assert_int_equal(covey_add_task(covey_test_app(t), refuse_to_end, .arg = &turns), 0);
    covey_test_wait_ms(t, 1);
    assert_int_equal(covey_test_free(t), -EBUSY);
    assert_true(turns > 0);
}

static void test_open_streams_are_left_at_the_end(void **state)
{
    (void)state;
    covey_test *t = covey_test_new(setup);
    (void)covey_test_open(t, "/nap");
    (void)covey_test_open(t, "/big");
    assert_int_equal(covey_test_free(t), 0);
    assert_string_equal(events, "start started left stop stopped ");
}

int main(void)
{
#define WITH_APP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_APP(test_each_method_has_its_call),
        WITH_APP(test_headers_are_sent_and_replace_ours),
        WITH_APP(test_where_it_comes_from_can_be_said),
        WITH_APP(test_a_request_of_another_covey_is_refused),
        WITH_APP(test_error_pages_come_from_the_engine),
        WITH_APP(test_large_bodies_go_both_ways),
        WITH_APP(test_early_hints_are_seen),
        WITH_APP(test_threads_of_the_app_answer),
        WITH_APP(test_cut_answer_is_an_error),
        WITH_APP(test_patience_ends),
        WITH_APP(test_cookies_are_kept),
        WITH_APP(test_bodies_go_in_and_out_piece_by_piece),
        WITH_APP(test_finish_ends_the_body),
        WITH_APP(test_body_of_a_length_is_bounded),
        WITH_APP(test_who_leaves_cancels_the_handler),
        WITH_APP(test_two_requests_run_at_once),
        WITH_APP(test_early_refusal_ends_the_upload),
        cmocka_unit_test(test_listeners_run_in_their_order),
        cmocka_unit_test(test_settings_apply),
        cmocka_unit_test(test_access_lines_are_written_if_they_are_wanted),
        cmocka_unit_test(test_two_workers_keep_apart),
        cmocka_unit_test(test_failed_start_is_told),
        cmocka_unit_test(test_apps_cannot_test_themselves),
        cmocka_unit_test(test_tasks_go_on_while_the_test_waits),
        cmocka_unit_test(test_what_does_not_end_is_a_leak),
        cmocka_unit_test(test_open_streams_are_left_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
