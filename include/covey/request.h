/* What a handler is given.
 *
 * Everything obtained from a request is valid until its handler has returned and the answer is sent
 * or dropped. Strings are NUL-terminated; a body is bytes with a length. Calls on a request belong
 * to the worker's loop thread; from another thread they are refused with a sentence in the log.
 *
 * Where a getter has no memory, what it was asked for looks as if it had not come. Such a request
 * is answered with 503, whatever its handler makes of it.
 */
#ifndef COVEY_REQUEST_H
#define COVEY_REQUEST_H

#include <covey/app.h>

#include <sys/types.h>
#include <time.h>

struct json_t; /* jansson's */

/* "GET", and the path as it was routed: percent-decoded, without the query. */
COVEY_API const char *covey_method(const covey_req *req);
COVEY_API const char *covey_path(const covey_req *req);

/* As they came, not decoded: the request's target ("/a%20b?c=d"), and its query without the '?', ""
 * if there is none. NULL when out of memory. */
COVEY_API const char *covey_target(covey_req *req);
COVEY_API const char *covey_query_string(covey_req *req);

/* The whole head as it came: request line, fields, empty line. Not NUL-terminated. */
COVEY_API const char *covey_head(const covey_req *req, size_t *len);

/* "1.1" or "1.0"; later minor versions are 1.1 to covey. */
COVEY_API const char *covey_http_version(const covey_req *req);

/* What the method promises (RFC 9110, section 9.2): that it changes nothing (GET, HEAD, OPTIONS,
 * TRACE), that twice is as good as once (those, PUT, DELETE), that answers may be cached (GET,
 * HEAD, POST). */
COVEY_API bool covey_is_safe(const covey_req *req);
COVEY_API bool covey_is_idempotent(const covey_req *req);
COVEY_API bool covey_is_cacheable(const covey_req *req);

/* A path parameter by the name in the pattern (percent-decoded), or NULL if the pattern has none
 * such. */
COVEY_API const char *covey_param(covey_req *req, const char *name);

/* All of them in order: start with *at = 0; false at the end. */
COVEY_API bool covey_param_next(covey_req *req, size_t *at, const char **ret_name,
                                const char **ret_value);

/* An <name:int> parameter; 0 if the pattern has none such. The route only matches what fits into
 * int64_t. */
COVEY_API int64_t covey_param_int(covey_req *req, const char *name);

/* Others by their type; each is 0, or false and *ret untouched, if the pattern has none such. Of a
 * date the day of the week and of the year are filled in too; the time of day is 0. The extension
 * of <name:ext> is the parameter "ext". */
COVEY_API double covey_param_float(covey_req *req, const char *name);
COVEY_API bool covey_param_ymd(covey_req *req, const char *name, struct tm *ret);
COVEY_API bool covey_param_uuid(covey_req *req, const char *name, unsigned char ret[16]);

/* The name and the pattern of the route that the request has found, and the pointer given to it
 * with .ctx; NULL if it has found none. */
COVEY_API const char *covey_route_name(const covey_req *req);
COVEY_API const char *covey_route_pattern(const covey_req *req);
COVEY_API void *covey_route_ctx(const covey_req *req);

/* The first query argument of that name, decoded ("+" is a blank), or NULL; "" for one without a
 * value ("?a" and "?a="). */
COVEY_API const char *covey_query(covey_req *req, const char *name);

/* Each argument of that name: start with *at = 0; NULL at the end. */
COVEY_API const char *covey_query_list(covey_req *req, const char *name, size_t *at);

/* The first as a whole number, or as a truth value (1, true, yes, on and their opposites; one
 * without a value is true). `fallback` where there is none, or where it is no such value. */
COVEY_API int64_t covey_query_int(covey_req *req, const char *name, int64_t fallback);
COVEY_API bool covey_query_bool(covey_req *req, const char *name, bool fallback);

/* All query arguments in order: start with *at = 0; false at the end. */
COVEY_API bool covey_query_next(covey_req *req, size_t *at, const char **ret_name,
                                const char **ret_value);

/* A header field by name (case does not matter), or NULL. Fields that came several times are joined
 * with ", " (Cookie with "; "). */
COVEY_API const char *covey_header(covey_req *req, const char *name);

/* All header fields as they came: start with *at = 0; false at the end. */
COVEY_API bool covey_header_next(covey_req *req, size_t *at, const char **ret_name,
                                 const char **ret_value);

/* The whole body (never waits; NULL and *len 0 if there is none, or on a .stream route). A NUL
 * follows the last byte. */
COVEY_API const void *covey_body(covey_req *req, size_t *len);

/* The next bytes of the body of a .stream route, waiting for them: > 0 bytes, 0 at the end, or
 * negative: -ECANCELED, -EMSGSIZE (past .body_max), -ETIMEDOUT (REQUEST_TIMEOUT has passed),
 * -EPERM off a fiber. */
COVEY_API ssize_t covey_body_read(covey_req *req, void *to, size_t cap);

/* The whole body as a file: a descriptor at offset 0, which belongs to the request and is closed at
 * its end (dup() it, or give the file a name with linkat() and AT_SYMLINK_FOLLOW of
 * /proc/self/fd/N). Bodies past the route's .spool_above are on disk already, others are written
 * now by a thread, for which it waits. Negative: -ENOSPC, -EIO, -ECANCELED, -ENOMEM, -EINVAL on a
 * .stream route or if the body did not come whole. */
COVEY_API int covey_body_file(covey_req *req);

/* The whole body as JSON (RFC 8259), whatever its Content-Type says; belongs to the request
 * (json_incref() what is to live longer). Reads it all on a .stream route, and waits; a thread
 * takes a long one apart. 0, or a negative code that may be returned: 400 (empty, malformed, or
 * nested more than 100 deep), 413 (more than JSON_MAX_VALUES), and what covey_body_read() has. */
COVEY_API int covey_body_json(covey_req *req, struct json_t **ret);

/* Memory that lives as long as the request. NULL when out of memory. */
COVEY_API void *covey_alloc(covey_req *req, size_t size);
COVEY_API char *covey_sprintf(covey_req *req, const char *format, ...) COVEY_PRINTF(2, 3);

/* The text with U+FFFD for each byte that is no UTF-8; itself where that is none; NULL for NULL and
 * when out of memory. What clients send (paths, queries, forms, header fields) is given as it came,
 * and jansson takes UTF-8 only: covey_jsonf(req, 200, "{s:s?}", "q", covey_utf8(req,
 * covey_query(req, "q"))). */
COVEY_API const char *covey_utf8(covey_req *req, const char *text);

/* Calls `fn(arg)` when the request ends, in reverse order of registration. It must not wait: it may
 * run off a fiber. 0 or -ENOMEM (then fn has been called already). */
COVEY_API int covey_defer(covey_req *req, void (*fn)(void *arg), void *arg);

/* A pointer of the app's own that travels with the request (from middleware to handler). */
COVEY_API void covey_set_ctx(covey_req *req, void *ctx);
COVEY_API void *covey_ctx(const covey_req *req);

/* Others under names, so that parts that know nothing of each other (a session, a library's
 * middleware) may each have theirs. The name is copied. 0, -EINVAL (NULL) or -ENOMEM; NULL: there
 * is none of that name. */
COVEY_API int covey_set_ctx_of(covey_req *req, const char *name, void *ctx);
COVEY_API void *covey_ctx_of(const covey_req *req, const char *name);

/* A pointer of the app's own that lives as long as the connection, on which several requests may
 * come. `release` (may be NULL) is called with it when the connection and its requests have gone,
 * or another takes its place; it must not wait. 0, -ENOMEM, or -ECANCELED (the connection is gone);
 * then nothing is kept and nothing released. */
COVEY_API int covey_conn_set_ctx(covey_req *req, void *ctx, void (*release)(void *ctx));
COVEY_API void *covey_conn_ctx(const covey_req *req);

/* For error handlers: what has gone wrong, as a status and as the text of covey_fail() in UTF-8, or
 * what else is known (NULL: nothing). A text for 500 and above is for logs, not for clients. 0 and
 * NULL as long as nothing has. */
COVEY_API int covey_error_status(const covey_req *req);
COVEY_API const char *covey_error_text(const covey_req *req);

/* The app the request came to. */
COVEY_API covey_app *covey_app_of(const covey_req *req);

#endif
