/* Functions handed to the loop from other threads. */
#include "app/tasks.h"

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

static void turn(size_t max)
{
    assert_true(cv_loop_step(loop, 0) >= 0);
    cv_tasks_start(&tasks, fibers, max);
    cv_fibers_run(fibers);
}

static void test_more_than_may_wait_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < CV_TASKS_WAITING_MAX; i++)
        assert_int_equal(cv_tasks_add(&tasks, run, NULL), 0);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), -EAGAIN);
    turn(4);
    assert_int_equal(n_run, CV_TASKS_WAITING_MAX);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), 0);
    turn(4);
    assert_int_equal(n_run, CV_TASKS_WAITING_MAX + 1);
}

static void test_without_a_fiber_they_wait_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(cv_tasks_add(&tasks, wait_long, NULL), 0);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), 0);
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
    assert_int_equal(cv_tasks_add(&tasks, wait_long, NULL), 0);
    turn(4);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), 0);
    cv_tasks_close(&tasks, 1);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), -ESHUTDOWN);
    turn(4);
    assert_int_equal(n_run, 1);
    assert_int_equal(n_canceled, 1);
    assert_int_equal(cv_fibers_count(fibers), 0);
}

static void *add_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        while (cv_tasks_add(&tasks, run, NULL) == -EAGAIN)
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

static void test_what_comes_before_the_loop_waits_for_it(void **state)
{
    (void)state;
    cv_tasks_done(&tasks);
    cv_tasks_init(&tasks, NULL);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), 0);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), 0);
    turn(4);
    assert_int_equal(n_run, 0);
    assert_int_equal(cv_tasks_attach(&tasks, loop), 0);
    turn(4);
    assert_int_equal(n_run, 2);
    assert_int_equal(cv_tasks_add(&tasks, run, NULL), 0);
    turn(4);
    assert_int_equal(n_run, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_more_than_may_wait_are_refused),
        TEST(test_without_a_fiber_they_wait_in_order),
        TEST(test_closing_cancels_what_runs_and_drops_what_waits),
        TEST(test_threads_may_add_at_once),
        TEST(test_what_comes_before_the_loop_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
