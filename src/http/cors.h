/* Cross-origin sharing: which pages of other origins a browser lets read an answer (Fetch standard,
 * section 3.3, "HTTP CORS protocol"). Browsers ask before what no form could send (a preflight). */
#ifndef CV_HTTP_CORS_H
#define CV_HTTP_CORS_H

#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>

/* The longest origin that is let in: a scheme, a name of 253 bytes, a port. */
#define CV_CORS_ORIGIN_MAX 300

/* Who is let in, and what is said to them. */
struct cv_cors {
    /* "*" (all); or with blanks and commas in between: origins, "https://" with "*." in front of a
     * host (whatever lies below it), ":*" behind it (any port), "null". As cv_cors_check() takes
     * them; "": nobody. */
    const char *origins;
    struct cv_span methods; /* that a preflight is told; at NULL: the one it asks for */
    struct cv_span headers; /* the same of fields */
    struct cv_span expose;  /* empty: none */
    struct cv_span max_age; /* seconds; empty: what browsers think fit */
    bool credentials;
};

/* 0, or -EINVAL with a sentence in `reason`: a list that no browser would match, or that lets in
 * whom it does not seem to. */
CV_MUST_CHECK int cv_cors_check(const struct cv_cors *cors, char *reason, size_t cap);

/* Writes "PUT, DELETE" for tokens with blanks and commas in between to `to` (room for twice their
 * length). The length, or -EINVAL: one is none. */
CV_MUST_CHECK int64_t cv_cors_list(struct cv_span list, char *to);

/* Whether it is an origin as browsers write it, but not "null". */
bool cv_cors_is_origin(struct cv_span text);

/* Whether the list of origins has that one. */
bool cv_cors_lists(const char *origins, struct cv_span origin);

/* What a request says; at NULL: nothing. */
struct cv_cors_asked {
    struct cv_span origin;
    struct cv_span method;  /* Access-Control-Request-Method */
    struct cv_span headers; /* Access-Control-Request-Headers */
    bool is_options;
};

#define CV_CORS_FIELDS_MAX 6

struct cv_cors_field {
    struct cv_span name;
    struct cv_span value; /* of what was asked, or of the policy */
};

/* Whether it is a preflight. */
bool cv_cors_is_preflight(const struct cv_cors_asked *asked);

/* Writes the fields that an answer has, Vary first if it depends on the origin; how many.
 * `is_let_in`: the origin is one that the policy, or the app, lets in. */
size_t cv_cors_fields(const struct cv_cors *cors, const struct cv_cors_asked *asked, bool is_let_in,
                      struct cv_cors_field fields[CV_CORS_FIELDS_MAX]);

#endif
