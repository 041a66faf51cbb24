/* Routes that are never reached are found before a request is. */
#include "app/routing/router_check.h"
#include "router_rig.h"

static bool takes_all(const char *segment, size_t len)
{
    (void)segment;
    return len > 0;
}

static bool takes_some(const char *segment, size_t len)
{
    return len > 0 && segment[0] == '~';
}

static int own(struct fixture *f, const char *name, covey_pattern_fn *fn)
{
    return cv_param_type_add(&f->router.types, cv_span_str(name), fn, f->reason, sizeof(f->reason));
}

/* The line of the route that is not reached; 0: all are. */
static int unreached(struct fixture *f)
{
    const struct cv_route *route = NULL;
    int rc = cv_router_check(&f->router, &route, f->reason, sizeof(f->reason));
    assert_true(rc == 0 || rc == -EINVAL);
    return rc < 0 ? route->line : 0;
}

static void test_all_built_in_types_beside_each_other_are_reached(void **state)
{
    struct fixture *f = *state;
    static const char *const types[] = {"strorempty",  "str",  "ext",   "ext=js",
                                        "=int:ext=js", "slug", "alpha", "float",
                                        "int",         "ymd",  "uuid",  "path"};
    own(f, "some", takes_some);
    add(f, "GET", "/a/<x:some>", "some");
    for (size_t i = 0; i < CV_COUNT(types); i++)
        assert_int_equal(
            add(f, "GET POST",
                cv_arena_printf(&f->arena, "/a/<x%s%s>", types[i][0] == '=' ? "" : ":", types[i]),
                types[i]),
            0);
    assert_int_equal(add(f, "GET", "/<a>/<b>", "two"), 0);
    assert_int_equal(add(f, "GET", "/<a:path>", "rest"), 0);
    if (unreached(f) != 0)
        fail_msg("%s", f->reason);
}

static void test_one_that_takes_all_hides_the_others(void **state)
{
    struct fixture *f = *state;
    own(f, "all", takes_all);
    add(f, "GET", "/a/<x:int>", "int");
    add(f, "GET POST", "/a/<x>/b", "str");
    assert_int_equal(unreached(f), 0);
    add(f, "POST", "/a/<y:all>/b", "all");
    assert_int_equal(unreached(f), 2);
    assert_says(f, "POST /a/(_9;)/b goes to POST /a/<y:all>/b, registered at app.c:3");
}

static void test_an_expression_that_takes_all_hides_the_others(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/a/<x>", "str");
    add(f, "GET", "/a/<y:.+>", "all");
    assert_int_equal(unreached(f), 1);
    assert_says(f, "GET /a/(_9;) goes to GET /a/<y:.+>, registered at app.c:2");
}

static void test_an_expression_beside_what_it_may_take_is_fine(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/a/<x>", "str");
    add(f, "GET", "/a/<y:[a-z~]+>", "some");
    add(f, "GET", "/a/<n:int>", "int");
    assert_int_equal(unreached(f), 0);
}

static void test_extensions_that_two_routes_have_cannot_be_told_apart(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/i/<x:ext=jpg|png>", "one");
    add(f, "GET", "/i/<y:ext=gif|png>/x", "deeper");
    assert_int_equal(unreached(f), 0);
    add(f, "GET", "/i/<y:ext=gif|png>", "two");
    assert_int_equal(unreached(f), 3);
    assert_says(f, "GET /i/(_9;).png goes to GET /i/<x:ext=jpg|png>, registered at app.c:1");
}

static void test_a_host_hides_only_what_is_its_own(void **state)
{
    struct fixture *f = *state;
    struct covey_route how = {.name = "all of a", .host = "a.example"};
    add(f, "GET", "/a/<x>", "str");
    add_how(f, "GET", "/a/<y:.+>", how);
    assert_int_equal(unreached(f), 0);
    how.name = "str of a";
    add_how(f, "GET", "/a/<y>", how);
    assert_int_equal(unreached(f), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_built_in_types_beside_each_other_are_reached),
        TEST(test_one_that_takes_all_hides_the_others),
        TEST(test_an_expression_that_takes_all_hides_the_others),
        TEST(test_an_expression_beside_what_it_may_take_is_fine),
        TEST(test_extensions_that_two_routes_have_cannot_be_told_apart),
        TEST(test_a_host_hides_only_what_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
