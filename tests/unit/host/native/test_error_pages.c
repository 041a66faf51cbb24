/* Which error page a client gets, and what DEBUG adds to it. */
#include "rig.h"

static int fail_line;

static int __attribute__((noinline)) look_up(covey_req *req)
{
    fail_line = __LINE__ + 1;
    int rc = covey_fail(req, 500, "the table <%s> is gone", "users");
    return covey_status(req) == 0 ? rc : -EIO; /* no tail call: the frame stays */
}

static int fails(covey_req *req)
{
    int rc = look_up(req);
    return rc < 0 ? rc : covey_empty(req, 204);
}

static int is_missing(covey_req *req)
{
    return covey_fail(req, 404, "no such user");
}

static int fails_otherwise(covey_req *req)
{
    (void)look_up(req);
    return -EIO;
}

static int forgets(covey_req *req)
{
    (void)req;
    return 0;
}

static int setup(covey_app *app)
{
    covey_get(app, "/forgets", forgets);
    covey_get(app, "/fails", fails);
    covey_get(app, "/otherwise", fails_otherwise);
    covey_route(app, "GET, POST", "/missing", is_missing);
    covey_get(app, "/html", is_missing, .error_format = "html");
    covey_get(app, "/json", is_missing, .error_format = "JSON");
    covey_get(app, "/text", is_missing, .error_format = "text");
    covey_get(app, "/problem", is_missing, .error_format = "problem");
    covey_get(app, "/auto", is_missing, .error_format = "auto");
    return 0;
}

static int setup_wrong(covey_app *app)
{
    covey_get(app, "/", fails, .error_format = "xml");
    return 0;
}

static struct rig rig;

static int start_with(const char *format, bool debug)
{
    setenv("RIG_FALLBACK_ERROR_FORMAT", format, 1);
    rig_init(&rig, setup);
    rig.config.debug = debug;
    rig_start(&rig);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with("auto", false);
}

static int start_problem(void **state)
{
    (void)state;
    return start_with("problem", false);
}

static int start_debug(void **state)
{
    (void)state;
    return start_with("auto", true);
}

static int stop(void **state)
{
    (void)state;
    unsetenv("RIG_FALLBACK_ERROR_FORMAT");
    rig_stop(&rig);
    return 0;
}

static void test_an_unknown_format_ends_the_start(void **state)
{
    (void)state;
    rig_init(&rig, setup_wrong);
    rig_launch(&rig);
    assert_int_equal(rig_join(&rig), CV_EXIT_LOAD);
    assert_non_null(strstr(rig.reason, "test_error_pages.c:"));
    assert_non_null(strstr(rig.reason, ".error_format = \"xml\""));
    close(rig.log);
}

static void test_without_debug_nothing_is_told(void **state)
{
    (void)state;
    static const char *const accepts[] = {"", "Accept: text/html\r\n",
                                          "Accept: application/json\r\n",
                                          "Accept: application/problem+json\r\n"};
    for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        const char *answer = rig_ask(&rig, "GET /fails?secret=1", accepts[i], NULL);
        assert_status(answer, 500);
        assert_lacks(answer, "users");
        assert_lacks(answer, "secret");
        assert_lacks(answer, ".c");
        assert_lacks(answer, "look_up");
        assert_lacks(answer, "frames");
        answer = rig_ask(&rig, "GET /nowhere", accepts[i], NULL);
        assert_lacks(answer, "oute:");
        assert_lacks(answer, "frames");
    }
}

static void test_the_routes_own_format(void **state)
{
    (void)state;
    const char *json = "Accept: application/json\r\n";
    assert_has(rig_ask(&rig, "GET /html", json, NULL), "text/html; charset=utf-8\r\n");
    assert_has(rig_ask(&rig, "GET /text", json, NULL), "text/plain; charset=utf-8\r\n");
    assert_has(rig_ask(&rig, "GET /auto", json, NULL), "application/json\r\n");
    assert_has(rig_get(&rig, "/json"), "application/json\r\n");
    const char *answer = rig_get(&rig, "/problem");
    assert_has(answer, "application/problem+json\r\n");
    assert_body(answer, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                        "\"detail\":\"no such user\"}");
}

static void test_the_apps_own_format(void **state)
{
    (void)state;
    assert_has(rig_get(&rig, "/missing"), "application/problem+json\r\n");
    assert_has(rig_get(&rig, "/nowhere"), "application/problem+json\r\n");
    assert_has(rig_get(&rig, "/html"), "text/html");
    assert_has(rig_get(&rig, "/auto"), "text/plain");
}

/* A cache must not give one client's format to another. */
static void test_what_follows_accept_varies(void **state)
{
    (void)state;
    static const char *const following[] = {"GET /missing", "GET /nowhere", "GET /auto",
                                            "DELETE /auto"};
    static const char *const fixed[] = {"GET /html", "GET /json", "GET /text", "GET /problem"};
    for (size_t i = 0; i < sizeof(following) / sizeof(following[0]); i++)
        assert_has(rig_ask(&rig, following[i], "", NULL), "\r\nVary: Accept\r\n");
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        assert_lacks(rig_ask(&rig, fixed[i], "", NULL), "Vary");
}

static void test_who_sends_json_and_takes_anything_gets_json(void **state)
{
    (void)state;
    const char *answer =
        rig_ask(&rig, "POST /missing", "Content-Type: application/json; charset=utf-8\r\n", "{}");
    assert_has(answer, "application/json\r\n");
    answer = rig_ask(&rig, "POST /missing",
                     "Content-Type: application/json\r\nAccept: text/html, */*;q=0.1\r\n", "{}");
    assert_has(answer, "text/html");
    answer = rig_ask(&rig, "POST /missing", "Content-Type: text/plain\r\nAccept: */*\r\n", "{}");
    assert_has(answer, "text/plain");
}

static void test_debug_tells_where_it_comes_from(void **state)
{
    (void)state;
    char where[64];
    const char *answer = rig_get(&rig, "/fails?a=1");
    assert_has(answer, "500 Internal Server Error: the table <users> is gone\n");
    assert_has(answer, "Request: GET /fails?a=1\n");
    assert_has(answer, "Route: /fails ");
    assert_has(answer, "test_error_pages.c:");
    snprintf(where, sizeof(where), "test_error_pages.c:%d\n", fail_line);
    assert_has(answer, where);
    assert_has(answer, "look_up (");
    assert_has(answer, "  fails (");

    answer = rig_ask(&rig, "GET /fails", "Accept: text/html\r\n", NULL);
    assert_has(answer, "the table &lt;users&gt; is gone");
    assert_has(answer, "int rc = covey_fail(req, 500, &quot;the table &lt;%s&gt; is gone&quot;");
    assert_has(rig_ask(&rig, "GET /nowhere", "Accept: text/html\r\n", NULL), "Route: none");
    assert_has(rig_get(&rig, "/forgets"), "without an answer");
}

static void test_the_stack_of_another_error_is_not_shown(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/otherwise");
    assert_has(answer, "Input/output error");
    assert_lacks(answer, "look_up");
}

#define TEST(name, start) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unknown_format_ends_the_start),
        TEST(test_without_debug_nothing_is_told, start),
        TEST(test_the_routes_own_format, start),
        TEST(test_the_apps_own_format, start_problem),
        TEST(test_what_follows_accept_varies, start),
        TEST(test_who_sends_json_and_takes_anything_gets_json, start),
        TEST(test_debug_tells_where_it_comes_from, start_debug),
        TEST(test_the_stack_of_another_error_is_not_shown, start_debug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
