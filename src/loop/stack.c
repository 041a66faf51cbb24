#include "loop/stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "loop/fiber_sanitize.h"

enum {
    SIZE_MIN = 16 * 1024,
    /* More than a page, so that a function with a few big arrays cannot step over it. Addresses
     * only: it is never backed by memory. */
    GUARD_SIZE = 64 * 1024,
    HOT_MAX = 32,
    ROOM_FIRST = 64,
};

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void cv_stacks_init(struct cv_stacks *stacks, size_t size)
{
    size_t page = page_size();
    if (size < SIZE_MIN)
        size = SIZE_MIN;
    *stacks = (struct cv_stacks){.size = (size + page - 1) / page * page};
}

static void unmap(const struct cv_stacks *stacks, char *low)
{
    (void)munmap(low - GUARD_SIZE, GUARD_SIZE + stacks->size);
}

void cv_stacks_done(struct cv_stacks *stacks)
{
    CV_ASSERT(stacks->count == stacks->mapped);
    for (size_t i = 0; i < stacks->count; i++)
        unmap(stacks, stacks->pooled[i]);
    free(stacks->pooled);
    *stacks = (struct cv_stacks){0};
}

bool cv_stack_guards(const char *low, const void *at)
{
    uintptr_t end = (uintptr_t)low;
    return (uintptr_t)at < end && (uintptr_t)at >= end - GUARD_SIZE;
}

static char *map(const struct cv_stacks *stacks)
{
    char *guard = mmap(NULL, GUARD_SIZE + stacks->size, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (guard == MAP_FAILED)
        return NULL;
    char *low = guard + GUARD_SIZE;
    if (mprotect(low, stacks->size, PROT_READ | PROT_WRITE) < 0) {
        unmap(stacks, low);
        return NULL;
    }
    return low;
}

static char *map_another(struct cv_stacks *stacks)
{
    if (stacks->mapped == stacks->room) {
        size_t room = stacks->room == 0 ? ROOM_FIRST : stacks->room * 2;
        char **pooled = reallocarray(stacks->pooled, room, sizeof *pooled);
        if (pooled == NULL)
            return NULL;
        stacks->pooled = pooled;
        stacks->room = room;
    }
    char *low = map(stacks);
    if (low != NULL)
        stacks->mapped++;
    return low;
}

char *cv_stacks_take(struct cv_stacks *stacks)
{
    if (stacks->count == 0)
        return map_another(stacks);
    if (stacks->hot > 0)
        stacks->hot--;
    return stacks->pooled[--stacks->count];
}

/* Asks the kernel which pages were touched: a stack grows down without holes that matter, so the
 * lowest one tells its depth. */
static void measure(struct cv_stacks *stacks, char *low)
{
    size_t page = page_size();
    size_t offset = 0;
    unsigned char resident[64] = {0};
    while (offset < stacks->size) {
        size_t n = stacks->size - offset;
        if (n > sizeof resident * page)
            n = sizeof resident * page;
        if (mincore(low + offset, n, resident) < 0)
            return;
        for (size_t i = 0; i < n / page; i++, offset += page) {
            if (resident[i] & 1) {
                if (stacks->size - offset > stacks->used_max)
                    stacks->used_max = stacks->size - offset;
                return;
            }
        }
    }
}

static void trim(struct cv_stacks *stacks, char *low)
{
    measure(stacks, low);
    /* Not MADV_FREE: what that frees still counts as ours in every tool an operator looks at. */
    (void)madvise(low, stacks->size, MADV_DONTNEED);
}

void cv_stacks_give(struct cv_stacks *stacks, char *low)
{
    CV_ASSERT(stacks->count < stacks->mapped);
    cv_sanitize_forget(low, stacks->size);
    if (stacks->hot == HOT_MAX)
        trim(stacks, stacks->pooled[stacks->count - stacks->hot--]);
    stacks->pooled[stacks->count++] = low;
    stacks->hot++;
}

size_t cv_stacks_used(struct cv_stacks *stacks)
{
    for (size_t i = stacks->count - stacks->hot; i < stacks->count; i++)
        measure(stacks, stacks->pooled[i]);
    return stacks->used_max;
}
