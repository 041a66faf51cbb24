#include "app/routing/table.h"

#include <errno.h>
#include <stdint.h>

#define SLOTS_FIRST 2 /* most nodes have one child, or none */

static uint64_t word_at(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t half_at(const char *at)
{
    uint32_t half;
    memcpy(&half, at, sizeof(half));
    return half;
}

/* Both halves of the product: in the lower one the last bytes of a word would not reach the bits
 * that choose a slot. */
static uint64_t mix(uint64_t sum, uint64_t word)
{
    __extension__ unsigned __int128 product =
        (unsigned __int128)(sum ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* the golden ratio */
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* All bytes of a key of less than eight as one word: they may be in it more than once. */
static uint64_t short_word(struct cv_span key)
{
    const unsigned char *at = (const unsigned char *)key.at;
    if (key.len >= 4)
        return half_at(key.at) | half_at(key.at + key.len - 4) << 32;
    return key.len == 0 ? 0 : at[0] | at[key.len / 2] << 8 | at[key.len - 1] << 16;
}

/* Where the search for a key begins. Any sum will do that lets every byte count: which keys are
 * here is the app's choice, not a client's. Here and below the last word may overlap the one
 * before. */
static size_t hash_long(struct cv_span key)
{
    uint64_t sum = key.len;
    for (size_t i = 0; i + 8 < key.len; i += 8)
        sum = mix(sum, word_at(key.at + i));
    return (size_t)mix(sum, word_at(key.at + key.len - 8));
}

static bool is_same(struct cv_span a, struct cv_span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i + 8 < a.len; i += 8) {
        if (word_at(a.at + i) != word_at(b.at + i))
            return false;
    }
    return word_at(a.at + a.len - 8) == word_at(b.at + b.len - 8);
}

static struct cv_table_slot *slot_of_long(const struct cv_table *table, struct cv_span key)
{
    size_t i = hash_long(key) & (table->n_slots - 1);
    while (table->slots[i].key.at != NULL && !is_same(table->slots[i].key, key))
        i = (i + 1) & (table->n_slots - 1);
    return &table->slots[i];
}

static struct cv_table_slot *slot_of_short(const struct cv_table *table, struct cv_span key)
{
    uint64_t word = short_word(key);
    size_t i = mix(key.len, word) & (table->n_slots - 1);
    while (table->slots[i].key.at != NULL &&
           (table->slots[i].key.len != key.len || short_word(table->slots[i].key) != word))
        i = (i + 1) & (table->n_slots - 1);
    return &table->slots[i];
}

/* The slot that has this key, or the free one where it belongs. There is a free one. */
static inline struct cv_table_slot *slot_of(const struct cv_table *table, struct cv_span key)
{
    return key.len < 8 ? slot_of_short(table, key) : slot_of_long(table, key);
}

static int grow(struct cv_table *table, struct cv_arena *arena)
{
    struct cv_table more = {.n_slots = table->n_slots > 0 ? table->n_slots * 2 : SLOTS_FIRST,
                            .n = table->n};
    if (more.n_slots > UINT32_MAX / 4)
        return -ENOMEM;
    more.slots = cv_arena_alloc(arena, more.n_slots * sizeof(*more.slots));
    if (more.slots == NULL)
        return -ENOMEM;
    memset(more.slots, 0, more.n_slots * sizeof(*more.slots));
    for (size_t i = 0; i < table->n_slots; i++) {
        if (table->slots[i].key.at != NULL)
            *slot_of(&more, table->slots[i].key) = table->slots[i];
    }
    *table = more;
    return 0;
}

int cv_table_put(struct cv_table *table, struct cv_arena *arena, struct cv_span key, void *value)
{
    if (table->n >= table->n_slots / 2) {
        int rc = grow(table, arena);
        if (rc < 0)
            return rc;
    }
    struct cv_table_slot *slot = slot_of(table, key);
    table->n += slot->key.at == NULL;
    *slot = (struct cv_table_slot){key, value};
    return 0;
}

void *cv_table_find(const struct cv_table *table, struct cv_span key)
{
    return table->n > 0 ? slot_of(table, key)->value : NULL;
}
