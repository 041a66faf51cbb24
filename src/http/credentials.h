/* The Authorization field (RFC 9110, section 11.4). */
#ifndef CV_HTTP_CREDENTIALS_H
#define CV_HTTP_CREDENTIALS_H

#include "base/span.h"

#include <stdbool.h>

/* "Bearer x" as its scheme and the rest, which may be empty. False if it has no scheme. */
bool cv_credentials_read(struct cv_span field, struct cv_span *ret_scheme,
                         struct cv_span *ret_token);

/* What stands behind "Basic" (RFC 7617), decoded into `to` (room for token.len bytes), each ended
 * by a NUL. False if it is no user name and password, or has control characters in it. */
bool cv_basic_read(struct cv_span token, char *to, const char **ret_user,
                   const char **ret_password);

#endif
