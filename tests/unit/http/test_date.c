/* Dates, written and read. */
#include "http/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void check_date(int64_t seconds, const char *wanted)
{
    char date[CV_DATE_LEN + 1] = {0};
    date[CV_DATE_LEN] = '!';
    cv_date_write(date, seconds);
    assert_int_equal(date[CV_DATE_LEN], '!');
    date[CV_DATE_LEN] = '\0';
    assert_string_equal(date, wanted);
}

static void test_dates_are_imf_fixdates(void **state)
{
    (void)state;
    check_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    check_date(951782399, "Mon, 28 Feb 2000 23:59:59 GMT");
    check_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check_date(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
    check_date(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
}

static void test_dates_outside_of_four_digits_are_the_nearest_inside(void **state)
{
    (void)state;
    check_date(-1, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_date(INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_date(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_date(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void test_dates_agree_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t seconds = 0; seconds < 253402300799; seconds += 8640007 * INT64_C(7)) {
        char wanted[64];
        time_t at = (time_t)seconds;
        struct tm tm;
        strftime(wanted, sizeof(wanted), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
        check_date(seconds, wanted);
    }
}

#define NOW INT64_C(1795582439) /* November 2026 */

static int64_t read_date(const char *text)
{
    int64_t seconds = -1;
    return cv_date_read(cv_span_str(text), NOW, &seconds) ? seconds : INT64_MIN;
}

static void test_the_three_forms_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(read_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(read_date("Sun Nov  6 08:49:37 1994"), 784111777);
    assert_int_equal(read_date("Sun Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
    assert_int_equal(read_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(read_date("Wed, 31 Dec 1969 23:59:59 GMT"), -1);
    assert_int_equal(read_date("Fri, 31 Dec 9999 23:59:59 GMT"), 253402300799);
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    for (int64_t seconds = 0; seconds < 253402300799; seconds += 8640007 * INT64_C(7)) {
        char text[CV_DATE_LEN + 1] = {0};
        cv_date_write(text, seconds);
        assert_int_equal(read_date(text), seconds);
    }
}

static void test_two_digits_mean_at_most_50_years_ahead(void **state)
{
    (void)state;
    assert_int_equal(read_date("Tuesday, 01-Jan-76 00:00:00 GMT"), 3345062400); /* 2076 */
    assert_int_equal(read_date("Tuesday, 01-Jan-77 00:00:00 GMT"), 220924800);  /* 1977 */
    assert_int_equal(read_date("Tuesday, 01-Jan-27 00:00:00 GMT"), 1798761600);
}

static void test_leap_days_and_leap_seconds_exist(void **state)
{
    (void)state;
    assert_int_equal(read_date("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
    assert_int_equal(read_date("Tue, 29 Feb 2100 00:00:00 GMT"), INT64_MIN);
    assert_int_equal(read_date("Tue, 29 Feb 2023 00:00:00 GMT"), INT64_MIN);
    assert_int_equal(read_date("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);
}

static void test_anything_else_is_no_date(void **state)
{
    static const char *const wrong[] = {
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Non 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(read_date(wrong[i]), INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_are_imf_fixdates),
        cmocka_unit_test(test_dates_outside_of_four_digits_are_the_nearest_inside),
        cmocka_unit_test(test_dates_agree_with_the_c_library),
        cmocka_unit_test(test_the_three_forms_are_read),
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_two_digits_mean_at_most_50_years_ahead),
        cmocka_unit_test(test_leap_days_and_leap_seconds_exist),
        cmocka_unit_test(test_anything_else_is_no_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
