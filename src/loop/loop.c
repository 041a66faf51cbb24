/* The step and the watches: a thin layer over epoll, level-triggered unless asked otherwise.
 *
 * A callback may delete any watch, its own included, and free what it is embedded in: deleting
 * clears it from the events that were fetched but not delivered yet.
 */
#include "loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "loop/loop_state.h"

int cv_loop_new(struct cv_loop **ret)
{
    struct cv_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;

    CV_AUTOCLOSE int fd = epoll_create1(EPOLL_CLOEXEC);
    int rc = fd < 0 ? -errno : cv_wakes_init(&loop->wakes);
    if (rc < 0) {
        free(loop);
        return rc;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &loop->wakes};
    if (epoll_ctl(fd, EPOLL_CTL_ADD, loop->wakes.fd, &event) < 0) {
        rc = -errno;
        cv_wakes_done(&loop->wakes);
        free(loop);
        return rc;
    }
    loop->fd = cv_take_fd(&fd);
    loop->now = cv_clock_ns();
    cv_list_init(&loop->soon);
    *ret = loop;
    return 0;
}

void cv_loop_free(struct cv_loop *loop)
{
    if (loop == NULL)
        return;
    CV_ASSERT(!loop->stepping);
    (void)close(loop->fd);
    cv_wakes_done(&loop->wakes);
    cv_timers_done(&loop->timers);
    free(loop);
}

int cv_loop_fd(const struct cv_loop *loop)
{
    return loop->fd;
}

int64_t cv_loop_now(const struct cv_loop *loop)
{
    return loop->now;
}

void cv_loop_on_wait(struct cv_loop *loop, void (*fn)(void *arg, bool running, int64_t now),
                     void *arg)
{
    loop->on_wait = fn;
    loop->on_wait_arg = arg;
}

void cv_loop_poll_first(struct cv_loop *loop, int64_t ns)
{
    loop->poll_first = ns;
}

static uint32_t to_epoll(unsigned events)
{
    uint32_t mask = 0;
    mask |= events & CV_READ ? EPOLLIN : 0u;
    mask |= events & CV_WRITE ? EPOLLOUT : 0u;
    mask |= events & CV_PEER_CLOSED ? EPOLLRDHUP : 0u;
    mask |= events & CV_EDGE ? EPOLLET : 0u;
    mask |= events & CV_EXCLUSIVE ? EPOLLEXCLUSIVE : 0u;
    return mask;
}

/* What to report to a watch: only what it wants by now, which may be less than when it was fetched.
 */
static unsigned from_epoll(uint32_t mask, unsigned wants)
{
    unsigned events = 0;
    events |= mask & EPOLLIN ? CV_READ : 0u;
    events |= mask & EPOLLOUT ? CV_WRITE : 0u;
    events |= mask & EPOLLRDHUP ? CV_PEER_CLOSED : 0u;
    if (mask & (EPOLLERR | EPOLLHUP))
        events = CV_READ | CV_WRITE | CV_PEER_CLOSED | CV_FAILED;
    return events & wants;
}

static int control(struct cv_loop *loop, int op, struct cv_watch *watch, int fd, unsigned events)
{
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = watch};
    if (epoll_ctl(loop->fd, op, fd, &event) < 0)
        return -errno;
    watch->fd = fd;
    watch->wants = events | CV_FAILED;
    return 0;
}

int cv_loop_add(struct cv_loop *loop, struct cv_watch *watch, int fd, unsigned events)
{
    CV_ASSERT(watch->ready != NULL);
    CV_ASSERT(watch->wants == 0);
    return control(loop, EPOLL_CTL_ADD, watch, fd, events);
}

int cv_loop_mod(struct cv_loop *loop, struct cv_watch *watch, unsigned events)
{
    CV_ASSERT(watch->wants != 0);
    return control(loop, EPOLL_CTL_MOD, watch, watch->fd, events);
}

void cv_loop_del(struct cv_loop *loop, struct cv_watch *watch)
{
    if (watch->wants == 0)
        return;
    /* Fails only if the descriptor is closed already, and then the kernel has forgotten it. */
    (void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
    watch->wants = 0;
    for (int i = loop->next; i < loop->fetched; i++) {
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
    }
}

/* ---- What comes soon ---- */

void cv_loop_soon(struct cv_loop *loop, struct cv_soon *soon)
{
    if (soon->is_set)
        return;
    soon->is_set = true;
    cv_list_push(&loop->soon, &soon->link);
}

void cv_loop_not_soon(struct cv_soon *soon)
{
    if (!soon->is_set)
        return;
    soon->is_set = false;
    cv_list_remove(&soon->link);
}

static int fire_soon(struct cv_link *due)
{
    int fired = 0;
    for (struct cv_link *link = due->next; link != due; link = due->next, fired++) {
        struct cv_soon *soon = CV_CONTAINER_OF(link, struct cv_soon, link);
        cv_loop_not_soon(soon);
        soon->fire(soon);
    }
    return fired;
}

/* ---- The step ---- */

/* Milliseconds for epoll_wait(), rounded up: rounded down, the last fraction of a millisecond
 * before a deadline would be spent in steps that find nothing due. */
static int timeout_ms(const struct cv_loop *loop, int64_t until)
{
    int64_t deadline = cv_loop_deadline(loop);
    if (until < deadline)
        deadline = until;
    if (deadline == CV_NEVER)
        return -1;
    if (deadline <= loop->now)
        return 0;
    /* Not measured from loop->now: the owner may have run other code since. */
    int64_t left = deadline - cv_clock_ns();
    if (left <= 0)
        return 0;
    int64_t ms = left / CV_MS + (left % CV_MS != 0);
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static int look_for_events(struct cv_loop *loop)
{
    int count;
    int64_t end = cv_clock_ns() + loop->poll_first;
    do
        count = epoll_wait(loop->fd, loop->events, CV_LOOP_BATCH, 0);
    while (count == 0 && cv_clock_ns() < end);
    return count;
}

static int wait_for_events(struct cv_loop *loop, int64_t until)
{
    int timeout = timeout_ms(loop, until);
    int count = 0;
    if (timeout != 0 && loop->poll_first > 0) {
        count = look_for_events(loop);
        timeout = count == 0 ? timeout_ms(loop, until) : 0;
    }
    if (timeout != 0 && loop->on_wait != NULL)
        loop->on_wait(loop->on_wait_arg, false, loop->now);
    if (count == 0)
        count = epoll_wait(loop->fd, loop->events, CV_LOOP_BATCH, timeout);
    int rc = count >= 0 ? count : -errno;
    loop->now = cv_clock_ns();
    if (loop->on_wait != NULL)
        loop->on_wait(loop->on_wait_arg, true, loop->now);
    return rc == -EINTR ? 0 : rc;
}

static int deliver(struct cv_loop *loop, const struct epoll_event *event)
{
    if (event->data.ptr == NULL)
        return 0;
    if (event->data.ptr == &loop->wakes)
        return cv_wakes_run(&loop->wakes);
    struct cv_watch *watch = event->data.ptr;
    unsigned events = from_epoll(event->events, watch->wants);
    if (events == 0)
        return 0;
    watch->ready(watch, events);
    return 1;
}

int cv_loop_step(struct cv_loop *loop, int64_t until)
{
    CV_ASSERT(!loop->stepping);
    int rc = wait_for_events(loop, until);
    if (rc < 0)
        return rc;

    int fired = 0;
    struct cv_link due; /* not what is set while watches fire */
    cv_list_move(&loop->soon, &due);
    loop->stepping = true;
    loop->fetched = rc;
    loop->next = 0;
    while (loop->next < loop->fetched)
        fired += deliver(loop, &loop->events[loop->next++]);
    loop->next = loop->fetched = 0;
    fired += fire_soon(&due);
    fired += cv_timers_fire(loop);
    loop->stepping = false;
    return fired;
}
