/* Conditional requests (RFC 9110, section 13). */
#ifndef CV_HTTP_CONDITIONAL_H
#define CV_HTTP_CONDITIONAL_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* The values of the fields; at == NULL: absent. Fields that came several times are joined. */
struct cv_conditions {
    struct cv_span if_match;
    struct cv_span if_none_match;
    struct cv_span if_modified_since;
    struct cv_span if_unmodified_since;
    struct cv_span if_range;
};

/* What the representation that would be sent has. */
struct cv_validators {
    struct cv_span etag; /* strong, with its quotes */
    int64_t modified;    /* seconds since 1970 */
};

/* In the order of section 13.2.2: 0 (go on), 304, or 412. `now` in seconds since 1970. */
int cv_conditions_check(const struct cv_conditions *conditions,
                        const struct cv_validators *validators, bool is_get_or_head, int64_t now);

/* Whether a Range field counts: there is no If-Range, or it matches. A date only counts if the file
 * has stood still for a second, since two changes may share one. */
bool cv_conditions_allow_range(const struct cv_conditions *conditions,
                               const struct cv_validators *validators, int64_t now);

#endif
