/* Patience and rate, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "serve/speed.h"

#define BEGIN (77 * CV_SECOND)

static const struct cv_speed_limits off = {.patience = -1, .rate = -1, .span = 10000};

/* Looks each half second, in which `bytes` have come; what ends it, and when in ms. */
static enum cv_speed_verdict run(const struct cv_speed_limits *limits, uint64_t bytes,
                                 int64_t length, int64_t *ret_at)
{
    struct cv_speed speed;
    cv_speed_begin(&speed, BEGIN, 0);
    for (int64_t ms = 500; ms <= length; ms += 500) {
        cv_speed_add(&speed, bytes);
        *ret_at = ms;
        enum cv_speed_verdict verdict = cv_speed_look(&speed, limits, BEGIN + ms * CV_MS, 0);
        if (verdict != CV_SPEED_FINE)
            return verdict;
    }
    return CV_SPEED_FINE;
}

static void test_without_limits_nothing_ends_it(void **state)
{
    (void)state;
    int64_t at = 0;
    assert_int_equal(run(&off, 0, 1000000, &at), CV_SPEED_FINE);
}

static void test_a_patience_for_all_of_it_ends_however_much_comes(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    int64_t at = 0;
    limits.patience = 3000;
    assert_int_equal(run(&limits, 1 << 20, 1000000, &at), CV_SPEED_LATE);
    assert_int_equal(at, 3000);
}

static void test_a_patience_for_pauses_begins_anew_with_each_byte(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    int64_t at = 0;
    limits.patience = 3000;
    limits.anew = true;
    assert_int_equal(run(&limits, 1, 1000000, &at), CV_SPEED_FINE);
    assert_int_equal(run(&limits, 0, 1000000, &at), CV_SPEED_LATE);
    assert_int_equal(at, 3000);
}

static void test_a_rate_is_that_of_whole_spans(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    int64_t at = 0;
    limits.rate = 240;
    assert_int_equal(run(&limits, 120, 1000000, &at), CV_SPEED_FINE);
    assert_int_equal(run(&limits, 119, 1000000, &at), CV_SPEED_SLOW);
    assert_int_equal(at, 10000);
}

static void test_a_fast_beginning_is_no_credit_for_ever(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    struct cv_speed speed;
    limits.rate = 240;
    cv_speed_begin(&speed, BEGIN, 0);
    cv_speed_add(&speed, 100 << 20);
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 10 * CV_SECOND, 0), CV_SPEED_FINE);
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 19 * CV_SECOND, 0), CV_SPEED_FINE);
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 20 * CV_SECOND, 0), CV_SPEED_SLOW);
}

static void test_who_could_do_no_more_has_a_span_from_then_on(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    struct cv_speed speed;
    limits.rate = 240;
    cv_speed_begin(&speed, BEGIN, 0);
    cv_speed_excuse(&speed, BEGIN + 9 * CV_SECOND);
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 18 * CV_SECOND, 0), CV_SPEED_FINE);
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 19 * CV_SECOND, 0), CV_SPEED_SLOW);
}

/* What the kernel has taken is not what the peer has: 1,000 bytes more lie there at each look. */
static void test_what_lies_in_the_kernel_has_not_moved(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    struct cv_speed speed;
    limits.patience = 2000;
    limits.anew = true;
    cv_speed_begin(&speed, BEGIN, CV_SPEED_UNKNOWN);
    enum cv_speed_verdict verdict = CV_SPEED_FINE;
    uint32_t queued = 50000;
    for (int64_t ms = 500; ms < 2000; ms += 500, queued += 1000) {
        verdict = cv_speed_look(&speed, &limits, BEGIN + ms * CV_MS, queued);
        assert_int_equal(verdict, CV_SPEED_FINE);
        cv_speed_add(&speed, 1000);
    }
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 2 * CV_SECOND, queued), CV_SPEED_LATE);
}

static void test_what_leaves_the_kernel_has_moved_though_nothing_was_sent(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    struct cv_speed speed;
    limits.patience = 2000;
    limits.anew = true;
    limits.rate = 240;
    cv_speed_begin(&speed, BEGIN, CV_SPEED_UNKNOWN);
    uint32_t queued = 1000000;
    for (int64_t ms = 500; ms < 60000; ms += 500, queued -= 130)
        assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + ms * CV_MS, queued), CV_SPEED_FINE);
}

static void test_more_than_can_be_counted_is_enough(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    struct cv_speed speed;
    limits.rate = INT64_MAX;
    cv_speed_begin(&speed, BEGIN, 0);
    for (int i = 0; i < 5; i++)
        cv_speed_add(&speed, UINT32_MAX - 1);
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 10 * CV_SECOND, 0), CV_SPEED_FINE);
    assert_int_equal(cv_speed_look(&speed, &limits, BEGIN + 20 * CV_SECOND, 0), CV_SPEED_SLOW);
}

static void test_the_clock_may_wrap(void **state)
{
    (void)state;
    struct cv_speed_limits limits = off;
    struct cv_speed speed;
    int64_t begin = ((INT64_C(1) << 32) - 100) * CV_MS;
    limits.patience = 1000;
    cv_speed_begin(&speed, begin, 0);
    assert_int_equal(cv_speed_look(&speed, &limits, begin + 999 * CV_MS, 0), CV_SPEED_FINE);
    assert_int_equal(cv_speed_look(&speed, &limits, begin + 1000 * CV_MS, 0), CV_SPEED_LATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_limits_nothing_ends_it),
        cmocka_unit_test(test_a_patience_for_all_of_it_ends_however_much_comes),
        cmocka_unit_test(test_a_patience_for_pauses_begins_anew_with_each_byte),
        cmocka_unit_test(test_a_rate_is_that_of_whole_spans),
        cmocka_unit_test(test_a_fast_beginning_is_no_credit_for_ever),
        cmocka_unit_test(test_who_could_do_no_more_has_a_span_from_then_on),
        cmocka_unit_test(test_what_lies_in_the_kernel_has_not_moved),
        cmocka_unit_test(test_what_leaves_the_kernel_has_moved_though_nothing_was_sent),
        cmocka_unit_test(test_more_than_can_be_counted_is_enough),
        cmocka_unit_test(test_the_clock_may_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
