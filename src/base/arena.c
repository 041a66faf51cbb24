#include "base/arena.h"

#include "base/assert.h"

#include <stdint.h>
#include <stdio.h>

#define CHUNK_BYTES 4096 /* of the ordinary chunk, header included */
#define KEPT_MAX 64      /* ordinary chunks kept per thread: 256 KiB */

struct cv_arena_chunk {
    struct cv_arena_chunk *next;
    size_t size; /* bytes behind the header */
    _Alignas(16) char bytes[];
};

#define ORDINARY (CHUNK_BYTES - sizeof(struct cv_arena_chunk))

/* Chunks between two requests. Under a sanitizer nothing is kept, so that use after the end shows.
 */
static CV_THREAD_LOCAL struct cv_arena_chunk *kept;
static CV_THREAD_LOCAL unsigned n_kept;

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define CV_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define CV_ASAN 1
#endif

#ifdef CV_ASAN
#define KEEPS 0
#else
#define KEEPS 1
#endif

static void chunk_release(struct cv_arena_chunk *chunk)
{
    if (!KEEPS || chunk->size != ORDINARY || n_kept == KEPT_MAX) {
        free(chunk);
        return;
    }
    chunk->next = kept;
    kept = chunk;
    n_kept++;
}

void cv_arena_done(struct cv_arena *arena)
{
    struct cv_arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct cv_arena_chunk *next = chunk->next;
        chunk_release(chunk);
        chunk = next;
    }
    cv_arena_init(arena);
}

static struct cv_arena_chunk *chunk_take(size_t size)
{
    if (size <= ORDINARY && kept != NULL) {
        struct cv_arena_chunk *chunk = kept;
        kept = chunk->next;
        n_kept--;
        return chunk;
    }
    if (size < ORDINARY)
        size = ORDINARY;
    struct cv_arena_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (chunk != NULL)
        chunk->size = size;
    return chunk;
}

/* A large block goes behind the current chunk, so that the rest of that one stays in use. */
void *cv_arena_grow(struct cv_arena *arena, size_t size)
{
    struct cv_arena_chunk *chunk = NULL;
    if (size <= SIZE_MAX / 2) {
        size = size == 0 ? 16 : (size + 15) & ~(size_t)15; /* NULL would mean "out of memory" */
        chunk = chunk_take(size);
    }
    if (chunk == NULL) {
        arena->ran_out = true;
        return NULL;
    }
    if (size > ORDINARY && arena->chunks != NULL) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
        return chunk->bytes;
    }
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->at = chunk->bytes + size;
    arena->end = chunk->bytes + chunk->size;
    return chunk->bytes;
}

char *cv_arena_strndup(struct cv_arena *arena, struct cv_span bytes)
{
    char *copy = cv_arena_alloc(arena, bytes.len + 1);
    if (copy == NULL)
        return NULL;
    if (bytes.len > 0)
        memcpy(copy, bytes.at, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

char *cv_arena_vprintf(struct cv_arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0)
        return NULL;
    char *text = cv_arena_alloc(arena, (size_t)len + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

char *cv_arena_printf(struct cv_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = cv_arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}
