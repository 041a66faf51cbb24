/* What a route says of itself: slashes at its end, overwriting, its name, version and hosts. */
#include "router_rig.h"

static const char *allow(struct fixture *f)
{
    return cv_router_allow(&f->router, f->match.allowed, &f->arena);
}

static void test_a_slash_more_or_less_is_forgiven_where_not_strict(void **state)
{
    struct fixture *f = *state;
    const struct covey_route lax = {.name = "lax", .strict_slashes = COVEY_OFF};
    add_how(f, "GET", "/a", lax);
    add_how(f, "GET", "/b/", (struct covey_route){.name = "b", .strict_slashes = COVEY_OFF});
    add_how(f, "GET", "/c/<x:int>", (struct covey_route){.name = "c", .strict_slashes = COVEY_OFF});
    add(f, "GET", "/d/", "strict");
    add(f, "POST", "/a/", "post");
    assert_string_equal(find(f, "GET", "/a"), "lax");
    assert_string_equal(find(f, "GET", "/a/"), "lax");
    assert_string_equal(find(f, "GET", "/%61/"), "lax");
    assert_string_equal(find(f, "GET", "/a//"), "-");
    assert_string_equal(find(f, "POST", "/a/"), "post");
    assert_string_equal(find(f, "POST", "/a"), "-");
    assert_int_equal(f->match.allowed, f->router.first->method_bits);
    assert_string_equal(find(f, "GET", "/b"), "b");
    assert_string_equal(find(f, "GET", "/b/"), "b");
    assert_string_equal(find(f, "HEAD", "/b"), "b");
    assert_string_equal(find(f, "GET", "/c/7/"), "c");
    assert_value(f, 0, "7");
    assert_string_equal(find(f, "GET", "/d"), "-");
    assert_string_equal(find(f, "GET", "/d/"), "strict");
}

static void test_whoever_is_written_like_the_path_has_it(void **state)
{
    struct fixture *f = *state;
    add_how(f, "GET", "/a", (struct covey_route){.name = "bare", .strict_slashes = COVEY_OFF});
    add_how(f, "GET", "/a/", (struct covey_route){.name = "slash", .strict_slashes = COVEY_OFF});
    add_how(f, "GET", "/b", (struct covey_route){.name = "b", .strict_slashes = COVEY_OFF});
    add(f, "GET", "/b/<x:strorempty>", "empty");
    add(f, "GET", "/<rest:path>", "rest");
    assert_string_equal(find(f, "GET", "/a"), "bare");
    assert_string_equal(find(f, "GET", "/a/"), "slash");
    assert_string_equal(find(f, "GET", "/b/"), "empty");
    assert_string_equal(find(f, "GET", "/a/x"), "rest");
}

static void test_what_is_overwritten_is_gone(void **state)
{
    struct fixture *f = *state;
    add(f, "GET POST", "/a", "old");
    assert_int_equal(
        add_how(f, "GET", "/a", (struct covey_route){.name = "new", .overwrite = true}), 0);
    assert_string_equal(find(f, "GET", "/a"), "new");
    assert_string_equal(find(f, "POST", "/a"), "old");
    assert_int_equal(
        add_how(f, "POST", "/a", (struct covey_route){.name = "post", .overwrite = true}), 0);
    assert_string_equal(find(f, "POST", "/a"), "post");
    assert_string_equal(find(f, "PUT", "/a"), "-");
    assert_string_equal(allow(f), "GET, HEAD, POST, OPTIONS");
    assert_int_equal(add(f, "GET", "/a", "third"), -EINVAL);
    assert_says(f, "registered at app.c:2");
}

static void test_a_name_stands_for_one_pattern(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "GET", "/a/<x>", "a"), 0);
    assert_int_equal(add(f, "POST", "/a/<x>", "a"), 0);
    assert_int_equal(add(f, "GET", "/b", "a"), -EINVAL);
    assert_says(f, "its name \"a\" is that of GET /a/<x>, registered at app.c:1");
}

static void test_a_version_stands_in_front(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *prefix, *version, *path, *whole;
    } samples[] = {
        {NULL, NULL, "/a", "/a"},
        {NULL, "1", "/a", "/v1/a"},
        {NULL, "v1", "/a", "/v1/a"},
        {NULL, "1.1", "/", "/v1.1/"},
        {NULL, "/v2/", "/a", "/v2/a"},
        {"/api/v", "3", "/a/b", "/api/v3/a/b"},
        {"/<t>/", "3", "/a/b", "/<t>/3/a/b"},
        {"/api/v", NULL, "/a", "/a"},
    };
    for (size_t i = 0; i < CV_COUNT(samples); i++)
        assert_string_equal(cv_pattern_versioned(&f->arena, samples[i].prefix, samples[i].version,
                                                 "", samples[i].path),
                            samples[i].whole);
}

static void add_at(struct fixture *f, const char *host, const char *pattern, const char *name)
{
    assert_int_equal(add_how(f, "GET", pattern, (struct covey_route){.name = name, .host = host}),
                     0);
}

static void test_a_host_has_routes_of_its_own(void **state)
{
    struct fixture *f = *state;
    add_at(f, "a.example, B.example", "/x", "ab");
    add_at(f, "a.example:81", "/x", "a81");
    add_at(f, "[::1]", "/x", "six");
    add_at(f, "a.example", "/<rest:path>", "rest of a");
    add(f, "GET", "/x", "any");
    add(f, "POST", "/x", "post");
    add(f, "GET", "/y", "y");
    assert_string_equal(find_at(f, "a.example", "GET", "/x"), "ab");
    assert_string_equal(find_at(f, "a.example:80", "GET", "/x"), "ab");
    assert_string_equal(find_at(f, "A.Example.", "GET", "/x"), "ab");
    assert_string_equal(find_at(f, "a.example.:80", "GET", "/%78"), "ab");
    assert_string_equal(find_at(f, "b.example", "GET", "/x"), "ab");
    assert_string_equal(find_at(f, "a.example:81", "GET", "/x"), "a81");
    assert_string_equal(find_at(f, "[::1]", "GET", "/x"), "six");
    assert_string_equal(find_at(f, "[::1]:8000", "GET", "/x"), "six");
    assert_string_equal(find_at(f, "c.example", "GET", "/x"), "any");
    assert_string_equal(find_at(f, "x.a.example", "GET", "/x"), "any");
    assert_string_equal(find_at(f, "", "GET", "/x"), "any");
    assert_string_equal(find_at(f, "a b", "GET", "/x"), "any");
    assert_string_equal(find_at(f, "a.example", "POST", "/x"), "post");
    assert_string_equal(find_at(f, "a.example", "GET", "/y"), "rest of a");
    assert_string_equal(find_at(f, "b.example", "GET", "/y"), "y");
    assert_string_equal(find_at(f, "b.example", "GET", "/z"), "-");
    assert_string_equal(find_at(f, "b.example", "PUT", "/x"), "-");
    assert_string_equal(allow(f), "GET, HEAD, POST, OPTIONS");
    assert_string_equal(find_at(f, "b.example", "GET", "/%00"), "400");
}

static void test_the_same_path_of_one_host_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct covey_route how = {.name = "x", .host = "b.example"};
    add_at(f, "a.example b.example", "/x", "x");
    assert_int_equal(add_how(f, "GET", "/x", how), -EINVAL);
    assert_says(f, "registered at app.c:1");
    how.overwrite = true;
    how.name = "new";
    assert_int_equal(add_how(f, "GET", "/x", how), 0);
    assert_string_equal(find_at(f, "a.example", "GET", "/x"), "x");
    assert_string_equal(find_at(f, "b.example", "GET", "/x"), "new");
}

static void test_what_is_no_host_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"", " ,", "*.example", "a/b", "http://a.example"};
    for (size_t i = 0; i < CV_COUNT(wrong); i++)
        assert_int_equal(
            add_how(f, "GET", "/x", (struct covey_route){.name = "x", .host = wrong[i]}), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_slash_more_or_less_is_forgiven_where_not_strict),
        TEST(test_whoever_is_written_like_the_path_has_it),
        TEST(test_what_is_overwritten_is_gone),
        TEST(test_a_name_stands_for_one_pattern),
        TEST(test_a_version_stands_in_front),
        TEST(test_a_host_has_routes_of_its_own),
        TEST(test_the_same_path_of_one_host_is_a_conflict),
        TEST(test_what_is_no_host_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
