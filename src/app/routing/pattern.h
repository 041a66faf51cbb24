/* Route patterns: "/a/<id:int>/<rest:path>" into segments, with a sentence for whatever is wrong.
 * Pure. */
#ifndef CV_APP_PATTERN_H
#define CV_APP_PATTERN_H

#include "app/routing/param_type.h"

#define CV_PATTERN_SEGMENTS_MAX 32

/* One segment: a literal, or a parameter. */
struct cv_segment {
    const struct cv_param_type *type; /* NULL: a literal */
    struct cv_span text;              /* the literal, or the parameter's name */
};

struct cv_pattern {
    size_t n;
    struct cv_segment segments[CV_PATTERN_SEGMENTS_MAX];
};

/* Splits `pattern`, which is kept; the spans lie in it. 0, or -EINVAL with a sentence in `reason`.
 */
CV_MUST_CHECK int cv_pattern_parse(struct cv_param_types *types, const char *pattern,
                                   struct cv_pattern *ret, char *reason, size_t cap);

/* `before` and `path` behind their version: "/v1" for "1" or "v1", with another prefix than "/v" if
 * one is given. In `arena`; NULL when out of memory. */
char *cv_pattern_versioned(struct cv_arena *arena, const char *prefix, const char *version,
                           const char *before, const char *path);

#endif
