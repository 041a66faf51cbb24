/* Calls into a loop from other threads: a bounded queue and an eventfd.
 *
 * The eventfd is written only when the queue stops being empty, and never read: it is watched
 * edge-triggered, so every write is reported once.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/assert.h"
#include "loop/loop_state.h"

int cv_wakes_init(struct cv_wakes *wakes)
{
    /* Only pages that are used become memory: calloc would write to all of them. */
    struct cv_wake *waiting = reallocarray(NULL, CV_LOOP_WAKES_MAX, sizeof *waiting);
    struct cv_wake *running = reallocarray(NULL, CV_LOOP_WAKES_MAX, sizeof *running);
    int fd = waiting != NULL && running != NULL ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (fd < 0) {
        int rc = waiting != NULL && running != NULL ? -errno : -ENOMEM;
        free(waiting);
        free(running);
        return rc;
    }
    *wakes = (struct cv_wakes){.fd = fd, .waiting = waiting, .running = running};
    int rc = pthread_mutex_init(&wakes->lock, NULL);
    CV_ASSERT(rc == 0); /* cannot fail for a default mutex */
    return 0;
}

void cv_wakes_done(struct cv_wakes *wakes)
{
    (void)close(wakes->fd);
    (void)pthread_mutex_destroy(&wakes->lock);
    free(wakes->waiting);
    free(wakes->running);
}

int cv_loop_wake(struct cv_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct cv_wakes *wakes = &loop->wakes;
    int rc = 0;
    (void)pthread_mutex_lock(&wakes->lock);
    if (wakes->waiting_count == CV_LOOP_WAKES_MAX) {
        rc = -EAGAIN;
    } else {
        wakes->waiting[wakes->waiting_count++] = (struct cv_wake){.fn = fn, .arg = arg};
        if (wakes->waiting_count == 1)
            (void)eventfd_write(wakes->fd, 1); /* fails only after 2^64 of them */
    }
    (void)pthread_mutex_unlock(&wakes->lock);
    return rc;
}

int cv_wakes_run(struct cv_wakes *wakes)
{
    (void)pthread_mutex_lock(&wakes->lock);
    struct cv_wake *batch = wakes->waiting;
    size_t count = wakes->waiting_count;
    wakes->waiting = wakes->running;
    wakes->waiting_count = 0;
    wakes->running = batch;
    (void)pthread_mutex_unlock(&wakes->lock);

    for (size_t i = 0; i < count; i++)
        batch[i].fn(batch[i].arg);
    return (int)count;
}
