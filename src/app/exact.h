/* Paths without parameters, found by one look instead of segment by segment.
 *
 * A literal wins over every parameter, so whoever is found here would have been found first. A path
 * with an escape is never here: it has to be decoded before it is compared.
 */
#ifndef CV_APP_EXACT_H
#define CV_APP_EXACT_H

#include "base/arena.h"

struct cv_route;

struct cv_exact_slot {
    struct cv_span path; /* at == NULL: free */
    struct cv_route *const *routes;
};

/* A zeroed one is empty. */
struct cv_exact {
    struct cv_exact_slot *slots; /* open addressing, at most half of them taken */
    size_t n_slots;              /* a power of two, or 0 */
    size_t n;
};

/* Notes where the routes of a path are, unless that is known already; both are kept. 0 or -ENOMEM.
 */
CV_MUST_CHECK int cv_exact_add(struct cv_exact *exact, struct cv_arena *arena, struct cv_span path,
                               struct cv_route *const *routes);

/* The first route of this path as it came, NULL if it is none of these. */
const struct cv_route *cv_exact_find(const struct cv_exact *exact, struct cv_span path);

#endif
