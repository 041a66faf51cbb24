/* Waits, wakes, cancelling and shields. */
#include "unit/loop/rig.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

static int pair[2];
static int result; /* of the wait last made by a fiber */
static int returns;
static unsigned turns_taken; /* by that wait */

static int open_rig(void **state)
{
    (void)state;
    result = 12345;
    returns = 0;
    rig_open(100);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close();
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int64_t in_ms(int64_t ms)
{
    return cv_clock_ns() + ms * CV_MS;
}

/* Every wait, so that what is true of all is tested with all. */
static int wait_yield(void)
{
    return cv_fiber_yield();
}

static int wait_sleep(void)
{
    return cv_fiber_sleep(3600 * CV_SECOND);
}

static int wait_no_sleep(void)
{
    return cv_fiber_sleep(0);
}

static int wait_park(void)
{
    return cv_fiber_park(CV_NEVER);
}

static int wait_park_with_limit(void)
{
    return cv_fiber_park(in_ms(3600 * 1000));
}

static int wait_fd(void)
{
    return cv_fiber_wait_fd(pair[0], CV_READ, CV_NEVER);
}

enum { YIELD, NO_SLEEP, SLEEP, PARK, PARK_WITH_LIMIT, FD, WAITS, SUSPENDING = SLEEP };

static int (*const waits[WAITS])(void) = {
    [YIELD] = wait_yield, [NO_SLEEP] = wait_no_sleep,
    [SLEEP] = wait_sleep, [PARK] = wait_park,
    [FD] = wait_fd,       [PARK_WITH_LIMIT] = wait_park_with_limit,
};

static void note(int rc)
{
    result = rc;
    returns++;
}

static void once(void *arg)
{
    unsigned before = rig.turns;
    note(waits[(intptr_t)arg]());
    turns_taken = rig.turns - before;
}

static struct cv_fiber *start_wait(int which)
{
    return rig_start(once, (void *)(intptr_t)which);
}

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

static void test_fd_wait_checks_its_arguments(void **state);

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

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

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
