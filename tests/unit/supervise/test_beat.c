#include "supervise/shared/beat.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT (30 * CV_SECOND)
#define N 3

/* What the watched write, and who was reported. */
struct flock {
    int64_t since[N];
    int64_t hung_for[N];
    int64_t arrives; /* written to 0 at the second look of one cv_beats_look() */
    int looks;
    bool is_excused;
};

static int64_t since(void *arg, unsigned i)
{
    struct flock *flock = arg;
    if (i == 0 && ++flock->looks == 2 && flock->arrives != 0)
        flock->since[0] = flock->arrives;
    return flock->since[i];
}

static bool hung(void *arg, unsigned i, int64_t for_ns)
{
    struct flock *flock = arg;
    flock->hung_for[i] = for_ns;
    if (flock->is_excused)
        return false;
    flock->since[i] = 0; /* the master no longer watches it */
    return true;
}

static struct flock flock;
static _Atomic uint32_t looking;
static struct cv_beats beats;

static void look(int64_t now)
{
    struct cv_beat_source source = {N, since, hung, &flock};
    flock.looks = 0;
    cv_beats_look(&beats, &source, now);
}

static int set_up(void **state)
{
    (void)state;
    memset(&flock, 0, sizeof(flock));
    cv_beats_init(&beats, &looking, LIMIT);
    return 0;
}

static void test_nobody_is_looked_at_before_somebody_runs(void **state)
{
    (void)state;
    assert_true(beats.next == CV_NEVER);
    assert_int_equal(atomic_load(&looking), 0);
}

static void test_the_first_who_runs_wakes_the_watcher_and_the_next_does_not(void **state)
{
    (void)state;
    _Atomic int64_t beat = 0;
    assert_true(cv_beat_write(&beat, &looking, 5));
    cv_beats_wake(&beats, 5);
    assert_false(cv_beat_write(&beat, &looking, 6));
    assert_int_equal(beats.next, 5 + LIMIT);
}

static void test_waiting_never_wakes_the_watcher(void **state)
{
    (void)state;
    _Atomic int64_t beat = 7;
    assert_false(cv_beat_write(&beat, &looking, 0));
    assert_int_equal(beat, 0);
}

static void test_running_for_the_limit_is_a_hang(void **state)
{
    (void)state;
    cv_beats_wake(&beats, 100);
    flock.since[1] = 100;
    look(100 + LIMIT);
    assert_int_equal(flock.hung_for[1], LIMIT);
    assert_int_equal(flock.hung_for[0], 0);
}

static void test_running_for_less_is_looked_at_again_when_it_would_be_one(void **state)
{
    (void)state;
    cv_beats_wake(&beats, 100);
    flock.since[1] = 200;
    flock.since[2] = 150;
    look(100 + LIMIT);
    assert_int_equal(flock.hung_for[1], 0);
    assert_int_equal(beats.next, 150 + LIMIT);
}

static void test_all_waiting_ends_the_looking(void **state)
{
    (void)state;
    cv_beats_wake(&beats, 100);
    look(100 + LIMIT);
    assert_true(beats.next == CV_NEVER);
    assert_int_equal(atomic_load(&looking), 0);
}

static void test_one_who_runs_on_while_the_looking_ends_is_seen(void **state)
{
    (void)state;
    cv_beats_wake(&beats, 100);
    flock.arrives = 99 + LIMIT;
    look(100 + LIMIT);
    assert_int_equal(atomic_load(&looking), 1);
    assert_int_equal(beats.next, 99 + LIMIT + LIMIT);
}

static void test_time_in_which_the_watcher_did_not_run_is_forgiven(void **state)
{
    (void)state;
    cv_beats_wake(&beats, 100);
    flock.since[0] = 100;
    int64_t resumed = 100 + 10 * LIMIT;
    cv_beats_forgive(&beats, resumed);
    assert_int_equal(beats.next, resumed + LIMIT);
    look(resumed + 1);
    assert_int_equal(flock.hung_for[0], 0);
    look(resumed + LIMIT);
    assert_int_equal(flock.hung_for[0], LIMIT);
}

static void test_one_who_is_excused_has_its_time_anew(void **state)
{
    (void)state;
    cv_beats_wake(&beats, 100);
    flock.is_excused = true;
    flock.since[2] = 100;
    look(100 + LIMIT);
    assert_int_equal(flock.hung_for[2], LIMIT);
    assert_int_equal(beats.next, 100 + 2 * LIMIT);
    assert_int_equal(atomic_load(&looking), 1);
}

static void test_forgiving_does_not_begin_the_looking(void **state)
{
    (void)state;
    cv_beats_forgive(&beats, 1000);
    assert_true(beats.next == CV_NEVER);
}

static void test_a_beat_from_the_future_hangs_nobody_and_is_watched(void **state)
{
    (void)state;
    cv_beats_wake(&beats, 100);
    flock.since[0] = CV_NEVER - 1;
    flock.since[1] = -5;
    look(100 + LIMIT);
    assert_int_equal(flock.hung_for[0], 0);
    assert_int_equal(flock.hung_for[1], 0);
    assert_int_equal(beats.next, 100 + LIMIT + LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nobody_is_looked_at_before_somebody_runs, set_up),
        cmocka_unit_test_setup(test_the_first_who_runs_wakes_the_watcher_and_the_next_does_not,
                               set_up),
        cmocka_unit_test_setup(test_waiting_never_wakes_the_watcher, set_up),
        cmocka_unit_test_setup(test_running_for_the_limit_is_a_hang, set_up),
        cmocka_unit_test_setup(test_running_for_less_is_looked_at_again_when_it_would_be_one,
                               set_up),
        cmocka_unit_test_setup(test_all_waiting_ends_the_looking, set_up),
        cmocka_unit_test_setup(test_one_who_runs_on_while_the_looking_ends_is_seen, set_up),
        cmocka_unit_test_setup(test_time_in_which_the_watcher_did_not_run_is_forgiven, set_up),
        cmocka_unit_test_setup(test_one_who_is_excused_has_its_time_anew, set_up),
        cmocka_unit_test_setup(test_forgiving_does_not_begin_the_looking, set_up),
        cmocka_unit_test_setup(test_a_beat_from_the_future_hangs_nobody_and_is_watched, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
