/* The inside of a fiber: shared by fiber.c, fiber_wait.c and offload.c, seen by nobody else. */
#ifndef CV_LOOP_FIBER_STATE_H
#define CV_LOOP_FIBER_STATE_H

#include "base/list.h"
#include "loop/fiber.h"
#include "loop/fiber_sanitize.h"
#include "loop/stack.h"

enum cv_fiber_state {
    CV_FIBER_READY,     /* in fibers->ready, to be resumed */
    CV_FIBER_RUNNING,   /* at most one on a thread */
    CV_FIBER_SUSPENDED, /* until somebody calls cv_fiber_resume() */
    CV_FIBER_ENDED,     /* resting, or until its stack is given back */
};

struct cv_fibers {
    struct cv_loop *loop;
    size_t max;
    size_t count;
    size_t peak; /* the most there have been */
    struct cv_stacks stacks;
    struct cv_link ready;
    size_t ready_count;
    struct cv_fiber *resting; /* one that has ended and can take another function; NULL: none */
    struct cv_side outside;   /* the thread, while a fiber runs */
};

/* Lies at the top of its own stack. */
struct cv_fiber {
    struct cv_side side;
    struct cv_fibers *fibers;
    struct cv_link link;
    enum cv_fiber_state state;
    void (*fn)(void *arg);
    void *arg;
    void *owner;

    /* The wait it is in. */
    const void *waits_on; /* what it waits for; only that may resume it */
    bool cancellable;
    int64_t until;
    struct cv_timer timer; /* at `until`, or where the shield ends if that is earlier */
    int result;            /* what the wait returns */

    bool wake_kept; /* came while it was not parked */
    int wake_result;

    int cause; /* 0: not cancelled */
    unsigned refusals;
    bool shield_taken;
    int64_t shield_ns;
    int64_t shield_until; /* once both cancelled and shielded: waits work until then; else 0 */
};

/* Suspends the running fiber `self` until cv_fiber_resume(self, on, result), which gives the
 * result; `until` (-ETIMEDOUT); or, if `cancellable`, a cancellation (-ECANCELED). -ENOMEM if there
 * is no room for a timer. Since all this happens on one thread, a condition that was checked before
 * is still true when it suspends. */
CV_MUST_CHECK int cv_fiber_wait(struct cv_fiber *self, const void *on, int64_t until,
                                bool cancellable);

/* Makes `fiber` ready if it is suspended on `on`; else nothing happens and this is false. */
bool cv_fiber_resume(struct cv_fiber *fiber, const void *on, int result);

/* Sends the running fiber to the end of the queue and returns `result` after one pass. */
int cv_fiber_pass(struct cv_fiber *self, int result);

/* Whether a cancellation forbids it to wait now. */
bool cv_fiber_is_refused(const struct cv_fiber *fiber);

/* Counts `result` if it is a refusal; returns it. */
int cv_fiber_counted(struct cv_fiber *self, int result);

/* Queues a fiber that is not queued. */
void cv_fiber_make_ready(struct cv_fiber *fiber, int result);

/* Gives the thread back until the fiber, which is READY or SUSPENDED, is run again. */
void cv_fiber_switch_out(struct cv_fiber *self);

#endif
