/* A loop with fibers, driven as a worker drives them, for the tests of src/loop. */
#ifndef TESTS_UNIT_LOOP_RIG_H
#define TESTS_UNIT_LOOP_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/fiber.h"

struct rig {
    struct cv_loop *loop;
    struct cv_fibers *fibers;
    unsigned turns;
};

/* One for all fibers of a test program: each test opens and closes it. */
static struct rig rig;

static inline void rig_open(size_t max)
{
    struct cv_fibers_config config = {.max = max};
    rig = (struct rig){0};
    assert_int_equal(cv_loop_new(&rig.loop), 0);
    assert_int_equal(cv_fibers_new(rig.loop, &config, &rig.fibers), 0);
}

static inline void rig_close(void)
{
    assert_int_equal(cv_fibers_count(rig.fibers), 0);
    cv_fibers_free(rig.fibers);
    cv_loop_free(rig.loop);
}

/* Resumes all that are ready now; true if others have become ready meanwhile. */
static inline bool run_ready(struct cv_fibers *fibers)
{
    for (size_t n = cv_fibers_ready(fibers); n > 0; n--)
        cv_fibers_run_first(fibers);
    return cv_fibers_first(fibers) != NULL;
}

/* One pass: a step, then the fibers. Blocks at most 10 s, which no test should need. */
static inline void rig_turn(void)
{
    rig.turns++;
    int64_t until = cv_fibers_ready(rig.fibers) ? 0 : cv_clock_ns() + 10 * CV_SECOND;
    assert_true(cv_loop_step(rig.loop, until) >= 0);
    run_ready(rig.fibers);
}

/* One pass that does not block. */
static inline void rig_poll(void)
{
    rig.turns++;
    assert_true(cv_loop_step(rig.loop, 0) >= 0);
    run_ready(rig.fibers);
}

/* Turns until all fibers have ended. */
static inline void rig_finish(void)
{
    int64_t limit = cv_clock_ns() + 30 * CV_SECOND;
    while (cv_fibers_count(rig.fibers) > 0) {
        rig_turn();
        assert_true(cv_clock_ns() < limit);
    }
}

static inline struct cv_fiber *rig_start(void (*fn)(void *arg), void *arg)
{
    struct cv_fiber *fiber = NULL;
    assert_int_equal(cv_fiber_start(rig.fibers, fn, arg, &fiber), 0);
    return fiber;
}

#endif
