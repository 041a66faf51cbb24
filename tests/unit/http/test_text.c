/* The small grammars but Accept. */
#include "http/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_statuses_without_a_name_are_unknown(void **state)
{
    const int statuses[] = {-1,  0,   99,  104, 199, 209, 306,       419,
                            499, 509, 512, 599, 600, 999, 2147483647};
    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        assert_string_equal(cv_status_reason(statuses[i]), "Unknown");
}

static void test_statuses_have_their_names(void **state)
{
    (void)state;
    assert_string_equal(cv_status_reason(100), "Continue");
    assert_string_equal(cv_status_reason(200), "OK");
    assert_string_equal(cv_status_reason(204), "No Content");
    assert_string_equal(cv_status_reason(304), "Not Modified");
    assert_string_equal(cv_status_reason(404), "Not Found");
    assert_string_equal(cv_status_reason(431), "Request Header Fields Too Large");
    assert_string_equal(cv_status_reason(503), "Service Unavailable");
    assert_string_equal(cv_status_reason(511), "Network Authentication Required");
}

static void test_only_some_statuses_have_no_body(void **state)
{
    (void)state;
    assert_false(cv_status_has_body(100));
    assert_false(cv_status_has_body(199));
    assert_false(cv_status_has_body(204));
    assert_false(cv_status_has_body(304));
    assert_true(cv_status_has_body(200));
    assert_true(cv_status_has_body(205));
    assert_true(cv_status_has_body(404));
}

static void test_methods_are_found_by_their_names(void **state)
{
    (void)state;
    assert_null(cv_method_name(CV_METHOD_OTHER));
    for (enum cv_method method = CV_METHOD_GET; method < CV_METHOD_COUNT; method++)
        assert_int_equal(cv_method_find(cv_span_str(cv_method_name(method))), method);
}

static void test_other_names_are_no_method(void **state)
{
    (void)state;
    assert_int_equal(cv_method_find(CV_SPAN("")), CV_METHOD_OTHER);
    assert_int_equal(cv_method_find(CV_SPAN("get")), CV_METHOD_OTHER);
    assert_int_equal(cv_method_find(CV_SPAN("GE")), CV_METHOD_OTHER);
    assert_int_equal(cv_method_find(CV_SPAN("GETS")), CV_METHOD_OTHER);
    assert_int_equal(cv_method_find((struct cv_span){NULL, 0}), CV_METHOD_OTHER);
}

static void test_tokens_and_values_are_told_by_every_byte(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool token = c < 0x80 && c > 0x20 && c != 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
        bool value = c == '\t' || (c >= 0x20 && c != 0x7f);
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, 'a', sizeof(text));
            text[at] = (char)c;
            assert_int_equal(cv_is_token(cv_span(text, sizeof(text))), token);
            assert_int_equal(cv_is_field_value(cv_span(text, sizeof(text))), value);
        }
    }
}

static void test_nothing_is_a_value_but_no_token(void **state)
{
    (void)state;
    assert_false(cv_is_token(CV_SPAN("")));
    assert_false(cv_is_token((struct cv_span){NULL, 0}));
    assert_true(cv_is_field_value(CV_SPAN("")));
    assert_true(cv_is_field_value((struct cv_span){NULL, 0}));
}

static void check_percent(struct cv_span text, bool plus, const char *wanted)
{
    char to[64];
    int64_t len = cv_percent_decode(text, plus, to);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(to, wanted, len);
}

static void test_broken_escapes_and_nul_are_refused(void **state)
{
    const struct cv_span broken[] = {
        CV_SPAN("%"),   CV_SPAN("%4"),    CV_SPAN("a%"),   CV_SPAN("a%4"), CV_SPAN("%4g"),
        CV_SPAN("%g4"), CV_SPAN("%%41"),  CV_SPAN("% 41"), CV_SPAN("%+1"), CV_SPAN("%u0041"),
        CV_SPAN("%00"), CV_SPAN("a%00b"), CV_SPAN("\0"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        char to[16];
        assert_int_equal(cv_percent_decode(broken[i], false, to), -400);
        assert_int_equal(cv_percent_decode(broken[i], true, to), -400);
    }
}

static void test_an_escape_is_not_read_past_the_end(void **state)
{
    char to[4];
    (void)state;
    assert_int_equal(cv_percent_decode(cv_span("%41", 2), false, to), -400);
    assert_int_equal(cv_percent_decode(cv_span("%41", 1), false, to), -400);
}

static void test_escapes_are_decoded_once(void **state)
{
    (void)state;
    check_percent(CV_SPAN(""), false, "");
    check_percent(CV_SPAN("abc"), false, "abc");
    check_percent(CV_SPAN("%41%5a%7A"), false, "AZz");
    check_percent(CV_SPAN("%c3%A4"), false, "\xc3\xa4");
    check_percent(CV_SPAN("%2541"), false, "%41");
    check_percent(CV_SPAN("%2f%2e"), false, "/.");
    check_percent(CV_SPAN("a+b%2B"), false, "a+b+");
    check_percent(CV_SPAN("a+b%2B"), true, "a b+");
}

static void test_decoding_in_place_is_the_same(void **state)
{
    char text[] = "a%20b+c%2fd";
    (void)state;
    assert_int_equal(cv_percent_decode(cv_span_str(text), true, text), 7);
    assert_memory_equal(text, "a b c/d", 7);
}

/* The pieces as "name=value;" each. */
static void check_query(const char *query, const char *wanted)
{
    struct cv_span name, value;
    char found[256] = "";
    size_t at = 0, n = 0;

    while (cv_query_split(cv_span_str(query), &at, &name, &value))
        n += (size_t)snprintf(found + n, sizeof(found) - n, "%.*s=%.*s;", (int)name.len, name.at,
                              (int)value.len, value.at);
    assert_string_equal(found, wanted);
}

static void test_queries_are_split_at_ampersands_and_the_first_equals_sign(void **state)
{
    (void)state;
    check_query("", "");
    check_query("a", "a=;");
    check_query("a=", "a=;");
    check_query("a=b", "a=b;");
    check_query("a=b=c", "a=b=c;");
    check_query("=b", "=b;");
    check_query("a=b&c=d", "a=b;c=d;");
    check_query("&&a=b&&c&", "a=b;c=;");
    check_query("&", "");
    check_query("a;b=c", "a;b=c;");
    check_query("%26=%3d", "%26=%3d;");
}

static void test_lists_hold_whole_members_only(void **state)
{
    struct cv_span token = CV_SPAN("close");
    (void)state;
    assert_true(cv_list_has(CV_SPAN("close"), token));
    assert_true(cv_list_has(CV_SPAN("CLOSE"), token));
    assert_true(cv_list_has(CV_SPAN("a,close"), token));
    assert_true(cv_list_has(CV_SPAN("a ,\tclose\t, b"), token));
    assert_true(cv_list_has(CV_SPAN(",,close,,"), token));
    assert_false(cv_list_has(CV_SPAN(""), token));
    assert_false(cv_list_has((struct cv_span){NULL, 0}, token));
    assert_false(cv_list_has(CV_SPAN(","), token));
    assert_false(cv_list_has(CV_SPAN("clos"), token));
    assert_false(cv_list_has(CV_SPAN("closed"), token));
    assert_false(cv_list_has(CV_SPAN("close x"), token));
    assert_false(cv_list_has(CV_SPAN("x close, y"), token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses_without_a_name_are_unknown),
        cmocka_unit_test(test_statuses_have_their_names),
        cmocka_unit_test(test_only_some_statuses_have_no_body),
        cmocka_unit_test(test_methods_are_found_by_their_names),
        cmocka_unit_test(test_other_names_are_no_method),
        cmocka_unit_test(test_tokens_and_values_are_told_by_every_byte),
        cmocka_unit_test(test_nothing_is_a_value_but_no_token),
        cmocka_unit_test(test_broken_escapes_and_nul_are_refused),
        cmocka_unit_test(test_an_escape_is_not_read_past_the_end),
        cmocka_unit_test(test_escapes_are_decoded_once),
        cmocka_unit_test(test_decoding_in_place_is_the_same),
        cmocka_unit_test(test_queries_are_split_at_ampersands_and_the_first_equals_sign),
        cmocka_unit_test(test_lists_hold_whole_members_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
