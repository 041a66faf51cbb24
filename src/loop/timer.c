/* Deadlines in a 4-ary heap: cheap to set, to move and to drop, wherever they are in it. */
#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "loop/loop_state.h"

enum { ARITY = 4, ROOM_FIRST = 32 };

static void place(struct cv_timers *timers, size_t i, struct cv_timer_node node)
{
    timers->heap[i] = node;
    node.timer->slot = i + 1;
}

static void sift_up(struct cv_timers *timers, size_t i, struct cv_timer_node node)
{
    while (i > 0) {
        size_t parent = (i - 1) / ARITY;
        if (timers->heap[parent].at <= node.at)
            break;
        place(timers, i, timers->heap[parent]);
        i = parent;
    }
    place(timers, i, node);
}

/* The child of `i` that is due first, or `count` if it has none. */
static size_t first_child(const struct cv_timers *timers, size_t i)
{
    size_t child = i * ARITY + 1;
    if (child >= timers->count)
        return timers->count;
    size_t end = child + ARITY < timers->count ? child + ARITY : timers->count;
    size_t first = child;
    while (++child < end) {
        if (timers->heap[child].at < timers->heap[first].at)
            first = child;
    }
    return first;
}

static void sift_down(struct cv_timers *timers, size_t i, struct cv_timer_node node)
{
    for (;;) {
        size_t child = first_child(timers, i);
        if (child == timers->count || timers->heap[child].at >= node.at)
            break;
        place(timers, i, timers->heap[child]);
        i = child;
    }
    place(timers, i, node);
}

/* Puts `node` at `i` or wherever it belongs above or below. */
static void settle(struct cv_timers *timers, size_t i, struct cv_timer_node node)
{
    if (i > 0 && node.at < timers->heap[(i - 1) / ARITY].at)
        sift_up(timers, i, node);
    else
        sift_down(timers, i, node);
}

static int reserve(struct cv_timers *timers)
{
    if (timers->count < timers->room)
        return 0;
    size_t room = timers->room == 0 ? ROOM_FIRST : timers->room * 2;
    struct cv_timer_node *heap = reallocarray(timers->heap, room, sizeof *heap);
    if (heap == NULL)
        return -ENOMEM;
    timers->heap = heap;
    timers->room = room;
    return 0;
}

int cv_timer_set(struct cv_loop *loop, struct cv_timer *timer, int64_t at)
{
    struct cv_timers *timers = &loop->timers;
    CV_ASSERT(timer->fire != NULL);
    /* One that sets itself to the present must not keep the step from ending. */
    int64_t due = timers->firing && at <= loop->now ? loop->now + 1 : at;
    struct cv_timer_node node = {.at = due, .timer = timer};
    if (timer->slot != 0) {
        timer->at = at;
        settle(timers, timer->slot - 1, node);
        return 0;
    }
    int rc = reserve(timers);
    if (rc < 0)
        return rc;
    timer->at = at;
    sift_up(timers, timers->count++, node);
    return 0;
}

void cv_timer_move(struct cv_loop *loop, struct cv_timer *timer, int64_t at)
{
    int rc = cv_timer_set(loop, timer, at);
    CV_ASSERT(rc == 0);
}

void cv_timer_stop(struct cv_loop *loop, struct cv_timer *timer)
{
    struct cv_timers *timers = &loop->timers;
    if (timer->slot == 0)
        return;
    size_t i = timer->slot - 1;
    CV_ASSERT(i < timers->count);
    CV_ASSERT(timers->heap[i].timer == timer);
    timer->slot = 0;
    struct cv_timer_node last = timers->heap[--timers->count];
    if (last.timer != timer)
        settle(timers, i, last);
}

int64_t cv_loop_deadline(const struct cv_loop *loop)
{
    if (!cv_list_empty(&loop->soon))
        return loop->now;
    return loop->timers.count > 0 ? loop->timers.heap[0].at : CV_NEVER;
}

int cv_timers_fire(struct cv_loop *loop)
{
    struct cv_timers *timers = &loop->timers;
    int fired = 0;
    timers->firing = true;
    while (timers->count > 0 && timers->heap[0].at <= loop->now) {
        struct cv_timer *timer = timers->heap[0].timer;
        cv_timer_stop(loop, timer);
        timer->fire(timer);
        fired++;
    }
    timers->firing = false;
    return fired;
}

void cv_timers_done(struct cv_timers *timers)
{
    free(timers->heap); /* the timers belong to others, who may be gone */
}
