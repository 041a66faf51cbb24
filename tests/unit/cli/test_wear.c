#include "cli/life/wear.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char reason[CV_WEAR_REASON_BYTES];

static struct cv_wear make(struct cv_wear_limits limits, uint64_t random)
{
    struct cv_wear wear;
    cv_wear_init(&wear, &limits, CV_SECOND, random);
    return wear;
}

static void test_without_limits_nothing_is_ever_enough(void **state)
{
    (void)state;
    struct cv_wear wear = make((struct cv_wear_limits){0, -1, -1}, 7);
    assert_int_equal(cv_wear_look(&wear, UINT64_MAX, INT64_MAX, INT64_MAX - 1, reason), 0);
    struct cv_wear before_init = {0}; /* the loop turns before the worker is ready */
    assert_int_equal(cv_wear_look(&before_init, UINT64_MAX, INT64_MAX, CV_SECOND, reason), 0);
}

static void test_requests(void **state)
{
    (void)state;
    struct cv_wear wear = make((struct cv_wear_limits){.requests = 5}, 7); /* too few for jitter */
    assert_int_equal(cv_wear_look(&wear, 4, 0, CV_SECOND, reason), 0);
    assert_int_equal(cv_wear_look(&wear, 5, 0, CV_SECOND, reason), 1);
    assert_non_null(strstr(reason, "5 requests (MAX_REQUESTS)"));
}

static void test_age_counts_from_the_start(void **state)
{
    (void)state;
    struct cv_wear wear = make((struct cv_wear_limits){.age = 9}, 7);
    assert_int_equal(wear.spent_at, CV_SECOND + 9);
    assert_int_equal(cv_wear_look(&wear, 0, 0, CV_SECOND + 8, reason), 0);
    assert_int_equal(cv_wear_look(&wear, 0, 0, CV_SECOND + 9, reason), 1);
    assert_non_null(strstr(reason, "MAX_AGE"));
}

static void test_memory(void **state)
{
    (void)state;
    struct cv_wear wear = make((struct cv_wear_limits){.memory = 8}, 7);
    assert_int_equal(cv_wear_look(&wear, 0, 7, CV_SECOND, reason), 0);
    assert_int_equal(cv_wear_look(&wear, 0, -2, CV_SECOND, reason), 0); /* cannot be read */
    assert_int_equal(cv_wear_look(&wear, 0, 8, CV_SECOND, reason), 1);
    assert_non_null(strstr(reason, "MAX_MEMORY"));
}

static void test_jitter_takes_up_to_a_tenth_off(void **state)
{
    (void)state;
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (uint64_t random = 0; random < 1000; random++) {
        struct cv_wear wear = make((struct cv_wear_limits){.requests = 1000}, random);
        least = wear.limits.requests < least ? wear.limits.requests : least;
        most = wear.limits.requests > most ? wear.limits.requests : most;
    }
    assert_in_range(least, 900, 905);
    assert_in_range(most, 995, 1000);
}

static void test_own_memory_is_known(void **state)
{
    (void)state;
    assert_in_range(cv_wear_memory(), 100 << 10, (int64_t)64 << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_limits_nothing_is_ever_enough),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_age_counts_from_the_start),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_jitter_takes_up_to_a_tenth_off),
        cmocka_unit_test(test_own_memory_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
