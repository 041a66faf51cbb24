/* Stacks for fibers: mapped with a guard below, pooled last in, first out.
 *
 * A stack that is given back stays as it is while it is among the few hottest in the pool; one that
 * sinks below them gives its memory back to the kernel and keeps only its addresses.
 */
#ifndef CV_LOOP_STACK_H
#define CV_LOOP_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct cv_stacks {
    size_t size;   /* of each, in bytes: a multiple of the page size */
    char **pooled; /* lowest addresses; the hottest last */
    size_t count;
    size_t hot; /* the last of `pooled` that have not been trimmed */
    size_t mapped;
    size_t room; /* of `pooled`; never less than `mapped`, so that giving back cannot fail */
    size_t used_max;
};

/* `size` is rounded up to whole pages and to a sane minimum. */
void cv_stacks_init(struct cv_stacks *stacks, size_t size);

/* Unmaps the pool. All stacks must have been given back. */
void cv_stacks_done(struct cv_stacks *stacks);

/* The lowest address of a stack of stacks->size bytes, or NULL without memory. What it contains is
 * undefined. */
char *cv_stacks_take(struct cv_stacks *stacks);
void cv_stacks_give(struct cv_stacks *stacks, char *low);

/* Whether `at` lies in the guard below a stack, which only one that has overflowed reaches. */
bool cv_stack_guards(const char *low, const void *at);

/* The most that any stack given back is known to have used. */
size_t cv_stacks_used(struct cv_stacks *stacks);

#endif
