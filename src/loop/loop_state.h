/* The inside of a loop: shared by loop.c, timer.c and wake.c, seen by nobody else. */
#ifndef CV_LOOP_LOOP_STATE_H
#define CV_LOOP_LOOP_STATE_H

#include "loop/loop.h"

#include <pthread.h>
#include <sys/epoll.h>

/* Events taken from the kernel at once; a step that finds more leaves them to the next. What they
 * bring is read, handled and answered in turn, and the CPU's caches must hold all of it meanwhile:
 * with 128, a request on one of 1,000 connections costs an eighth more than with 32. */
enum { CV_LOOP_BATCH = 32, CV_LOOP_WAKES_MAX = 4096 };

/* A 4-ary heap: the deadlines lie in the array itself, so that sifting touches few cache lines. */
struct cv_timer_node {
    int64_t at;
    struct cv_timer *timer;
};

struct cv_timers {
    struct cv_timer_node *heap;
    size_t count;
    size_t room;
    bool firing;
};

struct cv_wake {
    void (*fn)(void *arg);
    void *arg;
};

/* Two arrays of CV_LOOP_WAKES_MAX that change places: other threads fill `waiting` under the lock
 * while the loop runs through `running` without it. */
struct cv_wakes {
    int fd; /* eventfd, edge-triggered: it is written, never read */
    pthread_mutex_t lock;
    struct cv_wake *waiting;
    size_t waiting_count;
    struct cv_wake *running;
};

struct cv_loop {
    int fd;
    bool stepping;
    int64_t now;
    int64_t poll_first; /* ns before it sleeps; 0: none */
    void (*on_wait)(void *arg, bool running, int64_t now);
    void *on_wait_arg;
    struct cv_link soon; /* for the next step */
    struct cv_timers timers;
    struct cv_wakes wakes;
    int next;    /* fetched events before this one are delivered */
    int fetched; /* those of deleted watches are NULL */
    struct epoll_event events[CV_LOOP_BATCH];
};

/* Fires what is due at loop->now and returns how many did. */
int cv_timers_fire(struct cv_loop *loop);
void cv_timers_done(struct cv_timers *timers);

/* 0 or -errno; on error nothing is held. */
CV_MUST_CHECK int cv_wakes_init(struct cv_wakes *wakes);
void cv_wakes_done(struct cv_wakes *wakes);

/* Runs the calls that were waiting, not those that come meanwhile, and returns how many. */
int cv_wakes_run(struct cv_wakes *wakes);

#endif
