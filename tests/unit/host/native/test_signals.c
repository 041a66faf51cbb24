/* Signals: covey's own and the app's, who is told and in which order, and waiting for one. */
#include "rig.h"

static char order[1024];
static struct rig rig;

static void note(const char *what)
{
    size_t len = strlen(order);
    snprintf(order + len, sizeof(order) - len, "%s%s", len > 0 ? " " : "", what);
}

/* ---- covey's own ---- */

static int note_name(covey_app *app, const struct covey_signal_event *event)
{
    char text[128];
    bool has_bytes = event->len > 0;
    snprintf(text, sizeof(text), "%s%s%.*s%s", event->name, has_bytes ? "(" : "",
             has_bytes ? (int)event->len : 0, has_bytes ? (const char *)event->bytes : "",
             has_bytes ? ")" : "");
    if (strncmp(event->name, "http.", 5) == 0 && event->req == NULL)
        note("no request:");
    if (event->condition != NULL)
        note(event->condition);
    note(text);
    return app == NULL ? -EINVAL : 0;
}

static int middleware(covey_req *req)
{
    (void)req;
    note("middleware");
    return 0;
}

static int behind(covey_req *req)
{
    (void)req;
    note("behind");
    return 0;
}

static int handler(covey_req *req)
{
    note("handler");
    if (covey_query(req, "fail") != NULL)
        return covey_fail(req, 418, "no coffee");
    return covey_text(req, 200, "tea");
}

static int streaming(covey_req *req)
{
    char room[64];
    ssize_t n;
    while ((n = covey_body_read(req, room, sizeof(room))) > 0)
        continue;
    (void)covey_respond(req, 200);
    (void)covey_send(req, "one", 3);
    return n < 0 ? (int)n : covey_send(req, "two", 3);
}

static int started(covey_app *app)
{
    (void)app;
    note("listener");
    return 0;
}

static int setup_own(covey_app *app)
{
    static const char *const names[] = {
        "server.init.before",      "server.init.after",       "server.exception.report",
        "http.lifecycle.request",  "http.lifecycle.handle",   "http.lifecycle.read_head",
        "http.lifecycle.response", "http.lifecycle.send",     "http.lifecycle.read_body",
        "http.routing.before",     "http.routing.after",      "http.handler.before",
        "http.handler.after",      "http.lifecycle.exception"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        covey_signal(app, names[i], note_name);
    covey_signal(app, "http.middleware.<when>", note_name, .condition = "attach_to=request");
    covey_signal(app, "http.middleware.after", note_name, .condition = "attach_to=response");
    covey_listener(app, COVEY_BEFORE_SERVER_START, started);
    covey_middleware(app, COVEY_REQUEST, middleware);
    covey_middleware(app, COVEY_RESPONSE, behind);
    covey_route(app, "GET, POST", "/", handler);
    covey_post(app, "/s", streaming, .stream = true);
    return 0;
}

#define ARRIVAL                                                                                    \
    "http.lifecycle.read_head http.lifecycle.request http.lifecycle.handle http.routing.before "   \
    "http.routing.after "
#define MIDDLEWARE                                                                                 \
    "attach_to=request http.middleware.before middleware attach_to=request "                       \
    "http.middleware.after "
#define BEHIND "behind attach_to=response http.middleware.after "

static void assert_told(const char *expected)
{
    assert_string_equal(order, expected);
    order[0] = '\0';
}

static void test_a_request_tells_of_itself(void **state)
{
    (void)state;
    order[0] = '\0';
    rig_init(&rig, setup_own);
    rig_start(&rig);
    rig_get(&rig, "/");
    assert_told("listener server.init.before server.init.after " ARRIVAL MIDDLEWARE
                "http.handler.before handler http.handler.after " BEHIND
                "http.lifecycle.response http.lifecycle.send(tea)");
    rig_ask(&rig, "POST /?fail", "", "milk");
    assert_told(ARRIVAL
                "http.lifecycle.read_body(milk) " MIDDLEWARE "http.handler.before handler "
                "server.exception.report(no coffee) http.lifecycle.exception(no coffee) " BEHIND
                "http.lifecycle.response "
                "http.lifecycle.send(418 I'm a Teapot: no coffee\n)");
    rig_ask(&rig, "POST /s", "", "milk");
    assert_told(ARRIVAL MIDDLEWARE "http.handler.before http.lifecycle.read_body(milk) " BEHIND
                                   "http.lifecycle.response http.lifecycle.send(one) "
                                   "http.lifecycle.send(two) http.handler.after");
    rig_stop(&rig);
}

static int setup_nothing_else(covey_app *app)
{
    covey_signal(app, "http.lifecycle.exception", note_name);
    return 0;
}

static void test_what_no_code_of_the_apps_handles_tells_of_itself(void **state)
{
    (void)state;
    order[0] = '\0';
    rig_init(&rig, setup_nothing_else);
    rig_start(&rig);
    rig_get(&rig, "/nowhere");
    rig_stop(&rig);
    assert_told("http.lifecycle.exception(Requested URL /nowhere not found)");
}

/* ---- Life ---- */

static int stopping(covey_app *app)
{
    (void)app;
    note("listener");
    return 0;
}

static int setup_life(covey_app *app)
{
    covey_signal(app, "server.shutdown.<when>", note_name);
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, stopping);
    return 0;
}

static void test_the_end_is_told_before_its_listeners(void **state)
{
    (void)state;
    order[0] = '\0';
    rig_init(&rig, setup_life);
    rig_start(&rig);
    rig_stop(&rig);
    assert_told("server.shutdown.before listener server.shutdown.after");
}

static int fails(covey_app *app, const struct covey_signal_event *event)
{
    (void)app, (void)event;
    return -EIO;
}

static int setup_failing(covey_app *app)
{
    covey_signal(app, "http.handler.before", fails);
    covey_signal(app, "server.exception.report", note_name);
    covey_get(app, "/", handler);
    return 0;
}

static void test_a_handler_that_fails_is_named_and_changes_nothing(void **state)
{
    (void)state;
    order[0] = '\0';
    rig_init(&rig, setup_failing);
    rig_start(&rig);
    assert_body(rig_get(&rig, "/"), "tea");
    rig_assert_logged(&rig, "signal http.handler.before: handler fails (");
    rig_assert_logged(&rig, "failed: Input/output error");
    rig_stop(&rig);
    assert_told("server.exception.report(Input/output error) handler");
}

/* ---- The app's ---- */

static int note_param(covey_app *app, const struct covey_signal_event *event)
{
    note(event->param != NULL ? event->param : "none");
    note(app == covey_blueprint_of(event->data) ? "mine" : "another's");
    return 0;
}

static int low(covey_app *app, const struct covey_signal_event *event)
{
    (void)app, (void)event;
    note("low");
    return 0;
}

static int high(covey_app *app, const struct covey_signal_event *event)
{
    (void)app, (void)event;
    note("high");
    return 0;
}

static int ends(covey_app *app, const struct covey_signal_event *event)
{
    (void)app, (void)event;
    note("ends");
    return 7;
}

static int waits_a_bit(covey_app *app, const struct covey_signal_event *event)
{
    (void)app, (void)event;
    int rc = covey_sleep_ms(1);
    note("waited");
    return rc;
}

static void released(void *data)
{
    *(_Atomic bool *)data = true;
    note("released");
}

/* Dispatches what the query says and answers with what was returned. */
static int dispatch(covey_req *req)
{
    covey_app *scope =
        covey_query(req, "here") != NULL ? covey_blueprint_of(req) : covey_app_of(req);
    int rc = covey_dispatch(scope, covey_query(req, "name"), .data = req,
                            .condition = covey_query(req, "condition"),
                            .reverse = covey_query(req, "reverse") != NULL);
    return covey_textf(req, 200, "%d", rc);
}

static _Atomic bool is_released;

static int dispatch_later(covey_req *req)
{
    int rc = covey_dispatch(covey_app_of(req), covey_query(req, "name"), .data = &is_released,
                            .background = true, .release = released);
    note("dispatched");
    return covey_textf(req, 200, "%d", rc);
}

static int part(covey_app *bp)
{
    covey_signal(bp, "user.created.<id>", note_param, .priority = 1);
    covey_get(bp, "/dispatch", dispatch);
    return 0;
}

static int setup_apps(covey_app *app)
{
    covey_blueprint(app, "part", part, .prefix = "/part");
    covey_signal(app, "user.created.*", low, .priority = -1);
    covey_signal(app, "user.created.7", high, .priority = 9);
    covey_signal(app, "order.paid.now", ends);
    covey_signal(app, "order.paid.now", low, .priority = -1);
    covey_signal(app, "tick", high, .condition = "a=1");
    covey_signal(app, "tick", low, .condition = "a=1", .exclusive = COVEY_OFF);
    covey_signal(app, "tick", waits_a_bit);
    covey_get(app, "/dispatch", dispatch);
    covey_get(app, "/later", dispatch_later);
    return 0;
}

static void assert_dispatch(const char *query, const char *rc, const char *told)
{
    char target[256];
    snprintf(target, sizeof(target), "%s", query);
    assert_body(rig_get(&rig, target), rc);
    assert_told(told);
}

static void test_who_is_told_of_an_apps_signal(void **state)
{
    (void)state;
    char code[16];
    order[0] = '\0';
    rig_init(&rig, setup_apps);
    rig_start(&rig);
    assert_dispatch("/dispatch?name=user.created.7", "0", "high 7 another's low");
    assert_dispatch("/dispatch?name=user.created.8", "0", "8 another's low");
    assert_dispatch("/dispatch?name=user.created.7&reverse", "0", "low 7 another's high");
    assert_dispatch("/part/dispatch?name=user.created.8&here", "0", "8 mine");
    assert_dispatch("/dispatch?name=order.paid.now", "7", "ends");
    assert_dispatch("/dispatch?name=order.paid.now&reverse", "7", "low ends");
    assert_dispatch("/dispatch?name=tick", "0", "low waited");
    assert_dispatch("/dispatch?name=tick&condition=a%3D1", "0", "high low");
    snprintf(code, sizeof(code), "%d", -ENOENT);
    assert_dispatch("/dispatch?name=nobody.listens.here", code, "");
    assert_dispatch("/part/dispatch?name=tick&here", code, "");
    assert_dispatch("/dispatch?name=tick&condition=a%3D2", code, "");
    snprintf(code, sizeof(code), "%d", -EINVAL);
    assert_dispatch("/dispatch?name=http.lifecycle.request", code, "");
    assert_dispatch("/dispatch?name=no%20name", code, "");
    assert_dispatch("/dispatch?name=user.created.*", code, "");
    assert_dispatch("/dispatch", code, "");
    rig_assert_logged(&rig, "covey_dispatch(\"http.lifecycle.request\"): only covey dispatches");
    rig_stop(&rig);
}

static void test_a_background_signal_comes_after_its_dispatcher(void **state)
{
    (void)state;
    char code[16];
    order[0] = '\0';
    is_released = false;
    rig_init(&rig, setup_apps);
    rig_start(&rig);
    assert_body(rig_get(&rig, "/later?name=tick"), "0");
    rig_until(is_released);
    snprintf(code, sizeof(code), "%d", -ENOENT);
    assert_body(rig_get(&rig, "/later?name=nobody.listens.here"), code);
    rig_stop(&rig);
    assert_told("dispatched low waited released released dispatched");
}

/* ---- Waiting ---- */

static int wait(covey_req *req)
{
    char param[3] = "";
    void *data = NULL;
    int rc = covey_wait_signal(covey_app_of(req), covey_query(req, "name"),
                               .timeout = covey_query(req, "long") != NULL ? 0 : 50,
                               .condition = covey_query(req, "condition"), .param = param,
                               .param_size = sizeof(param), .data = &data);
    return covey_textf(req, 200, "%d %s %s", rc, param, data != NULL ? "with" : "without");
}

static int wait_here(covey_req *req)
{
    int rc = covey_wait_signal(covey_blueprint_of(req), "a.b.c");
    return covey_textf(req, 200, "%d", rc);
}

static int waiting_part(covey_app *bp)
{
    covey_get(bp, "/wait", wait_here);
    covey_get(bp, "/dispatch", dispatch);
    return 0;
}

static int setup_waiting(covey_app *app)
{
    covey_app *outer = covey_blueprint(app, "outer", waiting_part, .prefix = "/outer");
    covey_blueprint(outer, "inner", waiting_part, .prefix = "/inner");
    covey_blueprint(app, "other", waiting_part, .prefix = "/other");
    covey_get(app, "/wait", wait);
    covey_get(app, "/dispatch", dispatch);
    return 0;
}

/* Asks again until somebody has been told. */
static void dispatch_until_told(const char *target)
{
    const char *answer;
    do
        answer = rig_get(&rig, target);
    while (strstr(answer, "\r\n\r\n0") == NULL);
}

static void test_a_fiber_waits_for_a_signal(void **state)
{
    (void)state;
    char code[32];
    rig_init(&rig, setup_waiting);
    rig_start(&rig);
    int fd = rig_connect(&rig);
    rig_send(fd, "GET /wait?name=a.b.*&long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    dispatch_until_told("/dispatch?name=a.b.cdef");
    assert_body(rig_read_all(fd, NULL), "0 cd with");
    close(fd);

    snprintf(code, sizeof(code), "%d  without", -ETIMEDOUT);
    assert_body(rig_get(&rig, "/wait?name=a.b.c"), code);
    snprintf(code, sizeof(code), "%d  without", -EINVAL);
    assert_body(rig_get(&rig, "/wait?name=a.b"), code);
    rig_assert_logged(&rig, "covey_wait_signal(\"a.b\"): ");
    assert_body(rig_get(&rig, "/wait?name=http.lifecycle.never"), code);
    rig_stop(&rig);
}

static void test_who_waits_in_a_blueprint_hears_what_lies_around_it(void **state)
{
    (void)state;
    static const char *const from[] = {"/outer/inner/dispatch?name=a.b.c&here",
                                       "/outer/dispatch?name=a.b.c&here", "/dispatch?name=a.b.c"};
    char code[16];
    snprintf(code, sizeof(code), "%d", -ENOENT);
    rig_init(&rig, setup_waiting);
    rig_start(&rig);
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        int fd = rig_connect(&rig);
        rig_send(fd, "GET /outer/inner/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_body(rig_get(&rig, "/other/dispatch?name=a.b.c&here"), code);
        dispatch_until_told(from[i]);
        assert_body(rig_read_all(fd, NULL), "0");
        close(fd);
    }
    rig_stop(&rig);
}

static void test_a_fiber_waits_for_coveys_own(void **state)
{
    (void)state;
    rig_init(&rig, setup_waiting);
    rig_start(&rig);
    int fd = rig_connect(&rig);
    rig_send(fd, "GET /wait?name=http.lifecycle.exception&long HTTP/1.1\r\nHost: x\r\n"
                 "Connection: close\r\n\r\n");
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    do /* until it has waited and been told */
        (void)rig_get(&rig, "/nowhere");
    while (poll(&waiting, 1, 10) == 0);
    assert_body(rig_read_all(fd, NULL), "0  without");
    close(fd);
    rig_stop(&rig);
}

/* ---- What is refused ---- */

static covey_signal_fn *no_handler;

static int setup_bad_name(covey_app *app)
{
    covey_signal(app, "a.b", low);
    return 0;
}

static int setup_reserved(covey_app *app)
{
    covey_signal(app, "http.lifecycle.never", low);
    return 0;
}

static int setup_null(covey_app *app)
{
    covey_signal(app, "a.b.c", no_handler);
    return 0;
}

static int setup_no_name(covey_app *app)
{
    covey_signal(app, NULL, low);
    return 0;
}

static int setup_size(covey_app *app)
{
    covey_signal_at(app, "a", &(struct covey_signal){.handler = low}, "low", "a.c", 1);
    return 0;
}

static void assert_setup_fails(covey_setup_fn *setup, const char *reason)
{
    rig_init(&rig, setup);
    rig_launch(&rig);
    assert_int_equal(rig_join(&rig), CV_EXIT_LOAD);
    close(rig.log);
    assert_has(rig.reason, reason);
}

static void test_wrong_registrations_are_refused(void **state)
{
    (void)state;
    assert_setup_fails(setup_bad_name, "signal a.b: a name has one part, or three");
    assert_has(rig.reason, "test_signals.c:");
    assert_setup_fails(setup_reserved, "signal http.lifecycle.never: covey has no such signal");
    assert_setup_fails(setup_null, "signal a.b.c: the handler is NULL");
    assert_setup_fails(setup_no_name, "the name is NULL");
    assert_setup_fails(setup_size, "a.c:1: signal a: options of an unknown size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_tells_of_itself),
        cmocka_unit_test(test_what_no_code_of_the_apps_handles_tells_of_itself),
        cmocka_unit_test(test_the_end_is_told_before_its_listeners),
        cmocka_unit_test(test_a_handler_that_fails_is_named_and_changes_nothing),
        cmocka_unit_test(test_who_is_told_of_an_apps_signal),
        cmocka_unit_test(test_a_background_signal_comes_after_its_dispatcher),
        cmocka_unit_test(test_a_fiber_waits_for_a_signal),
        cmocka_unit_test(test_who_waits_in_a_blueprint_hears_what_lies_around_it),
        cmocka_unit_test(test_a_fiber_waits_for_coveys_own),
        cmocka_unit_test(test_wrong_registrations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
