/* Waiting without holding up others.
 *
 * Handlers, middleware, listeners and posted tasks run on fibers: straight-line code that may wait
 * in the calls below while others run. Off a fiber (another thread, a destructor) they return
 * -EPERM with one line in the log. A blocking call of libc still blocks the whole worker: hand it
 * to covey_offload().
 *
 * Cancelling (the client went away, RESPONSE_TIMEOUT, the end of a drain) makes the pending call,
 * and every later one, return -ECANCELED. Return then; ordinary clean-up code runs. covey_shield()
 * gives it time to wait.
 */
#ifndef COVEY_LOOP_H
#define COVEY_LOOP_H

#include <covey/request.h>

/* 0 or -ECANCELED. */
COVEY_API int covey_sleep_ms(int64_t ms);

enum { COVEY_READ = 1, COVEY_WRITE = 2 };

/* Waits until `fd` is ready: the events (> 0; an error or hang-up counts as both), -ETIMEDOUT after
 * `timeout_ms` (COVEY_OFF: never), -ECANCELED, -EBUSY if another fiber waits on it, -errno. */
COVEY_API int covey_wait_fd(int fd, int events, int64_t timeout_ms);

/* Runs `fn(arg)` on a thread of a bounded pool and waits for its result, which is returned. A call
 * that has begun is never abandoned: a cancellation meanwhile is reported (by *every later* wait)
 * after it. -ECANCELED if it had not begun; -EAGAIN if the queue is full. */
COVEY_API int covey_offload(int (*fn)(void *arg), void *arg);

/* Runs `fn(arg)` on a fiber of this process's loop. The only call besides logging that other
 * threads may make. 0, -EAGAIN (queue full), -ESHUTDOWN (the worker is ending) or -ENOMEM. What has
 * not begun by then is dropped; what runs is cancelled. */
COVEY_API int covey_add_task(covey_app *app, void (*fn)(void *arg), void *arg);

enum covey_cause {
    COVEY_NOT_CANCELED,
    COVEY_CAUSE_CLIENT,  /* the client closed or reset the connection */
    COVEY_CAUSE_TIMEOUT, /* RESPONSE_TIMEOUT */
    COVEY_CAUSE_DRAIN,   /* the server stops and the drain time is over */
};

/* Why waits fail with -ECANCELED. */
COVEY_API enum covey_cause covey_cancel_cause(const covey_req *req);

/* After a cancellation: lets this fiber wait again for up to `ms` in total, for clean-up. At most
 * once. 0 or -EALREADY, -EPERM off a fiber. */
COVEY_API int covey_shield(int64_t ms);

#endif
