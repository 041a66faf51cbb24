/* The Set-Cookie field: what a server may write into it, and what browsers make of it (RFC 6265bis,
 * draft-ietf-httpbis-rfc6265bis, sections 4.1 and 5). */
#ifndef CV_HTTP_SET_COOKIE_H
#define CV_HTTP_SET_COOKIE_H

#include "base/span.h"

#include <stdint.h>

/* Of name and value together, and of each attribute (section 5.6): browsers drop what is longer. */
#define CV_COOKIE_MAX 4096
#define CV_COOKIE_ATTRIBUTE_MAX 1024

/* Room for the field of any cookie that has been checked. */
#define CV_SET_COOKIE_MAX (CV_COOKIE_MAX + 2 * CV_COOKIE_ATTRIBUTE_MAX + 256)

struct cv_set_cookie {
    struct cv_span name; /* with its prefix */
    struct cv_span value;
    struct cv_span path;      /* this, domain and same_site: empty: no such attribute */
    struct cv_span domain;    /* of host and dots */
    struct cv_span same_site; /* Lax, Strict or None; case does not matter */
    int64_t max_age;          /* seconds; 0: no such attribute */
    int64_t expires;          /* seconds since 1970; 0: no such attribute */
    bool is_over;             /* delete it: instead of both */
    bool secure;
    bool http_only;
    bool partitioned;
};

/* Why it must not be sent, or would be dropped by every browser: a sentence. NULL: it is fine. */
const char *cv_set_cookie_check(const struct cv_set_cookie *cookie);

/* Writes the field's value of a cookie that has been checked; `to` has CV_SET_COOKIE_MAX bytes. The
 * length; no NUL is written. */
size_t cv_set_cookie_write(const struct cv_set_cookie *cookie, char *to);

/* Whether a browser keeps only the later one of two such fields: name, path and domain are the
 * same. Both as written above. */
bool cv_set_cookie_is_same(struct cv_span a, struct cv_span b);

#endif
