/* What fibers wait for, and how a wait is cut short.
 *
 * Every wait is cv_fiber_wait() on some address; only who names the same address can end it. A
 * cancelled fiber is refused each wait after one pass through the queue, unless its shield still
 * stands; the shield's time runs from when it is both shielded and cancelled.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "loop/fiber_state.h"

static int64_t after(int64_t now, int64_t ns)
{
    return ns < CV_NEVER - now ? now + ns : CV_NEVER;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- The core ---- */

bool cv_fiber_is_refused(const struct cv_fiber *fiber)
{
    if (fiber->cause == 0)
        return false;
    return fiber->shield_until == 0 || fiber->shield_until <= cv_clock_ns();
}

int cv_fiber_counted(struct cv_fiber *self, int result)
{
    if (result == -ECANCELED)
        self->refusals++;
    return result;
}

int cv_fiber_pass(struct cv_fiber *self, int result)
{
    cv_fiber_make_ready(self, result);
    cv_fiber_switch_out(self);
    return self->result;
}

/* The time is up: its own, or that of its shield. */
static void on_timer(struct cv_timer *timer)
{
    struct cv_fiber *fiber = CV_CONTAINER_OF(timer, struct cv_fiber, timer);
    CV_ASSERT(fiber->state == CV_FIBER_SUSPENDED);
    cv_fiber_make_ready(fiber, timer->at == fiber->until ? -ETIMEDOUT : -ECANCELED);
}

static int set_timer(struct cv_fiber *fiber, int64_t at)
{
    fiber->timer.fire = on_timer;
    return cv_timer_set(fiber->fibers->loop, &fiber->timer, at);
}

int cv_fiber_wait(struct cv_fiber *self, const void *on, int64_t until, bool cancellable)
{
    if (cancellable && cv_fiber_is_refused(self))
        return cv_fiber_pass(self, -ECANCELED);

    int64_t at = cancellable && self->cause != 0 ? earlier(until, self->shield_until) : until;
    if (at != CV_NEVER) {
        int rc = set_timer(self, at);
        if (rc < 0)
            return rc;
    }
    self->waits_on = on;
    self->cancellable = cancellable;
    self->until = until;
    self->state = CV_FIBER_SUSPENDED;
    cv_fiber_switch_out(self);
    self->waits_on = NULL;
    return self->result;
}

static void end_wait(struct cv_fiber *fiber, int result)
{
    cv_timer_stop(fiber->fibers->loop, &fiber->timer);
    cv_fiber_make_ready(fiber, result);
}

bool cv_fiber_resume(struct cv_fiber *fiber, const void *on, int result)
{
    if (fiber->state != CV_FIBER_SUSPENDED || fiber->waits_on != on)
        return false;
    end_wait(fiber, result);
    return true;
}

/* ---- Waits ---- */

int cv_fiber_yield(void)
{
    struct cv_fiber *self = cv_fiber_self();
    if (self == NULL)
        return -EPERM;
    return cv_fiber_counted(self, cv_fiber_pass(self, cv_fiber_is_refused(self) ? -ECANCELED : 0));
}

int cv_fiber_sleep(int64_t ns)
{
    struct cv_fiber *self = cv_fiber_self();
    if (self == NULL)
        return -EPERM;
    if (ns <= 0)
        return cv_fiber_yield();
    /* Not the loop's clock: it stood still while this fiber computed. */
    int rc = cv_fiber_wait(self, &self->timer, after(cv_clock_ns(), ns), true);
    return rc == -ETIMEDOUT ? 0 : cv_fiber_counted(self, rc);
}

static bool take_kept_wake(struct cv_fiber *self)
{
    bool kept = self->wake_kept;
    self->wake_kept = false;
    return kept;
}

int cv_fiber_park(int64_t until)
{
    struct cv_fiber *self = cv_fiber_self();
    if (self == NULL)
        return -EPERM;
    if (!cv_fiber_is_refused(self) && take_kept_wake(self))
        return self->wake_result;
    return cv_fiber_counted(self, cv_fiber_wait(self, self, until, true));
}

int cv_fiber_park_uncancellable(void)
{
    struct cv_fiber *self = cv_fiber_self();
    if (self == NULL)
        return -EPERM;
    if (take_kept_wake(self))
        return self->wake_result;
    return cv_fiber_wait(self, self, CV_NEVER, false);
}

struct fd_wait {
    struct cv_watch watch;
    struct cv_fiber *fiber;
};

static void on_fd(struct cv_watch *watch, unsigned events)
{
    struct fd_wait *wait = CV_CONTAINER_OF(watch, struct fd_wait, watch);
    cv_loop_del(wait->fiber->fibers->loop, watch);
    (void)cv_fiber_resume(wait->fiber, wait, (int)(events & (CV_READ | CV_WRITE)));
}

int cv_fiber_wait_fd(int fd, unsigned events, int64_t until)
{
    struct cv_fiber *self = cv_fiber_self();
    if (self == NULL)
        return -EPERM;
    if (events == 0 || (events & ~(unsigned)(CV_READ | CV_WRITE)) != 0)
        return -EINVAL;
    if (cv_fiber_is_refused(self))
        return cv_fiber_yield();

    struct cv_loop *loop = self->fibers->loop;
    struct fd_wait wait = {.watch.ready = on_fd, .fiber = self};
    int rc = cv_loop_add(loop, &wait.watch, fd, events);
    if (rc == -EEXIST)
        return -EBUSY;
    if (rc == -EPERM) /* a file or a directory: always ready, says poll(2) */
        return cv_fiber_pass(self, (int)events);
    if (rc < 0)
        return rc;
    rc = cv_fiber_wait(self, &wait, until, true);
    cv_loop_del(loop, &wait.watch);
    return cv_fiber_counted(self, rc);
}

/* ---- From outside ---- */

void cv_fiber_wake(struct cv_fiber *fiber, int result)
{
    if (cv_fiber_resume(fiber, fiber, result))
        return;
    fiber->wake_kept = true;
    fiber->wake_result = result;
}

void cv_fiber_cancel(struct cv_fiber *fiber, int cause)
{
    CV_ASSERT(cause > 0);
    if (fiber->cause != 0)
        return;
    fiber->cause = cause;
    if (fiber->shield_taken)
        fiber->shield_until = after(cv_clock_ns(), fiber->shield_ns);
    if (fiber->state != CV_FIBER_SUSPENDED || !fiber->cancellable)
        return;
    if (!cv_fiber_is_refused(fiber)) {
        if (fiber->until <= fiber->shield_until)
            return;
        /* Without memory for the timer the shield could not end, so it does not begin. */
        if (set_timer(fiber, fiber->shield_until) == 0)
            return;
    }
    end_wait(fiber, -ECANCELED);
}

int cv_fiber_cause(const struct cv_fiber *fiber)
{
    return fiber->cause;
}

bool cv_fiber_is_waiting(const struct cv_fiber *fiber)
{
    return fiber->state == CV_FIBER_SUSPENDED;
}

unsigned cv_fiber_refusals(const struct cv_fiber *fiber)
{
    return fiber->refusals;
}

int cv_fiber_shield(int64_t ns)
{
    struct cv_fiber *self = cv_fiber_self();
    if (self == NULL)
        return -EPERM;
    if (self->shield_taken)
        return -EALREADY;
    self->shield_taken = true;
    self->shield_ns = ns;
    if (self->cause != 0)
        self->shield_until = after(cv_clock_ns(), ns);
    return 0;
}
