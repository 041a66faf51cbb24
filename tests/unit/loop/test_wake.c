/* Calls into the loop, from its own thread and from others. */
#include "unit/loop/rig.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

static struct cv_loop *loop;
static int calls;

static int open_loop(void **state)
{
    (void)state;
    assert_int_equal(cv_loop_new(&loop), 0);
    calls = 0;
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    cv_loop_free(loop);
    return 0;
}

static void count(void *arg)
{
    (void)arg;
    calls++;
}

static void in_order(void *arg)
{
    assert_int_equal(calls, (int)(intptr_t)arg);
    calls++;
}

static void wake_again(void *arg)
{
    calls++;
    assert_int_equal(cv_loop_wake(loop, wake_again, arg), 0);
}

static void test_full_queue_refuses_and_takes_again_after_a_step(void **state)
{
    (void)state;
    for (int i = 0; i < 4096; i++)
        assert_int_equal(cv_loop_wake(loop, in_order, (void *)(intptr_t)i), 0);
    assert_int_equal(cv_loop_wake(loop, count, NULL), -EAGAIN);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 4096);
    assert_int_equal(calls, 4096);
    assert_int_equal(cv_loop_wake(loop, count, NULL), 0);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(cv_loop_step(loop, 0), 0);
}

static void test_wake_from_a_wake_runs_in_a_later_step(void **state)
{
    (void)state;
    assert_int_equal(cv_loop_wake(loop, wake_again, NULL), 0);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
        assert_int_equal(calls, i);
    }
}

static void test_pending_wake_makes_the_descriptor_readable(void **state)
{
    (void)state;
    struct pollfd p = {.fd = cv_loop_fd(loop), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(cv_loop_wake(loop, count, NULL), 0);
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_wakes_that_have_not_run_are_dropped_with_the_loop(void **state)
{
    (void)state;
    assert_int_equal(cv_loop_wake(loop, count, NULL), 0);
    cv_loop_free(loop);
    loop = NULL;
    assert_int_equal(calls, 0);
}

enum { THREADS = 4, EACH = 20000 };

static void *shout(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        while (cv_loop_wake(loop, count, arg) == -EAGAIN)
            sched_yield();
    }
    return NULL;
}

static void test_every_wake_of_every_thread_runs_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, shout, NULL), 0);
    while (calls < THREADS * EACH)
        assert_true(cv_loop_step(loop, cv_clock_ns() + 10 * CV_SECOND) > 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(calls, THREADS * EACH);
    assert_int_equal(cv_loop_step(loop, 0), 0);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_full_queue_refuses_and_takes_again_after_a_step),
        WITH_LOOP(test_wake_from_a_wake_runs_in_a_later_step),
        WITH_LOOP(test_pending_wake_makes_the_descriptor_readable),
        WITH_LOOP(test_wakes_that_have_not_run_are_dropped_with_the_loop),
        WITH_LOOP(test_every_wake_of_every_thread_runs_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
