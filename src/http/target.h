/* Request targets: which form one has, and its parts (RFC 9112, section 3.2; RFC 3986). */
#ifndef CV_HTTP_TARGET_H
#define CV_HTTP_TARGET_H

#include "base/macros.h"
#include "base/span.h"
#include "http/h1.h"

#include <stdbool.h>

/* Parts of a target; spans over it. */
struct cv_target {
    struct cv_span authority; /* of an absolute-form; len 0 for the other forms */
    struct cv_span path;      /* never empty: "/" where an absolute-form has none; or "*" */
    struct cv_span query;     /* behind '?'; len 0 if there is none */
};

/* Splits a target of at least one byte: "/path?query", "http://host/path?query" (https too), and
 * "*" for OPTIONS only. 0, or -400 for anything else. The bytes must be CV_CHAR_TARGET's. */
CV_MUST_CHECK int cv_target_split(struct cv_span target, enum cv_method method,
                                  struct cv_target *ret);

/* host [":" port], with a name, an IPv4 address, or an IPv6 address in brackets; what Host holds
 * when it is not empty. A user name or percent-coding in it is refused. */
bool cv_target_is_authority(struct cv_span text);

#endif
