/* What the fields of a request's head say: cookies, credentials, what the client prefers. */
#ifndef COVEY_FIELDS_H
#define COVEY_FIELDS_H

#include <covey/request.h>

/* ---- Cookies (RFC 6265) ---- */

/* The first cookie of that name, or NULL. covey_cookie(req, "id") finds "__Host-id", else
 * "__Secure-id", else "id", so that no other site's cookie can stand in for a prefixed one. Quotes
 * around a value, and what they escape, are undone. */
COVEY_API const char *covey_cookie(covey_req *req, const char *name);

/* Each cookie of that name (prefixed as above, if the first one is): start with *at = 0; NULL at
 * the end. */
COVEY_API const char *covey_cookie_list(covey_req *req, const char *name, size_t *at);

/* All cookies as they came: start with *at = 0; false at the end. What is no cookie is skipped. */
COVEY_API bool covey_cookie_next(covey_req *req, size_t *at, const char **ret_name,
                                 const char **ret_value);

/* ---- Credentials (RFC 9110, section 11.4) ---- */

struct covey_credentials {
    const char *scheme;   /* "Basic", "Bearer"; its case does not matter */
    const char *token;    /* what follows; may be "" */
    const char *username; /* of well-formed Basic ones (RFC 7617), else NULL */
    const char *password; /* the same */
};

/* What Authorization says, not checked in any way; NULL if it has not come, has come twice, or
 * names no scheme. */
COVEY_API const struct covey_credentials *covey_credentials(covey_req *req);

/* What stands behind "Bearer" (RFC 6750) or "Token" there; NULL: nothing does. */
COVEY_API const char *covey_token(covey_req *req);

/* ---- The body ---- */

/* What Content-Type says, "application/octet-stream" where it says nothing; and the charset it
 * names, as it does; NULL: none. */
COVEY_API const char *covey_content_type(covey_req *req);
COVEY_API const char *covey_charset(covey_req *req);

/* ---- What the client prefers ---- */

/* Which of these media types the client likes best, by its Accept field (RFC 9110, section 12.5.1),
 * of equal ones the first; NULL: it takes none of them. Where there is no such field, or it is
 * malformed, the client takes all: covey_accepts(req, "text/html", "application/json"). */
#define covey_accepts(req, ...) covey_accepts_of((req), (const char *const[]){__VA_ARGS__, NULL})
COVEY_API const char *covey_accepts_of(covey_req *req, const char *const *types);

/* ---- Conditions (RFC 9110, section 13) ---- */

/* For answers that the handler makes: sets their ETag (`etag` is any text without blanks and
 * quotes; covey puts its quotes; NULL: none) and Last-Modified (seconds since 1970; <= 0: none),
 * and looks whether the request wants such an answer. 0: yes, go on; else return what it returns:
 * 1, it has answered with 304; or a negative code: 412 (If-Match, so that nobody's change is
 * overwritten), -EINVAL, -ENOMEM. covey_file() does so by itself. */
COVEY_API int covey_validate(covey_req *req, const char *etag, int64_t modified);

#endif
