/* The types of path parameters by their text: each is read once and kept. */
#ifndef CV_APP_PARAM_TYPE_H
#define CV_APP_PARAM_TYPE_H

#include "app/routing/param.h"
#include "base/arena.h"

/* The types that an app has used so far, and its own. */
struct cv_param_types {
    struct cv_arena *arena;
    struct cv_param_type *first;
};

/* Frees what does not lie in the arena. */
void cv_param_types_done(struct cv_param_types *types);

/* The type of "<name:TEXT>" or "<name=BASE:ext...>"; `text` begins behind the name, with ':' or
 * '=', or is empty (str), and is kept. The same text always is the same type. NULL with a sentence
 * in `reason`. */
const struct cv_param_type *cv_param_type_get(struct cv_param_types *types, struct cv_span text,
                                              char *reason, size_t cap);

/* Adds a type of the app's own; `name` is kept. 0, or -EINVAL or -ENOMEM with a sentence. */
CV_MUST_CHECK int cv_param_type_add(struct cv_param_types *types, struct cv_span name,
                                    covey_pattern_fn *own, char *reason, size_t cap);

#endif
