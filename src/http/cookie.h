/* The Cookie field of requests (RFC 6265, section 5.4), read as leniently as cookies are written:
 * what is no cookie is skipped. */
#ifndef CV_HTTP_COOKIE_H
#define CV_HTTP_COOKIE_H

#include "base/span.h"

#include <stdbool.h>

/* The next cookie: moves *at (0 at first), false at the end. One without '=' has the empty name, as
 * browsers send it. Skipped are names that are no tokens. */
bool cv_cookie_next(struct cv_span field, size_t *at, struct cv_span *ret_name,
                    struct cv_span *ret_value);

/* Copies a value to `to` (room for value.len bytes), without quotes around it and, if there were
 * any, with \c and \ooo (octal) undone, as Python's and Sanic's servers write them. The length. One
 * in which a NUL would come of that is copied as it is. */
size_t cv_cookie_unquote(struct cv_span value, char *to);

#endif
