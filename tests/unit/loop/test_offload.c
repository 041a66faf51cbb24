/* Blocking calls on threads while fibers wait. */
#include "unit/loop/rig.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "loop/offload.h"

static struct cv_offload *pool;
static int result;
static int returns;
static atomic_int begun;
static sem_t gate;

static void open_pool(unsigned threads, unsigned queue)
{
    rig_open(100);
    assert_int_equal(cv_offload_new(rig.loop, threads, queue, &pool), 0);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    result = 12345;
    returns = 0;
    begun = 0;
}

static void close_pool(void)
{
    rig_finish();
    cv_offload_free(pool);
    rig_close();
    sem_destroy(&gate);
}

static int pass_gate(void *arg)
{
    begun++;
    while (sem_wait(&gate) < 0)
        ;
    return (int)(intptr_t)arg;
}

static int give_back(void *arg)
{
    begun++;
    return (int)(intptr_t)arg;
}

static void offload_gate(void *arg)
{
    result = cv_offload(pool, pass_gate, arg);
    returns++;
}

static void offload_gate_then_yield(void *arg)
{
    offload_gate(arg);
    assert_int_equal(result, (int)(intptr_t)arg);
    result = cv_fiber_yield();
}

static void wait_until_begun(int count)
{
    int64_t limit = cv_clock_ns() + 30 * CV_SECOND;
    while (begun < count) {
        assert_true(cv_clock_ns() < limit);
        usleep(100);
    }
}

static void test_call_off_a_fiber_is_refused(void **state)
{
    (void)state;
    open_pool(1, 1);
    assert_int_equal(cv_offload(pool, give_back, NULL), -EPERM);
    close_pool();
    cv_offload_free(NULL);
}

static void test_full_queue_is_refused(void **state)
{
    (void)state;
    open_pool(2, 1);
    for (int i = 1; i <= 3; i++)
        rig_start(offload_gate, (void *)(intptr_t)i);
    assert_int_equal(returns, 0);
    rig_start(offload_gate, NULL);
    assert_int_equal(returns, 1);
    assert_int_equal(result, -EAGAIN);
    for (int i = 0; i < 3; i++)
        sem_post(&gate);
    close_pool();
    assert_int_equal(returns, 4);
    assert_int_equal(begun, 3);
}

static void test_queue_of_none_takes_as_many_as_there_are_threads(void **state)
{
    (void)state;
    open_pool(2, 0);
    for (int i = 0; i < 10; i++) {
        returns = 0;
        rig_start(offload_gate, NULL);
        rig_start(offload_gate, NULL);
        assert_int_equal(returns, 0);
        rig_start(offload_gate, NULL);
        assert_int_equal(result, -EAGAIN);
        sem_post(&gate);
        sem_post(&gate);
        rig_finish();
    }
    close_pool();
}

static void offload_hundred(void *arg)
{
    for (int i = 0; i < 100; i++)
        assert_int_equal(cv_offload(pool, give_back, (void *)((intptr_t)arg + i)),
                         (int)(intptr_t)arg + i);
    returns++;
}

static void test_results_come_back_to_who_asked(void **state)
{
    (void)state;
    open_pool(4, 100);
    for (int i = 0; i < 50; i++)
        rig_start(offload_hundred, (void *)(intptr_t)(-1000 * i));
    rig_finish();
    assert_int_equal(returns, 50);
    assert_int_equal(begun, 5000);
    close_pool();
}

static void test_others_run_while_a_call_blocks(void **state)
{
    (void)state;
    open_pool(1, 1);
    rig_start(offload_gate, (void *)1);
    wait_until_begun(1);

    rig_poll();
    assert_int_equal(returns, 0);
    sem_post(&gate);
    close_pool();
    assert_int_equal(result, 1);
}

static void test_cancelled_before_it_began_it_never_begins(void **state)
{
    (void)state;
    open_pool(1, 5);
    rig_start(offload_gate, (void *)1);
    wait_until_begun(1);
    struct cv_fiber *queued = rig_start(offload_gate, (void *)2);
    cv_fiber_cancel(queued, 1);
    assert_int_equal(returns, 0);
    rig_poll();
    assert_int_equal(returns, 1);
    assert_int_equal(result, -ECANCELED);
    sem_post(&gate);
    close_pool();
    assert_int_equal(result, 1);
    assert_int_equal(begun, 1);
}

static void test_cancelled_after_it_began_it_is_waited_for_and_then_reported(void **state)
{
    (void)state;
    open_pool(1, 5);
    struct cv_fiber *fiber = rig_start(offload_gate_then_yield, (void *)3);
    wait_until_begun(1);
    cv_fiber_cancel(fiber, 1);
    for (int i = 0; i < 5; i++)
        rig_poll();
    assert_int_equal(returns, 0);
    assert_true(cv_fiber_is_waiting(fiber));
    assert_int_equal(cv_fiber_refusals(fiber), 0);
    sem_post(&gate);
    close_pool();
    assert_int_equal(returns, 1);
    assert_int_equal(result, -ECANCELED);
}

static void offload_when_cancelled(void *arg)
{
    (void)arg;
    struct cv_fiber *self = cv_fiber_self();
    cv_fiber_cancel(self, 1);
    assert_int_equal(cv_offload(pool, give_back, NULL), -ECANCELED);
    assert_int_equal(cv_fiber_refusals(self), 1);
    assert_int_equal(begun, 0);
    assert_int_equal(cv_fiber_shield(3600 * CV_SECOND), 0);
    assert_int_equal(cv_offload(pool, give_back, (void *)4), 4);
    returns++;
}

static void test_cancelled_fiber_offloads_nothing_unless_shielded(void **state)
{
    (void)state;
    open_pool(1, 1);
    rig_start(offload_when_cancelled, NULL);
    close_pool();
    assert_int_equal(returns, 1);
}

static void offload_shielded(void *arg)
{
    struct cv_fiber *self = cv_fiber_self();
    assert_int_equal(cv_fiber_shield(2 * CV_MS), 0);
    cv_fiber_cancel(self, 1);
    offload_gate(arg);
}

static void test_shield_that_ends_does_not_abandon_a_call(void **state)
{
    (void)state;
    open_pool(1, 1);
    rig_start(offload_shielded, (void *)5);
    wait_until_begun(1);
    int64_t until = cv_clock_ns() + 5 * CV_MS;
    while (cv_clock_ns() < until)
        rig_poll();
    assert_int_equal(returns, 0);
    sem_post(&gate);
    close_pool();
    assert_int_equal(result, 5);
}

static int count_begun(void *arg)
{
    begun++;
    *(int *)arg += 1;
    return 1;
}

static void offload_into_own_memory(void *arg)
{
    int own = 0;
    int rc = cv_offload(pool, count_begun, &own);
    assert_true(rc == 1 || rc == -ECANCELED);
    assert_int_equal(own, rc == 1);
    returns += rc == 1;
    (void)arg;
}

static void test_calls_cancelled_at_any_moment_begin_or_report_it(void **state)
{
    (void)state;
    open_pool(3, 100);
    uint32_t seed = 7;
    for (int round = 0; round < 300; round++) {
        struct cv_fiber *fibers[20];
        for (int i = 0; i < 20; i++)
            fibers[i] = rig_start(offload_into_own_memory, NULL);
        for (int i = 0; i < 20; i++) {
            seed = seed * 1664525 + 1013904223;
            if (seed >> 31)
                cv_fiber_cancel(fibers[i], 1);
        }
        rig_finish();
    }
    close_pool();
    assert_int_equal(returns, begun);
}

static void test_wake_meant_for_a_park_does_not_end_a_call(void **state)
{
    (void)state;
    open_pool(1, 1);
    struct cv_fiber *fiber = rig_start(offload_gate, (void *)6);
    cv_fiber_wake(fiber, 99);
    rig_poll();
    assert_int_equal(returns, 0);
    sem_post(&gate);
    close_pool();
    assert_int_equal(result, 6);
}

static int signals_blocked(void *arg)
{
    (void)arg;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT) &&
           sigismember(&mask, SIGCHLD) && sigismember(&mask, SIGALRM);
}

static void offload_signals_blocked(void *arg)
{
    (void)arg;
    result = cv_offload(pool, signals_blocked, NULL);
}

/* ---- Without a fiber ---- */

struct posted {
    struct cv_offload_call call;
    int left; /* how often it is posted again */
    int times;
    int last;
};

static void note(struct cv_offload_call *call, int value)
{
    struct posted *posted = CV_CONTAINER_OF(call, struct posted, call);
    posted->times++;
    posted->last = value;
    if (posted->left-- > 0)
        assert_int_equal(cv_offload_post(pool, call), 0);
}

static struct posted posted_of(int (*fn)(void *arg), intptr_t arg, int again)
{
    return (struct posted){{.fn = fn, .arg = (void *)arg, .done = note}, .left = again};
}

static void test_posted_calls_tell_the_loop(void **state)
{
    (void)state;
    open_pool(1, 3);
    struct posted a = posted_of(give_back, 7, 0);
    struct posted b = posted_of(give_back, 8, 2);
    assert_int_equal(cv_offload_post(pool, &a.call), 0);
    assert_int_equal(cv_offload_post(pool, &b.call), 0);
    assert_int_equal(a.times + b.times, 0);
    while (a.times < 1 || b.times < 3)
        rig_turn();
    assert_int_equal(a.last, 7);
    assert_int_equal(b.last, 8);
    close_pool();
}

static void test_a_posted_call_finds_the_queue_full(void **state)
{
    (void)state;
    open_pool(1, 0);
    struct posted first = posted_of(pass_gate, 1, 0);
    struct posted second = posted_of(give_back, 2, 0);
    assert_int_equal(cv_offload_post(pool, &first.call), 0);
    assert_int_equal(cv_offload_post(pool, &second.call), -EAGAIN);
    assert_int_equal(sem_post(&gate), 0);
    while (first.times < 1)
        rig_turn();
    assert_int_equal(second.times, 0);
    close_pool();
}

/* Whether a thread has got to it or not, it is told what has become of it. */
static void test_the_end_leaves_no_posted_call_untold(void **state)
{
    (void)state;
    open_pool(1, 10);
    struct posted first = posted_of(pass_gate, 1, 0);
    struct posted second = posted_of(give_back, 2, 0);
    assert_int_equal(cv_offload_post(pool, &first.call), 0);
    assert_int_equal(cv_offload_post(pool, &second.call), 0);
    assert_int_equal(sem_post(&gate), 0);
    close_pool();
    assert_int_equal(first.times, 1);
    assert_int_equal(second.times, 1);
    assert_true(second.last == 2 || second.last == -ECANCELED);
}

static void test_threads_block_all_signals_and_the_caller_does_not(void **state)
{
    (void)state;
    open_pool(1, 1);
    rig_start(offload_signals_blocked, NULL);
    assert_int_equal(signals_blocked(NULL), 0);
    close_pool();
    assert_int_equal(result, 1);
}

static int thread_count(void)
{
    int count = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL)
        (void)sscanf(line, "Threads: %d", &count);
    fclose(status);
    return count;
}

static void test_threads_start_on_demand_and_are_used_again(void **state)
{
    (void)state;
    open_pool(8, 8);
    int before = thread_count();
    for (int i = 0; i < 20; i++) {
        rig_start(offload_hundred, NULL);
        rig_finish();
    }
    assert_int_equal(thread_count() - before, 1);
    close_pool();
}

static void test_pool_without_threads_to_be_had_is_refused(void **state)
{
    (void)state;
    /* pthread_create() fails for a stack size that no machine has. */
    pthread_attr_t before;
    pthread_attr_t huge;
    pthread_getattr_default_np(&before);
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, (size_t)1 << 47);
    open_pool(1, 8);
    if (pthread_setattr_default_np(&huge) == 0) {
        rig_start(offload_gate, NULL);
        assert_int_equal(returns, 1);
        assert_int_equal(result, -EAGAIN);
        pthread_setattr_default_np(&before);
    }
    rig_start(offload_hundred, NULL);
    close_pool();
    assert_int_equal(begun, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_off_a_fiber_is_refused),
        cmocka_unit_test(test_full_queue_is_refused),
        cmocka_unit_test(test_queue_of_none_takes_as_many_as_there_are_threads),
        cmocka_unit_test(test_results_come_back_to_who_asked),
        cmocka_unit_test(test_others_run_while_a_call_blocks),
        cmocka_unit_test(test_cancelled_before_it_began_it_never_begins),
        cmocka_unit_test(test_cancelled_after_it_began_it_is_waited_for_and_then_reported),
        cmocka_unit_test(test_cancelled_fiber_offloads_nothing_unless_shielded),
        cmocka_unit_test(test_shield_that_ends_does_not_abandon_a_call),
        cmocka_unit_test(test_calls_cancelled_at_any_moment_begin_or_report_it),
        cmocka_unit_test(test_wake_meant_for_a_park_does_not_end_a_call),
        cmocka_unit_test(test_posted_calls_tell_the_loop),
        cmocka_unit_test(test_a_posted_call_finds_the_queue_full),
        cmocka_unit_test(test_the_end_leaves_no_posted_call_untold),
        cmocka_unit_test(test_threads_block_all_signals_and_the_caller_does_not),
        cmocka_unit_test(test_threads_start_on_demand_and_are_used_again),
        cmocka_unit_test(test_pool_without_threads_to_be_had_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
