/* Named values: what queries, forms and Cookie fields consist of.
 *
 * They keep their order, and a name may come several times. More than a handful are found by a
 * keyed hash, so that no choice of names makes looking them up slow.
 */
#ifndef CV_HTTP_ARGS_H
#define CV_HTTP_ARGS_H

#include "base/arena.h"
#include "base/siphash.h"

#include <stdbool.h>

struct cv_arg {
    const char *name;
    const char *value;
    uint32_t next; /* place + 1 of the next one of that name; 0: it is the last */
    uint32_t last; /* place + 1 of the last one, if this is the first of that name; else 0 */
};

struct cv_args {
    struct cv_arg *at;
    uint32_t n;
    uint32_t cap;
    uint32_t max;
    uint32_t n_slots; /* a power of two; 0: there are few */
    uint32_t *slots;  /* place + 1 of the first one of a name; 0: free */
    const struct cv_siphash_key *key;
    struct cv_arena *arena;
};

/* None yet, and never more than `max`. Key and arena are borrowed. */
void cv_args_init(struct cv_args *args, struct cv_arena *arena, const struct cv_siphash_key *key,
                  uint32_t max);

/* Adds one whose strings live as long as the arena. 0, -E2BIG past `max`, -ENOMEM. */
CV_MUST_CHECK int cv_args_add(struct cv_args *args, const char *name, const char *value);

/* Adds all of "name=value&...", decoded ('+' is a blank), as copies: a query, or a body of
 * application/x-www-form-urlencoded (the URL standard, section 5.1). Empty pieces are skipped; one
 * without '=' has an empty value. 0, -400 (a broken escape, or a NUL), -E2BIG, -ENOMEM. */
CV_MUST_CHECK int cv_args_read(struct cv_args *args, struct cv_span text);

/* The first one of that name, and the next of the same name; NULL: there is none. */
const struct cv_arg *cv_args_find(const struct cv_args *args, const char *name);
const struct cv_arg *cv_args_next(const struct cv_args *args, const struct cv_arg *arg);

/* The same for getters, `args` NULL: there are none. The first value of that name; each of them
 * (*at is 0 at first, NULL at the end); all there are, in order (false at the end). */
const char *cv_args_value(const struct cv_args *args, const char *name);
const char *cv_args_list(const struct cv_args *args, const char *name, size_t *at);
bool cv_args_each(const struct cv_args *args, size_t *at, const char **ret_name,
                  const char **ret_value);

#endif
