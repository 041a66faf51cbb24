/* Which origins are let in, what is said to them, and what is refused when it is registered. */
#include "http/cors.h"

#include "base/macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- Origins ---- */

static void test_origins_as_browsers_write_them(void **state)
{
    static const char *const are[] = {"https://a.example",
                                      "http://localhost:3000",
                                      "HTTPS://A.example",
                                      "http://127.0.0.1:80",
                                      "http://[::1]:8000",
                                      "http://[2001:db8::1]",
                                      "chrome-extension://abcdef",
                                      "https://xn--bcher-kva.example",
                                      "a+b-c.d://x_y"};
    static const char *const are_not[] = {"",
                                          "null",
                                          "https",
                                          "https:",
                                          "https://",
                                          "https:/a",
                                          "://a",
                                          "https://a/",
                                          "https://a/b",
                                          "https://a:",
                                          "https://a:x",
                                          "https://a:99999",
                                          "https://a b",
                                          "https://a#b",
                                          "https://a?.b",
                                          "https://u@a",
                                          "https://*.a",
                                          "https://[::1",
                                          "https://[]",
                                          "https://a,b",
                                          "https://\xc3\xa4",
                                          "h ttps://a",
                                          "https://a:1:2"};
    (void)state;
    for (size_t i = 0; i < CV_COUNT(are); i++)
        if (!cv_cors_is_origin(cv_span_str(are[i])))
            fail_msg("%s is one", are[i]);
    for (size_t i = 0; i < CV_COUNT(are_not); i++)
        if (cv_cors_is_origin(cv_span_str(are_not[i])))
            fail_msg("%s is none", are_not[i]);

    char longest[CV_CORS_ORIGIN_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "https://", 8);
    assert_true(cv_cors_is_origin(cv_span(longest, CV_CORS_ORIGIN_MAX)));
    assert_false(cv_cors_is_origin(cv_span(longest, CV_CORS_ORIGIN_MAX + 1)));
}

static void test_who_is_in_the_list(void **state)
{
    static const struct {
        const char *list, *origin;
        bool is_in;
    } rows[] = {
        {"https://a.example", "https://a.example", true},
        {"https://a.example", "https://A.Example", true},
        {"https://a.example", "http://a.example", false},
        {"https://a.example", "https://a.example:8443", false},
        {"https://a.example", "https://b.a.example", false},
        {"https://a.example", "https://a.example.evil.example", false},
        {"https://a.example", "https://aa.example", false},
        {"https://a.example:8443", "https://a.example:8443", true},
        {"https://a.example:8443", "https://a.example:84430", false},
        {"https://a.example:8443", "https://a.example", false},
        {"https://a.example, https://b.example http://c", "http://c", true},
        {"https://a.example,,https://b.example", "https://b.example", true},
        {"https://*.a.example", "https://b.a.example", true},
        {"https://*.a.example", "https://c.b.a.example", true},
        {"https://*.a.example", "https://a.example", false},
        {"https://*.a.example", "https://ba.example", false},
        {"https://*.a.example", "https://evil.example#.a.example", false},
        {"https://*.a.example", "https://evil.example/.a.example", false},
        {"https://*.a.example", "https://b.a.example.evil.example", false},
        {"http://localhost:*", "http://localhost:3000", true},
        {"http://localhost:*", "http://localhost", true},
        {"http://localhost:*", "http://localhost.evil.example", false},
        {"http://localhost:*", "https://localhost:3000", false},
        {"https://*.a.example:*", "https://b.a.example:1", true},
        {"http://[::1]:*", "http://[::1]:3000", true},
        {"http://[::1]", "http://[::2]", false},
        {"https://a.example", "null", false},
        {"https://a.example null", "null", true},
        {"null", "NULL", false},
        {"null", "https://a.example", false},
        {"*", "https://a.example", true},
        {"*", "null", true},
        {"*", "nonsense", true},
        {"", "https://a.example", false},
        {"https://a.example", "https://a.example https://b.example", false},
        {"https://a.example", "", false},
    };
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++)
        if (cv_cors_lists(rows[i].list, cv_span_str(rows[i].origin)) != rows[i].is_in)
            fail_msg("%s in %s: %d is wrong", rows[i].origin, rows[i].list, !rows[i].is_in);
    assert_false(cv_cors_lists("*", cv_span(NULL, 0)));
    assert_false(cv_cors_lists("null", cv_span(NULL, 0)));
}

/* ---- What is registered ---- */

static void assert_refused(const struct cv_cors *cors, const char *why)
{
    char reason[512] = "";
    assert_int_equal(cv_cors_check(cors, reason, sizeof(reason)), -EINVAL);
    if (strstr(reason, why) == NULL)
        fail_msg("\"%s\" is refused, but not for \"%s\": %s", cors->origins, why, reason);
}

static void test_what_no_browser_would_match_is_refused(void **state)
{
    static const struct {
        const char *origins, *why;
    } rows[] = {
        {"https://a.example/", "\"https://a.example/\": it is no origin"},
        {"https://a.example, https://b.example/x", "\"https://b.example/x\": it is no origin"},
        {"a.example", "it is no origin"},
        {"//a.example", "it is no origin"},
        {"https://", "it is no origin"},
        {"https://*", "it is no origin"},
        {"https://a.*.example", "it is no origin"},
        {"https://*a.example", "it is no origin"},
        {"https://*.", "it is no origin"},
        {"https://a.example:https", "it is no origin"},
        {"https://a.example:70000", "it is no origin"},
        {"https://b\xc3\xbc"
         "cher.example",
         "it is no origin"},
        {"https://a.example:443", "leave out the port"},
        {"http://a.example:80", "leave out the port"},
        {"* https://a.example", "it stands alone"},
        {"https://a.example,*", "it stands alone"},
    };
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++)
        assert_refused(&(struct cv_cors){.origins = rows[i].origins}, rows[i].why);

    char reason[512];
    static const char *const fine[] = {"",
                                       "*",
                                       "null",
                                       "https://a.example",
                                       "https://a.example:80, http://a.example:443",
                                       "https://*.a.example:* http://localhost:*",
                                       "chrome-extension://abc"};
    for (size_t i = 0; i < CV_COUNT(fine); i++)
        assert_int_equal(
            cv_cors_check(&(struct cv_cors){.origins = fine[i]}, reason, sizeof(reason)), 0);
}

static void test_credentials_for_everybody_are_refused(void **state)
{
    char reason[512];
    (void)state;
    assert_refused(&(struct cv_cors){.origins = "*", .credentials = true}, "name the origins");
    assert_refused(&(struct cv_cors){.origins = "https://a.example null", .credentials = true},
                   "sandboxed frame");
    struct cv_cors cors = {
        .origins = "https://a.example", .expose = CV_SPAN("X-A, *"), .credentials = true};
    assert_refused(&cors, "name the fields");
    cors.expose = CV_SPAN("X-*");
    assert_int_equal(cv_cors_check(&cors, reason, sizeof(reason)), 0);
}

static const char *list_of(const char *list)
{
    static char to[256];
    int64_t len = cv_cors_list(cv_span_str(list), to);
    if (len < 0)
        return "refused";
    to[len] = '\0';
    return to;
}

static void test_lists_are_written_in_one_way(void **state)
{
    (void)state;
    assert_string_equal(list_of("PUT DELETE"), "PUT, DELETE");
    assert_string_equal(list_of(" PUT,DELETE , X-A\t"), "PUT, DELETE, X-A");
    assert_string_equal(list_of("A B C D E F"), "A, B, C, D, E, F");
    assert_string_equal(list_of(""), "");
    assert_string_equal(list_of("*"), "*");
    assert_string_equal(list_of("A:B"), "refused");
    assert_string_equal(list_of("A\r\nB: C"), "refused");
}

/* ---- What is said ---- */

static const struct cv_cors all = {.origins = "*"};
static const struct cv_cors some = {.origins = "https://a.example"};
static const struct cv_cors rich = {.origins = "https://a.example",
                                    .methods = {"PUT, DELETE", 11},
                                    .headers = {"X-Token", 7},
                                    .expose = {"X-Count", 7},
                                    .max_age = {"600", 3},
                                    .credentials = true};
static const struct cv_cors poor = {
    .origins = "https://a.example", .methods = {"", 0}, .headers = {"", 0}};

/* The fields as lines; origin, method and headers NULL: not sent. */
static const char *said(const struct cv_cors *cors, bool is_options, const char *origin,
                        const char *method, const char *headers)
{
    static char text[2048];
    struct cv_cors_field fields[CV_CORS_FIELDS_MAX];
    struct cv_cors_asked asked = {.origin = origin != NULL ? cv_span_str(origin) : cv_span(NULL, 0),
                                  .method = method != NULL ? cv_span_str(method) : cv_span(NULL, 0),
                                  .headers =
                                      headers != NULL ? cv_span_str(headers) : cv_span(NULL, 0),
                                  .is_options = is_options};
    size_t n = cv_cors_fields(cors, &asked, cv_cors_lists(cors->origins, asked.origin), fields);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s: %.*s",
                 i > 0 ? "\n" : "", (int)fields[i].name.len, fields[i].name.at,
                 (int)fields[i].value.len, fields[i].value.at);
    return text;
}

#define ALLOW "Access-Control-Allow-"
#define VARY_ALL "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
#define FROM_A "Vary: Origin\n" ALLOW "Origin: https://a.example"

static void test_answers(void **state)
{
    static const struct {
        const struct cv_cors *cors;
        const char *origin, *said;
    } rows[] = {
        /* For all it is the same answer, which one cache may keep. */
        {&all, "https://a.example", ALLOW "Origin: *"},
        {&all, "null", ALLOW "Origin: *"},
        {&all, NULL, ALLOW "Origin: *"},
        {&some, "https://a.example", FROM_A},
        {&some, "https://b.example", "Vary: Origin"},
        {&some, "null", "Vary: Origin"},
        {&some, NULL, "Vary: Origin"},
        {&rich, "https://a.example",
         FROM_A "\n" ALLOW "Credentials: true\nAccess-Control-Expose-Headers: X-Count"},
        {&rich, "https://b.example", "Vary: Origin"},
        {&rich, NULL, "Vary: Origin"},
    };
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++) {
        assert_string_equal(said(rows[i].cors, false, rows[i].origin, NULL, NULL), rows[i].said);
        /* It takes all three to ask; the rest is a request like any. */
        assert_string_equal(said(rows[i].cors, true, rows[i].origin, NULL, "x"), rows[i].said);
        assert_string_equal(said(rows[i].cors, false, rows[i].origin, "PUT", "x"), rows[i].said);
    }
    assert_string_equal(said(&some, true, NULL, "PUT", NULL), "Vary: Origin");
}

static void test_preflights(void **state)
{
    static const char a[] = "https://a.example";
    static const struct {
        const struct cv_cors *cors;
        const char *origin, *method, *headers, *said;
    } rows[] = {
        {&all, a, "PUT", NULL, VARY_ALL "\n" ALLOW "Origin: *\n" ALLOW "Methods: PUT"},
        {&all, "null", "BREW", "x-a,content-type",
         VARY_ALL "\n" ALLOW "Origin: *\n" ALLOW "Methods: BREW\n" ALLOW
                  "Headers: x-a,content-type"},
        {&some, a, "PUT", "authorization",
         VARY_ALL "\n" ALLOW "Origin: https://a.example\n" ALLOW "Methods: PUT\n" ALLOW
                  "Headers: authorization"},
        {&some, "https://b.example", "PUT", "authorization", VARY_ALL},
        {&some, "null", "PUT", NULL, VARY_ALL},
        {&rich, a, "PATCH", "x-other",
         VARY_ALL "\n" ALLOW "Origin: https://a.example\n" ALLOW "Credentials: true\n" ALLOW
                  "Methods: PUT, DELETE\n" ALLOW "Headers: X-Token\nAccess-Control-Max-Age: 600"},
        {&rich, "https://b.example", "PUT", NULL, VARY_ALL},
        {&poor, a, "PUT", "x-a", VARY_ALL "\n" ALLOW "Origin: https://a.example"},
        /* What is no method and no list of names is not repeated. */
        {&all, a, "P UT", "x-a: b", VARY_ALL "\n" ALLOW "Origin: *"},
        {&all, a, "", " , ", VARY_ALL "\n" ALLOW "Origin: *"},
    };
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++)
        assert_string_equal(
            said(rows[i].cors, true, rows[i].origin, rows[i].method, rows[i].headers),
            rows[i].said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins_as_browsers_write_them),
        cmocka_unit_test(test_who_is_in_the_list),
        cmocka_unit_test(test_what_no_browser_would_match_is_refused),
        cmocka_unit_test(test_credentials_for_everybody_are_refused),
        cmocka_unit_test(test_lists_are_written_in_one_way),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_preflights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
