#include "supervise/containment/oom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_one_step_of_the_counter_explains_one_death(void **state)
{
    (void)state;
    struct cv_oom oom = {.counter = -1, .is_ours = true, .blamed = 5};
    assert_int_equal(cv_oom_weigh(&oom, 5, 5), CV_OOM_NO);
    assert_int_equal(cv_oom_weigh(&oom, 5, 7), CV_OOM_YES); /* two have died */
    assert_int_equal(cv_oom_weigh(&oom, 5, 7), CV_OOM_YES);
    assert_int_equal(cv_oom_weigh(&oom, 5, 7), CV_OOM_NO); /* the third by somebody's kill -9 */
}

static void test_what_happened_before_a_birth_explains_no_death(void **state)
{
    (void)state;
    struct cv_oom oom = {.counter = -1, .is_ours = true, .blamed = 0};
    assert_int_equal(cv_oom_weigh(&oom, 9, 9), CV_OOM_NO);
    assert_int_equal(cv_oom_weigh(&oom, 9, 10), CV_OOM_YES);
    assert_int_equal(oom.blamed, 10);
}

static void test_the_machines_counter_is_only_likely_to_be_about_us(void **state)
{
    (void)state;
    struct cv_oom oom = {.counter = -1, .is_ours = false, .blamed = 0};
    assert_int_equal(cv_oom_weigh(&oom, 0, 1), CV_OOM_LIKELY);
    assert_int_equal(cv_oom_weigh(&oom, 0, 1), CV_OOM_NO);
}

static void test_without_a_counter_nothing_is_known(void **state)
{
    (void)state;
    struct cv_oom oom = {.counter = -1};
    assert_int_equal(cv_oom_judge(&oom, 0), CV_OOM_UNKNOWN);
    assert_int_equal(cv_oom_count(&oom), 0);
}

static void test_this_machine_has_a_counter(void **state)
{
    (void)state;
    struct cv_oom oom;
    cv_oom_open(&oom);
    if (oom.counter < 0)
        skip();
    assert_int_equal(cv_oom_judge(&oom, UINT64_MAX), CV_OOM_NO);
    cv_oom_close(&oom);
    cv_oom_close(&oom);
    assert_int_equal(oom.counter, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_step_of_the_counter_explains_one_death),
        cmocka_unit_test(test_what_happened_before_a_birth_explains_no_death),
        cmocka_unit_test(test_the_machines_counter_is_only_likely_to_be_about_us),
        cmocka_unit_test(test_without_a_counter_nothing_is_known),
        cmocka_unit_test(test_this_machine_has_a_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
