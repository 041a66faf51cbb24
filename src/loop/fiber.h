/* Fibers: straight-line code that can wait.
 *
 * A fiber runs on a stack of its own and gives the thread back when it waits. Stacks are mapped
 * with a guard page, kept hot in a LIFO pool and trimmed when returned; a fiber that never waits
 * costs two switches and no allocation. Fibers of one `cv_fibers` run on one thread. A suspended
 * fiber is never destroyed: it is cancelled, its waits fail with -ECANCELED, and ordinary clean-up
 * runs.
 *
 *      start -> RUNNING -> (returns) -> gone
 *                 |  ^
 *      a wait     v  |  resumed by cv_fibers_run_first()
 *             SUSPENDED -> READY   (woken, timed out, cancelled)
 */
#ifndef CV_LOOP_FIBER_H
#define CV_LOOP_FIBER_H

#include "loop/loop.h"

#include <stddef.h>

struct cv_fibers;
struct cv_fiber;

struct cv_fibers_config {
    size_t max;        /* fibers alive at once; starting one more fails with -EAGAIN */
    size_t stack_size; /* bytes of address space, without the guard page; 0: 256 KiB */
};

/* 0 or -errno. `loop` must outlive the result. */
CV_MUST_CHECK int cv_fibers_new(struct cv_loop *loop, const struct cv_fibers_config *config,
                                struct cv_fibers **ret);

/* All fibers must have ended. */
void cv_fibers_free(struct cv_fibers *fibers);

/* Starts `fn(arg)`. Called from the loop's thread outside any fiber it runs at once, until it first
 * waits or ends; from within a fiber it is queued. 0, -EAGAIN at the limit, -ENOMEM. `ret` (may be
 * NULL) is set before `fn` runs and is valid until `fn` returns. */
CV_MUST_CHECK int cv_fiber_start(struct cv_fibers *fibers, void (*fn)(void *arg), void *arg,
                                 struct cv_fiber **ret);

/* Whether a fiber that has done what it was started for may do the same for others, without giving
 * the thread back; and for the running one: it begins anew, nothing is left of what was done to it.
 */
bool cv_fiber_can_renew(void);
void cv_fiber_renew(struct cv_fiber *self);

/* How many are ready to be resumed (then the loop must not block); the first of them, or NULL; and
 * resumes only that one, which there must be. */
size_t cv_fibers_ready(const struct cv_fibers *fibers);
const struct cv_fiber *cv_fibers_first(const struct cv_fibers *fibers);
void cv_fibers_run_first(struct cv_fibers *fibers);

/* Fibers alive, and the most that have been at once. */
size_t cv_fibers_count(const struct cv_fibers *fibers);
size_t cv_fibers_peak(const struct cv_fibers *fibers);

/* The most stack that any fiber which has ended is known to have used, in bytes, to the page. Makes
 * a few system calls: for statistics, not for each request. */
size_t cv_fibers_stack_used(struct cv_fibers *fibers);

/* The fiber that is running on this thread, or NULL. */
struct cv_fiber *cv_fiber_self(void);

/* The size of the running fiber's stack if it has overflowed, so that an access to `at` has failed;
 * else 0. For signal handlers. */
size_t cv_fiber_overflowed(const void *at);

/* A pointer of the owner's (the request); NULL at first. */
void cv_fiber_set_owner(struct cv_fiber *fiber, void *owner);
void *cv_fiber_owner(const struct cv_fiber *fiber);

/* ---- Waits: only on a fiber (else -EPERM). All return -ECANCELED once the fiber is cancelled,
 * after one pass through the loop, so that a loop that ignores it cannot starve others. ---- */

int cv_fiber_sleep(int64_t ns);

/* The events (CV_READ | CV_WRITE), -ETIMEDOUT at `until` (CV_NEVER: none), -EBUSY if another fiber
 * waits on fd. */
int cv_fiber_wait_fd(int fd, unsigned events, int64_t until);

/* Until cv_fiber_wake() (its result), `until` (-ETIMEDOUT) or cancellation. A wake that comes
 * before the wait is kept. */
int cv_fiber_park(int64_t until);

/* As cv_fiber_park(CV_NEVER), but a cancellation does not end it (an offloaded call that has
 * begun). */
int cv_fiber_park_uncancellable(void);

/* Lets others run once. 0 or -ECANCELED. */
int cv_fiber_yield(void);

/* ---- From anywhere on the loop's thread ---- */

void cv_fiber_wake(struct cv_fiber *fiber, int result);

/* Cancels with a cause > 0; the first cause stays. `cv_fiber_is_waiting` is true while it is
 * suspended in a wait. */
void cv_fiber_cancel(struct cv_fiber *fiber, int cause);
int cv_fiber_cause(const struct cv_fiber *fiber);
bool cv_fiber_is_waiting(const struct cv_fiber *fiber);

/* How often a wait has returned -ECANCELED to it: a handler that ignores it is named in the log by
 * its host. */
unsigned cv_fiber_refusals(const struct cv_fiber *fiber);

/* From now on the running fiber's waits work again for `ns` in total although it is cancelled (or
 * will be). Once: 0, later -EALREADY; -EPERM off a fiber. */
int cv_fiber_shield(int64_t ns);

#endif
