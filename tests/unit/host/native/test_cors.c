/* Pages of other origins: who gets which fields, whatever becomes of the request. */
#include "rig.h"

static struct rig rig;
static _Atomic int n_guarded, n_asked;

static int hello(covey_req *req)
{
    return covey_text(req, 200, "hello");
}

static int fails(covey_req *req)
{
    (void)req;
    return -EIO;
}

static int sleeps(covey_req *req)
{
    return covey_sleep_ms(20000) < 0 ? covey_fail(req, 503, "cancelled") : hello(req);
}

static int streams(covey_req *req)
{
    int rc = covey_respond(req, 200, .type = "text/plain");
    return rc == 0 ? covey_send(req, "piece", 5) : rc;
}

static int varies(covey_req *req)
{
    int rc = covey_set_header(req, "Vary", "Accept");
    return rc == 0 ? hello(req) : rc;
}

static int has_its_own(covey_req *req)
{
    int rc = covey_set_header(req, "Access-Control-Allow-Origin", "https://own.example");
    return rc == 0 ? hello(req) : rc;
}

static int options(covey_req *req)
{
    return covey_text(req, 200, "my options");
}

/* As each guard of cookies or tokens: it knows no preflight. */
static int guard(covey_req *req)
{
    n_guarded++;
    return covey_header(req, "X-Token") != NULL ? 0 : covey_fail(req, 401, "who is there?");
}

static int adds(covey_req *req)
{
    return covey_set_header(req, "X-Behind", "1");
}

static bool is_known(covey_app *bp, const char *origin)
{
    n_asked++;
    return strcmp(origin, covey_app_ctx(bp)) == 0;
}

static int guarded(covey_app *bp)
{
    covey_cors(bp, "https://a.example", .credentials = true, .max_age = 60, .expose = "X-Behind");
    covey_middleware(bp, COVEY_REQUEST, guard);
    covey_middleware(bp, COVEY_RESPONSE, adds);
    covey_route(bp, "GET, PUT", "/", hello);
    return 0;
}

static int tenants(covey_app *bp)
{
    static char name[] = "https://tenant.example";
    covey_app_set_ctx(bp, name);
    covey_cors(bp, .allow = is_known);
    covey_get(bp, "/", hello);
    return 0;
}

static int closed(covey_app *bp)
{
    covey_cors(bp, "");
    covey_get(bp, "/", hello);
    return 0;
}

static int setup(covey_app *app)
{
    covey_cors(app, "https://a.example");
    covey_cors(app, "*", .routes = "public, tenants.public");
    covey_get(app, "/", hello);
    covey_get(app, "/public", hello, .name = "public");
    covey_get(app, "/fails", fails);
    covey_get(app, "/sleeps", sleeps, .response_timeout = 50);
    covey_get(app, "/streams", streams);
    covey_get(app, "/varies", varies);
    covey_get(app, "/own", has_its_own);
    covey_post(app, "/up", hello, .body_max = 4);
    covey_route(app, "GET, OPTIONS", "/options", options);
    covey_blueprint(app, "guarded", guarded, .prefix = "/guarded");
    covey_app *from = covey_blueprint(app, "tenants", tenants, .prefix = "/tenants");
    covey_get(from, "/public", hello, .name = "public");
    covey_blueprint(app, "closed", closed, .prefix = "/closed");
    return 0;
}

static int start(void **state)
{
    (void)state;
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

#define A "Origin: https://a.example\r\n"
#define B "Origin: https://b.example\r\n"
#define ASKS(method) "Access-Control-Request-Method: " method "\r\n"
#define ALLOWS_A "\r\nAccess-Control-Allow-Origin: https://a.example\r\n"

static const char *get(const char *target, const char *fields)
{
    char line[256];
    snprintf(line, sizeof(line), "GET %s", target);
    return rig_ask(&rig, line, fields, NULL);
}

static const char *preflight(const char *target, const char *fields)
{
    char line[256];
    snprintf(line, sizeof(line), "OPTIONS %s", target);
    return rig_ask(&rig, line, fields, NULL);
}

static void test_who_is_let_in(void **state)
{
    (void)state;
    const char *answer = get("/", A);
    assert_body(answer, "hello");
    assert_has(answer, "\r\nVary: Origin" ALLOWS_A);
    assert_lacks(answer, "Credentials");
    answer = get("/", B);
    assert_body(answer, "hello");
    assert_has(answer, "\r\nVary: Origin\r\n");
    assert_lacks(answer, "Access-Control");
    answer = get("/", "");
    assert_has(answer, "\r\nVary: Origin\r\n");
    assert_lacks(answer, "Access-Control");
    answer = get("/public", B);
    assert_has(answer, "\r\nAccess-Control-Allow-Origin: *\r\n");
    assert_lacks(answer, "Vary");
}

static void test_errors_can_be_read(void **state)
{
    (void)state;
    const char *answer = get("/nowhere", A);
    assert_status(answer, 404);
    assert_has(answer, ALLOWS_A);
    answer = get("/fails", A);
    assert_status(answer, 500);
    assert_has(answer, ALLOWS_A);
    answer = get("/%zz", A);
    assert_status(answer, 400);
    assert_has(answer, ALLOWS_A);
    answer = rig_ask(&rig, "POST /up", A, "too much");
    assert_status(answer, 413);
    assert_has(answer, ALLOWS_A);
    answer = get("/sleeps", A);
    assert_status(answer, 503);
    assert_has(answer, "RESPONSE_TIMEOUT");
    assert_has(answer, ALLOWS_A);
}

static void test_a_wrong_method_in_a_blueprint_can_be_read(void **state)
{
    (void)state;
    const char *answer = rig_ask(&rig, "DELETE /guarded/", A, NULL);
    assert_status(answer, 405);
    assert_has(answer, ALLOWS_A "Access-Control-Allow-Credentials: true\r\n");
    answer = preflight("/guarded/", A ASKS("DELETE"));
    assert_status(answer, 204);
    assert_has(answer, "\r\nAccess-Control-Allow-Credentials: true\r\n");
}

static void test_streams_carry_the_fields(void **state)
{
    (void)state;
    const char *answer = get("/streams", A);
    assert_has(answer, ALLOWS_A);
    assert_has(answer, "piece");
}

static void test_what_the_app_says_itself_stands(void **state)
{
    (void)state;
    const char *answer = get("/own", A);
    assert_has(answer, "\r\nAccess-Control-Allow-Origin: https://own.example\r\n");
    assert_has(answer, "\r\nVary: Origin\r\n");
    assert_lacks(answer, "a.example");
    answer = get("/varies", A);
    assert_has(answer, "\r\nVary: Accept\r\nVary: Origin" ALLOWS_A);
}

static void test_preflights_come_before_middleware(void **state)
{
    (void)state;
    n_guarded = 0;
    const char *answer = preflight("/guarded/", A ASKS("PUT") "Access-Control-Request-Headers: "
                                                              "x-token\r\n");
    assert_status(answer, 204);
    assert_int_equal(n_guarded, 0);
    assert_has(answer, ALLOWS_A "Access-Control-Allow-Credentials: true\r\n"
                                "Access-Control-Allow-Methods: PUT\r\n"
                                "Access-Control-Allow-Headers: x-token\r\n"
                                "Access-Control-Max-Age: 60\r\n");
    answer = get("/guarded/", A);
    assert_status(answer, 401);
    assert_int_equal(n_guarded, 1);
    assert_has(answer, "\r\nX-Behind: 1\r\n");
    assert_has(answer, ALLOWS_A "Access-Control-Allow-Credentials: true\r\n"
                                "Access-Control-Expose-Headers: X-Behind\r\n");
}

static void test_preflights_need_no_route(void **state)
{
    (void)state;
    const char *answer = preflight("/options", A ASKS("GET"));
    assert_status(answer, 204);
    assert_has(answer, ALLOWS_A "Access-Control-Allow-Methods: GET\r\n");
    answer = preflight("/nowhere", A ASKS("BREW"));
    assert_status(answer, 204);
    assert_has(answer, ALLOWS_A "Access-Control-Allow-Methods: BREW\r\n");
    answer = preflight("/", B ASKS("PUT"));
    assert_status(answer, 204);
    assert_has(answer, "\r\nVary: Origin, Access-Control-Request-Method");
    assert_lacks(answer, "Access-Control-Allow");
    /* Nor does it make a malformed request a good one. */
    answer = preflight("/%zz", A ASKS("GET"));
    assert_status(answer, 400);
    assert_has(answer, ALLOWS_A);
    /* What asks for nothing is a request like any. */
    answer = preflight("/options", A);
    assert_body(answer, "my options");
    assert_has(answer, ALLOWS_A);
    answer = preflight("/", A);
    assert_status(answer, 204);
    assert_has(answer, "\r\nAllow: GET, HEAD, OPTIONS\r\n");
    assert_has(answer, ALLOWS_A);
}

static void test_an_app_may_know_its_origins(void **state)
{
    (void)state;
    n_asked = 0;
    assert_has(get("/tenants/", "Origin: https://tenant.example\r\n"),
               "\r\nVary: Origin\r\nAccess-Control-Allow-Origin: https://tenant.example\r\n");
    assert_lacks(get("/tenants/", A), "Access-Control");
    assert_int_equal(n_asked, 2);
    assert_lacks(get("/tenants/", "Origin: null\r\n"), "Access-Control");
    assert_lacks(get("/tenants/", "Origin: https://a.example/x\r\n"), "Access-Control");
    assert_lacks(get("/tenants/", ""), "Access-Control");
    assert_int_equal(n_asked, 2);
    assert_has(get("/tenants/public", A), "\r\nAccess-Control-Allow-Origin: *\r\n");
}

static void test_a_blueprint_may_let_nobody_in(void **state)
{
    (void)state;
    const char *answer = get("/closed/", A);
    assert_body(answer, "hello");
    assert_lacks(answer, "Access-Control");
    assert_lacks(answer, "Vary");
    answer = preflight("/closed/", A ASKS("PUT"));
    assert_lacks(answer, "Access-Control");
    assert_has(answer, "\r\nAllow: GET, HEAD, OPTIONS\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_let_in),
        cmocka_unit_test(test_errors_can_be_read),
        cmocka_unit_test(test_a_wrong_method_in_a_blueprint_can_be_read),
        cmocka_unit_test(test_streams_carry_the_fields),
        cmocka_unit_test(test_what_the_app_says_itself_stands),
        cmocka_unit_test(test_preflights_come_before_middleware),
        cmocka_unit_test(test_preflights_need_no_route),
        cmocka_unit_test(test_an_app_may_know_its_origins),
        cmocka_unit_test(test_a_blueprint_may_let_nobody_in),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
