/* How often a thing is told of, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "serve/tally.h"

#define BEGIN (1000 * CV_SECOND)

static void test_the_first_is_told_and_no_number_is_due(void **state)
{
    (void)state;
    struct cv_tally tally = {0};
    assert_int_equal(cv_tally_due(&tally), CV_NEVER);
    assert_true(cv_tally_note(&tally, BEGIN));
    assert_int_equal(cv_tally_due(&tally), CV_NEVER);
}

static void test_what_follows_is_a_number_at_the_end_of_the_span(void **state)
{
    (void)state;
    struct cv_tally tally = {0};
    assert_true(cv_tally_note(&tally, BEGIN));
    for (int i = 1; i <= 1234; i++)
        assert_false(cv_tally_note(&tally, BEGIN + i * CV_MS));
    assert_int_equal(cv_tally_due(&tally), BEGIN + CV_TALLY_SPAN);
    assert_int_equal(cv_tally_take(&tally, BEGIN + CV_TALLY_SPAN), 1234);
    assert_int_equal(cv_tally_due(&tally), CV_NEVER);
}

static void test_while_it_goes_on_only_numbers_are_told(void **state)
{
    (void)state;
    struct cv_tally tally = {0};
    unsigned told = 0;
    uint64_t number = 0;
    for (int64_t now = BEGIN; now < BEGIN + 100 * CV_SECOND; now += 100 * CV_MS) {
        if (cv_tally_due(&tally) <= now)
            number += cv_tally_take(&tally, now);
        told += cv_tally_note(&tally, now);
    }
    number += cv_tally_take(&tally, BEGIN + 100 * CV_SECOND);
    assert_int_equal(told, 1);
    assert_int_equal(told + number, 1000);
}

static void test_after_a_quiet_span_the_next_is_told_again(void **state)
{
    (void)state;
    struct cv_tally tally = {0};
    assert_true(cv_tally_note(&tally, BEGIN));
    assert_false(cv_tally_note(&tally, BEGIN + CV_TALLY_SPAN - 1));
    assert_int_equal(cv_tally_take(&tally, BEGIN + CV_TALLY_SPAN), 1);
    assert_true(cv_tally_note(&tally, BEGIN + 2 * CV_TALLY_SPAN));
}

/* The timer is coarse: what comes between the end of a span and the call is of it. */
static void test_a_number_that_is_overdue_grows(void **state)
{
    (void)state;
    struct cv_tally tally = {0};
    assert_true(cv_tally_note(&tally, BEGIN));
    assert_false(cv_tally_note(&tally, BEGIN + 1));
    assert_false(cv_tally_note(&tally, BEGIN + CV_TALLY_SPAN + 1));
    assert_int_equal(cv_tally_take(&tally, BEGIN + CV_TALLY_SPAN + 2), 2);
}

static void test_the_last_number_is_taken_at_the_end_of_time(void **state)
{
    (void)state;
    struct cv_tally tally = {0};
    assert_true(cv_tally_note(&tally, BEGIN));
    assert_false(cv_tally_note(&tally, BEGIN + 1));
    assert_int_equal(cv_tally_take(&tally, CV_NEVER), 1);
    assert_false(cv_tally_note(&tally, BEGIN + 100 * CV_TALLY_SPAN)); /* nothing comes after it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_is_told_and_no_number_is_due),
        cmocka_unit_test(test_what_follows_is_a_number_at_the_end_of_the_span),
        cmocka_unit_test(test_while_it_goes_on_only_numbers_are_told),
        cmocka_unit_test(test_after_a_quiet_span_the_next_is_told_again),
        cmocka_unit_test(test_a_number_that_is_overdue_grows),
        cmocka_unit_test(test_the_last_number_is_taken_at_the_end_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
