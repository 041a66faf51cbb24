/* What proxies say: which of it is looked at, and what it is taken for. */
#include "http/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* "name=value|..." from right to left of the element with the secret "s3cret", or "none". */
static const char *found(const char *field)
{
    static char text[1024];
    struct cv_forwarded_pair pairs[CV_FORWARDED_PAIRS_MAX];
    int n = cv_forwarded_find(cv_span_str(field), CV_SPAN("s3cret"), pairs);
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%.*s=%.*s|", (int)pairs[i].name.len,
                             pairs[i].name.at, (int)pairs[i].value.len, pairs[i].value.at);
    return n > 0 ? text : "none";
}

static void test_the_element_with_the_secret(void **state)
{
    (void)state;
    assert_string_equal(found("for=192.0.2.1;secret=s3cret"), "secret=s3cret|for=192.0.2.1|");
    assert_string_equal(found("BY=s3cret; for=\"[2001:db8::1]:80\""),
                        "for=[2001:db8::1]:80|BY=s3cret|");
    assert_string_equal(found("for=1.1.1.1, for=2.2.2.2;by=s3cret, for=3.3.3.3"),
                        "by=s3cret|for=2.2.2.2|");
    assert_string_equal(found("for=1.1.1.1;by=s3cret , for=2.2.2.2;by=\"s3cret\";;"),
                        "by=s3cret|for=2.2.2.2|");
    assert_string_equal(found("for=a;secret=s3cret, ,,"), "secret=s3cret|for=a|");
    assert_string_equal(found("secret=s3cret;host=\"a,b;c=d\";proto=https"),
                        "proto=https|host=a,b;c=d|secret=s3cret|");
}

static void test_nothing_is_trusted_without_it(void **state)
{
    (void)state;
    assert_string_equal(found(""), "none");
    assert_string_equal(found("for=192.0.2.1"), "none");
    assert_string_equal(found("for=192.0.2.1;secret=s3cre"), "none");
    assert_string_equal(found("for=192.0.2.1;secret=S3cret"), "none");
    assert_string_equal(found("for=s3cret;other=s3cret"), "none");
    assert_string_equal(found("for=192.0.2.1;secret=\"s3\\cret\""), "none");
}

/* A client may have written anything in front of what a proxy has added. */
static void test_what_clients_write_in_front_changes_nothing(void **state)
{
    static const char *const fronts[] = {"for=\"",  "\"",   "for=x;by=\"a, ", ";",
                                         ",,\", =", "\\\"", "for=a b"};
    char field[128];

    (void)state;
    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
        (void)snprintf(field, sizeof(field), "%s, for=192.0.2.1;secret=s3cret", fronts[i]);
        assert_string_equal(found(field), "secret=s3cret|for=192.0.2.1|");
    }
}

static void test_what_is_malformed_is_not_trusted(void **state)
{
    static const char *const wrong[] = {
        "for=192.0.2.1;secret=s3cret, nonsense",
        "for=192.0.2.1;secret=s3cret \"",
        "for=192.0.2.1 secret=s3cret",
        "for;secret=s3cret",
        "=x;secret=s3cret",
        "for=\"a\"b;secret=s3cret",
        "x\"a\";secret=s3cret",
        "for=1.2.3.4:80;secret=s3cret",
        "a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;p=1;secret=s3cret"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_string_equal(found(wrong[i]), "none");
}

static void test_members_from_the_right(void **state)
{
    struct cv_span list = CV_SPAN(" 1.1.1.1, ,2.2.2.2 ,\t3.3.3.3 ,, ");

    (void)state;
    assert_true(cv_span_eq(cv_forwarded_member(list, 1), CV_SPAN("3.3.3.3")));
    assert_true(cv_span_eq(cv_forwarded_member(list, 2), CV_SPAN("2.2.2.2")));
    assert_true(cv_span_eq(cv_forwarded_member(list, 3), CV_SPAN("1.1.1.1")));
    assert_null(cv_forwarded_member(list, 4).at);
    assert_null(cv_forwarded_member(CV_SPAN(" , "), 1).at);
    assert_null(cv_forwarded_member(CV_SPAN(""), 1).at);
}

/* What it is taken for; "none". */
static const char *written(const char *name, const char *value)
{
    static char to[128];
    bool is = cv_forwarded_write(cv_span_str(name), cv_span_str(value), to);
    return is ? to : "none";
}

static void test_addresses(void **state)
{
    (void)state;
    assert_string_equal(written("for", "192.0.2.1"), "192.0.2.1");
    assert_string_equal(written("FOR", "192.0.2.1:8080"), "192.0.2.1");
    assert_string_equal(written("for", "[2001:DB8::1]"), "2001:db8::1");
    assert_string_equal(written("for", "[2001:db8::1]:8080"), "2001:db8::1");
    assert_string_equal(written("for", "2001:DB8::1"), "2001:db8::1");
    assert_string_equal(written("by", "Proxy-1"), "proxy-1");
    assert_string_equal(written("by", "_Hidden"), "_Hidden");
    assert_string_equal(written("for", "unknown"), "none");
    assert_string_equal(written("for", ""), "none");
    assert_string_equal(written("for", "a b"), "none");
    assert_string_equal(written("for", "[::1"), "none");
    assert_string_equal(written("for", "[]"), "none");
    assert_string_equal(written("for", "[::1]x"), "none");
    assert_string_equal(written("for", "[::1]:"), "none");
    assert_string_equal(written("for", "192.0.2.1:http"), "none");
    assert_string_equal(written("for", "<script>"), "none");
}

static void test_other_values(void **state)
{
    (void)state;
    assert_string_equal(written("proto", "HTTPS"), "https");
    assert_string_equal(written("proto", "https, http"), "none");
    assert_string_equal(written("proto", "wss"), "wss");
    assert_string_equal(written("proto", "javascript"), "none");
    assert_string_equal(written("proto", "httpsx"), "none");
    assert_string_equal(written("proto", ""), "none");
    assert_string_equal(written("host", "Example.COM:8443"), "example.com:8443");
    assert_string_equal(written("host", "a/b"), "none");
    assert_string_equal(written("host", "u@a"), "none");
    assert_string_equal(written("port", "8443"), "8443");
    assert_string_equal(written("port", "0"), "none");
    assert_string_equal(written("port", "65536"), "none");
    assert_string_equal(written("port", "+1"), "none");
    assert_string_equal(written("path", "/a%20b"), "/a b");
    assert_string_equal(written("path", "a"), "none");
    assert_string_equal(written("path", "/%00"), "none");
    assert_string_equal(written("other", "As It Is"), "As It Is");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_element_with_the_secret),
        cmocka_unit_test(test_nothing_is_trusted_without_it),
        cmocka_unit_test(test_what_clients_write_in_front_changes_nothing),
        cmocka_unit_test(test_what_is_malformed_is_not_trusted),
        cmocka_unit_test(test_members_from_the_right),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_other_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
