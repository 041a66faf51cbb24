/* Functions that other threads, or the app itself, hand to the loop: each runs on a fiber of its
 * own; at once, later, or again and again.
 *
 *     incoming ---> sleeping ---> ready ---> running ---> gone
 *      ^  |            ^            ^           |
 *      |  `------------|------------'           |
 *     early            `--- to run again -------'
 *
 * What sleeps has a timer and no stack. What came before there was a loop waits for
 * cv_tasks_begin().
 */
#ifndef CV_APP_TASKS_H
#define CV_APP_TASKS_H

#include "base/list.h"
#include "loop/fiber.h"

#include <pthread.h>
#include <stdbool.h>

#define CV_TASKS_WAITING_MAX 4096

struct cv_task {
    void (*fn)(void *arg);
    void *arg;
    void (*drop)(void *arg); /* called instead of fn if it never runs; NULL: nothing is */
    const char *name;        /* no two have the same; NULL: none. Copied */
    int64_t delay;           /* ns until it runs */
    int64_t every;           /* ns from one beginning to the next; 0: it runs once */
};

struct cv_tasks {
    struct cv_loop *loop;
    pthread_mutex_t lock; /* guards what other threads touch: the next six */
    struct cv_link early;
    struct cv_link incoming;
    struct cv_link named;
    unsigned n_incoming;
    unsigned n_waiting; /* those that do not run: early, incoming, sleeping and ready */
    bool is_closed;
    bool is_woken; /* something may be incoming or ready; from here on the loop's thread */
    struct cv_link sleeping;
    struct cv_link ready;
    struct cv_link running;
};

/* Nothing is waiting yet. Without a loop (NULL) what comes in until cv_tasks_attach() is early. */
void cv_tasks_init(struct cv_tasks *tasks, struct cv_loop *loop);

/* Gives it its loop. */
void cv_tasks_attach(struct cv_tasks *tasks, struct cv_loop *loop);

/* What was early comes in. 0 or -errno. */
CV_MUST_CHECK int cv_tasks_begin(struct cv_tasks *tasks);

/* Drops what waits. None may be running, and no other thread may know of `tasks` any more. */
void cv_tasks_done(struct cv_tasks *tasks);

/* From any thread: 0, -EAGAIN (CV_TASKS_WAITING_MAX wait), -EEXIST (the name is taken), -ESHUTDOWN
 * (closed), -ENOMEM. */
CV_MUST_CHECK int cv_tasks_add(struct cv_tasks *tasks, const struct cv_task *what);

/* Starts what is due, as long as fewer than `max` fibers are alive. Outside of fibers, after each
 * step. */
void cv_tasks_start(struct cv_tasks *tasks, struct cv_fibers *fibers, size_t max);

/* From the loop's thread: drops the task of that name if it does not run; else cancels it and, on
 * another fiber than its own, waits for its end. It does not run again. 0, -ENOENT, -ECANCELED. */
CV_MUST_CHECK int cv_tasks_cancel(struct cv_tasks *tasks, const char *name, int cause);

/* Whether one of that name waits or runs. From any thread. */
bool cv_tasks_has(struct cv_tasks *tasks, const char *name);

/* Takes no more, drops what waits and cancels what runs. */
void cv_tasks_close(struct cv_tasks *tasks, int cause);

#endif
