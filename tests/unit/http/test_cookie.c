/* Cookie fields: what is in them, and what is skipped. */
#include "http/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* "name=value|..." of all cookies. */
static const char *listed(const char *field)
{
    static char text[1024];
    struct cv_span name, value;
    size_t len = 0;
    text[0] = '\0';
    for (size_t at = 0; cv_cookie_next(cv_span_str(field), &at, &name, &value);) {
        char plain[256];
        size_t plain_len = cv_cookie_unquote(value, plain);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s=%.*s|", (int)name.len,
                                name.at, (int)plain_len, plain);
    }
    return text;
}

static void test_cookies_in_order(void **state)
{
    (void)state;
    assert_string_equal(listed("a=1; b=2;c=3 ;\t d = 4"), "a=1|b=2|c=3|d=4|");
    assert_string_equal(listed("a=1; a=2; a="), "a=1|a=2|a=|");
    assert_string_equal(listed("__Host-id=x=y==; $Version=1"), "__Host-id=x=y==|$Version=1|");
    assert_string_equal(listed("a=b c, d"), "a=b c, d|");
}

static void test_what_is_no_cookie_is_skipped(void **state)
{
    (void)state;
    assert_string_equal(listed(""), "");
    assert_string_equal(listed(";; ; "), "");
    assert_string_equal(listed("a b=1; c=2; (d)=3; \xc3\xa4=4"), "c=2|");
    assert_string_equal(listed("= ; =; a=1"), "a=1|");
}

static bool is_field(const char *field)
{
    return cv_cookie_is_field(cv_span_str(field));
}

static void test_nonsense_is_no_field(void **state)
{
    static const char *const nonsense[] = {
        "=",     "=a",           " =a",    ";",      ";;",       "; ",
        ";a=1",  " ;a=1",        "a=1;;",  "a=1; ;", "a=1;;b=2", "a=1; \t; b=2",
        "a;=;b", "a=1; =b; c=2", "a=1; =", "a=1;=b", "==",       "a=1; ; b=2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
        assert_false(is_field(nonsense[i]));
}

static void test_what_browsers_and_programs_send_is_a_field(void **state)
{
    static const char *const sane[] = {
        "",        "a=1",          "a=1; b=2",       "a=1;b=2", "a=1;",         "a=1; ",  "a=",
        "a=; b=1", "no name; a=1", "a b=1; (c)=\"=", "a==",     "a=\xc3\xa4, ", "\"=1\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(sane) / sizeof(sane[0]); i++)
        assert_true(is_field(sane[i]));
}

static void test_a_value_may_have_no_name(void **state)
{
    (void)state;
    assert_string_equal(listed("value; =other; a=1"), "=value|=other|a=1|");
}

static void test_quotes_and_what_they_escape(void **state)
{
    (void)state;
    assert_string_equal(listed("a=\"b c\"; d=\"\""), "a=b c|d=|");
    assert_string_equal(listed("a=\"x\\\"y\\\\z\\054\\303\\244\\08\""), "a=x\"y\\z,\xc3\xa4"
                                                                        "08|");
    assert_string_equal(listed("a=\"; b=x\"y\"; c=\"x\\\""), "a=\"|b=x\"y\"|c=x\\|");
    assert_string_equal(listed("a=\"x\\000y\"; b=\"\\400\""), "a=\"x\\000y\"|b=400|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cookies_in_order),
        cmocka_unit_test(test_what_is_no_cookie_is_skipped),
        cmocka_unit_test(test_nonsense_is_no_field),
        cmocka_unit_test(test_what_browsers_and_programs_send_is_a_field),
        cmocka_unit_test(test_a_value_may_have_no_name),
        cmocka_unit_test(test_quotes_and_what_they_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
