/* A value with parameters behind it: "multipart/form-data; boundary=x" (RFC 9110, sections 5.6.6,
 * 8.3.1), and what Content-Disposition has (RFC 6266). */
#ifndef CV_HTTP_PARAMETERS_H
#define CV_HTTP_PARAMETERS_H

#include "base/macros.h"
#include "http/scan.h"

struct cv_parameter {
    struct cv_span name;
    struct cv_span value; /* without its quotes; what they escape is left as it is */
    bool quoted;
};

/* What stands before the first parameter, without blanks around it; cv_parameter_next() goes on
 * with *ret_rest. */
struct cv_span cv_parameters_begin(struct cv_span field, struct cv_scan *ret_rest);

/* The next parameter: 1, 0 at the end, or -400. Empty ones (";;") are skipped, blanks around '='
 * refused. */
CV_MUST_CHECK int cv_parameter_next(struct cv_scan *rest, struct cv_parameter *ret);

/* The parameter of that name (case does not matter), value.at == NULL: there is none. False if
 * there are two, or the field is malformed anywhere: another program might read something else in
 * it. */
CV_MUST_CHECK bool cv_parameter_find(struct cv_span field, struct cv_span name,
                                     struct cv_parameter *ret);

#endif
