/* The event loop, as a step function.
 *
 * One per thread. A step waits once, reads the clock once (and once more only to wait for a
 * deadline), fires what is ready and due, and returns. What it fires are covey's own callbacks
 * (watches, timers, wakes), which only note what happened; application code is run by the owner of
 * the loop between steps. The descriptor becomes readable when a step has something to do, so that
 * any other loop (asyncio's, uvloop's) can own this one.
 */
#ifndef CV_LOOP_LOOP_H
#define CV_LOOP_LOOP_H

#include "base/list.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct cv_loop;

/* What a watch wants and what happened. An error or a full hang-up is reported as CV_FAILED
 * together with the events asked for. */
enum {
    CV_READ = 1,
    CV_WRITE = 2,
    CV_PEER_CLOSED = 4, /* the peer has shut down its sending side */
    CV_FAILED = 8,      /* reported only */
    CV_EDGE = 16,       /* asked only: edge-triggered */
    CV_EXCLUSIVE = 32,  /* asked only: one of several processes is woken (listeners); cannot be
                           modified later */
};

/* A descriptor being watched; embedded in whoever watches. A zeroed one is not watched. */
struct cv_watch {
    void (*ready)(struct cv_watch *watch, unsigned events);
    int fd;         /* -1 after cv_loop_del() */
    unsigned wants; /* the loop's: what was asked for, and CV_FAILED; 0: not watched */
};

/* A deadline; embedded. A zeroed one is not set. It is no longer set when `fire` is called, which
 * may set it again: one set while timers fire is due in the next step at the earliest. */
struct cv_timer {
    void (*fire)(struct cv_timer *timer);
    int64_t at;
    size_t slot; /* the loop's: place in the heap + 1; 0: not set */
};

/* A call that the next step makes without waiting for anything; embedded. A zeroed one is not set.
 * It is no longer set when `fire` is called, which may set it again, for the step after that. */
struct cv_soon {
    void (*fire)(struct cv_soon *soon);
    bool is_set;
    struct cv_link link; /* the loop's */
};

/* 0 or -errno. The caller owns the result. */
CV_MUST_CHECK int cv_loop_new(struct cv_loop **ret);

/* Forgets all watches and timers and drops the wakes that have not run. Not from a callback; NULL
 * is fine. */
void cv_loop_free(struct cv_loop *loop);

/* The descriptor for an outer loop. It does not cover timers: see cv_loop_deadline(). */
int cv_loop_fd(const struct cv_loop *loop);

/* Watches `fd` for `events`. `watch->ready` must be set. 0 or -errno. */
CV_MUST_CHECK int cv_loop_add(struct cv_loop *loop, struct cv_watch *watch, int fd,
                              unsigned events);
CV_MUST_CHECK int cv_loop_mod(struct cv_loop *loop, struct cv_watch *watch, unsigned events);

/* Stops watching, before the descriptor is closed; events already fetched in this step are not
 * delivered. Harmless when not watched. */
void cv_loop_del(struct cv_loop *loop, struct cv_watch *watch);

/* Sets or moves a timer to `at` (cv_clock_ns() time); 0 or -ENOMEM (moving never fails). */
CV_MUST_CHECK int cv_timer_set(struct cv_loop *loop, struct cv_timer *timer, int64_t at);

/* The same for one that is set, or was until it fired just now: it has its place already. */
void cv_timer_move(struct cv_loop *loop, struct cv_timer *timer, int64_t at);
void cv_timer_stop(struct cv_loop *loop, struct cv_timer *timer);

/* Sets a call of the next step (of the one after it, if a step is being taken), or takes it back.
 * Cheaper than a timer, and harmless when it is set, or not. */
void cv_loop_soon(struct cv_loop *loop, struct cv_soon *soon);
void cv_loop_not_soon(struct cv_soon *soon);

/* One step: waits until something is ready, a timer is due, or `until` (CV_NEVER: no limit; 0 or
 * the past: no wait), then fires everything: watches and wakes first, then what was to come soon,
 * then timers in the order of their deadlines. Returns the number of callbacks fired, or -errno
 * (never -EINTR: a signal only ends the wait early, so that its owner can look). Not from a
 * callback. */
int cv_loop_step(struct cv_loop *loop, int64_t until);

/* When the next step must be taken at the latest: the earliest timer, CV_NEVER if there is none;
 * now if anything is to come soon. */
int64_t cv_loop_deadline(const struct cv_loop *loop);

/* The clock as read in this step. */
int64_t cv_loop_now(const struct cv_loop *loop);

/* `fn` is called right before a wait that may block (running = false) and right after every wait
 * (running = true, with the clock just read): a beat for whoever watches this process. A loop that
 * is kept busy and never blocks is thus seen to be alive. Who steps with `until` 0 only, because an
 * outer loop does the waiting, beats there and sets nothing here. NULL: none. */
void cv_loop_on_wait(struct cv_loop *loop, void (*fn)(void *arg, bool running, int64_t now),
                     void *arg);

/* From now on a step that would sleep looks for events for `ns` first, without a pause: what comes
 * meanwhile is not held up by going to sleep and waking up, at the price of that CPU. 0: never. */
void cv_loop_poll_first(struct cv_loop *loop, int64_t ns);

/* Runs `fn(arg)` in a later step of `loop`, in the order of the calls. The only call that other
 * threads may make, and none may while the loop is being freed. 0, or -EAGAIN when 4,096 calls are
 * waiting. */
CV_MUST_CHECK int cv_loop_wake(struct cv_loop *loop, void (*fn)(void *arg), void *arg);

#endif
