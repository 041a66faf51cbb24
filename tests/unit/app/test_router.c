/* Which route answers a path: precedence, parameters, decoding, methods, conflicts. */
#include "router_rig.h"

/* ---- Registering ---- */

static void test_bad_patterns_are_refused_with_their_reason(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "", "must begin with /");
    assert_refused(f, "a", "must begin with /");
    assert_refused(f, "/<a", "whole segment");
    assert_refused(f, "/a>", "whole segment");
    assert_refused(f, "/x<a>", "whole segment");
    assert_refused(f, "/<a>x", "whole segment");
    assert_refused(f, "/<a:int>-<b:int>", "whole segment, and there is more in \":int>-<b:int\"");
    assert_refused(f, "/<>", "name must be");
    assert_refused(f, "/<1a>", "name must be");
    assert_refused(f, "/<a b>", "name must be");
    assert_refused(f, "/<a:>", "type must be");
    assert_refused(f, "/<a:string>", "type must be");
    assert_refused(f, "/<a=int>", ":ext");
    assert_refused(f, "/<a=path:ext>", "in front of an extension");
    assert_refused(f, "/<a=ext:ext>", "in front of an extension");
    assert_refused(f, "/<a=:ext>", "in front of an extension");
    assert_refused(f, "/<a:ext=>", "no extension");
    assert_refused(f, "/<a:ext=|jpg>", "must be letters");
    assert_refused(f, "/<a:ext=jpg|>", "must be letters");
    assert_refused(f, "/<a:ext=.jpg>", "must be letters");
    assert_refused(f, "/<a:ext=j-g>", "must be letters");
    assert_refused(f, "/<a:ext=js|min.js>", "as many dots");
    assert_refused(f, "/<ext:ext>", "same name");
    assert_refused(f, "/<ext>/<a:ext>", "same name");
    assert_refused(f, "/<a:ext>/<ext>", "same name");
    assert_refused(f, "/<a:ext>/<b:ext>", "same name");
    assert_refused(f, "/<a:path>/b", "last segment");
    assert_refused(f, "/<a>/<a>", "same name");
    assert_refused(f, "/a?b", "without ?");
    assert_refused(f, "/a#b", "without ?");
    assert_refused(f, "/a%20b", "decoded");
    assert_refused(f, "/a\nb", "control character");
    assert_int_equal(f->router.n_routes, 0);
}

static void test_a_pattern_may_have_32_segments_and_no_more(void **state)
{
    struct fixture *f = *state;
    char pattern[2 * 33 + 1] = "";
    for (int i = 0; i < 32; i++)
        memcpy(pattern + 2 * i, "/a", 3);
    assert_int_equal(add(f, "GET", pattern, "deep"), 0);
    assert_string_equal(find(f, "GET", pattern), "deep");
    memcpy(pattern + 2 * 32, "/a", 3);
    assert_string_equal(find(f, "GET", pattern), "-");
    assert_refused(f, pattern, "at most 32 segments");
}

static void test_bad_methods_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "", "/", "x"), -EINVAL);
    assert_int_equal(add(f, " , ", "/", "x"), -EINVAL);
    assert_int_equal(add(f, "GET, P@T", "/", "x"), -EINVAL);
    assert_non_null(strstr(f->reason, "P@T"));
    assert_int_equal(add(f, "GET CONNECT", "/", "x"), -EINVAL);
    assert_says(f, "CONNECT never reaches a route");
}

static void test_too_many_methods_are_refused(void **state)
{
    struct fixture *f = *state;
    static char names[40][8];
    int rc = 0;
    for (int i = 0; i < 40 && rc == 0; i++) {
        snprintf(names[i], sizeof(names[i]), "M%d", i);
        rc = add(f, names[i], "/", names[i]);
        assert_int_equal(rc, i < CV_ROUTER_METHODS_MAX ? 0 : -EINVAL);
    }
    assert_non_null(strstr(f->reason, "32 different methods"));
}

static void test_a_conflict_names_the_other_place(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "GET POST", "/a/<x>", "first"), 0);
    assert_int_equal(add(f, "PUT", "/a/<y>", "second"), 0);
    assert_int_equal(add(f, "PATCH,POST", "/a/<z:str>", "third"), -EINVAL);
    assert_says(f, "GET POST /a/<x>, registered at app.c:1");
    assert_says(f, ".overwrite");
    assert_int_equal(add(f, "GET", "/a/<n:int>", "other"), 0);
    assert_int_equal(add(f, "GET", "/<p:path>", "rest"), 0);
    assert_int_equal(add(f, "GET", "/<q:path>", "rest2"), -EINVAL);
}

/* ---- Precedence ---- */

static void test_literal_wins_over_int_over_str_over_path(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "GET", "/a/<p:path>", "path"), 0);
    assert_int_equal(add(f, "GET", "/a/<s:str>", "str"), 0);
    assert_int_equal(add(f, "GET", "/a/<i:int>", "int"), 0);
    assert_int_equal(add(f, "GET", "/a/<u:uuid>", "uuid"), 0);
    assert_int_equal(add(f, "GET", "/a/7", "literal"), 0);

    assert_string_equal(find(f, "GET", "/a/7"), "literal");
    assert_string_equal(find(f, "GET", "/a/8"), "int");
    assert_string_equal(find(f, "GET", "/a/-8"), "int");
    assert_string_equal(find(f, "GET", "/a/123e4567-e89b-12d3-a456-426614174000"), "uuid");
    assert_string_equal(find(f, "GET", "/a/123e4567-e89b-12d3-a456-42661417400g"), "str");
    assert_string_equal(find(f, "GET", "/a/8x"), "str");
    assert_string_equal(find(f, "GET", "/a/8/x"), "path");
    assert_value(f, 0, "8/x");
    assert_string_equal(find(f, "GET", "/a/"), "-");
    assert_string_equal(find(f, "GET", "/a//x"), "-");
}

static bool is_yes(const char *segment, size_t len)
{
    return len == 3 && memcmp(segment, "yes", 3) == 0;
}

static void test_the_narrower_type_wins_whatever_the_order(void **state)
{
    struct fixture *f = *state;
    char reason[128];
    static const char *const types[] = {"strorempty", "str", "ext", "ext=js", "slug", "alpha",
                                        "float",      "int", "ymd", "uuid",   "yes"};
    static const struct {
        const char *path;
        const char *type;
    } samples[] = {
        {"/", "strorempty"},
        {"/~", "str"},
        {"/a.b", "ext"},
        {"/a.js", "ext=js"},
        {"/1.5", "float"},
        {"/a-1", "slug"},
        {"/Ab", "alpha"},
        {"/15", "int"},
        {"/2024-02-29", "ymd"},
        {"/2023-02-29", "slug"},
        {"/123e4567-e89b-12d3-a456-426614174000", "uuid"},
        {"/yes", "yes"},
    };
    assert_int_equal(cv_param_type_add(&f->router.types, CV_SPAN("yes"), is_yes, reason, 128), 0);
    for (size_t i = 0; i < CV_COUNT(types); i++) {
        const char *pattern = cv_arena_printf(&f->arena, "/<x:%s>", types[i]);
        assert_int_equal(add(f, "GET", pattern, types[i]), 0);
    }
    for (size_t i = 0; i < CV_COUNT(samples); i++)
        assert_string_equal(find(f, "GET", samples[i].path), samples[i].type);
}

static void test_a_type_of_ones_own_has_a_name_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct cv_param_types *types = &f->router.types;
    assert_int_equal(cv_param_type_add(types, CV_SPAN("yes"), is_yes, f->reason, 128), 0);
    assert_int_equal(cv_param_type_add(types, CV_SPAN("yes"), is_yes, f->reason, 128), -EINVAL);
    assert_says(f, "already");
    assert_int_equal(cv_param_type_add(types, CV_SPAN("int"), is_yes, f->reason, 128), -EINVAL);
    assert_says(f, "already");
    assert_int_equal(cv_param_type_add(types, CV_SPAN("a-b"), is_yes, f->reason, 128), -EINVAL);
    assert_says(f, "letters");
    assert_int_equal(cv_param_type_add(types, CV_SPAN(""), is_yes, f->reason, 128), -EINVAL);
    assert_refused(f, "/<x:no>", "type must be");
    assert_int_equal(add(f, "GET", "/<x:yes>/b", "yes"), 0);
    assert_string_equal(find(f, "GET", "/yes/b"), "yes");
    assert_string_equal(find(f, "GET", "/%79es/b"), "yes");
    assert_string_equal(find(f, "GET", "/no/b"), "-");
}

static void test_a_file_has_a_name_and_an_extension(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/any/<file:ext>", "any");
    add(f, "GET", "/list/<file:ext=jpg|png>", "list");
    add(f, "GET", "/n/<n=int:ext=jpg>/x", "int");
    add(f, "GET", "/two/<file:ext=tar.gz|min.js>", "two");
    assert_string_equal(find(f, "GET", "/any/a.b.c"), "any");
    assert_value(f, 0, "a.b");
    assert_value(f, 1, "c");
    assert_int_equal(f->match.route->n_params, 2);
    assert_string_equal(f->match.route->params[0].name, "file");
    assert_string_equal(f->match.route->params[1].name, "ext");
    static const char *const not_any[] = {"/any/a", "/any/.a", "/any/a.", "/any/a..b",
                                          "/any/.", "/any/",   "/any/..", "/any/a.b."};
    for (size_t i = 0; i < CV_COUNT(not_any); i++)
        assert_string_equal(find(f, "GET", not_any[i]), "-");
    assert_string_equal(find(f, "GET", "/list/a.b.png"), "list");
    assert_value(f, 0, "a.b");
    assert_string_equal(find(f, "GET", "/list/a.gif"), "-");
    assert_string_equal(find(f, "GET", "/list/a.jp"), "-");
    assert_string_equal(find(f, "GET", "/list/a.PNG"), "-");
    assert_string_equal(find(f, "GET", "/n/12.jpg/x"), "int");
    assert_value(f, 0, "12");
    assert_string_equal(find(f, "GET", "/n/x.jpg/x"), "-");
    assert_string_equal(find(f, "GET", "/two/a.tar.gz"), "two");
    assert_value(f, 0, "a");
    assert_value(f, 1, "tar.gz");
    assert_string_equal(find(f, "GET", "/two/tar.gz"), "-");
    assert_string_equal(find(f, "GET", "/two/a.gz"), "-");
}

static void test_an_extension_with_str_in_front_is_one_without(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "GET", "/<a:ext=js>", "short"), 0);
    assert_refused(f, "/<b=str:ext=js>", "conflicts with GET /<a:ext=js>, registered at app.c:1");
    assert_int_equal(add(f, "GET", "/<a=int:ext=js>", "int"), 0);
    assert_string_equal(find(f, "GET", "/1.js"), "int");
    assert_string_equal(find(f, "GET", "/a.js"), "short");
}

static void test_an_int_out_of_range_is_a_str(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/<i:int>", "int");
    add(f, "GET", "/<s>", "str");
    assert_string_equal(find(f, "GET", "/9223372036854775807"), "int");
    assert_string_equal(find(f, "GET", "/9223372036854775808"), "str");
    assert_string_equal(find(f, "GET", "/-9223372036854775808"), "int");
    assert_string_equal(find(f, "GET", "/+1"), "str");
}

static void test_a_dead_end_is_left_for_the_next_choice(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/a/b/c", "literal");
    add(f, "GET", "/a/<x>/d", "param");
    add(f, "GET", "/<y>/<z>/e", "params");
    add(f, "GET", "/<rest:path>", "path");
    assert_string_equal(find(f, "GET", "/a/b/c"), "literal");
    assert_string_equal(find(f, "GET", "/a/b/d"), "param");
    assert_value(f, 0, "b");
    assert_string_equal(find(f, "GET", "/a/b/e"), "params");
    assert_value(f, 0, "a");
    assert_value(f, 1, "b");
    assert_string_equal(find(f, "GET", "/a/b/f"), "path");
    assert_value(f, 0, "a/b/f");
}

static void test_paths_are_compared_as_they_are(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/", "root");
    add(f, "GET", "/a", "bare");
    add(f, "GET", "/a/", "slash");
    assert_string_equal(find(f, "GET", "/"), "root");
    assert_string_equal(find(f, "GET", "/a"), "bare");
    assert_string_equal(find(f, "GET", "/a/"), "slash");
    assert_string_equal(find(f, "GET", "//a"), "-");
    assert_string_equal(find(f, "GET", "/./a"), "-");
    assert_string_equal(find(f, "GET", "/b/../a"), "-");
    assert_string_equal(find(f, "GET", "/A"), "-");
}

static void test_a_path_parameter_takes_more_segments_than_patterns_have(void **state)
{
    struct fixture *f = *state;
    char path[2 * 100 + 1];
    for (int i = 0; i < 100; i++)
        memcpy(path + 2 * i, "/a", 3);
    add(f, "GET", "/a/<rest:path>", "path");
    assert_string_equal(find(f, "GET", path), "path");
    assert_value(f, 0, path + 3);
}

static void test_a_target_that_is_no_path_matches_nothing(void **state)
{
    struct fixture *f = *state;
    add(f, "OPTIONS", "/<p:path>", "path");
    assert_string_equal(find(f, "OPTIONS", "*"), "-");
    assert_int_equal(f->match.allowed, 0);
}

/* ---- Decoding ---- */

static void test_segments_are_decoded_after_the_split(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/f/<name>", "str");
    add(f, "GET", "/f/<name>/<more:path>", "path");
    add(f, "GET", "/a b", "literal");
    assert_string_equal(find(f, "GET", "/f/a%2Fb"), "str");
    assert_value(f, 0, "a/b");
    assert_string_equal(f->match.path.at, "/f/a/b");
    assert_string_equal(find(f, "GET", "/f/a%2fb/c%20d/e"), "path");
    assert_value(f, 0, "a/b");
    assert_value(f, 1, "c d/e");
    assert_string_equal(find(f, "GET", "/%61%20b"), "literal");
    assert_string_equal(find(f, "GET", "/f/+"), "str");
    assert_value(f, 0, "+");
}

static void test_broken_escapes_and_nul_are_refused(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/<name>", "str");
    assert_string_equal(find(f, "GET", "/%00"), "400");
    assert_string_equal(find(f, "GET", "/a%0"), "400");
    assert_string_equal(find(f, "GET", "/%zz"), "400");
    assert_string_equal(find(f, "GET", "/nothing/here/%00"), "400");
}

/* ---- Methods ---- */

static const char *allow(struct fixture *f)
{
    return cv_router_allow(&f->router, f->match.allowed, &f->arena);
}

static void test_head_takes_get_unless_it_has_its_own(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/a", "get");
    add(f, "GET", "/b", "get");
    add(f, "HEAD", "/b", "head");
    add(f, "POST", "/c", "post");
    assert_string_equal(find(f, "HEAD", "/a"), "get");
    assert_string_equal(find(f, "HEAD", "/b"), "head");
    assert_string_equal(find(f, "GET", "/b"), "get");
    assert_string_equal(find(f, "HEAD", "/c"), "-");
    assert_string_equal(allow(f), "POST, OPTIONS");
}

static void test_another_method_tells_what_is_allowed(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/a/<x>", "get");
    add(f, "DELETE, PURGE", "/a/b", "delete");
    add(f, "POST", "/c", "post");
    assert_string_equal(find(f, "POST", "/a/b"), "-");
    assert_string_equal(allow(f), "GET, HEAD, DELETE, PURGE, OPTIONS");
    assert_string_equal(find(f, "POST", "/a/x"), "-");
    assert_string_equal(allow(f), "GET, HEAD, OPTIONS");
    assert_string_equal(find(f, "POST", "/nowhere"), "-");
    assert_int_equal(f->match.allowed, 0);
}

static void test_a_route_without_the_method_hides_none_that_has_it(void **state)
{
    struct fixture *f = *state;
    add(f, "GET", "/users/me", "me");
    add(f, "DELETE", "/users/<id>", "delete");
    assert_string_equal(find(f, "DELETE", "/users/me"), "delete");
    assert_value(f, 0, "me");
    assert_string_equal(find(f, "GET", "/users/me"), "me");
}

static void test_methods_of_ones_own_work_and_case_matters(void **state)
{
    struct fixture *f = *state;
    add(f, "PROPFIND", "/a", "propfind");
    assert_string_equal(find(f, "PROPFIND", "/a"), "propfind");
    assert_string_equal(find(f, "propfind", "/a"), "-");
    assert_string_equal(find(f, "BREW", "/a"), "-");
    assert_string_equal(allow(f), "PROPFIND, OPTIONS");
    assert_int_equal(add(f, "get", "/b", "get"), -EINVAL); /* nobody means it */
    assert_string_equal(f->reason, "\"get\": methods are written in capitals");
    assert_int_equal(add(f, "GET Post", "/b", "post"), -EINVAL);
}

/* ---- Size ---- */

static void test_a_thousand_routes_are_all_found(void **state)
{
    struct fixture *f = *state;
    static char patterns[1000][48];
    char path[64], value[16];

    for (int i = 0; i < 1000; i++) {
        snprintf(patterns[i], sizeof(patterns[i]), "/api/r%d/<id:int>/x%d", i * 7919 % 1000,
                 i % 10);
        assert_int_equal(add(f, "GET", patterns[i], patterns[i]), 0);
    }
    assert_int_equal(f->router.n_routes, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "/api/r%d/%d/x%d", i * 7919 % 1000, i, i % 10);
        snprintf(value, sizeof(value), "%d", i);
        assert_string_equal(find(f, "GET", path), patterns[i]);
        assert_value(f, 0, value);
    }
    assert_string_equal(find(f, "GET", "/api/r1000/1/x0"), "-");
}

static void test_a_thousand_literal_paths_are_all_found(void **state)
{
    struct fixture *f = *state;
    static char patterns[1000][48];
    char path[64];

    for (int i = 0; i < 1000; i++) {
        snprintf(patterns[i], sizeof(patterns[i]), "/api/r%d/x%.*s", i * 7919 % 1000, i % 20,
                 "abcdefghijklmnopqrstuvwxyz");
        assert_int_equal(add(f, "GET", patterns[i], patterns[i]), 0);
    }
    for (int i = 0; i < 1000; i++) {
        assert_string_equal(find(f, "GET", patterns[i]), patterns[i]);
        assert_string_equal(find(f, "HEAD", patterns[i]), patterns[i]);
        assert_string_equal(find(f, "PUT", patterns[i]), "-");
        assert_string_equal(allow(f), "GET, HEAD, OPTIONS");
        snprintf(path, sizeof(path), "/%%61%.40s", patterns[i] + 2);
        assert_string_equal(find(f, "GET", path), patterns[i]);
        snprintf(path, sizeof(path), "%.40s/", patterns[i]);
        assert_string_equal(find(f, "GET", path), "-");
    }
}

static void test_a_literal_with_a_percent_is_only_found_escaped(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "GET", "/100%", "all"), 0);
    assert_string_equal(find(f, "GET", "/100%"), "400");
    assert_string_equal(find(f, "GET", "/100%25"), "all");
}

/* Each segment of a path fits two choices everywhere: a search that forgot where it had been would
 * take 2^31 steps. */
static void test_backtracking_is_bounded_by_the_routes(void **state)
{
    struct fixture *f = *state;
    char both[6 * 31 + 4] = "", path[2 * 31 + 3] = "";
    for (int i = 0; i < 31; i++) {
        snprintf(both + strlen(both), sizeof(both) - strlen(both), "/<p%d>", i);
        memcpy(path + 2 * i, "/a", 3);
    }
    memcpy(both + strlen(both), "/z", 3);
    memcpy(path + 2 * 31, "/y", 3);
    add(f, "GET", both, "str");
    for (int i = 0; i < 31; i++) { /* /a/a/.../<int> dead ends */
        char dead[80] = "";
        snprintf(dead, sizeof(dead), "%.*s/<n:int>/q", 2 * i, path);
        add(f, "GET", cv_arena_strndup(&f->arena, cv_span_str(dead)), "dead");
    }
    assert_string_equal(find(f, "GET", path), "-");
    path[2 * 31 + 1] = 'z';
    assert_string_equal(find(f, "GET", path), "str");
    assert_value(f, 30, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bad_patterns_are_refused_with_their_reason),
        TEST(test_a_pattern_may_have_32_segments_and_no_more),
        TEST(test_bad_methods_are_refused),
        TEST(test_too_many_methods_are_refused),
        TEST(test_a_conflict_names_the_other_place),
        TEST(test_literal_wins_over_int_over_str_over_path),
        TEST(test_the_narrower_type_wins_whatever_the_order),
        TEST(test_a_type_of_ones_own_has_a_name_of_its_own),
        TEST(test_a_file_has_a_name_and_an_extension),
        TEST(test_an_extension_with_str_in_front_is_one_without),
        TEST(test_an_int_out_of_range_is_a_str),
        TEST(test_a_dead_end_is_left_for_the_next_choice),
        TEST(test_paths_are_compared_as_they_are),
        TEST(test_a_path_parameter_takes_more_segments_than_patterns_have),
        TEST(test_a_target_that_is_no_path_matches_nothing),
        TEST(test_segments_are_decoded_after_the_split),
        TEST(test_broken_escapes_and_nul_are_refused),
        TEST(test_head_takes_get_unless_it_has_its_own),
        TEST(test_another_method_tells_what_is_allowed),
        TEST(test_a_route_without_the_method_hides_none_that_has_it),
        TEST(test_methods_of_ones_own_work_and_case_matters),
        TEST(test_a_thousand_routes_are_all_found),
        TEST(test_a_thousand_literal_paths_are_all_found),
        TEST(test_a_literal_with_a_percent_is_only_found_escaped),
        TEST(test_backtracking_is_bounded_by_the_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
