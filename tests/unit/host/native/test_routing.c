/* Routes as an app registers them and asks for them: types, slashes, hosts, versions, the route of
 * a request. */
#include "rig.h"

static struct rig rig;
static char own[] = "own";

static bool is_even(const char *segment, size_t len)
{
    return len > 0 && (segment[len - 1] - '0') % 2 == 0;
}

static int route(covey_req *req)
{
    const char *ctx = covey_route_ctx(req);
    return covey_textf(req, 200, "%s|%s|%s", covey_route_name(req), covey_route_pattern(req),
                       ctx != NULL ? ctx : "NULL");
}

static int number(covey_req *req)
{
    return covey_textf(req, 200, "%.4f %.1f", covey_param_float(req, "x"),
                       covey_param_float(req, "absent"));
}

static int day(covey_req *req)
{
    struct tm date = {.tm_year = -1};
    if (covey_param_ymd(req, "absent", &date) || date.tm_year != -1 ||
        !covey_param_ymd(req, "day", &date))
        return -EIO;
    char text[64];
    strftime(text, sizeof(text), "%Y-%m-%d %a %j %H:%M", &date);
    return covey_text(req, 200, text);
}

static int uuid(covey_req *req)
{
    unsigned char bytes[16] = {0};
    if (covey_param_uuid(req, "absent", bytes) || !covey_param_uuid(req, "id", bytes))
        return -EIO;
    char *text = covey_sprintf(req, "%s", "");
    for (size_t i = 0; i < sizeof(bytes); i++)
        text = covey_sprintf(req, "%s%02x", text, bytes[i]);
    return covey_text(req, 200, text);
}

static int file(covey_req *req)
{
    return covey_textf(req, 200, "%s|%s|%lld", covey_param(req, "file"), covey_param(req, "ext"),
                       (long long)covey_param_int(req, "file"));
}

static int all(covey_req *req)
{
    char *text = covey_sprintf(req, "%s", "");
    const char *name, *value;
    for (size_t at = 0; covey_param_next(req, &at, &name, &value);)
        text = covey_sprintf(req, "%s[%s=%s]", text, name, value);
    return covey_text(req, 200, text);
}

static int tree_url(covey_req *req)
{
    return covey_text(req, 200,
                      covey_url_for(req, "tree", COVEY_ARGS("path", "a/b.css"), .external = true));
}

/* As the query says. */
static int url(covey_req *req)
{
    const char *url = covey_url_for(
        req, covey_query(req, "name"), COVEY_ARGS("n", covey_query(req, "n"), "tab", "a b"),
        .anchor = "top", .external = covey_query(req, "external") != NULL);
    return covey_text(req, 200, url != NULL ? url : "NULL");
}

static int app_url(covey_req *req)
{
    char *url = covey_app_url_for(covey_app_of(req), "even", COVEY_ARGS("n", "8"),
                                  .server = "https://x.example");
    char *none =
        covey_app_url_for(covey_app_of(req), "even", COVEY_ARGS("n", "8"), .external = true);
    char *refused =
        covey_app_url_for(covey_app_of(req), "even", COVEY_ARGS("n", "8"), .scheme = "https");
    int rc = covey_textf(req, 200, "%s %d %d", url, none == NULL, refused == NULL);
    free(url);
    free(none);
    return rc;
}

static int list(covey_req *req)
{
    char *text = covey_sprintf(req, "%s", "");
    const struct covey_route_info *info = NULL;
    while ((info = covey_routes_next(covey_app_of(req), info)) != NULL) {
        if (info->line == 0 || strstr(info->file, "test_routing.c") == NULL)
            return -EIO;
        text = covey_sprintf(req, "%s[%s %s %s %s]", text, info->name, info->methods, info->pattern,
                             info->host != NULL ? info->host : "*");
    }
    return covey_text(req, 200, text);
}

/* Also where no route has been found. */
static int look(covey_req *req)
{
    if (covey_route_name(req) == NULL && covey_route_pattern(req) == NULL &&
        covey_route_ctx(req) == NULL)
        covey_set_header(req, "X-Route", "none");
    return 0;
}

static int setup(covey_app *app)
{
    covey_pattern(app, "even", is_even);
    covey_middleware(app, COVEY_REQUEST, look);
    covey_get(app, "/even/<n:even>", route, .name = "even", .ctx = own);
    covey_get(app, "/float/<x:float>", number);
    covey_get(app, "/day/<day:ymd>", day);
    covey_get(app, "/uuid/<id:uuid>", uuid);
    covey_get(app, "/file/<file=int:ext=jpg|png>", file);
    covey_static(app, "/tree", ".", .name = "tree", .host = "a.example");
    covey_get(app, "/all/<a>/<b:ext>", all);
    covey_get(app, "/url", url);
    covey_get(app, "/tree-url", tree_url);
    covey_get(app, "/app-url", app_url);
    covey_get(app, "/list", list);
    covey_get(app, "/hard/<x:(?:a+)+[bc]>", route);
    covey_get(app, "/lax", route);
    covey_get(app, "/strict", route, .strict_slashes = 1);
    covey_get(app, "/users", route, .version = "2", .version_prefix = "/api/v");
    covey_get(app, "/hosted", route, .name = "hosted", .host = "a.example b.example:81");
    covey_get(app, "/hosted", route, .name = "first");
    covey_get(app, "/hosted", route, .name = "anywhere", .overwrite = true);
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
    unsetenv("RIG_STRICT_SLASHES");
    rig_stop(&rig);
    return 0;
}

static void test_the_route_of_a_request(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/even/42"), "even|/even/<n:even>|own");
    assert_body(rig_get(&rig, "/lax"), "/lax|/lax|NULL");
    assert_body(rig_get(&rig, "/api/v2/users"), "/api/v2/users|/api/v2/users|NULL");
    assert_lacks(rig_get(&rig, "/lax"), "X-Route");
    assert_has(rig_get(&rig, "/even/43"), "X-Route: none");
    assert_status(rig_get(&rig, "/even/43"), 404);
}

static void test_parameters_by_their_type(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/float/-2.25"), "-2.2500 0.0");
    assert_body(rig_get(&rig, "/float/.5"), "0.5000 0.0");
    assert_body(rig_get(&rig, "/float/7"), "7.0000 0.0");
    assert_status(rig_get(&rig, "/float/nan"), 404);
    assert_status(rig_get(&rig, "/float/1e5"), 404);
    assert_body(rig_get(&rig, "/day/2024-02-29"), "2024-02-29 Thu 060 00:00");
    assert_status(rig_get(&rig, "/day/2023-02-29"), 404);
    assert_body(rig_get(&rig, "/uuid/123E4567-e89b-12d3-a456-42661417400f"),
                "123e4567e89b12d3a45642661417400f");
    assert_body(rig_get(&rig, "/file/12.png"), "12|png|12");
    assert_status(rig_get(&rig, "/file/a.png"), 404);
}

static void test_a_slash_at_the_end(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/lax/"), 200);
    assert_status(rig_get(&rig, "/strict"), 200);
    assert_status(rig_get(&rig, "/strict/"), 404);
    assert_status(rig_ask(&rig, "POST /lax/", "", NULL), 405);
}

static int start_strict(void **state)
{
    setenv("RIG_STRICT_SLASHES", "true", 1);
    return start(state);
}

static void test_the_setting_makes_all_routes_strict(void **state)
{
    (void)state;
    assert_status(rig_get(&rig, "/lax"), 200);
    assert_status(rig_get(&rig, "/lax/"), 404);
}

static const char *ask_host_for(const char *host, const char *line)
{
    char request[256];
    int fd = rig_connect(&rig);
    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nConnection: close\r\nHost: %s\r\n\r\n", line,
             host);
    rig_send(fd, request);
    const char *answer = rig_read_all(fd, NULL);
    close(fd);
    return answer;
}

static const char *ask_host(const char *host)
{
    return ask_host_for(host, "GET /hosted");
}

static void test_a_tree_of_a_host(void **state)
{
    (void)state;
    assert_status(ask_host_for("a.example", "POST /tree/x"), 405);
    assert_status(ask_host_for("b.example", "POST /tree/x"), 404);
    assert_body(rig_get(&rig, "/tree-url"), "http://a.example/tree/a/b.css");
}

static void test_hosts(void **state)
{
    (void)state;
    assert_body(ask_host("a.example"), "hosted|/hosted|NULL");
    assert_body(ask_host("A.EXAMPLE:8000"), "hosted|/hosted|NULL");
    assert_body(ask_host("b.example:81"), "hosted|/hosted|NULL");
    assert_body(ask_host("b.example"), "anywhere|/hosted|NULL");
    assert_body(ask_host("127.0.0.1"), "anywhere|/hosted|NULL");
}

static void test_all_parameters(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/all/x%20y/a.b.c"), "[a=x y][b=a.b][ext=c]");
}

static void test_urls(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/url?name=even&n=4"), "/even/4?tab=a+b#top");
    assert_body(rig_get(&rig, "/url?name=even&n=4&external"), "http://x/even/4?tab=a+b#top");
    assert_body(rig_get(&rig, "/url?name=/lax&n=1"), "/lax?n=1&tab=a+b#top");
    assert_body(rig_get(&rig, "/url?name=even&n=5"), "NULL");
    rig_assert_logged(&rig, "covey_url_for(\"even\"): \"5\" does not fit the parameter <n:even>");
    assert_body(rig_get(&rig, "/url?name=nobody&n=1"), "NULL");
    rig_assert_logged(&rig, "covey_url_for(\"nobody\"): no route has this name");
    assert_body(rig_get(&rig, "/app-url"), "https://x.example/even/8 1 1");
}

static int start_named(void **state)
{
    setenv("RIG_SERVER_NAME", "https://www.example", 1);
    return start(state);
}

static int stop_named(void **state)
{
    unsetenv("RIG_SERVER_NAME");
    return stop(state);
}

static void test_the_servers_name_is_a_setting(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/url?name=even&n=4&external"),
                "https://www.example/even/4?tab=a+b#top");
}

static void test_the_list_of_routes(void **state)
{
    (void)state;
    const char *answer = rig_get(&rig, "/list");
    assert_has(answer, "[even GET /even/<n:even> *]");
    assert_has(answer, "[hosted GET /hosted a.example b.example:81]");
    assert_has(answer, "[anywhere GET /hosted *]");
    assert_lacks(answer, "[first ");
}

static void test_a_regular_expression_that_gives_up_is_told_once(void **state)
{
    (void)state;
    char path[4050] = "/hard/";
    assert_body(rig_get(&rig, "/hard/aab"), "/hard/<x:(?:a+)+[bc]>|/hard/<x:(?:a+)+[bc]>|NULL");
    memset(path + 6, 'a', 4000);
    for (int i = 0; i < 3; i++)
        assert_status(rig_get(&rig, path), 404);
    const char *log = strstr(rig_log(&rig), "gave up");
    assert_non_null(log);
    assert_null(strstr(log + 1, "gave up"));
    rig_assert_logged(&rig, "the regular expression (?:a+)+[bc] of a route gave up on /hard/aaa");
}

static int setup_hidden(covey_app *app)
{
    covey_get(app, "/a/<x>", route);
    covey_get(app, "/a/<y:.+>", route);
    return 0;
}

static int setup_no_pattern(covey_app *app)
{
    covey_pattern(app, "int", is_even);
    return 0;
}

static void assert_fails(covey_setup_fn *what, const char *reason)
{
    rig_init(&rig, what);
    rig_launch(&rig);
    assert_int_equal(rig_join(&rig), CV_EXIT_LOAD);
    close(rig.log);
    assert_has(rig.reason, reason);
    assert_has(rig.reason, "test_routing.c:");
}

static void test_what_is_wrong_ends_the_start_with_its_place(void **state)
{
    (void)state;
    assert_fails(setup_hidden, "route /a/<x>: it is not reached: GET /a/");
    assert_fails(setup_no_pattern, "pattern int: there is a type of this name already");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_route_of_a_request),
        TEST(test_parameters_by_their_type),
        TEST(test_a_slash_at_the_end),
        cmocka_unit_test_setup_teardown(test_the_setting_makes_all_routes_strict, start_strict,
                                        stop),
        TEST(test_hosts),
        TEST(test_a_tree_of_a_host),
        TEST(test_all_parameters),
        TEST(test_urls),
        cmocka_unit_test_setup_teardown(test_the_servers_name_is_a_setting, start_named,
                                        stop_named),
        TEST(test_the_list_of_routes),
        TEST(test_a_regular_expression_that_gives_up_is_told_once),
        cmocka_unit_test(test_what_is_wrong_ends_the_start_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
