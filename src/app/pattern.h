/* Route patterns: "/a/<id:int>/<rest:path>" into segments, with a sentence for whatever is wrong.
 * Pure. */
#ifndef CV_APP_PATTERN_H
#define CV_APP_PATTERN_H

#include "app/router.h"

/* One segment: a literal, or a parameter. */
struct cv_segment {
    bool is_param;
    enum cv_param_kind kind;
    struct cv_span text; /* the literal, or the parameter's name */
};

struct cv_pattern {
    size_t n;
    struct cv_segment segments[CV_ROUTER_SEGMENTS_MAX];
};

/* Splits `pattern`; the spans lie in it. 0, or -EINVAL with a sentence in `reason`. */
CV_MUST_CHECK int cv_pattern_parse(const char *pattern, struct cv_pattern *ret, char *reason,
                                   size_t cap);

/* Whether a decoded path segment fits a parameter of this kind (not for CV_PARAM_PATH, which takes
 * several). */
bool cv_pattern_fits(enum cv_param_kind kind, struct cv_span segment);

#endif
