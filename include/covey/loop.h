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

struct covey_task {
    void (*fn)(void *arg);
    size_t size; /* set by the macro below */
    void *arg;
    const char *name; /* to ask for it by, or to cancel it; no two at a time have the same */
    int64_t delay;    /* ms until it begins */
    int64_t every;    /* ms from one beginning to the next, again and again; 0: once */
};

/* Runs a function on a fiber of this process's loop: covey_add_task(app, sweep, .arg = table,
 * .every = 60000). One that setup() adds begins in each worker, once its listeners of
 * COVEY_BEFORE_SERVER_START have returned. The only call besides logging that other threads may
 * make. 0, -EAGAIN (4,096 wait already), -EEXIST (the name), -ESHUTDOWN (the worker is ending),
 * -EINVAL (the log says why) or -ENOMEM. What has not begun by then is dropped; what runs is
 * cancelled. What takes longer than `every` leaves out the times it has missed. */
#define covey_add_task(app, ...)                                                                   \
    covey_add_task_with((app), &(struct covey_task){__VA_ARGS__, .size = sizeof(struct covey_task)})
COVEY_API int covey_add_task_with(covey_app *app, const struct covey_task *task);

/* Takes a task back that has not begun; cancels one that runs (its waits fail with -ECANCELED) and
 * waits for its end, if called on another fiber. It is not repeated; called by itself, it only does
 * that. 0, -ENOENT (there is none of that name), -ECANCELED, -EPERM from another thread. */
COVEY_API int covey_cancel_task(covey_app *app, const char *name);

/* Whether a task of that name waits or runs. */
COVEY_API bool covey_has_task(covey_app *app, const char *name);

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
