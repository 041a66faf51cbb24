/* The Cookie field of requests (RFC 6265, section 5.4), read as leniently as cookies are written:
 * what is no cookie is skipped. */
#ifndef CV_HTTP_COOKIE_H
#define CV_HTTP_COOKIE_H

#include "base/span.h"

#include <stdbool.h>

/* Whether that is a Cookie field at all: no cookie between two ';' is empty, none begins with '='.
 * No browser sends what is none, unless it is brought to (decision 0025). What one may hold of
 * other apps' is let pass (names that are no tokens, no name, quotes, blanks): its user could not
 * help it. So are a ';' at the end and an empty field, which programs write. */
bool cv_cookie_is_field(struct cv_span field);

/* The next cookie: moves *at (0 at first), false at the end. One without '=' has the empty name, as
 * browsers send it. Skipped are names that are no tokens. */
bool cv_cookie_next(struct cv_span field, size_t *at, struct cv_span *ret_name,
                    struct cv_span *ret_value);

/* Copies a value to `to` (room for value.len bytes), without quotes around it and, if there were
 * any, with \c and \ooo (octal) undone, as Python's and Sanic's servers write them. The length. One
 * in which a NUL would come of that is copied as it is. */
size_t cv_cookie_unquote(struct cv_span value, char *to);

#endif
