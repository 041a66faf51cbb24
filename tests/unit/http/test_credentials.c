/* Authorization fields, and Base64 as far as they need it. */
#include "http/credentials.h"

#include "http/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* The decoded text, or NULL. */
static const char *decoded(const char *text)
{
    static char to[64];
    int64_t len = cv_base64_decode(cv_span_str(text), to);
    if (len < 0)
        return NULL;
    to[len] = '\0';
    return to;
}

static void test_base64_as_it_is_published(void **state)
{
    static const char *const texts[] = {
        "",         "",     "Zg==",     "f",     "Zm8=",     "fo",     "Zm9v", "foo",
        "Zm9vYg==", "foob", "Zm9vYmE=", "fooba", "Zm9vYmFy", "foobar", "+/+/", "\xfb\xff\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i += 2)
        assert_string_equal(decoded(texts[i]), texts[i + 1]);
}

static void test_base64_that_no_encoder_writes(void **state)
{
    static const char *const wrong[] = {
        "Z",    "Zg",   "Zg=",      "Zm9vYg", "Zh==", "Zm9=",   "====",
        "Z===", "=Zg=", "Zg==Zg==", "Z g=",   "Zg-_", "Zm9v\n", "A=A="};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_null(decoded(wrong[i]));
}

/* "scheme|token", or "none". */
static const char *read_field(const char *field)
{
    static char text[128];
    struct cv_span scheme, token;
    if (!cv_credentials_read(cv_span_str(field), &scheme, &token))
        return "none";
    (void)snprintf(text, sizeof(text), "%.*s|%.*s", (int)scheme.len, scheme.at, (int)token.len,
                   token.at);
    return text;
}

static void test_a_scheme_and_what_follows(void **state)
{
    (void)state;
    assert_string_equal(read_field("Bearer abc.def-_~+/=="), "Bearer|abc.def-_~+/==");
    assert_string_equal(read_field("Basic  YTpi"), "Basic|YTpi");
    assert_string_equal(read_field("Digest username=\"a\", realm=\"b\""),
                        "Digest|username=\"a\", realm=\"b\"");
    assert_string_equal(read_field("Negotiate"), "Negotiate|");
    assert_string_equal(read_field(""), "none");
    assert_string_equal(read_field("a@b c"), "none");
    assert_string_equal(read_field("\"Bearer\" x"), "none");
}

/* "user|password", or "none". */
static const char *basic(const char *token)
{
    static char text[128];
    char to[64];
    const char *user, *password;
    if (!cv_basic_read(cv_span_str(token), to, &user, &password))
        return "none";
    (void)snprintf(text, sizeof(text), "%s|%s", user, password);
    return text;
}

static void test_basic(void **state)
{
    (void)state;
    assert_string_equal(basic("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Aladdin|open sesame");
    assert_string_equal(basic("dGVzdDoxMjPCow=="), "test|123\xc2\xa3");
    assert_string_equal(basic("OmI6Yw=="), "|b:c"); /* ":b:c" */
    assert_string_equal(basic("YTo="), "a|");
}

static void test_what_basic_must_not_be(void **state)
{
    (void)state;
    assert_string_equal(basic(""), "none");
    assert_string_equal(basic("YQ=="), "none");     /* "a" */
    assert_string_equal(basic("YTpiAA=="), "none"); /* "a:b\0" */
    assert_string_equal(basic("YQo6Yg=="), "none"); /* "a\n:b" */
    assert_string_equal(basic("YTp/"), "none");     /* "a:\x7f" */
    assert_string_equal(basic("YTpi!"), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_as_it_is_published),
        cmocka_unit_test(test_base64_that_no_encoder_writes),
        cmocka_unit_test(test_a_scheme_and_what_follows),
        cmocka_unit_test(test_basic),
        cmocka_unit_test(test_what_basic_must_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
