/* Waits and wakes. Cancelling them: test_fiber_wait_cancel.c. */
#include "unit/loop/waits.h"

#include <fcntl.h>

/* ---- Off a fiber ---- */

static void test_waits_off_a_fiber_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < WAITS; i++)
        assert_int_equal(waits[i](), -EPERM);
    assert_int_equal(cv_fiber_park_uncancellable(), -EPERM);
    assert_int_equal(cv_fiber_shield(CV_SECOND), -EPERM);
}

/* ---- Yield, sleep, park ---- */

static void test_yield_takes_one_pass(void **state)
{
    (void)state;
    start_wait(YIELD);
    assert_int_equal(returns, 0);
    assert_true(cv_fibers_ready(rig.fibers));
    rig_finish();
    assert_int_equal(result, 0);
    assert_int_equal(rig.turns, 1);
}

static void sleep_3_ms(void *arg)
{
    int64_t before = cv_clock_ns();
    note(cv_fiber_sleep(3 * CV_MS));
    assert_true(cv_clock_ns() - before >= 3 * CV_MS);
    (void)arg;
}

static void test_sleep_lasts_as_long_as_asked(void **state)
{
    (void)state;
    rig_start(sleep_3_ms, NULL);
    assert_false(cv_fibers_ready(rig.fibers));
    rig_finish();
    assert_int_equal(result, 0);
}

static void compute_then_sleep(void *arg)
{
    int64_t until = in_ms(5);
    while (cv_clock_ns() < until)
        ;
    sleep_3_ms(arg);
}

static void test_sleep_counts_from_the_call_not_from_the_step(void **state)
{
    (void)state;
    rig_start(compute_then_sleep, NULL);
    rig_finish();
    assert_int_equal(result, 0);
}

static void sleep_for_ever(void *arg)
{
    (void)arg;
    note(cv_fiber_sleep(INT64_MAX));
}

static void test_endless_sleep_does_not_overflow(void **state)
{
    (void)state;
    struct cv_fiber *fiber = rig_start(sleep_for_ever, NULL);
    rig_poll();
    assert_int_equal(returns, 0);
    cv_fiber_cancel(fiber, 1);
    rig_finish();
    assert_int_equal(result, -ECANCELED);
}

static void park_until_the_past(void *arg)
{
    (void)arg;
    note(cv_fiber_park(1));
}

static void test_park_in_the_past_times_out_after_a_pass(void **state)
{
    (void)state;
    rig_start(park_until_the_past, NULL);
    assert_int_equal(returns, 0);
    rig_finish();
    assert_int_equal(result, -ETIMEDOUT);
}

static void test_wake_gives_its_result_to_the_parked_fiber(void **state)
{
    (void)state;
    struct cv_fiber *fiber = start_wait(PARK);
    assert_true(cv_fiber_is_waiting(fiber));
    cv_fiber_wake(fiber, -77);
    assert_false(cv_fiber_is_waiting(fiber));
    assert_int_equal(returns, 0);
    rig_finish();
    assert_int_equal(result, -77);
}

static void wake_self_then_park(void *arg)
{
    (void)arg;
    cv_fiber_wake(cv_fiber_self(), 5);
    note(cv_fiber_park(CV_NEVER));
    assert_int_equal(rig.turns, 0);
    cv_fiber_wake(cv_fiber_self(), 6);
    note(cv_fiber_park_uncancellable());
    note(cv_fiber_park(in_ms(1)));
}

static void test_wake_before_the_wait_is_kept_for_one_wait(void **state)
{
    (void)state;
    rig_start(wake_self_then_park, NULL);
    assert_int_equal(returns, 2);
    assert_int_equal(result, 6);
    rig_finish();
    assert_int_equal(result, -ETIMEDOUT);
}

static void sleep_then_park(void *arg)
{
    (void)arg;
    sleep_3_ms(NULL);
    note(cv_fiber_park(CV_NEVER));
}

static void test_wake_does_not_end_another_wait_and_is_kept(void **state)
{
    (void)state;
    struct cv_fiber *fiber = rig_start(sleep_then_park, NULL);
    cv_fiber_wake(fiber, 9);
    rig_finish();
    assert_int_equal(returns, 2);
    assert_int_equal(result, 9);
}

static void test_woken_wait_leaves_no_timer(void **state)
{
    (void)state;
    struct cv_fiber *fiber = start_wait(PARK_WITH_LIMIT);
    assert_true(cv_loop_deadline(rig.loop) < CV_NEVER);
    cv_fiber_wake(fiber, 0);
    assert_true(cv_loop_deadline(rig.loop) == CV_NEVER);
    rig_finish();
}

/* ---- Descriptors ---- */

static void bad_arguments(void *arg)
{
    (void)arg;
    assert_int_equal(cv_fiber_wait_fd(-1, CV_READ, CV_NEVER), -EBADF);
    assert_int_equal(cv_fiber_wait_fd(pair[0], 0, CV_NEVER), -EINVAL);
    assert_int_equal(cv_fiber_wait_fd(pair[0], CV_READ | CV_EDGE, CV_NEVER), -EINVAL);
    note(0);
}

static void test_fd_wait_checks_its_arguments(void **state)
{
    (void)state;
    rig_start(bad_arguments, NULL);
    assert_int_equal(returns, 1);
}

static void test_two_fibers_cannot_wait_on_one_fd(void **state)
{
    (void)state;
    start_wait(FD);
    start_wait(FD);
    assert_int_equal(returns, 1);
    assert_int_equal(result, -EBUSY);
    assert_int_equal(write(pair[1], "x", 1), 1);
    rig_finish();
    assert_int_equal(returns, 2);
    assert_int_equal(result, CV_READ);
    start_wait(FD);
    rig_finish();
    assert_int_equal(result, CV_READ);
}

static void want_both(void *arg)
{
    (void)arg;
    note(cv_fiber_wait_fd(pair[0], CV_READ | CV_WRITE, CV_NEVER));
}

static void test_fd_wait_gives_what_is_ready(void **state)
{
    (void)state;
    rig_start(want_both, NULL);
    rig_finish();
    assert_int_equal(result, CV_WRITE);
    assert_int_equal(write(pair[1], "x", 1), 1);
    rig_start(want_both, NULL);
    rig_finish();
    assert_int_equal(result, CV_READ | CV_WRITE);
}

static void test_hang_up_counts_as_what_was_asked(void **state)
{
    (void)state;
    start_wait(FD);
    close(pair[1]);
    pair[1] = -1;
    rig_finish();
    assert_int_equal(result, CV_READ);
}

static void wait_fd_5_ms(void *arg)
{
    (void)arg;
    note(cv_fiber_wait_fd(pair[0], CV_READ, in_ms(5)));
    note(cv_fiber_wait_fd(pair[0], CV_READ, 1));
}

static void test_fd_wait_times_out(void **state)
{
    (void)state;
    rig_start(wait_fd_5_ms, NULL);
    rig_finish();
    assert_int_equal(returns, 2);
    assert_int_equal(result, -ETIMEDOUT);
}

static void wait_fd_now(void *arg)
{
    (void)arg;
    note(cv_fiber_wait_fd(pair[0], CV_READ, 1));
}

static void test_readiness_wins_over_a_deadline_in_the_same_step(void **state)
{
    (void)state;
    assert_int_equal(write(pair[1], "x", 1), 1);
    rig_start(wait_fd_now, NULL);
    rig_finish();
    assert_int_equal(result, CV_READ);
}

static void wait_file(void *arg)
{
    note(cv_fiber_wait_fd(*(int *)arg, CV_READ, CV_NEVER));
}

static void test_regular_file_is_always_ready(void **state)
{
    (void)state;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    rig_start(wait_file, &fd);
    rig_finish();
    assert_int_equal(result, CV_READ);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_waits_off_a_fiber_are_refused),
        WITH_RIG(test_yield_takes_one_pass),
        WITH_RIG(test_sleep_lasts_as_long_as_asked),
        WITH_RIG(test_sleep_counts_from_the_call_not_from_the_step),
        WITH_RIG(test_endless_sleep_does_not_overflow),
        WITH_RIG(test_park_in_the_past_times_out_after_a_pass),
        WITH_RIG(test_wake_gives_its_result_to_the_parked_fiber),
        WITH_RIG(test_wake_before_the_wait_is_kept_for_one_wait),
        WITH_RIG(test_wake_does_not_end_another_wait_and_is_kept),
        WITH_RIG(test_woken_wait_leaves_no_timer),
        WITH_RIG(test_fd_wait_checks_its_arguments),
        WITH_RIG(test_two_fibers_cannot_wait_on_one_fd),
        WITH_RIG(test_fd_wait_gives_what_is_ready),
        WITH_RIG(test_hang_up_counts_as_what_was_asked),
        WITH_RIG(test_fd_wait_times_out),
        WITH_RIG(test_readiness_wins_over_a_deadline_in_the_same_step),
        WITH_RIG(test_regular_file_is_always_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
