/* Blueprints: what their routes are called and where they lie, copies, and what is refused. */
#include "app_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int nothing(covey_req *req)
{
    (void)req;
    return 0;
}

static int listen_to(covey_app *scope)
{
    (void)scope;
    return 0;
}

static int hear(covey_app *scope, const struct covey_signal_event *event)
{
    (void)scope;
    (void)event;
    return 0;
}

/* "NAME PATTERN" of the routes, in their order, are these. */
static void assert_routes(const char *const *expected)
{
    assert_false(app.failed);
    for (const struct cv_route *route = app.router.first; route != NULL; route = route->next) {
        char text[256];
        snprintf(text, sizeof(text), "%s %s", route->how.name, route->pattern);
        assert_non_null(*expected);
        assert_string_equal(text, *expected++);
    }
    assert_null(*expected);
}

/* ---- Names and places ---- */

static int users(covey_app *bp)
{
    covey_get(bp, "/", nothing, .name = "list");
    covey_get(bp, "/<id:int>", nothing, .name = "show");
    covey_get(bp, "/plain", nothing);
    return 0;
}

static void test_prefixes_and_names_are_put_in_front(void **state)
{
    (void)state;
    covey_blueprint(&app, "users", users, .prefix = "/users/");
    covey_app *api = covey_blueprint(&app, "api", .prefix = "/api");
    covey_get(api, "", nothing, .name = "root");
    covey_blueprint(api, "users", users, .prefix = "/people");
    assert_routes((const char *[]){
        "users.list /users/", "users.show /users/<id:int>", "/users/plain /users/plain",
        "api.root /api", "api.users.list /api/people/", "api.users.show /api/people/<id:int>",
        "/api/people/plain /api/people/plain", NULL});
}

static void test_a_group_without_a_name_leaves_names_alone(void **state)
{
    (void)state;
    covey_app *group = covey_blueprint(&app, NULL, .prefix = "/v1");
    covey_app *inner = covey_blueprint(group, "users", .prefix = "/users");
    covey_get(group, "/a", nothing, .name = "a");
    covey_get(inner, "/b", nothing, .name = "b");
    covey_blueprint(&app, NULL, .prefix = "/v2");
    assert_routes((const char *[]){"a /v1/a", "users.b /v1/users/b", NULL});
    assert_ptr_equal(app.router.first->of, group);
}

static void test_what_is_registered_twice_conflicts(void **state)
{
    (void)state;
    covey_app *a = covey_blueprint(&app, "a", .prefix = "/x");
    covey_app *b = covey_blueprint(&app, "b", .prefix = "/x");
    covey_get(a, "/y", nothing);
    covey_get(b, "/y", nothing);
    assert_refused("route /x/y: it conflicts with GET /x/y, registered at ");
}

/* ---- Copies ---- */

static void test_a_copy_has_all_that_the_other_has(void **state)
{
    (void)state;
    covey_app *v1 = covey_blueprint(&app, "v1", users, .prefix = "/v1");
    covey_app *inner = covey_blueprint(v1, "inner", .prefix = "/inner");
    covey_get(inner, "/x", nothing, .name = "x");
    covey_middleware(v1, COVEY_REQUEST, nothing, .priority = 3);
    covey_on_error(v1, 404, nothing);
    covey_listener(v1, COVEY_BEFORE_SERVER_START, listen_to);
    covey_signal(v1, "a.b.c", hear, .priority = 2, .condition = "x");
    covey_signal(&app, "a.b.c", hear);
    covey_app *v2 = covey_blueprint(&app, "v2", .copy_of = v1, .prefix = "/v2");
    covey_get(v1, "/later", nothing, .name = "later");
    assert_routes((const char *[]){"v1.list /v1/", "v1.show /v1/<id:int>", "/v1/plain /v1/plain",
                                   "v1.inner.x /v1/inner/x", "v2.list /v2/", "v2.show /v2/<id:int>",
                                   "/v2/plain /v2/plain", "v2.inner.x /v2/inner/x",
                                   "v1.later /v1/later", NULL});

    cv_app_finalize(&app);
    assert_int_equal(v2->plan.request.n, 1);
    assert_ptr_equal(v2->plan.request.at[0]->of, v2);
    assert_int_equal(v2->plan.request.at[0]->priority, 3);
    assert_int_equal(v2->plan.errors.n, 1);
    assert_int_equal(app.listeners[COVEY_BEFORE_SERVER_START].n, 2);
    assert_ptr_equal(app.listeners[COVEY_BEFORE_SERVER_START].at[1].of, v2);
    const struct cv_signal_hook *copy = app.signals.first->next;
    assert_ptr_equal(app.signals.first->of, v1);
    assert_ptr_equal(copy->of, v2);
    assert_string_equal(copy->condition, "x");
    assert_ptr_equal(copy->next->of, &app);
    assert_null(copy->next->next);
}

static void test_a_copy_keeps_the_prefix_unless_it_is_given_one(void **state)
{
    (void)state;
    covey_app *a = covey_blueprint(&app, "a", .prefix = "/a");
    covey_get(a, "/x", nothing, .name = "x");
    covey_app *other = covey_blueprint(&app, "other", .prefix = "/other");
    covey_blueprint(other, "b", .copy_of = a);
    covey_blueprint(other, "c", .copy_of = a, .prefix = "/");
    assert_routes((const char *[]){"a.x /a/x", "other.b.x /other/a/x", "other.c.x /other/x", NULL});
}

/* ---- What is inherited ---- */

static const struct cv_route *route_of(const char *name)
{
    const struct cv_route *route = app.router.first;
    while (route != NULL && strcmp(route->how.name, name) != 0)
        route = route->next;
    assert_non_null(route);
    return route;
}

static void test_the_innermost_says(void **state)
{
    (void)state;
    covey_app *outer =
        covey_blueprint(&app, "outer", .prefix = "/outer", .host = "a.example", .version = "1",
                        .strict_slashes = 1, .error_format = "json", .compress = 1);
    covey_app *inner = covey_blueprint(outer, "inner", .prefix = "/inner", .version = "2",
                                       .strict_slashes = COVEY_OFF);
    covey_get(outer, "/x", nothing, .name = "x");
    covey_get(inner, "/x", nothing, .name = "x");
    covey_get(inner, "/own", nothing, .name = "own", .host = "b.example", .version = "3",
              .version_prefix = "/api/v", .strict_slashes = 1, .error_format = "text",
              .compress = COVEY_OFF);
    covey_get(&app, "/x", nothing, .name = "x");
    assert_routes((const char *[]){"outer.x /v1/outer/x", "outer.inner.x /v2/outer/inner/x",
                                   "outer.inner.own /api/v3/outer/inner/own", "x /x", NULL});
    assert_string_equal(route_of("outer.inner.x")->how.host, "a.example");
    assert_string_equal(route_of("outer.inner.own")->how.host, "b.example");
    assert_null(route_of("x")->how.host);
    assert_true(route_of("outer.inner.x")->compresses);
    assert_false(route_of("outer.inner.own")->compresses);
    assert_false(route_of("x")->compresses);
    assert_true(route_of("outer.x")->is_strict);
    assert_false(route_of("outer.inner.x")->is_strict);
    assert_true(route_of("outer.inner.own")->is_strict);
    assert_false(route_of("x")->is_strict);
    assert_int_equal(route_of("outer.inner.x")->error_format, CV_ERROR_FORMAT_JSON);
    assert_int_equal(route_of("outer.inner.own")->error_format, CV_ERROR_FORMAT_TEXT);
    assert_int_equal(route_of("x")->error_format, CV_ERROR_FORMAT_UNSET);
}

static void test_a_copy_inherits_anew(void **state)
{
    (void)state;
    covey_app *v1 = covey_blueprint(&app, "v1", .prefix = "/a", .version = "1", .host = "h");
    covey_get(v1, "/x", nothing, .name = "x");
    covey_get(v1, "/y", nothing, .name = "y", .version = "9");
    covey_blueprint(&app, "v2", .copy_of = v1, .version = "2", .prefix = "/b");
    assert_routes(
        (const char *[]){"v1.x /v1/a/x", "v1.y /v9/a/y", "v2.x /v2/b/x", "v2.y /v9/b/y", NULL});
    assert_string_equal(route_of("v2.x")->how.host, "h");
}

static void test_a_copy_may_take_the_place_of_others(void **state)
{
    (void)state;
    covey_app *a = covey_blueprint(&app, "a", .prefix = "/x");
    covey_get(a, "/y", nothing, .name = "y");
    covey_app *b = covey_blueprint(&app, "b", .copy_of = a, .overwrite = true);
    assert_false(app.failed);
    assert_ptr_equal(route_of("b.y")->of, b);
    assert_int_equal(route_of("a.y")->n_places, 0);
}

/* ---- Contexts ---- */

static void test_each_has_a_context_of_its_own(void **state)
{
    (void)state;
    int one, two;
    covey_app *a = covey_blueprint(&app, "a", .prefix = "/a");
    covey_app_set_ctx(&app, &one);
    covey_app_set_ctx(a, &two);
    assert_ptr_equal(covey_app_ctx(&app), &one);
    assert_ptr_equal(covey_app_ctx(a), &two);
    covey_app *inner = covey_blueprint(a, NULL);
    assert_ptr_equal(covey_app_ctx(covey_root(inner)), &one);
    assert_ptr_equal(covey_root(&app), &app);
    covey_app *b = covey_blueprint(&app, "b", .copy_of = a, .prefix = "/b");
    assert_null(covey_app_ctx(b));
}

/* ---- What is refused ---- */

static int failing(covey_app *bp)
{
    (void)bp;
    return -EACCES;
}

static int explained(covey_app *bp)
{
    return covey_setup_fail(bp, "no key for %s", "users");
}

static int itself(covey_app *bp)
{
    covey_blueprint(bp, "x", itself, .prefix = "/x");
    return 0;
}

static void test_wrong_blueprints_are_refused(void **state)
{
    (void)state;
    covey_app *a = covey_blueprint(&app, "a", .prefix = "/a");
    assert_ptr_equal(covey_blueprint(&app, "a", .prefix = "/b"), &app);
    assert_refused("blueprint a: there is one of this name already");
    assert_ptr_equal(covey_blueprint(&app, "a.b", .prefix = "/b"), &app);
    assert_refused("letters, digits");
    covey_blueprint(&app, "", .prefix = "/b");
    assert_refused("letters, digits");
    covey_blueprint(&app, NULL, .prefix = "b");
    assert_refused("blueprint without a name: its prefix does not begin with /");
    covey_blueprint(&app, "b", .error_format = "xml");
    assert_refused("its .error_format is none of auto");
    covey_blueprint(a, "b", .copy_of = a);
    assert_refused("it lies within");
    covey_blueprint(&app, "b", .copy_of = &app);
    assert_refused("no blueprint of this app");
    covey_blueprint(&app, "deep", itself);
    assert_refused("does a setup function register itself?");
    covey_blueprint(&app, "failing", failing);
    assert_refused("its setup failed: Permission denied");
    covey_blueprint(&app, "explained", explained);
    assert_true(app.failed);
    assert_string_equal(app.reason, "no key for users");
    app.failed = false;
    covey_blueprint_at(&app, &(struct covey_blueprint){"size", .size = 4096}, __FILE__, __LINE__);
    assert_refused("built for another covey");
}

static void test_wrong_routes_are_refused(void **state)
{
    (void)state;
    covey_app *a = covey_blueprint(&app, "a", .prefix = "/a");
    covey_get(a, "b", nothing);
    assert_refused("route /ab: a pattern must begin with /");
    covey_get(a, "/b", NULL);
    assert_refused("route /a/b: the handler is NULL");
    covey_get(a, "/b", nothing, .error_format = "xml");
    assert_refused(".error_format = \"xml\": it is auto, html, json, text or problem");
    covey_get(a, "/b", nothing, .stream = true, .form = true);
    assert_refused("choose one");
    covey_get(a, "/b", nothing, .stream = true, .spool_above = 1);
    assert_refused("choose one");
    covey_get(a, "/b", nothing, .body_max = -2);
    assert_refused(".body_max = -2: it is 0 or more, or COVEY_OFF");
    covey_get(a, "/b", nothing, .body_rate_min = -5);
    assert_refused(".body_rate_min = -5: it is 0 or more, or COVEY_OFF");
    covey_get(a, "/b", nothing, .body_max = COVEY_OFF);
    assert_false(app.failed);
}

static void test_only_setup_may_register(void **state)
{
    (void)state;
    app.phase = CV_APP_RUNNING;
    assert_ptr_equal(covey_blueprint(&app, "late", users), &app);
    assert_null(app.blueprints);
    assert_false(app.failed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_app, close_app)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_prefixes_and_names_are_put_in_front),
        TEST(test_a_group_without_a_name_leaves_names_alone),
        TEST(test_what_is_registered_twice_conflicts),
        TEST(test_a_copy_has_all_that_the_other_has),
        TEST(test_a_copy_keeps_the_prefix_unless_it_is_given_one),
        TEST(test_the_innermost_says),
        TEST(test_a_copy_inherits_anew),
        TEST(test_a_copy_may_take_the_place_of_others),
        TEST(test_each_has_a_context_of_its_own),
        TEST(test_wrong_blueprints_are_refused),
        TEST(test_wrong_routes_are_refused),
        TEST(test_only_setup_may_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
