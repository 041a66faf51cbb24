/* Timers: order, moving, stopping, and callbacks that do either. */
#include "unit/loop/rig.h"

struct bell {
    struct cv_timer timer;
    int id;
    void (*then)(struct bell *bell);
};

enum { BELLS = 1000 };

static struct cv_loop *loop;
static struct bell bells[BELLS];
static int rung[2 * BELLS];
static int rung_count;

static void ring(struct cv_timer *timer)
{
    struct bell *bell = CV_CONTAINER_OF(timer, struct bell, timer);
    assert_int_equal(timer->slot, 0);
    rung[rung_count++] = bell->id;
    if (bell->then != NULL)
        bell->then(bell);
}

static int open_loop(void **state)
{
    (void)state;
    assert_int_equal(cv_loop_new(&loop), 0);
    rung_count = 0;
    for (int i = 0; i < BELLS; i++)
        bells[i] = (struct bell){.timer.fire = ring, .id = i};
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    cv_loop_free(loop);
    return 0;
}

static void set(int i, int64_t at)
{
    assert_int_equal(cv_timer_set(loop, &bells[i].timer, at), 0);
}

static void test_loop_without_timers_has_no_deadline(void **state)
{
    (void)state;
    assert_true(cv_loop_deadline(loop) == CV_NEVER);
    set(0, 42);
    assert_true(cv_loop_deadline(loop) == 42);
    cv_timer_stop(loop, &bells[0].timer);
    assert_true(cv_loop_deadline(loop) == CV_NEVER);
}

static void test_stopping_a_timer_that_is_not_set_is_harmless(void **state)
{
    (void)state;
    cv_timer_stop(loop, &bells[0].timer);
    assert_int_equal(cv_loop_step(loop, 0), 0);
}

static void test_timers_fire_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    for (int i = 0; i < BELLS; i++)
        set(i * 7 % BELLS, 1 + i * 7 % BELLS);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), BELLS);
    for (int i = 0; i < BELLS; i++)
        assert_int_equal(rung[i], i);
}

static void test_moved_and_stopped_timers_keep_the_order(void **state)
{
    (void)state;
    for (int i = 0; i < BELLS; i++)
        set(i, 1 + (i * 31 + 5) % BELLS);
    for (int i = 0; i < BELLS; i += 3)
        set(i, 1 + i * 17 % BELLS);
    for (int i = 0; i < BELLS; i += 5)
        cv_timer_stop(loop, &bells[i].timer);
    assert_int_equal(cv_loop_step(loop, 0), BELLS - BELLS / 5);
    for (int i = 1; i < rung_count; i++)
        assert_true(bells[rung[i - 1]].timer.at <= bells[rung[i]].timer.at);
}

static void test_timer_never_fires_before_its_time(void **state)
{
    (void)state;
    int64_t at = cv_clock_ns() + 3 * CV_MS + 1;
    set(0, at);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_true(cv_loop_now(loop) >= at);
}

static void test_waiting_for_a_timer_takes_one_step(void **state)
{
    (void)state;
    /* Were the time-out rounded down, steps would spin through the last millisecond. */
    set(0, cv_clock_ns() + 2 * CV_MS + CV_MS / 2);
    int steps = 1;
    while (cv_loop_step(loop, CV_NEVER) == 0)
        steps++;
    assert_int_equal(steps, 1);
}

static void test_far_timer_does_not_overflow_the_time_out(void **state)
{
    (void)state;
    set(0, CV_NEVER - 1);
    assert_int_equal(cv_loop_step(loop, cv_clock_ns() + CV_MS), 0);
    set(0, CV_NEVER);
    assert_int_equal(cv_loop_step(loop, cv_clock_ns() + CV_MS), 0);
}

static void stop_next(struct bell *bell)
{
    cv_timer_stop(loop, &bells[bell->id + 1].timer);
}

static void test_timer_stopped_by_another_in_the_same_step_does_not_fire(void **state)
{
    (void)state;
    set(0, 1);
    set(1, 2);
    set(2, 3);
    bells[0].then = stop_next;
    assert_int_equal(cv_loop_step(loop, 0), 2);
    assert_int_equal(rung[1], 2);
}

static void set_again(struct bell *bell)
{
    set(bell->id, 0);
}

static void test_timer_that_sets_itself_to_the_past_fires_once_a_step(void **state)
{
    (void)state;
    bells[0].then = set_again;
    set(0, 1);
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
}

static void move_next_to_the_past(struct bell *bell)
{
    set(bell->id + 1, 0);
}

static void test_timer_moved_to_the_past_by_another_fires_in_the_next_step(void **state)
{
    (void)state;
    bells[0].then = move_next_to_the_past;
    set(0, 1);
    set(1, cv_clock_ns() + 3600 * CV_SECOND);
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(rung[1], 1);
}

static void test_random_operations_agree_with_a_plain_array(void **state)
{
    (void)state;
    int64_t model[BELLS] = {0};
    uint32_t seed = 12345;
    for (int i = 0; i < 100000; i++) {
        seed = seed * 1664525 + 1013904223;
        int bell = (int)(seed >> 8) % BELLS;
        if (seed >> 30 == 0) {
            cv_timer_stop(loop, &bells[bell].timer);
            model[bell] = 0;
        } else {
            model[bell] = 1 + (seed >> 12) % 5000;
            set(bell, model[bell]);
        }
        if (i % 1000 == 0) {
            int64_t first = CV_NEVER;
            for (int j = 0; j < BELLS; j++)
                first = model[j] != 0 && model[j] < first ? model[j] : first;
            assert_true(cv_loop_deadline(loop) == first);
        }
    }
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_loop_without_timers_has_no_deadline),
        WITH_LOOP(test_stopping_a_timer_that_is_not_set_is_harmless),
        WITH_LOOP(test_timers_fire_in_the_order_of_their_deadlines),
        WITH_LOOP(test_moved_and_stopped_timers_keep_the_order),
        WITH_LOOP(test_timer_never_fires_before_its_time),
        WITH_LOOP(test_waiting_for_a_timer_takes_one_step),
        WITH_LOOP(test_far_timer_does_not_overflow_the_time_out),
        WITH_LOOP(test_timer_stopped_by_another_in_the_same_step_does_not_fire),
        WITH_LOOP(test_timer_that_sets_itself_to_the_past_fires_once_a_step),
        WITH_LOOP(test_timer_moved_to_the_past_by_another_fires_in_the_next_step),
        WITH_LOOP(test_random_operations_agree_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
