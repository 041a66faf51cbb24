/* Functions that other threads, or the app itself, hand to the loop: each runs on a fiber of its
 * own. */
#ifndef CV_APP_TASKS_H
#define CV_APP_TASKS_H

#include "base/list.h"
#include "loop/fiber.h"

#include <pthread.h>
#include <stdbool.h>

#define CV_TASKS_WAITING_MAX 4096

struct cv_tasks {
    struct cv_loop *loop;
    pthread_mutex_t lock; /* guards what other threads touch: incoming, n_incoming, is_closed */
    struct cv_link incoming;
    unsigned n_incoming;
    bool is_closed;
    bool is_woken;          /* something may be in `incoming`; the loop's thread only */
    struct cv_link running; /* the loop's thread only */
};

/* Nothing is waiting yet. Without a loop (NULL) what comes in waits for cv_tasks_attach(). */
void cv_tasks_init(struct cv_tasks *tasks, struct cv_loop *loop);

/* Gives it its loop. 0 or -errno. */
CV_MUST_CHECK int cv_tasks_attach(struct cv_tasks *tasks, struct cv_loop *loop);

/* Drops what waits. None may be running, and no other thread may know of `tasks` any more. */
void cv_tasks_done(struct cv_tasks *tasks);

/* From any thread: 0, -EAGAIN (CV_TASKS_WAITING_MAX wait), -ESHUTDOWN (closed), -ENOMEM. */
CV_MUST_CHECK int cv_tasks_add(struct cv_tasks *tasks, void (*fn)(void *arg), void *arg);

/* Starts what has come in, as long as fewer than `max` fibers are alive. Outside of fibers, after
 * each step. */
void cv_tasks_start(struct cv_tasks *tasks, struct cv_fibers *fibers, size_t max);

/* Takes no more, drops what waits and cancels what runs. */
void cv_tasks_close(struct cv_tasks *tasks, int cause);

#endif
