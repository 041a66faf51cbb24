/* In which order middleware runs, and which error handler answers: tables. */
#include "app/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 8

enum where { APP, OUTER, INNER, OTHER, N_WHERE };

static covey_app app;
static covey_app *scopes[N_WHERE];

static int nothing(covey_req *req)
{
    (void)req;
    return 0;
}

/* An app with "home", and in it outer with "a", with inner and its "b" in it, and other with "c".
 */
static int open_app(void **state)
{
    (void)state;
    struct cv_app_host host = {0};
    if (cv_app_init(&app, &host, NULL, NULL, NULL) < 0)
        return -1;
    scopes[APP] = &app;
    scopes[OUTER] = covey_blueprint(&app, "outer", .prefix = "/outer");
    scopes[INNER] = covey_blueprint(scopes[OUTER], "inner", .prefix = "/inner");
    scopes[OTHER] = covey_blueprint(&app, "other", .prefix = "/other");
    covey_get(&app, "/", nothing, .name = "home");
    covey_get(scopes[OUTER], "/a", nothing, .name = "a");
    covey_get(scopes[INNER], "/b", nothing, .name = "b");
    covey_get(scopes[OTHER], "/c", nothing, .name = "c");
    return app.failed ? -1 : 0;
}

static int close_app(void **state)
{
    (void)state;
    cv_app_done(&app);
    return 0;
}

static const struct cv_plan *plan_of(const char *name)
{
    for (const struct cv_route *route = app.router.first; route != NULL; route = route->next) {
        if (strcmp(route->how.name, name) == 0)
            return route->plan;
    }
    return &app.plan;
}

static const char *text_of(const struct cv_chain *chain)
{
    static char text[256];
    text[0] = '\0';
    for (size_t i = 0; i < chain->n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "",
                 chain->at[i]->name);
    return text;
}

/* ---- Middleware ---- */

struct row {
    const char *name;
    enum where where;
    int priority;
    const char *routes;
};

struct order {
    struct row rows[ROWS];
    const char *expected[5]; /* before home, outer.a, outer.inner.b, other.c, and no route */
};

static const struct order orders[] = {
    {{{.name = "one"}, {.name = "two"}, {.name = "three"}},
     {"one two three", "one two three", "one two three", "one two three", "one two three"}},
    {{{.name = "low", .priority = -1}, {.name = "none"}, {.name = "high", .priority = 9}},
     {"high none low", "high none low", "high none low", "high none low", "high none low"}},
    {{{.name = "a1", .priority = 5}, {.name = "b1"}, {.name = "a2", .priority = 5}, {.name = "b2"}},
     {"a1 a2 b1 b2", "a1 a2 b1 b2", "a1 a2 b1 b2", "a1 a2 b1 b2", "a1 a2 b1 b2"}},
    {{{.name = "app"},
      {.name = "outer", .where = OUTER},
      {.name = "inner", .where = INNER},
      {.name = "other", .where = OTHER}},
     {"app", "app outer", "app outer inner", "app other", "app"}},
    /* Registration counts, not who is inside of whom; priority counts more. */
    {{{.name = "inner", .where = INNER},
      {.name = "outer", .where = OUTER},
      {.name = "app"},
      {.name = "first", .where = INNER, .priority = 1}},
     {"app", "outer app", "first inner outer app", "app", "app"}},
    {{{.name = "all"}, {.name = "named", .routes = "home, other.c", .priority = 1}},
     {"named all", "all", "all", "named all", "all"}},
    /* Names are those of where it is said. */
    {{{.name = "x", .where = OUTER, .routes = "inner.b"},
      {.name = "y", .where = INNER, .routes = "b"},
      {.name = "z", .where = OUTER}},
     {"", "z", "x y z", "", ""}},
};

static void register_rows(const struct order *order, enum covey_phase phase)
{
    for (size_t i = 0; i < ROWS && order->rows[i].name != NULL; i++) {
        const struct row *row = &order->rows[i];
        struct covey_middleware how = {.handler = nothing,
                                       .size = sizeof(how),
                                       .priority = row->priority,
                                       .routes = row->routes};
        covey_middleware_at(scopes[row->where], phase, &how, row->name, "test.c", (int)i);
    }
}

static const char *reversed(const char *text)
{
    static char to[256];
    char words[256];
    char *last;
    snprintf(words, sizeof(words), "%s", text);
    to[0] = '\0';
    while ((last = strrchr(words, ' ')) != NULL) {
        snprintf(to + strlen(to), sizeof(to) - strlen(to), "%s ", last + 1);
        *last = '\0';
    }
    snprintf(to + strlen(to), sizeof(to) - strlen(to), "%s", words);
    return to;
}

static void test_order_of_middleware(void **state)
{
    static const char *const routes[] = {"home", "outer.a", "outer.inner.b", "other.c", ""};
    (void)close_app(state);
    for (size_t i = 0; i < CV_COUNT(orders); i++) {
        assert_int_equal(open_app(state), 0);
        register_rows(&orders[i], COVEY_REQUEST);
        register_rows(&orders[i], COVEY_RESPONSE);
        cv_app_finalize(&app);
        assert_false(app.failed);
        for (size_t j = 0; j < CV_COUNT(routes); j++) {
            const char *expected = orders[i].expected[j];
            const struct cv_plan *plan = plan_of(routes[j]);
            assert_string_equal(text_of(&plan->request), expected);
            assert_string_equal(text_of(&plan->response), reversed(expected));
        }
        (void)close_app(state);
    }
    assert_int_equal(open_app(state), 0);
}

static void test_routes_that_no_middleware_names_share_a_plan(void **state)
{
    (void)state;
    covey_get(scopes[OUTER], "/d", nothing, .name = "d");
    covey_middleware(scopes[OUTER], COVEY_REQUEST, nothing, .routes = "d");
    cv_app_finalize(&app);
    assert_ptr_equal(plan_of("outer.a"), &scopes[OUTER]->plan);
    assert_ptr_not_equal(plan_of("outer.d"), &scopes[OUTER]->plan);
    assert_int_equal(plan_of("outer.d")->request.n, 1);
    assert_int_equal(plan_of("outer.a")->request.n, 0);
}

static void refuse_a_name_that_no_route_has(enum covey_phase phase)
{
    covey_middleware(scopes[OUTER], phase, nothing, .routes = "a home");
    cv_app_finalize(&app);
    assert_true(app.failed);
    assert_non_null(strstr(app.reason, "test_plan.c:"));
    assert_non_null(
        strstr(app.reason, "middleware nothing: .routes names home, and no route has that name"));
    app.failed = false;
    covey_middleware(scopes[OUTER], COVEY_REQUEST, nothing, .routes = " ");
    assert_true(app.failed);
    assert_non_null(strstr(app.reason, "middleware nothing: .routes names none"));
}

static void test_a_name_that_no_route_has_is_refused(void **state)
{
    (void)state;
    refuse_a_name_that_no_route_has(COVEY_REQUEST);
}

static void test_nor_by_response_middleware(void **state)
{
    (void)state;
    refuse_a_name_that_no_route_has(COVEY_RESPONSE);
}

/* ---- Errors ---- */

struct answer {
    const char *route;
    int status;
    const char *expected;
};

static void test_which_error_handler_answers(void **state)
{
    (void)state;
    static const struct {
        enum where where;
        int status;
        const char *name;
    } handlers[] = {
        {APP, COVEY_ANY_ERROR, "app any"},
        {APP, 404, "app 404"},
        {APP, COVEY_SERVER_ERROR, "app 5xx"},
        {OUTER, COVEY_ANY_ERROR, "outer any"},
        {OUTER, COVEY_CLIENT_ERROR, "outer 4xx"},
        {OUTER, 503, "outer 503"},
        {INNER, 503, "inner 503"},
    };
    static const struct answer answers[] = {
        {"home", 404, "app 404"},
        {"home", 405, "app any"},
        {"home", 500, "app 5xx"},
        {"", 404, "app 404"},
        {"outer.a", 404, "app 404"}, /* one status before all classes */
        {"outer.a", 403, "outer 4xx"},
        {"outer.a", 500, "outer any"},
        {"outer.a", 503, "outer 503"},
        {"outer.inner.b", 503, "inner 503"},
        {"outer.inner.b", 500, "outer any"},
        {"other.c", 503, "app 5xx"},
        {"other.c", 418, "app any"},
    };
    for (size_t i = 0; i < CV_COUNT(handlers); i++)
        covey_on_error_at(scopes[handlers[i].where], handlers[i].status, nothing, handlers[i].name,
                          "test.c", (int)i);
    cv_app_finalize(&app);
    assert_false(app.failed);
    for (size_t i = 0; i < CV_COUNT(answers); i++) {
        const struct cv_hook *hook = cv_plan_error(plan_of(answers[i].route), answers[i].status);
        assert_non_null(hook);
        assert_string_equal(hook->name, answers[i].expected);
    }
}

static void test_none_answers_where_none_is_registered(void **state)
{
    (void)state;
    covey_on_error(scopes[OUTER], 404, nothing);
    cv_app_finalize(&app);
    assert_null(cv_plan_error(plan_of("home"), 404));
    assert_null(cv_plan_error(plan_of("outer.a"), 403));
    assert_non_null(cv_plan_error(plan_of("outer.inner.b"), 404));
}

static void assert_refused(const char *why)
{
    assert_true(app.failed);
    if (strstr(app.reason, why) == NULL || strstr(app.reason, "test_plan.c:") == NULL)
        fail_msg("\"%s\" does not say \"%s\" with file and line", app.reason, why);
    app.failed = false;
}

static void test_wrong_error_handlers_are_refused(void **state)
{
    (void)state;
    covey_on_error(&app, 404, NULL);
    assert_refused("error handler NULL: it is NULL");
    covey_on_error(&app, 302, nothing);
    assert_refused("no error's");
    covey_on_error(&app, 600, nothing);
    assert_refused("no error's");
    covey_on_error(&app, 404, nothing);
    covey_on_error(scopes[OUTER], 404, nothing);
    assert_false(app.failed);
    covey_on_error(&app, 404, nothing);
    assert_refused("there is one for this status already");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_app, close_app)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order_of_middleware),
        TEST(test_routes_that_no_middleware_names_share_a_plan),
        TEST(test_a_name_that_no_route_has_is_refused),
        TEST(test_nor_by_response_middleware),
        TEST(test_which_error_handler_answers),
        TEST(test_none_answers_where_none_is_registered),
        TEST(test_wrong_error_handlers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
