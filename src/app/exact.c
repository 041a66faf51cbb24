#include "app/exact.h"

#include <errno.h>
#include <stdint.h>

#define SLOTS_FIRST 16

static uint64_t word_at(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 divided by the golden ratio */
    return sum ^ sum >> 32;
}

/* Any will do that lets every byte count: which paths are here is the app's choice, not a client's.
 * Here and below the last word may overlap the one before. */
static size_t hash(struct cv_span path)
{
    uint64_t sum = path.len;
    if (path.len < 8) {
        for (size_t i = 0; i < path.len; i++)
            sum = sum * 31 + (unsigned char)path.at[i];
        return (size_t)(sum ^ sum >> 7);
    }
    for (size_t i = 0; i + 8 < path.len; i += 8)
        sum = mix(sum, word_at(path.at + i));
    return (size_t)mix(sum, word_at(path.at + path.len - 8));
}

static bool is_same(struct cv_span a, struct cv_span b)
{
    if (a.len != b.len || a.len < 8)
        return cv_span_eq(a, b);
    for (size_t i = 0; i + 8 < a.len; i += 8) {
        if (word_at(a.at + i) != word_at(b.at + i))
            return false;
    }
    return word_at(a.at + a.len - 8) == word_at(b.at + b.len - 8);
}

/* The slot that has this path, or the free one where it belongs. There is a free one. */
static struct cv_exact_slot *slot_of(const struct cv_exact *exact, struct cv_span path)
{
    size_t i = hash(path) & (exact->n_slots - 1);
    while (exact->slots[i].path.at != NULL && !is_same(exact->slots[i].path, path))
        i = (i + 1) & (exact->n_slots - 1);
    return &exact->slots[i];
}

static int grow(struct cv_exact *exact, struct cv_arena *arena)
{
    struct cv_exact more = {.n_slots = exact->n_slots > 0 ? exact->n_slots * 2 : SLOTS_FIRST};
    more.slots = cv_arena_alloc(arena, more.n_slots * sizeof(*more.slots));
    if (more.slots == NULL)
        return -ENOMEM;
    memset(more.slots, 0, more.n_slots * sizeof(*more.slots));
    for (size_t i = 0; i < exact->n_slots; i++) {
        if (exact->slots[i].path.at != NULL)
            *slot_of(&more, exact->slots[i].path) = exact->slots[i];
    }
    exact->slots = more.slots;
    exact->n_slots = more.n_slots;
    return 0;
}

int cv_exact_add(struct cv_exact *exact, struct cv_arena *arena, struct cv_span path,
                 struct cv_route *const *routes)
{
    if (exact->n >= exact->n_slots / 2) {
        int rc = grow(exact, arena);
        if (rc < 0)
            return rc;
    }
    struct cv_exact_slot *slot = slot_of(exact, path);
    if (slot->path.at == NULL) {
        *slot = (struct cv_exact_slot){path, routes};
        exact->n++;
    }
    return 0;
}

const struct cv_route *cv_exact_find(const struct cv_exact *exact, struct cv_span path)
{
    if (exact->n == 0)
        return NULL;
    const struct cv_exact_slot *slot = slot_of(exact, path);
    return slot->path.at != NULL ? *slot->routes : NULL;
}
