/* Waits of fibers that are cancelled, with and without a shield. */
#include "unit/loop/waits.h"

#include <time.h>

/* ---- Cancelling ---- */

static void test_cancelling_ends_every_pending_wait_after_one_pass(void **state)
{
    (void)state;
    for (int i = SUSPENDING; i < WAITS; i++) {
        returns = 0;
        struct cv_fiber *fiber = start_wait(i);
        rig_poll();
        assert_true(cv_fiber_is_waiting(fiber));
        cv_fiber_cancel(fiber, 1);
        assert_int_equal(returns, 0);
        assert_int_equal(cv_fiber_refusals(fiber), 0);
        rig_finish();
        assert_int_equal(returns, 1);
        assert_int_equal(result, -ECANCELED);
        assert_int_equal(turns_taken, 2);
        assert_true(cv_loop_deadline(rig.loop) == CV_NEVER);
    }
}

static void every_wait(void *arg)
{
    (void)arg;
    for (int i = 0; i < WAITS; i++) {
        unsigned before = rig.turns;
        assert_int_equal(waits[i](), -ECANCELED);
        assert_int_equal(rig.turns - before, 1);
        assert_int_equal(cv_fiber_refusals(cv_fiber_self()), i + 1);
    }
    note(0);
}

static void cancel_self_then_wait(void *arg)
{
    cv_fiber_cancel(cv_fiber_self(), 3);
    assert_int_equal(cv_fiber_cause(cv_fiber_self()), 3);
    every_wait(arg);
}

static void test_every_later_wait_is_refused_after_one_pass(void **state)
{
    (void)state;
    rig_start(cancel_self_then_wait, NULL);
    rig_finish();
    assert_int_equal(returns, 1);
}

static void test_first_cause_stays(void **state)
{
    (void)state;
    struct cv_fiber *fiber = start_wait(PARK);
    assert_int_equal(cv_fiber_cause(fiber), 0);
    cv_fiber_cancel(fiber, 2);
    cv_fiber_cancel(fiber, 1);
    assert_int_equal(cv_fiber_cause(fiber), 2);
    rig_finish();
    assert_int_equal(result, -ECANCELED);
}

static void wait_twice(void *arg)
{
    (void)arg;
    assert_int_equal(cv_fiber_park(CV_NEVER), 4);
    note(cv_fiber_park(CV_NEVER));
}

static void test_wait_that_was_over_keeps_its_result_and_the_next_is_refused(void **state)
{
    (void)state;
    struct cv_fiber *fiber = rig_start(wait_twice, NULL);
    cv_fiber_wake(fiber, 4);
    cv_fiber_cancel(fiber, 1);
    rig_finish();
    assert_int_equal(result, -ECANCELED);
}

static void stubborn(void *arg)
{
    while (cv_fiber_sleep(CV_SECOND) == -ECANCELED && cv_fiber_refusals(cv_fiber_self()) < 100)
        ;
    note((int)cv_fiber_refusals(cv_fiber_self()));
    (void)arg;
}

static void test_fiber_that_ignores_its_cancellation_starves_nobody(void **state)
{
    (void)state;
    struct cv_fiber *fiber = rig_start(stubborn, NULL);
    cv_fiber_cancel(fiber, 1);
    for (int i = 1; i < 100; i++) {
        rig_poll();
        assert_int_equal(cv_fiber_refusals(fiber), i);
    }
    rig_finish();
    assert_int_equal(result, 100);
}

static void uncancellable(void *arg)
{
    (void)arg;
    note(cv_fiber_park_uncancellable());
    note(cv_fiber_yield());
}

static void test_uncancellable_park_is_ended_by_a_wake_only(void **state)
{
    (void)state;
    struct cv_fiber *fiber = rig_start(uncancellable, NULL);
    assert_true(cv_fiber_is_waiting(fiber));
    cv_fiber_cancel(fiber, 1);
    rig_poll();
    assert_int_equal(returns, 0);
    cv_fiber_wake(fiber, 8);
    rig_poll();
    assert_int_equal(result, 8);
    rig_finish();
    assert_int_equal(result, -ECANCELED);
}

static void cancelled_with_a_wake(void *arg)
{
    (void)arg;
    struct cv_fiber *self = cv_fiber_self();
    cv_fiber_cancel(self, 1);
    cv_fiber_wake(self, 11);
    assert_int_equal(cv_fiber_park(CV_NEVER), -ECANCELED);
    note(cv_fiber_park_uncancellable());
}

static void test_refused_park_leaves_the_kept_wake(void **state)
{
    (void)state;
    rig_start(cancelled_with_a_wake, NULL);
    rig_finish();
    assert_int_equal(result, 11);
}

static struct cv_fiber *victim;

static void cancel_victim(void *arg)
{
    (void)arg;
    cv_fiber_cancel(victim, 1);
    assert_int_equal(returns, 0);
}

static void test_fiber_can_cancel_another(void **state)
{
    (void)state;
    victim = start_wait(FD);
    rig_start(cancel_victim, NULL);
    rig_finish();
    assert_int_equal(result, -ECANCELED);
}

/* ---- Shields ---- */

static void shield_twice(void *arg)
{
    (void)arg;
    assert_int_equal(cv_fiber_shield(CV_MS), 0);
    note(cv_fiber_shield(CV_MS));
}

static void test_shield_is_had_once(void **state)
{
    (void)state;
    rig_start(shield_twice, NULL);
    assert_int_equal(result, -EALREADY);
}

static void clean_up(void *arg)
{
    assert_int_equal(cv_fiber_park(CV_NEVER), -ECANCELED);
    assert_int_equal(cv_fiber_yield(), -ECANCELED);
    assert_int_equal(cv_fiber_shield(*(int64_t *)arg), 0);
    assert_int_equal(cv_fiber_yield(), 0);
    assert_int_equal(cv_fiber_sleep(CV_MS), 0);
    cv_fiber_wake(cv_fiber_self(), 21);
    assert_int_equal(cv_fiber_park(CV_NEVER), 21);
    assert_int_equal(cv_fiber_wait_fd(pair[0], CV_WRITE, CV_NEVER), CV_WRITE);
    assert_int_equal(cv_fiber_park(in_ms(1)), -ETIMEDOUT);
    assert_int_equal(cv_fiber_refusals(cv_fiber_self()), 2);
    note(0);
}

static void test_shield_after_cancelling_lets_waits_work_again(void **state)
{
    (void)state;
    int64_t plenty = 3600 * CV_SECOND;
    struct cv_fiber *fiber = rig_start(clean_up, &plenty);
    cv_fiber_cancel(fiber, 1);
    rig_finish();
    assert_int_equal(returns, 1);
}

static void overstay(void *arg)
{
    (void)arg;
    cv_fiber_cancel(cv_fiber_self(), 1);
    assert_int_equal(cv_fiber_shield(5 * CV_MS), 0);
    int64_t before = cv_clock_ns();
    assert_int_equal(cv_fiber_sleep(3600 * CV_SECOND), -ECANCELED);
    assert_true(cv_clock_ns() - before >= 4 * CV_MS);
    for (int i = 0; i < WAITS; i++)
        assert_int_equal(waits[i](), -ECANCELED);
    assert_int_equal(cv_fiber_refusals(cv_fiber_self()), 1 + WAITS);
    note(0);
}

static void test_shield_ends_a_wait_that_outlasts_it(void **state)
{
    (void)state;
    rig_start(overstay, NULL);
    rig_finish();
    assert_int_equal(returns, 1);
}

static void shielded_park(void *arg)
{
    int64_t *ns = arg;
    assert_int_equal(cv_fiber_shield(ns[0]), 0);
    note(cv_fiber_park(ns[1]));
}

static void test_shield_taken_before_starts_with_the_cancellation(void **state)
{
    (void)state;
    int64_t ns[] = {5 * CV_MS, CV_NEVER};
    struct cv_fiber *fiber = rig_start(shielded_park, ns);
    /* Longer than the shield, and it has not begun to count. */
    nanosleep(&(struct timespec){.tv_nsec = 7 * CV_MS}, NULL);
    rig_poll();
    assert_int_equal(returns, 0);
    int64_t before = cv_clock_ns();
    cv_fiber_cancel(fiber, 1);
    assert_true(cv_fiber_is_waiting(fiber));
    rig_finish();
    assert_int_equal(result, -ECANCELED);
    assert_true(cv_clock_ns() - before >= 5 * CV_MS);
}

static void test_shielded_wait_that_is_woken_in_time_succeeds(void **state)
{
    (void)state;
    int64_t ns[] = {3600 * CV_SECOND, CV_NEVER};
    struct cv_fiber *fiber = rig_start(shielded_park, ns);
    cv_fiber_cancel(fiber, 1);
    rig_poll();
    cv_fiber_wake(fiber, 31);
    rig_finish();
    assert_int_equal(result, 31);
    assert_true(cv_loop_deadline(rig.loop) == CV_NEVER);
}

static void test_own_deadline_before_the_shields_end_is_a_time_out(void **state)
{
    (void)state;
    int64_t ns[] = {3600 * CV_SECOND, in_ms(3)};
    struct cv_fiber *fiber = rig_start(shielded_park, ns);
    cv_fiber_cancel(fiber, 1);
    rig_finish();
    assert_int_equal(result, -ETIMEDOUT);
}

static void test_shield_of_nothing_protects_nothing(void **state)
{
    (void)state;
    int64_t ns[] = {0, CV_NEVER};
    struct cv_fiber *fiber = rig_start(shielded_park, ns);
    cv_fiber_cancel(fiber, 1);
    assert_false(cv_fiber_is_waiting(fiber));
    rig_finish();
    assert_int_equal(result, -ECANCELED);
}

static void test_shield_for_ever_does_not_overflow(void **state)
{
    (void)state;
    int64_t ns[] = {INT64_MAX, in_ms(2)};
    struct cv_fiber *fiber = rig_start(shielded_park, ns);
    cv_fiber_cancel(fiber, 1);
    rig_finish();
    assert_int_equal(result, -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_cancelling_ends_every_pending_wait_after_one_pass),
        WITH_RIG(test_every_later_wait_is_refused_after_one_pass),
        WITH_RIG(test_first_cause_stays),
        WITH_RIG(test_wait_that_was_over_keeps_its_result_and_the_next_is_refused),
        WITH_RIG(test_fiber_that_ignores_its_cancellation_starves_nobody),
        WITH_RIG(test_uncancellable_park_is_ended_by_a_wake_only),
        WITH_RIG(test_refused_park_leaves_the_kept_wake),
        WITH_RIG(test_fiber_can_cancel_another),
        WITH_RIG(test_shield_is_had_once),
        WITH_RIG(test_shield_after_cancelling_lets_waits_work_again),
        WITH_RIG(test_shield_ends_a_wait_that_outlasts_it),
        WITH_RIG(test_shield_taken_before_starts_with_the_cancellation),
        WITH_RIG(test_shielded_wait_that_is_woken_in_time_succeeds),
        WITH_RIG(test_own_deadline_before_the_shields_end_is_a_time_out),
        WITH_RIG(test_shield_of_nothing_protects_nothing),
        WITH_RIG(test_shield_for_ever_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
