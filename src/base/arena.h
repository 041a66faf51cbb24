/* Region memory, released all at once: what one request lives in.
 *
 * Chunks are recycled through a small free list per thread, so that a request costs no malloc.
 */
#ifndef CV_BASE_ARENA_H
#define CV_BASE_ARENA_H

#include "base/macros.h"
#include "base/span.h"

#include <stdarg.h>

struct cv_arena_chunk;

struct cv_arena {
    struct cv_arena_chunk *chunks; /* newest first */
    char *at;                      /* next free byte of the newest chunk */
    char *end;
    bool ran_out; /* a block was wanted for which there was no memory */
};

/* An empty arena; allocates nothing yet. */
static inline void cv_arena_init(struct cv_arena *arena)
{
    *arena = (struct cv_arena){0};
}

/* Releases everything. Fine on a zeroed or already finished arena. */
void cv_arena_done(struct cv_arena *arena);

/* What does not fit into the newest chunk, and blocks of no byte. */
void *cv_arena_grow(struct cv_arena *arena, size_t size);

/* `size` uninitialised bytes aligned to 16, or NULL if out of memory. */
static inline void *cv_arena_alloc(struct cv_arena *arena, size_t size)
{
    size_t room = (size_t)(arena->end - arena->at); /* a multiple of 16 */
    if (CV_UNLIKELY(size - 1 >= room))
        return cv_arena_grow(arena, size);
    void *block = arena->at;
    arena->at += (size + 15) & ~(size_t)15;
    return block;
}

/* A NUL-terminated copy, or NULL. */
char *cv_arena_strndup(struct cv_arena *arena, struct cv_span bytes);

/* Formatted text, NUL-terminated, or NULL. */
char *cv_arena_printf(struct cv_arena *arena, const char *format, ...) CV_PRINTF(2, 3);
char *cv_arena_vprintf(struct cv_arena *arena, const char *format, va_list args) CV_PRINTF(2, 0);

#endif
