/* covey_cors(): what is refused, with file and line, and whose word counts for which route. */
#include "app_rig.h"

#include <covey/cors.h>

static int nothing(covey_req *req)
{
    (void)req;
    return 0;
}

static bool is_known(covey_app *scope, const char *origin)
{
    return scope != NULL && origin[0] == 'h';
}

static const char *origins_of(const char *name)
{
    const struct cv_plan *plan = &app.plan;
    for (const struct cv_route *route = app.router.first; route != NULL; route = route->next) {
        if (strcmp(route->how.name, name) == 0)
            plan = route->plan;
    }
    return plan->cors != NULL ? plan->cors->cors->origins : "-";
}

static void test_wrong_registrations_are_refused(void **state)
{
    (void)state;
    covey_cors(&app, .credentials = true);
    assert_refused("cors : it names no origins");
    covey_cors(&app, "https://a.example/");
    assert_refused("cors https://a.example/: \"https://a.example/\": it is no origin");
    covey_cors(&app, "*", .credentials = true);
    assert_refused("name the origins");
    covey_cors(&app, "https://a.example", .methods = "PUT: DELETE");
    assert_refused(".methods, .headers and .expose are lists");
    covey_cors(&app, "https://a.example", .headers = "X-A\r\nX-B");
    assert_refused(".methods, .headers and .expose are lists");
    covey_cors(&app, "https://a.example", .expose = "X-A, *", .credentials = true);
    assert_refused("name the fields");
    covey_cors(&app, "*", .routes = " ,");
    assert_refused(".routes names none");
    covey_cors_at(&app, &(struct covey_cors){"*", .size = 3}, __FILE__, __LINE__);
    assert_refused("another covey");
    assert_int_equal(app.cors.n, 0);
}

static void test_lists_of_all_are_done_by_name(void **state)
{
    (void)state;
    covey_cors(&app, "*", .methods = "*", .headers = "Authorization, *", .expose = "*");
    covey_cors(&app, "https://a.example", .methods = "PUT DELETE", .headers = "", .max_age = 60);
    covey_cors(&app, "https://b.example", .max_age = COVEY_OFF);
    assert_false(app.failed);
    const struct cv_cors *all = app.cors.at[0].cors;
    assert_null(all->methods.at);
    assert_null(all->headers.at);
    assert_true(cv_span_eq(all->expose, CV_SPAN("*")));
    assert_int_equal(all->max_age.len, 0);
    const struct cv_cors *some = app.cors.at[1].cors;
    assert_true(cv_span_eq(some->methods, CV_SPAN("PUT, DELETE")));
    assert_non_null(some->headers.at);
    assert_int_equal(some->headers.len, 0);
    assert_true(cv_span_eq(some->max_age, CV_SPAN("60")));
    assert_true(cv_span_eq(app.cors.at[2].cors->max_age, CV_SPAN("0")));
}

static void test_the_closest_counts(void **state)
{
    (void)state;
    covey_app *outer = covey_blueprint(&app, "outer", .prefix = "/outer");
    covey_app *inner = covey_blueprint(outer, "inner", .prefix = "/inner");
    covey_app *shut = covey_blueprint(outer, "shut", .prefix = "/shut");
    covey_app *copy = covey_blueprint(&app, "copy", .prefix = "/copy", .copy_of = inner);
    covey_cors(inner, "https://inner.example");
    covey_cors(&app, "https://app.example");
    covey_cors(shut, "");
    covey_cors(outer, "https://outer.example");
    covey_cors(&app, "https://named.example", .routes = "home, outer.inner.named");
    covey_get(&app, "/home", nothing, .name = "home");
    covey_get(&app, "/other", nothing, .name = "other");
    covey_get(outer, "/a", nothing, .name = "a");
    covey_get(inner, "/b", nothing, .name = "b");
    covey_get(inner, "/named", nothing, .name = "named");
    covey_get(shut, "/c", nothing, .name = "c");
    covey_get(copy, "/d", nothing, .name = "d");
    covey_app *later = covey_blueprint(&app, "later", .prefix = "/later", .copy_of = inner);
    covey_get(later, "/e", nothing, .name = "e");
    cv_app_finalize(&app);
    assert_false(app.failed);
    assert_string_equal(origins_of(""), "https://app.example");
    assert_string_equal(origins_of("home"), "https://named.example");
    assert_string_equal(origins_of("other"), "https://app.example");
    assert_string_equal(origins_of("outer.a"), "https://outer.example");
    assert_string_equal(origins_of("outer.inner.b"), "https://inner.example");
    assert_string_equal(origins_of("outer.inner.named"), "https://named.example");
    assert_string_equal(origins_of("outer.shut.c"), "-");
    assert_string_equal(origins_of("copy.d"), "https://app.example"); /* copied before */
    assert_string_equal(origins_of("later.b"), "https://inner.example");
    assert_string_equal(origins_of("later.e"), "https://inner.example");
}

static void test_two_for_the_same_routes_are_refused(void **state)
{
    (void)state;
    covey_cors(&app, "https://a.example");
    covey_cors(&app, .allow = is_known);
    cv_app_finalize(&app);
    assert_refused("there is one for the same routes at");
}

static void test_two_for_one_name_are_refused(void **state)
{
    (void)state;
    covey_get(&app, "/a", nothing, .name = "a");
    covey_cors(&app, "https://a.example", .routes = "a");
    covey_cors(&app, "https://b.example", .routes = "a");
    cv_app_finalize(&app);
    assert_refused("there is one for the same routes at");
}

static void test_a_name_that_no_route_has_is_refused(void **state)
{
    (void)state;
    covey_cors(&app, "https://a.example", .routes = "typo");
    cv_app_finalize(&app);
    assert_refused("cors https://a.example: .routes names typo, and no route has that name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrong_registrations_are_refused, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_lists_of_all_are_done_by_name, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_the_closest_counts, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_two_for_the_same_routes_are_refused, open_app,
                                        close_app),
        cmocka_unit_test_setup_teardown(test_two_for_one_name_are_refused, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_a_name_that_no_route_has_is_refused, open_app,
                                        close_app),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
