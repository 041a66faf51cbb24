/* Accept: malformed fields first, then what wins over what. */
#include "http/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct accept_case {
    const char *accept;
    enum cv_format format;
};

static void judge(const struct accept_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum cv_format format = cv_accept_format(cv_span_str(cases[i].accept), CV_FORMAT_TEXT);
        if (format != cases[i].format)
            fail_msg("%d instead of %d for: %s", format, cases[i].format, cases[i].accept);
    }
}
#define JUDGE(cases) judge(cases, sizeof(cases) / sizeof((cases)[0]))

static void test_a_malformed_field_is_text(void **state)
{
    static const struct accept_case cases[] = {
        {"html", CV_FORMAT_TEXT},
        {"text/", CV_FORMAT_TEXT},
        {"/html", CV_FORMAT_TEXT},
        {"*/html", CV_FORMAT_TEXT},
        {"text /html", CV_FORMAT_TEXT},
        {"text/html text/plain", CV_FORMAT_TEXT},
        {"text/html, application json", CV_FORMAT_TEXT},
        {"text/html;q", CV_FORMAT_TEXT},
        {"text/html;q=", CV_FORMAT_TEXT},
        {"text/html;q=2", CV_FORMAT_TEXT},
        {"text/html;q=1.001", CV_FORMAT_TEXT},
        {"text/html;q=-1", CV_FORMAT_TEXT},
        {"text/html;q=0.1234", CV_FORMAT_TEXT},
        {"text/html;q=.5", CV_FORMAT_TEXT},
        {"text/html;q=1,5", CV_FORMAT_TEXT},
        {"text/html;q = 1", CV_FORMAT_TEXT},
        {"text/html;q=0a5", CV_FORMAT_TEXT},
        {"text/html;level=\"1", CV_FORMAT_TEXT},
        {"text/html;=1", CV_FORMAT_TEXT},
        {"text/html;a=\"\\", CV_FORMAT_TEXT},
    };
    (void)state;
    JUDGE(cases);
}

static void test_without_a_preference_it_is_text(void **state)
{
    static const struct accept_case cases[] = {
        {"", CV_FORMAT_TEXT},
        {" ", CV_FORMAT_TEXT},
        {",", CV_FORMAT_TEXT},
        {"*/*", CV_FORMAT_TEXT},
        {"text/*", CV_FORMAT_TEXT},
        {"image/png", CV_FORMAT_TEXT},
        {"*/*;q=0", CV_FORMAT_TEXT},
        {"text/html;q=0", CV_FORMAT_TEXT},
        {"text/html;q=0, application/json;q=0.000", CV_FORMAT_TEXT},
    };
    (void)state;
    assert_int_equal(cv_accept_format((struct cv_span){NULL, 0}, CV_FORMAT_TEXT), CV_FORMAT_TEXT);
    JUDGE(cases);
}

static void test_the_greater_weight_wins(void **state)
{
    static const struct accept_case cases[] = {
        {"text/html", CV_FORMAT_HTML},
        {"TEXT/Html", CV_FORMAT_HTML},
        {"application/json", CV_FORMAT_JSON},
        {"text/plain", CV_FORMAT_TEXT},
        {"text/html;q=0.5, application/json;q=0.6", CV_FORMAT_JSON},
        {"text/html;q=0.501, application/json;q=0.5", CV_FORMAT_HTML},
        {"text/html;q=0.5, application/json;Q=0.6, text/plain;q=0.7", CV_FORMAT_TEXT},
        {"text/html;q=0, */*", CV_FORMAT_TEXT},
        {"text/html;q=0.05, application/json;q=0.049", CV_FORMAT_HTML},
        {"text/*;q=0.1, application/*;q=0.2", CV_FORMAT_JSON},
        {"text/html;q=0.001", CV_FORMAT_HTML},
        {"text/plain;q=0, */*;q=0.1", CV_FORMAT_HTML},
        {"application/problem+json", CV_FORMAT_PROBLEM},
        {"application/json;q=0.9, application/problem+json", CV_FORMAT_PROBLEM},
        {"application/*", CV_FORMAT_JSON},
    };
    (void)state;
    JUDGE(cases);
}

static void test_a_range_is_overruled_by_a_more_specific_one(void **state)
{
    static const struct accept_case cases[] = {
        {"*/*, text/*;q=0.1", CV_FORMAT_JSON},
        {"text/html;q=0.1, text/html;q=0.9, application/json;q=0.5", CV_FORMAT_JSON},
        {"text/*, text/plain;q=0.1", CV_FORMAT_HTML},
        {"text/plain;q=0.1, text/*", CV_FORMAT_HTML},
        {"*/*;q=0.1, text/html;q=0.2, text/*;q=0.9", CV_FORMAT_TEXT},
    };
    (void)state;
    JUDGE(cases);
}

static void test_of_equal_weights_the_specific_then_the_first_wins(void **state)
{
    static const struct accept_case cases[] = {
        {"application/json, text/html", CV_FORMAT_JSON},
        {"text/html, application/json", CV_FORMAT_HTML},
        {"application/json, text/plain, */*", CV_FORMAT_JSON},
        {"*/*, text/html", CV_FORMAT_HTML},
        {"text/*, application/json", CV_FORMAT_JSON},
    };
    (void)state;
    JUDGE(cases);
}

static void test_what_stands_for_nothing_named(void **state)
{
    static const struct accept_case cases[] = {
        {"", CV_FORMAT_JSON},         {"*/*", CV_FORMAT_JSON},
        {"nonsense", CV_FORMAT_JSON}, {"application/*", CV_FORMAT_JSON},
        {"text/*", CV_FORMAT_TEXT},   {"application/json;q=0, */*;q=0.1", CV_FORMAT_TEXT},
        {"image/png", CV_FORMAT_JSON}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cv_span accept = cv_span_str(cases[i].accept);
        assert_int_equal(cv_accept_format(accept, CV_FORMAT_JSON), cases[i].format);
    }
}

static void test_what_browsers_send_is_html(void **state)
{
    static const struct accept_case cases[] = {
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
         CV_FORMAT_HTML},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/apng,*/*;q=0.8,"
         "application/signed-exchange;v=b3;q=0.7",
         CV_FORMAT_HTML},
    };
    (void)state;
    JUDGE(cases);
}

static void test_parameters_and_empty_members_are_read_over(void **state)
{
    static const struct accept_case cases[] = {
        {"application/json; charset=utf-8", CV_FORMAT_JSON},
        {"application/json;a=\"x,y;\\\"z\";q=0.5, text/html;q=0.4", CV_FORMAT_JSON},
        {", ,text/html ,, ", CV_FORMAT_HTML},
        {"text/html;", CV_FORMAT_HTML},
        {"text/html ; ; q=1 ", CV_FORMAT_HTML},
    };
    (void)state;
    JUDGE(cases);
}

static void test_the_weight_of_a_type(void **state)
{
    static const char accept[] =
        "text/*;q=0.3, text/html;q=0.7, text/html;level=1;q=0.4, */*;q=0.1, "
        "image/png;q=0";
    static const struct {
        const char *type;
        int weight;
    } cases[] = {{"text/html", 700}, {"TEXT/HTML; charset=utf-8", 700}, {"text/plain", 300},
                 {"image/png", 0},   {"application/json", 100},         {"no type", 100}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(cv_accept_weight(cv_span_str(accept), cv_span_str(cases[i].type)),
                         cases[i].weight);
    assert_int_equal(cv_accept_weight(CV_SPAN("text/html"), CV_SPAN("text/plain")), 0);
    assert_int_equal(cv_accept_weight(CV_SPAN(""), CV_SPAN("text/plain")), 0);
    assert_int_equal(cv_accept_weight(CV_SPAN("text/"), CV_SPAN("text/plain")), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_weight_of_a_type),
        cmocka_unit_test(test_a_malformed_field_is_text),
        cmocka_unit_test(test_without_a_preference_it_is_text),
        cmocka_unit_test(test_the_greater_weight_wins),
        cmocka_unit_test(test_a_range_is_overruled_by_a_more_specific_one),
        cmocka_unit_test(test_of_equal_weights_the_specific_then_the_first_wins),
        cmocka_unit_test(test_what_stands_for_nothing_named),
        cmocka_unit_test(test_what_browsers_send_is_html),
        cmocka_unit_test(test_parameters_and_empty_members_are_read_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
