/* A bounded thread pool for calls that block.
 *
 * Threads are started on demand up to a limit, with all signals blocked, and wait for work for
 * ever. A call that has begun is never abandoned.
 */
#ifndef CV_LOOP_OFFLOAD_H
#define CV_LOOP_OFFLOAD_H

#include "loop/fiber.h"

struct cv_offload;

/* 0 or -errno. Starts no thread yet. */
CV_MUST_CHECK int cv_offload_new(struct cv_loop *loop, unsigned threads_max, unsigned queue_max,
                                 struct cv_offload **ret);

/* Waits for the calls that have begun, drops the others. Never called while a fiber waits in
 * cv_offload(). */
void cv_offload_free(struct cv_offload *pool);

/* Runs fn(arg) on a thread while the calling fiber waits, and gives its result. -EPERM off a fiber,
 * -EAGAIN if the queue is full or no thread can be had, -ECANCELED if cancelled before it began. */
int cv_offload(struct cv_offload *pool, int (*fn)(void *arg), void *arg);

/* On a thread of a pool's: the fiber that waits for the call it is making. Else NULL. */
struct cv_fiber *cv_offload_caller(void);

#endif
