/* Starting, running and ending fibers. What they wait for is in fiber_wait.c.
 *
 * Switches are always between a fiber and the thread outside, never from fiber to fiber: a fiber
 * that is started or woken by another is queued.
 */
#include "loop/fiber.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/macros.h"
#include "loop/fiber_state.h"

enum { STACK_SIZE_DEFAULT = 256 * 1024, CACHE_LINE = 64 };

/* Whether one fiber that has ended is kept as it is, for the next function: most end without having
 * waited, one after the other. Not where its floating-point modes could not be set back, nor under
 * a sanitizer, so that use after the end shows. */
#define RESTS (CV_CONTEXT_CALMS && !CV_SANITIZED)

static CV_THREAD_LOCAL struct cv_fiber *running;

struct cv_fiber *cv_fiber_self(void)
{
    return running;
}

int cv_fibers_new(struct cv_loop *loop, const struct cv_fibers_config *config,
                  struct cv_fibers **ret)
{
    struct cv_fibers *fibers = calloc(1, sizeof *fibers);
    if (fibers == NULL)
        return -ENOMEM;
    fibers->loop = loop;
    fibers->max = config->max;
    cv_stacks_init(&fibers->stacks,
                   config->stack_size != 0 ? config->stack_size : STACK_SIZE_DEFAULT);
    cv_list_init(&fibers->ready);
    *ret = fibers;
    return 0;
}

static void bury(struct cv_fiber *fiber)
{
    cv_sanitize_gone(&fiber->side);
    cv_stacks_give(&fiber->fibers->stacks, (char *)fiber - fiber->side.size);
}

static void bury_resting(struct cv_fibers *fibers)
{
    if (fibers->resting != NULL)
        bury(fibers->resting);
    fibers->resting = NULL;
}

void cv_fibers_free(struct cv_fibers *fibers)
{
    if (fibers == NULL)
        return;
    CV_ASSERT(fibers->count == 0);
    bury_resting(fibers);
    cv_stacks_done(&fibers->stacks);
    free(fibers);
}

size_t cv_fibers_count(const struct cv_fibers *fibers)
{
    return fibers->count;
}

size_t cv_fibers_peak(const struct cv_fibers *fibers)
{
    return fibers->peak;
}

size_t cv_fibers_stack_used(struct cv_fibers *fibers)
{
    bury_resting(fibers);
    return cv_stacks_used(&fibers->stacks);
}

size_t cv_fibers_ready(const struct cv_fibers *fibers)
{
    return fibers->ready_count;
}

const struct cv_fiber *cv_fibers_first(const struct cv_fibers *fibers)
{
    return cv_list_empty(&fibers->ready)
               ? NULL
               : CV_CONTAINER_OF(fibers->ready.next, const struct cv_fiber, link);
}

size_t cv_fiber_overflowed(const void *at)
{
    return running != NULL && cv_stack_guards(running->side.low, at) ? running->fibers->stacks.size
                                                                     : 0;
}

void cv_fiber_set_owner(struct cv_fiber *fiber, void *owner)
{
    fiber->owner = owner;
}

void *cv_fiber_owner(const struct cv_fiber *fiber)
{
    return fiber->owner;
}

void cv_fiber_make_ready(struct cv_fiber *fiber, int result)
{
    struct cv_fibers *fibers = fiber->fibers;
    fiber->state = CV_FIBER_READY;
    fiber->result = result;
    cv_list_push(&fibers->ready, &fiber->link);
    fibers->ready_count++;
}

void cv_fiber_switch_out(struct cv_fiber *self)
{
    struct cv_side *outside = &self->fibers->outside;
    CV_ASSERT(self == running);
    cv_sanitize_leave(&self->side, outside, self->state == CV_FIBER_ENDED);
    cv_context_switch(&self->side.context, &outside->context);
    cv_sanitize_arrive(&self->side, outside);
}

/* The bottom of every fiber's stack. One that has rested goes on with its next function. */
static void enter(void *arg)
{
    struct cv_fiber *self = arg;
    cv_sanitize_arrive(&self->side, &self->fibers->outside);
    for (;;) {
        self->fn(self->arg);
        self->state = CV_FIBER_ENDED;
        cv_fiber_switch_out(self);
        CV_ASSERT(RESTS && self->state == CV_FIBER_RUNNING);
    }
}

static void end(struct cv_fiber *fiber)
{
    struct cv_fibers *fibers = fiber->fibers;
    CV_ASSERT(fiber->timer.slot == 0);
    fibers->count--;
    if (RESTS && fibers->resting == NULL)
        fibers->resting = fiber;
    else
        bury(fiber);
}

static void run(struct cv_fiber *fiber)
{
    struct cv_side *outside = &fiber->fibers->outside;
    fiber->state = CV_FIBER_RUNNING;
    running = fiber;
    cv_sanitize_thread(outside);
    cv_sanitize_leave(outside, &fiber->side, false);
    cv_context_switch(&outside->context, &fiber->side.context);
    cv_sanitize_arrive(outside, NULL);
    running = NULL;
    if (fiber->state == CV_FIBER_ENDED)
        end(fiber);
}

/* A fiber on a stack of its own, itself at the top of it. NULL without memory. */
static struct cv_fiber *create(struct cv_fibers *fibers)
{
    char *low = cv_stacks_take(&fibers->stacks);
    if (low == NULL)
        return NULL;
    size_t size = (fibers->stacks.size - sizeof(struct cv_fiber)) / CACHE_LINE * CACHE_LINE;
    struct cv_fiber *fiber = (struct cv_fiber *)(void *)(low + size);
    *fiber = (struct cv_fiber){.side = {.low = low, .size = size}, .fibers = fibers};
    cv_list_init(&fiber->link);
    cv_sanitize_born(&fiber->side);
    cv_context_make(&fiber->side.context, low, size, enter, fiber);
    return fiber;
}

/* The resting one, or another. NULL without memory. */
static struct cv_fiber *take(struct cv_fibers *fibers)
{
    struct cv_fiber *fiber = fibers->resting;
    if (fiber == NULL)
        return create(fibers);
    fibers->resting = NULL;
    cv_context_calm(&fiber->side.context);
    return fiber;
}

/* Nothing is left of what was done to the one before. What a fiber waits for is set by each wait.
 */
static void begin(struct cv_fiber *fiber, void (*fn)(void *arg), void *arg)
{
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->owner = NULL;
    fiber->wake_kept = false;
    fiber->cause = 0;
    fiber->refusals = 0;
    fiber->shield_taken = false;
    fiber->shield_until = 0;
}

int cv_fiber_start(struct cv_fibers *fibers, void (*fn)(void *arg), void *arg,
                   struct cv_fiber **ret)
{
    if (fibers->count >= fibers->max)
        return -EAGAIN;
    struct cv_fiber *fiber = take(fibers);
    if (fiber == NULL)
        return -ENOMEM;
    begin(fiber, fn, arg);
    if (++fibers->count > fibers->peak)
        fibers->peak = fibers->count;
    if (ret != NULL)
        *ret = fiber;
    if (running != NULL)
        cv_fiber_make_ready(fiber, 0);
    else
        run(fiber);
    return 0;
}

bool cv_fiber_can_renew(void)
{
    return RESTS;
}

void cv_fiber_renew(struct cv_fiber *self)
{
    CV_ASSERT(RESTS && self == running && self->timer.slot == 0);
    cv_context_calm_self();
    begin(self, self->fn, self->arg);
}

void cv_fibers_run_first(struct cv_fibers *fibers)
{
    CV_ASSERT(running == NULL);
    struct cv_link *link = cv_list_pop(&fibers->ready);
    CV_ASSERT(link != NULL);
    fibers->ready_count--;
    run(CV_CONTAINER_OF(link, struct cv_fiber, link));
}
