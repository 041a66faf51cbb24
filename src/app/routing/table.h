/* What is found by a text: routes by their path, nodes by a segment, hosts and names.
 *
 * One look, whatever the number of entries. Keys are the app's, so that a client decides nothing
 * about how they lie; it only asks.
 */
#ifndef CV_APP_TABLE_H
#define CV_APP_TABLE_H

#include "base/arena.h"

#include <stdint.h>

struct cv_table_slot {
    struct cv_span key; /* at == NULL: free */
    void *value;
};

/* A zeroed one is empty. */
struct cv_table {
    struct cv_table_slot *slots; /* open addressing, at most half of them taken */
    uint32_t n_slots;            /* a power of two, or 0 */
    uint32_t n;
};

/* Notes what belongs to `key`, in place of what did; both are kept. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_table_put(struct cv_table *table, struct cv_arena *arena, struct cv_span key,
                               void *value);

/* What belongs to `key`, or NULL. */
void *cv_table_find(const struct cv_table *table, struct cv_span key);

#endif
