/* JSON of one line: whatever it is given, it is JSON, and a line. */
#include "base/json_line.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static char text[4096];

static const char *said(struct cv_span value, size_t most)
{
    struct cv_json_line line;
    cv_json_open(&line, text, sizeof(text) - 1);
    cv_json_text(&line, "a", value, most);
    text[cv_json_close(&line)] = '\0';
    return text;
}

#define SAID(literal) said(CV_SPAN(literal), SIZE_MAX)

static void test_what_strings_hold(void **state)
{
    (void)state;
    assert_string_equal(SAID(""), "{\"a\":\"\"}\n");
    assert_string_equal(SAID("plain"), "{\"a\":\"plain\"}\n");
    assert_string_equal(SAID("\"\\/"), "{\"a\":\"\\u0022\\u005c/\"}\n");
    assert_string_equal(SAID("a\nb\r\t\0c\033[31m"),
                        "{\"a\":\"a\\u000ab\\u000d\\u0009\\u0000c\\u001b[31m\"}\n");
    assert_string_equal(SAID("\x7f\xc2\x80\xc2\x9b\xc2\xa0"),
                        "{\"a\":\"\\u007f\\u0080\\u009b\xc2\xa0\"}\n");
    assert_string_equal(SAID("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
                        "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}\n");
    assert_string_equal(said(cv_span(NULL, 0), SIZE_MAX), "{\"a\":null}\n");
}

static void test_what_is_no_utf8_is_replaced(void **state)
{
    static const struct {
        const char *bytes, *is;
    } rows[] = {
        {"\xff", "\\ufffd"},
        {"a\x80z", "a\\ufffdz"},
        {"\xc3", "\\ufffd"}, /* cut off */
        {"\xc3"
         "a",
         "\\ufffda"},
        {"\xc0\xaf", "\\ufffd\\ufffd"}, /* longer than need be */
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* a surrogate */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* past U+10FFFF */
        {"\xf8\x88\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xfc\xbc\x9f\xa7", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* no character begins so */
        {"\xe2\x82", "\\ufffd\\ufffd"},
    };
    char expected[128];
    (void)state;
    for (size_t i = 0; i < CV_COUNT(rows); i++) {
        snprintf(expected, sizeof(expected), "{\"a\":\"%s\"}\n", rows[i].is);
        assert_string_equal(said(cv_span_str(rows[i].bytes), SIZE_MAX), expected);
    }
}

static void test_strings_are_cut_between_characters(void **state)
{
    (void)state;
    assert_string_equal(said(CV_SPAN("abcdef"), 3), "{\"a\":\"abc\"}\n");
    assert_string_equal(said(CV_SPAN("ab\xe2\x82\xac"), 4), "{\"a\":\"ab\"}\n");
    assert_string_equal(said(CV_SPAN("ab\xe2\x82\xac"), 5), "{\"a\":\"ab\xe2\x82\xac\"}\n");
    assert_string_equal(said(CV_SPAN("ab\n"), 7), "{\"a\":\"ab\"}\n");
    assert_string_equal(said(CV_SPAN("ab\n"), 8), "{\"a\":\"ab\\u000a\"}\n");
    assert_string_equal(said(CV_SPAN("abc"), 0), "{\"a\":\"\"}\n");
}

/* In each size it is a whole object, of members that are whole but for their end. */
static void test_it_fits_into_whatever_there_is(void **state)
{
    static const char all[] =
        "{\"one\":\"a\\u000ab\",\"two\":12,\"three\":\"some \xe2\x82\xac\"}\n";
    (void)state;
    for (size_t cap = 4; cap < 80; cap++) {
        struct cv_json_line line;
        memset(text, '#', sizeof(text));
        cv_json_open(&line, text, cap);
        cv_json_text(&line, "one", CV_SPAN("a\nb"), SIZE_MAX);
        cv_json_number(&line, "two", CV_SPAN("12"));
        cv_json_text(&line, "three", CV_SPAN("some \xe2\x82\xac"), SIZE_MAX);
        size_t len = cv_json_close(&line);
        assert_in_range(len, 3, cap);
        assert_int_equal(text[cap], '#');
        assert_memory_equal(text + len - 2, "}\n", 2);
        assert_true(text[len - 3] == '"' || text[len - 3] == '2' || len == 3);
        if (cap >= sizeof(all))
            assert_memory_equal(text, all, sizeof(all) - 1);
    }
}

static void test_times_are_those_of_the_c_library(void **state)
{
    (void)state;
    for (int64_t second = 0; second < INT64_C(253402300800); second += 86399 * 37) {
        struct timespec at = {.tv_sec = second, .tv_nsec = second % 1000 * 1000000 + 999999};
        struct tm parts;
        char expected[64];
        struct cv_json_line line;
        (void)gmtime_r(&at.tv_sec, &parts);
        size_t len = strftime(expected, sizeof(expected), "{\"t\":\"%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(expected + len, sizeof(expected) - len, ".%03dZ\"}\n", (int)(second % 1000));
        cv_json_open(&line, text, sizeof(text));
        cv_json_time(&line, "t", &at);
        text[cv_json_close(&line)] = '\0';
        if (strcmp(text, expected) != 0)
            fail_msg("%s is not %s", text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_strings_hold),
        cmocka_unit_test(test_what_is_no_utf8_is_replaced),
        cmocka_unit_test(test_strings_are_cut_between_characters),
        cmocka_unit_test(test_it_fits_into_whatever_there_is),
        cmocka_unit_test(test_times_are_those_of_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
