/* Range fields. */
#include "http/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* "0+2 5+1" for the ranges that are found, "ignored" or "416". */
static const char *ranges_of(const char *field, uint64_t size)
{
    static char text[1024];
    struct cv_range ranges[CV_RANGES_MAX];
    int n = cv_range_read(cv_span_str(field), size, ranges);
    if (n <= 0)
        return n == 0 ? "ignored" : n == -416 ? "416" : "?";
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu+%llu", i > 0 ? " " : "",
                                (unsigned long long)ranges[i].first,
                                (unsigned long long)ranges[i].len);
    return text;
}

static void test_one_range(void **state)
{
    (void)state;
    assert_string_equal(ranges_of("bytes=0-0", 10), "0+1");
    assert_string_equal(ranges_of("bytes=0-9", 10), "0+10");
    assert_string_equal(ranges_of("bytes=2-5", 10), "2+4");
    assert_string_equal(ranges_of("BYTES=2-", 10), "2+8");
    assert_string_equal(ranges_of("bytes=-3", 10), "7+3");
    assert_string_equal(ranges_of("bytes= 2-5 ", 10), "2+4");
}

static void test_what_reaches_past_the_end_is_cut(void **state)
{
    (void)state;
    assert_string_equal(ranges_of("bytes=9-10", 10), "9+1");
    assert_string_equal(ranges_of("bytes=-11", 10), "0+10");
    assert_string_equal(ranges_of("bytes=5-18446744073709551615", 10), "5+5");
    assert_string_equal(ranges_of("bytes=5-99999999999999999999999999", 10), "5+5");
    assert_string_equal(ranges_of("bytes=-99999999999999999999999999", 10), "0+10");
    assert_string_equal(ranges_of("bytes=0-", UINT64_MAX), "0+18446744073709551615");
}

static void test_nothing_there_is_416(void **state)
{
    (void)state;
    assert_string_equal(ranges_of("bytes=10-", 10), "416");
    assert_string_equal(ranges_of("bytes=10-10", 10), "416");
    assert_string_equal(ranges_of("bytes=-0", 10), "416");
    assert_string_equal(ranges_of("bytes=-0, 20-30", 10), "416");
    assert_string_equal(ranges_of("bytes=99999999999999999999999999-", 10), "416");
}

static void test_several_ranges_keep_their_order(void **state)
{
    (void)state;
    assert_string_equal(ranges_of("bytes=0-0,2-2", 10), "0+1 2+1");
    assert_string_equal(ranges_of("bytes=8-, 0-1 ,\t-1", 11), "8+3 0+2 10+1");
    assert_string_equal(ranges_of("bytes=,0-0,,2-2,", 10), "0+1 2+1");
    assert_string_equal(ranges_of("bytes=0-0,20-", 10), "0+1");
}

static void test_more_than_the_whole_is_ignored(void **state)
{
    (void)state;
    assert_string_equal(ranges_of("bytes=0-9,0-0", 10), "ignored");
    assert_string_equal(ranges_of("bytes=0-4,5-9", 10), "0+5 5+5");
    assert_string_equal(ranges_of("bytes=0-,0-,0-,0-", 10), "ignored");
    assert_string_equal(ranges_of("bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,"
                                  "12-12,13-13,14-14,15-15,16-16",
                                  100),
                        "ignored");
}

static void test_malformed_fields_are_416(void **state)
{
    static const char *const wrong[] = {
        "",           "bytes",           "bytes=",        "bytes=,",
        "bytes=-",    "bytes=a-",        "=0-1",          "bytes=0",
        "bytes=5-2",  "bytes=0-1x",      "bytes=0--1",    "bytes 0-1",
        "bytes=+1-2", "bytes=1 -2",      "bytes=0-1;2-3", "bytes=0-1, x",
        "0-1",        "bytes==0-1",      "bytes=0x0-1",   "bytes =0-1",
        "b(s=0-1",    "bytes=0-9,0-0,x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_string_equal(ranges_of(wrong[i], 10), "416");
        assert_string_equal(ranges_of(wrong[i], 0), "416");
    }
}

static void test_other_units_are_ignored(void **state)
{
    (void)state;
    assert_string_equal(ranges_of("items=0-1", 10), "ignored");
    assert_string_equal(ranges_of("bytess=x", 10), "ignored");
}

static void test_an_empty_representation_has_no_parts(void **state)
{
    (void)state;
    assert_string_equal(ranges_of("bytes=0-", 0), "ignored");
    assert_string_equal(ranges_of("bytes=-1", 0), "ignored");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_range),
        cmocka_unit_test(test_what_reaches_past_the_end_is_cut),
        cmocka_unit_test(test_nothing_there_is_416),
        cmocka_unit_test(test_several_ranges_keep_their_order),
        cmocka_unit_test(test_more_than_the_whole_is_ignored),
        cmocka_unit_test(test_malformed_fields_are_416),
        cmocka_unit_test(test_other_units_are_ignored),
        cmocka_unit_test(test_an_empty_representation_has_no_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
