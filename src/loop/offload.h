/* A bounded thread pool for calls that block.
 *
 * Threads are started on demand up to a limit, with all signals blocked, and wait for work for
 * ever. A call that has begun is never abandoned.
 */
#ifndef CV_LOOP_OFFLOAD_H
#define CV_LOOP_OFFLOAD_H

#include "base/list.h"
#include "loop/fiber.h"

struct cv_offload;

/* A call for a thread. Its memory is the caller's, and stays as it is until `done` is called. */
struct cv_offload_call {
    int (*fn)(void *arg);
    void *arg;
    void (*done)(struct cv_offload_call *call, int result); /* on the loop */

    /* The pool's. */
    struct cv_link link;    /* in `queue`, then in `finished` */
    struct cv_fiber *fiber; /* that waits for it; NULL: none does */
    int result;
    bool begun; /* under the lock: a thread has it */
};

/* 0 or -errno. Starts no thread yet. */
CV_MUST_CHECK int cv_offload_new(struct cv_loop *loop, unsigned threads_max, unsigned queue_max,
                                 struct cv_offload **ret);

/* Waits for the calls that have begun; the others are done with -ECANCELED. Never called while a
 * fiber waits in cv_offload(). */
void cv_offload_free(struct cv_offload *pool);

/* Has fn(arg) run on a thread, and then done(call, its result) on the loop: later, never from
 * within. 0, or -EAGAIN if the queue is full or no thread can be had. */
CV_MUST_CHECK int cv_offload_post(struct cv_offload *pool, struct cv_offload_call *call);

/* Runs fn(arg) on a thread while the calling fiber waits, and gives its result. -EPERM off a fiber,
 * -EAGAIN if the queue is full or no thread can be had, -ECANCELED if cancelled before it began. */
int cv_offload(struct cv_offload *pool, int (*fn)(void *arg), void *arg);

/* On a thread of a pool's: the fiber that waits for the call it is making. Else NULL. */
struct cv_fiber *cv_offload_caller(void);

#endif
