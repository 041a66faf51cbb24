/* Blueprints at work: whose middleware runs, which context a handler finds, who answers errors. */
#include "rig.h"

static char order[256];
static struct rig rig;

static void note(const char *what)
{
    size_t len = strlen(order);
    snprintf(order + len, sizeof(order) - len, "%s ", what);
}

static int around_all(covey_req *req)
{
    (void)req;
    note("all");
    return 0;
}

static int around_users(covey_req *req)
{
    (void)req;
    note("users");
    return 0;
}

static int first(covey_req *req)
{
    (void)req;
    note("first");
    return 0;
}

static int only_show(covey_req *req)
{
    (void)req;
    note("show");
    return 0;
}

/* ---- One setup function, mounted twice ---- */

static int fill(covey_app *scope)
{
    static char once[] = "filled", twice[] = "filled twice";
    covey_app_set_ctx(scope, covey_app_ctx(scope) == NULL ? once : twice);
    return 0;
}

static int list(covey_req *req)
{
    covey_app *mine = covey_blueprint_of(req);
    const char *ctx = covey_app_ctx(mine);
    return covey_textf(req, 200, "%s, of %s", ctx != NULL ? ctx : "empty",
                       mine == covey_app_of(req) ? "the app" : "a blueprint");
}

static int show(covey_req *req)
{
    return covey_textf(req, 200, "user %s", covey_param(req, "id"));
}

static int not_found(covey_req *req)
{
    return covey_textf(req, covey_error_status(req), "users: %s", covey_error_text(req));
}

static int missing(covey_req *req)
{
    return covey_fail(req, 404, "there is none");
}

static int users(covey_app *bp)
{
    covey_listener(bp, COVEY_BEFORE_SERVER_START, fill);
    covey_middleware(bp, COVEY_REQUEST, around_users);
    covey_middleware(bp, COVEY_REQUEST, only_show, .routes = "show");
    covey_on_error(bp, 404, not_found);
    covey_get(bp, "/", list, .name = "list");
    covey_get(bp, "/<id:int>", show, .name = "show");
    covey_get(bp, "/missing", missing);
    covey_static(bp, "/etc", "/etc");
    return 0;
}

static int setup(covey_app *app)
{
    covey_middleware(app, COVEY_REQUEST, around_all);
    covey_blueprint(app, "users", users, .prefix = "/users");
    covey_blueprint(app, "people", users, .prefix = "/people");
    covey_get(app, "/", list);
    covey_middleware(app, COVEY_REQUEST, first, .priority = 1);
    return 0;
}

static const char *ask(const char *target, const char *chain)
{
    order[0] = '\0';
    const char *answer = rig_get(&rig, target);
    assert_string_equal(order, chain);
    return answer;
}

static void test_a_blueprint_has_its_own_things(void **state)
{
    (void)state;
    rig_init(&rig, setup);
    rig_start(&rig);
    assert_body(ask("/", "first all "), "empty, of the app");
    assert_body(ask("/users/", "first all users "), "filled, of a blueprint");
    assert_body(ask("/people/", "first all users "), "filled, of a blueprint");
    assert_body(ask("/users/7", "first all users show "), "user 7");
    const char *answer = ask("/people/missing", "first all users ");
    assert_status(answer, 404);
    assert_body(answer, "users: there is none");
    assert_has(ask("/nowhere", "first all "), "404 Not Found: Requested URL /nowhere not found");
    assert_status(ask("/users/etc/passwd", "first all users "), 200);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_blueprint_has_its_own_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
