/* Functions handed to the loop from other threads. */
#include "app/tasks/tasks.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct cv_loop *loop;
static struct cv_fibers *fibers;
static struct cv_tasks tasks;
static int n_run, n_canceled;

static int setup(void **state)
{
    (void)state;
    const struct cv_fibers_config config = {.max = 4};
    n_run = n_canceled = 0;
    if (cv_loop_new(&loop) < 0 || cv_fibers_new(loop, &config, &fibers) < 0)
        return -1;
    cv_tasks_init(&tasks, loop);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cv_tasks_done(&tasks);
    cv_fibers_free(fibers);
    cv_loop_free(loop);
    return 0;
}

static void run(void *arg)
{
    (void)arg;
    n_run++;
}

static void wait_long(void *arg)
{
    (void)arg;
    n_run++;
    n_canceled += cv_fiber_sleep(60 * CV_SECOND) == -ECANCELED;
}

static int add(void (*fn)(void *arg))
{
    return cv_tasks_add(&tasks, &(struct cv_task){.fn = fn});
}

static void run_ready(void)
{
    for (size_t n = cv_fibers_ready(fibers); n > 0; n--)
        cv_fibers_run_first(fibers);
}

static void turn(size_t max)
{
    assert_true(cv_loop_step(loop, 0) >= 0);
    cv_tasks_start(&tasks, fibers, max);
    run_ready();
}

static void test_more_than_may_wait_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < CV_TASKS_WAITING_MAX; i++)
        assert_int_equal(add(run), 0);
    assert_int_equal(add(run), -EAGAIN);
    turn(4);
    assert_int_equal(n_run, CV_TASKS_WAITING_MAX);
    assert_int_equal(add(run), 0);
    turn(4);
    assert_int_equal(n_run, CV_TASKS_WAITING_MAX + 1);
}

static void test_without_a_fiber_they_wait_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(add(wait_long), 0);
    assert_int_equal(add(run), 0);
    turn(2);
    assert_int_equal(n_run, 2);
    turn(2);
    assert_int_equal(n_run, 2);
    turn(4);
    assert_int_equal(n_run, 4);
    cv_tasks_close(&tasks, 1);
    turn(4);
    assert_int_equal(n_canceled, 3);
}

static void test_closing_cancels_what_runs_and_drops_what_waits(void **state)
{
    (void)state;
    assert_int_equal(add(wait_long), 0);
    turn(4);
    assert_int_equal(add(run), 0);
    cv_tasks_close(&tasks, 1);
    assert_int_equal(add(run), -ESHUTDOWN);
    turn(4);
    assert_int_equal(n_run, 1);
    assert_int_equal(n_canceled, 1);
    assert_int_equal(cv_fibers_count(fibers), 0);
}

static void *add_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        while (add(run) == -EAGAIN)
            continue;
    }
    return NULL;
}

static void test_threads_may_add_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    int64_t limit = cv_clock_ns() + 20 * CV_SECOND;
    while (n_run < 4000 && cv_clock_ns() < limit)
        turn(4);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(n_run, 4000);
}

static void test_what_comes_before_the_loop_waits_for_the_beginning(void **state)
{
    (void)state;
    cv_tasks_done(&tasks);
    cv_tasks_init(&tasks, NULL);
    assert_int_equal(add(run), 0);
    assert_int_equal(add(run), 0);
    turn(4);
    assert_int_equal(n_run, 0);
    cv_tasks_attach(&tasks, loop);
    assert_int_equal(add(run), 0);
    turn(4);
    assert_int_equal(n_run, 1); /* one that came later */
    assert_int_equal(cv_tasks_begin(&tasks), 0);
    turn(4);
    assert_int_equal(n_run, 3);
    assert_int_equal(cv_tasks_begin(&tasks), 0);
    turn(4);
    assert_int_equal(n_run, 3);
}

static void test_what_is_early_may_never_begin(void **state)
{
    (void)state;
    cv_tasks_done(&tasks);
    cv_tasks_init(&tasks, NULL);
    struct cv_task what = {.fn = run, .name = "early"};
    assert_int_equal(cv_tasks_add(&tasks, &what), 0);
    what.name = "late";
    assert_int_equal(cv_tasks_add(&tasks, &what), 0);
    cv_tasks_attach(&tasks, loop);
    assert_true(cv_tasks_has(&tasks, "early"));
    assert_int_equal(cv_tasks_cancel(&tasks, "early", 1), 0);
    assert_false(cv_tasks_has(&tasks, "early"));
    cv_tasks_close(&tasks, 1);
    assert_false(cv_tasks_has(&tasks, "late"));
    turn(4);
    assert_int_equal(n_run, 0);
}

/* ---- Names, times ---- */

static int n_dropped;

static void note_drop(void *arg)
{
    (void)arg;
    n_dropped++;
}

/* Turns until *n is at least `wanted`. */
static void turn_until(const int *n, int wanted)
{
    int64_t limit = cv_clock_ns() + 20 * CV_SECOND;
    while (*n < wanted && cv_clock_ns() < limit) {
        assert_true(cv_loop_step(loop, limit) >= 0);
        cv_tasks_start(&tasks, fibers, 4);
        run_ready();
    }
    assert_true(*n >= wanted);
}

static void test_a_name_is_taken_until_its_task_has_ended(void **state)
{
    (void)state;
    const struct cv_task named = {.fn = run, .name = "sweep"};
    assert_false(cv_tasks_has(&tasks, "sweep"));
    assert_int_equal(cv_tasks_add(&tasks, &named), 0);
    assert_true(cv_tasks_has(&tasks, "sweep"));
    assert_int_equal(cv_tasks_add(&tasks, &named), -EEXIST);
    turn(4);
    assert_false(cv_tasks_has(&tasks, "sweep"));
    assert_int_equal(cv_tasks_add(&tasks, &named), 0);
    turn(4);
    assert_int_equal(n_run, 2);
}

static void test_a_late_task_runs_behind_those_at_once(void **state)
{
    (void)state;
    const struct cv_task late = {.fn = run, .delay = 2 * CV_MS, .name = "late"};
    int64_t begun = cv_clock_ns();
    assert_int_equal(cv_tasks_add(&tasks, &late), 0);
    turn_until(&n_run, 1);
    assert_true(cv_clock_ns() - begun >= 2 * CV_MS);
    assert_false(cv_tasks_has(&tasks, "late"));
}

static void test_a_repeated_task_runs_until_it_is_canceled(void **state)
{
    (void)state;
    const struct cv_task tick = {.fn = run, .every = 1, .name = "tick", .drop = note_drop};
    n_dropped = 0;
    assert_int_equal(cv_tasks_add(&tasks, &tick), 0);
    turn_until(&n_run, 5);
    assert_int_equal(cv_tasks_cancel(&tasks, "tick", 1), 0);
    int before = n_run;
    turn(4);
    turn(4);
    assert_int_equal(n_run, before);
    assert_int_equal(n_dropped, 1);
    assert_int_equal(cv_tasks_cancel(&tasks, "tick", 1), -ENOENT);
}

static void end_itself(void *arg)
{
    (void)arg;
    if (++n_run == 3)
        n_canceled += cv_tasks_cancel(&tasks, "tick", 1) == 0;
}

static void test_a_repeated_task_may_end_itself(void **state)
{
    (void)state;
    const struct cv_task tick = {.fn = end_itself, .every = 1, .name = "tick"};
    assert_int_equal(cv_tasks_add(&tasks, &tick), 0);
    turn_until(&n_canceled, 1);
    assert_false(cv_tasks_has(&tasks, "tick"));
    assert_int_equal(n_run, 3);
}

/* A run that has missed ten beats is followed by one at the next, not by ten. */
static void be_slow(void *arg)
{
    (void)arg;
    if (++n_run == 1)
        (void)cv_fiber_sleep(20 * CV_MS);
    n_canceled += n_run == 2;
}

static void test_what_a_long_run_has_missed_is_left_out(void **state)
{
    (void)state;
    const struct cv_task slow = {.fn = be_slow, .every = 4 * CV_MS, .name = "slow"};
    int64_t begun = cv_clock_ns();
    assert_int_equal(cv_tasks_add(&tasks, &slow), 0);
    turn_until(&n_canceled, 1);
    assert_true(cv_clock_ns() - begun >= 20 * CV_MS);
    turn(4);
    assert_true(n_run <= 2 + (cv_clock_ns() - begun - 20 * CV_MS) / (4 * CV_MS));
}

static int canceled_with;

static void cancel_other(void *arg)
{
    (void)arg;
    canceled_with = cv_tasks_cancel(&tasks, "other", 1);
    n_run += n_canceled * 10; /* it has ended already */
}

static void test_canceling_waits_for_the_end(void **state)
{
    (void)state;
    const struct cv_task other = {.fn = wait_long, .name = "other"};
    canceled_with = -1;
    assert_int_equal(cv_tasks_add(&tasks, &other), 0);
    turn(4);
    assert_int_equal(add(cancel_other), 0);
    for (int i = 0; i < 4; i++)
        turn(4);
    assert_int_equal(canceled_with, 0);
    assert_int_equal(n_run, 11);
    assert_false(cv_tasks_has(&tasks, "other"));
}

static void test_closing_drops_what_sleeps_or_is_to_run(void **state)
{
    (void)state;
    n_dropped = 0;
    const struct cv_task late = {.fn = run, .delay = 60 * CV_SECOND, .drop = note_drop};
    const struct cv_task soon = {.fn = run, .drop = note_drop};
    assert_int_equal(cv_tasks_add(&tasks, &late), 0);
    turn(4);
    assert_int_equal(cv_tasks_add(&tasks, &soon), 0);
    cv_tasks_close(&tasks, 1);
    assert_int_equal(n_dropped, 2);
    assert_int_equal(n_run, 0);
    assert_int_equal(cv_loop_deadline(loop) == CV_NEVER, 1);
}

static void take_back(void *arg)
{
    n_dropped++;
    (void)!cv_tasks_cancel(&tasks, arg, 1);
}

/* The one that would be next is gone then. */
static void test_what_is_dropped_at_the_end_may_take_others_back(void **state)
{
    (void)state;
    n_dropped = 0;
    const struct cv_task soon[] = {
        {.fn = run, .drop = take_back, .arg = (void *)(uintptr_t) "b"},
        {.fn = run, .name = "b", .drop = take_back, .arg = (void *)(uintptr_t) "c"},
        {.fn = run, .name = "c", .drop = note_drop},
        {.fn = run, .drop = note_drop}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(cv_tasks_add(&tasks, &soon[i]), 0);
    cv_tasks_close(&tasks, 1);
    assert_int_equal(n_dropped, 4);
    assert_false(cv_tasks_has(&tasks, "b"));
}

static void test_those_that_sleep_count_as_waiting(void **state)
{
    (void)state;
    const struct cv_task late = {.fn = run, .delay = 60 * CV_SECOND};
    for (int i = 0; i < CV_TASKS_WAITING_MAX; i++)
        assert_int_equal(cv_tasks_add(&tasks, &late), 0);
    turn(4);
    assert_int_equal(add(run), -EAGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_more_than_may_wait_are_refused),
        TEST(test_without_a_fiber_they_wait_in_order),
        TEST(test_closing_cancels_what_runs_and_drops_what_waits),
        TEST(test_threads_may_add_at_once),
        TEST(test_what_comes_before_the_loop_waits_for_the_beginning),
        TEST(test_what_is_early_may_never_begin),
        TEST(test_a_name_is_taken_until_its_task_has_ended),
        TEST(test_a_late_task_runs_behind_those_at_once),
        TEST(test_a_repeated_task_runs_until_it_is_canceled),
        TEST(test_a_repeated_task_may_end_itself),
        TEST(test_what_a_long_run_has_missed_is_left_out),
        TEST(test_canceling_waits_for_the_end),
        TEST(test_closing_drops_what_sleeps_or_is_to_run),
        TEST(test_what_is_dropped_at_the_end_may_take_others_back),
        TEST(test_those_that_sleep_count_as_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
