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

static const char *ask_host(const char *host)
{
    char request[256];
    int fd = rig_connect(&rig);
    snprintf(request, sizeof(request),
             "GET /hosted HTTP/1.1\r\nConnection: close\r\nHost: %s\r\n\r\n", host);
    rig_send(fd, request);
    const char *answer = rig_read_all(fd, NULL);
    close(fd);
    return answer;
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
