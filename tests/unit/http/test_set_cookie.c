/* Set-Cookie: what is refused, and what is written. */
#include "http/set_cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct cv_set_cookie cookie(const char *name, const char *value)
{
    return (struct cv_set_cookie){.name = cv_span_str(name),
                                  .value = cv_span_str(value),
                                  .path = CV_SPAN("/"),
                                  .same_site = CV_SPAN("Lax"),
                                  .secure = true};
}

static const char *written(const struct cv_set_cookie *cookie)
{
    static char text[CV_SET_COOKIE_MAX + 1];
    assert_null(cv_set_cookie_check(cookie));
    text[cv_set_cookie_write(cookie, text)] = '\0';
    return text;
}

static void assert_refused(const struct cv_set_cookie *cookie, const char *why)
{
    const char *sentence = cv_set_cookie_check(cookie);
    if (sentence == NULL || strstr(sentence, why) == NULL)
        fail_msg("\"%s\" is not in: %s", why, sentence != NULL ? sentence : "it was taken");
}

static void test_names_and_values_that_no_field_can_hold(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a b", "a=b", "a;b", "a\r\nb", "a\"", "\xc3\xa4"};
    static const char *const values[] = {"a b",       "a;b",      "a,b",  "a\"b",   "a\\b",
                                         "a\r\nX: 1", "\x7f",     "\x01", "\"",     "\"a",
                                         "a\"",       "\xc3\xa4", "\t",   "\"a;\"", "\"\"\""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct cv_set_cookie c = cookie(names[i], "v");
        assert_refused(&c, "the name is no token");
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct cv_set_cookie c = cookie("n", values[i]);
        assert_refused(&c, "the value holds");
    }
}

static void test_attributes_that_would_end_theirs(void **state)
{
    (void)state;
    static const char *const paths[] = {"a", "/;", "/\r\n", "/\x7f", "/\xc3\xa4"};
    static const char *const domains[] = {"a b", "a;b", "a,b", "a/b", "a:80", "a\r\n", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct cv_set_cookie c = cookie("n", "v");
        c.path = cv_span_str(paths[i]);
        assert_refused(&c, "the path");
    }
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        struct cv_set_cookie c = cookie("n", "v");
        c.domain = cv_span_str(domains[i]);
        assert_refused(&c, "the domain");
    }
    struct cv_set_cookie c = cookie("n", "v");
    c.same_site = CV_SPAN("Lax; X");
    assert_refused(&c, ".samesite");
    c = cookie("n", "v");
    c.max_age = -1;
    assert_refused(&c, ".max_age");
    c = cookie("n", "v");
    c.expires = -1;
    assert_refused(&c, ".expires");
}

static void test_what_browsers_drop_for_its_length(void **state)
{
    (void)state;
    static char text[CV_COOKIE_MAX + 1];
    memset(text, 'v', sizeof(text));
    struct cv_set_cookie c = cookie("n", "");
    c.value = cv_span(text, CV_COOKIE_MAX - 1);
    assert_null(cv_set_cookie_check(&c));
    c.value.len++;
    assert_refused(&c, "longer than 4096");

    text[0] = '/';
    c = cookie("n", "v");
    c.path = cv_span(text, CV_COOKIE_ATTRIBUTE_MAX + 1);
    assert_refused(&c, "the path");
    c = cookie("n", "v");
    text[0] = 'v';
    c.domain = cv_span(text, CV_COOKIE_ATTRIBUTE_MAX + 1);
    assert_refused(&c, "the domain");
}

static void test_prefixes_have_rules(void **state)
{
    (void)state;
    static const char *const names[] = {"__Secure-a",    "__Host-a",   "__Http-a",
                                        "__Host-Http-a", "__secure-a", "__HOST-a"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct cv_set_cookie c = cookie(names[i], "v");
        c.http_only = true;
        assert_null(cv_set_cookie_check(&c));
        c.secure = false;
        assert_refused(&c, "needs .secure");
    }
    struct cv_set_cookie c = cookie("__Host-a", "v");
    c.domain = CV_SPAN("example.com");
    assert_refused(&c, "excludes .domain");
    c = cookie("__host-a", "v");
    c.path = CV_SPAN("/a");
    assert_refused(&c, "needs the path");
    c.path = cv_span(NULL, 0);
    assert_refused(&c, "needs the path");
    c = cookie("__Http-a", "v");
    assert_refused(&c, "needs .httponly");
    c = cookie("__Host-Http-a", "v");
    assert_refused(&c, "needs .httponly");
    c = cookie("__Secure-a", "v");
    c.domain = CV_SPAN("example.com");
    c.path = CV_SPAN("/a");
    assert_null(cv_set_cookie_check(&c));
}

static void test_what_needs_tls(void **state)
{
    (void)state;
    struct cv_set_cookie c = cookie("a", "v");
    c.secure = false;
    assert_null(cv_set_cookie_check(&c));
    c.same_site = CV_SPAN("none");
    assert_refused(&c, "\"None\" needs .secure");
    c = cookie("a", "v");
    c.secure = false;
    c.partitioned = true;
    assert_refused(&c, ".partitioned needs .secure");
}

static void test_writing(void **state)
{
    (void)state;
    struct cv_set_cookie c = cookie("a", "1");
    assert_string_equal(written(&c), "a=1; Path=/; SameSite=Lax; Secure");
    c = (struct cv_set_cookie){.name = CV_SPAN("a"), .value = CV_SPAN("\"q\"")};
    assert_string_equal(written(&c), "a=\"q\"");
    c = (struct cv_set_cookie){
        .name = CV_SPAN("__Secure-a"),
        .value = CV_SPAN("x=y"),
        .path = CV_SPAN("/a b"),
        .domain = CV_SPAN("example.com"),
        .same_site = CV_SPAN("nONE"),
        .max_age = 60,
        .expires = 784111777,
        .secure = true,
        .http_only = true,
        .partitioned = true,
    };
    assert_string_equal(written(&c),
                        "__Secure-a=x=y; Path=/a b; Domain=example.com; Max-Age=60; "
                        "Expires=Sun, 06 Nov 1994 08:49:37 GMT; SameSite=None; Secure; HttpOnly; "
                        "Partitioned");
    c = cookie("a", "");
    c.is_over = true;
    assert_string_equal(written(&c), "a=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 "
                                     "GMT; SameSite=Lax; Secure");
}

static void test_the_longest_fits(void **state)
{
    (void)state;
    static char value[CV_COOKIE_MAX], path[CV_COOKIE_ATTRIBUTE_MAX], domain[sizeof(path)];
    memset(value, 'v', sizeof(value));
    memset(path, '/', sizeof(path));
    memset(domain, 'd', sizeof(domain));
    struct cv_set_cookie c = cookie("n", "");
    c.value = cv_span(value, sizeof(value) - 1);
    c.path = cv_span(path, sizeof(path));
    c.domain = cv_span(domain, sizeof(domain));
    c.same_site = CV_SPAN("Strict");
    c.max_age = c.expires = INT64_MAX;
    c.http_only = c.partitioned = true;
    assert_true(strlen(written(&c)) <= CV_SET_COOKIE_MAX);
}

static bool is_same(const char *a, const char *b)
{
    bool same = cv_set_cookie_is_same(cv_span_str(a), cv_span_str(b));
    assert_int_equal(cv_set_cookie_is_same(cv_span_str(b), cv_span_str(a)), same);
    return same;
}

static void test_which_replaces_which(void **state)
{
    (void)state;
    assert_true(is_same("a=1; Path=/; Secure", "a=2; Path=/; Max-Age=0"));
    assert_true(is_same("a=1", "a="));
    assert_true(is_same("a=1; Path=/; Domain=A.b; Secure", "a=1; Path=/; Domain=a.B"));
    assert_false(is_same("a=1; Path=/", "b=1; Path=/"));
    assert_false(is_same("a=1; Path=/", "ab=1; Path=/"));
    assert_false(is_same("a=1; Path=/", "a=1; Path=/b"));
    assert_false(is_same("a=1; Path=/", "a=1"));
    assert_false(is_same("a=1; Path=/", "a=1; Path=/; Domain=b"));
    assert_false(is_same("a=1; Path=/; Domain=a", "a=1; Path=/; Domain=b"));
    assert_false(is_same("a=1", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_values_that_no_field_can_hold),
        cmocka_unit_test(test_attributes_that_would_end_theirs),
        cmocka_unit_test(test_what_browsers_drop_for_its_length),
        cmocka_unit_test(test_prefixes_have_rules),
        cmocka_unit_test(test_what_needs_tls),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_the_longest_fits),
        cmocka_unit_test(test_which_replaces_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
