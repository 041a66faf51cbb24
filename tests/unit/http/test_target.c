/* Request targets and authorities. */
#include "http/target.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The parts of a target that is accepted; the parser's table (heads.h) has those that are not. */
static void check(const char *target, const char *authority, const char *path, const char *query)
{
    struct cv_target parts;
    assert_int_equal(cv_target_split(cv_span_str(target), CV_METHOD_GET, &parts), 0);
    assert_true(cv_span_eq(parts.authority, cv_span_str(authority)));
    assert_true(cv_span_eq(parts.path, cv_span_str(path)));
    assert_true(cv_span_eq(parts.query, cv_span_str(query)));
}

static void test_an_asterisk_is_for_options_alone(void **state)
{
    struct cv_target parts;
    (void)state;
    assert_int_equal(cv_target_split(CV_SPAN("*"), CV_METHOD_GET, &parts), -400);
    assert_int_equal(cv_target_split(CV_SPAN("*"), CV_METHOD_OTHER, &parts), -400);
    assert_int_equal(cv_target_split(CV_SPAN("*"), CV_METHOD_OPTIONS, &parts), 0);
    assert_true(cv_span_eq(parts.path, CV_SPAN("*")));
    assert_int_equal(parts.query.len, 0);
}

static void test_other_schemes_and_forms_are_refused(void **state)
{
    const struct cv_span refused[] = {
        CV_SPAN("a"),       CV_SPAN("a:1"),    CV_SPAN("ftp://a/"),  CV_SPAN("http:/a"),
        CV_SPAN("http://"), CV_SPAN("https:"), CV_SPAN("xhttp://a"), CV_SPAN("http://@/"),
    };
    struct cv_target parts;
    (void)state;
    for (size_t i = 0; i < CV_COUNT(refused); i++)
        assert_int_equal(cv_target_split(refused[i], CV_METHOD_GET, &parts), -400);
}

static void test_the_parts_of_each_form(void **state)
{
    (void)state;
    check("/", "", "/", "");
    check("/a?b", "", "/a", "b");
    check("/a?", "", "/a", "");
    check("/a?b?c", "", "/a", "b?c");
    check("/http://a/", "", "/http://a/", "");
    check("http://a", "a", "/", "");
    check("http://a/", "a", "/", "");
    check("http://a?", "a", "/", "");
    check("http://a?b/c", "a", "/", "b/c");
    check("HTTPS://a.b:1/c?d", "a.b:1", "/c", "d");
    check("http://[::1]:1/c", "[::1]:1", "/c", "");
}

static void test_authorities(void **state)
{
    const char *good[] = {"a",
                          "a.b",
                          "127.0.0.1:1",
                          "a:",
                          "[::]",
                          "[::1.2.3.4]:65535",
                          "_x",
                          "a,b",
                          "a:0080",
                          "[1:2:3:4:5:6:7:8]",
                          "[::FFFF:1.2.3.4]"};
    const char *bad[] = {"",          ":",
                         ":1",        "a:b",
                         "a:1:2",     "a:123456",
                         "[",         "[]",
                         "[]:1",      "[x]",
                         "[::",       "[::]1",
                         "a b",       "a/b",
                         "a@b",       "a%41",
                         "a[::]",     "\x80",
                         "[1]",       "[1.2.3.4]",
                         "[:]",       "[:::]",
                         "[::1.2.3]", "[1:2:3:4:5:6:7:8:9]",
                         "[12345::]", "[::1%eth0]",
                         "[v1.a]",    "[0000000000000000000000000000000000000000000000::1]",
                         "a:65536",   "a:+1"};
    (void)state;
    for (size_t i = 0; i < CV_COUNT(good); i++)
        assert_true(cv_target_is_authority(cv_span_str(good[i])));
    for (size_t i = 0; i < CV_COUNT(bad); i++)
        assert_false(cv_target_is_authority(cv_span_str(bad[i])));
    assert_false(cv_target_is_authority(CV_SPAN("[::1\0]")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_asterisk_is_for_options_alone),
        cmocka_unit_test(test_other_schemes_and_forms_are_refused),
        cmocka_unit_test(test_the_parts_of_each_form),
        cmocka_unit_test(test_authorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
