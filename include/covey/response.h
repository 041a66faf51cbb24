/* How a handler answers.
 *
 * covey_text() and its kin stage an answer; it leaves after the handler and the response middleware
 * have returned. The first answer wins; a second one is logged and returns -EALREADY. They return
 * 0, so that `return covey_text(...)` ends a handler, or a negative code that may be returned just
 * the same.
 */
#ifndef COVEY_RESPONSE_H
#define COVEY_RESPONSE_H

#include <covey/request.h>

struct json_t; /* jansson's */

/* Text, HTML, bytes. The contents are copied. */
COVEY_API int covey_text(covey_req *req, int status, const char *text);
COVEY_API int covey_textf(covey_req *req, int status, const char *format, ...) COVEY_PRINTF(3, 4);
COVEY_API int covey_html(covey_req *req, int status, const char *html);
COVEY_API int covey_bytes(covey_req *req, int status, const char *type, const void *bytes,
                          size_t len);

/* Bytes that are handed over: `release(bytes)` is called when they are no longer needed, also on
 * error (NULL: never, the bytes are static). */
COVEY_API int covey_bytes_take(covey_req *req, int status, const char *type, void *bytes,
                               size_t len, void (*release)(void *bytes));

/* JSON. covey_json() takes the reference (json_decref is done, also on error); covey_jsonf() takes
 * jansson's json_pack() format: covey_jsonf(req, 200, "{s:s, s:i}", "name", name, "n", 3). */
COVEY_API int covey_json(covey_req *req, int status, struct json_t *json);
COVEY_API int covey_jsonf(covey_req *req, int status, const char *format, ...);

/* JSON that is text already; copied, and not looked at. */
COVEY_API int covey_json_text(covey_req *req, int status, const char *json);

/* No body (204 and the like), and a redirect (301, 302, 303, 307, 308). What a URI cannot hold is
 * escaped in `location` (blanks, control characters, quotes, backslashes, what is no ASCII), so
 * that it can neither end the field nor begin another one. Whether a client may choose the host is
 * the handler's to decide: "//evil.example" is another one. */
COVEY_API int covey_empty(covey_req *req, int status);
COVEY_API int covey_redirect(covey_req *req, int status, const char *location);

/* Records an error answer and returns a negative code to be passed up. The text is shown to the
 * client below 500, and only logged from 500 on. */
COVEY_API int covey_fail(covey_req *req, int status, const char *format, ...) COVEY_PRINTF(3, 4);

/* Header fields of the answer; copied. Set replaces all of that name, add appends one, remove drops
 * all (for response middleware; none is fine). 0, -EINVAL (not a token, CR/LF/NUL in the value),
 * -EPERM (Content-Length, Transfer-Encoding, Connection, Date: covey's own; or the head has left),
 * -ENOMEM. */
COVEY_API int covey_set_header(covey_req *req, const char *name, const char *value);
COVEY_API int covey_add_header(covey_req *req, const char *name, const char *value);
COVEY_API int covey_remove_header(covey_req *req, const char *name);

/* ---- Cookies ---- */

/* A cookie with its attributes (RFC 6265bis); defaults as Sanic's. */
struct covey_cookie {
    const char *name;     /* a token */
    const char *value;    /* visible ASCII but " , ; and \; NULL is "" */
    size_t size;          /* set by the macros */
    const char *path;     /* "/"; "": the browser takes the request's folder */
    const char *domain;   /* default: the request's host alone; else its subdomains get it too */
    int64_t max_age;      /* seconds from now; 0: until the browser ends */
    int64_t expires;      /* the same as a time, in seconds since 1970; max_age wins over it */
    const char *samesite; /* "Lax"; "Strict"; "None", which needs .secure; "": no attribute */
    int secure;           /* on: over TLS only (and to localhost); COVEY_OFF: off */
    bool httponly;        /* not for scripts */
    bool partitioned;     /* one per top-level site (CHIPS); needs .secure */
    bool host_prefix;     /* "__Host-" is put in front of the name: no .domain, path "/" */
    bool secure_prefix;   /* "__Secure-" is */
};

/* Sets a cookie: covey_set_cookie(req, "sid", id, .httponly = true, .max_age = 3600), as often as
 * there are cookies; a later one of the same name, path and domain takes the place of an earlier
 * one. 0, -EINVAL (a sentence in the log says which rule a browser would refuse it for), -EPERM
 * (the head has left), -ENOMEM. */
#define covey_set_cookie(req, ...)                                                                 \
    covey_set_cookie_with(                                                                         \
        (req), &(struct covey_cookie){__VA_ARGS__, .size = sizeof(struct covey_cookie)})
COVEY_API int covey_set_cookie_with(covey_req *req, const struct covey_cookie *cookie);

/* Has the browser delete a cookie: covey_delete_cookie(req, "sid", .path = "/app"). Path, domain,
 * prefix and .partitioned must be those it was set with; value, .max_age and .expires do not
 * matter. Returns as above. */
#define covey_delete_cookie(req, ...)                                                              \
    covey_delete_cookie_with(                                                                      \
        (req), &(struct covey_cookie){__VA_ARGS__, .size = sizeof(struct covey_cookie)})
COVEY_API int covey_delete_cookie_with(covey_req *req, const struct covey_cookie *cookie);

/* ---- Ahead of the answer ---- */

/* Sends the fields set so far as an informational answer, 103 Early Hints (or 102), ahead of the
 * answer, for which they stay. It leaves when the handler next waits. 0, also where the client
 * speaks HTTP/1.0 and gets none; -EALREADY once the answer's head has left, -ECANCELED, -EINVAL
 * (another status: 100 Continue is sent by itself), -ENOMEM. */
COVEY_API int covey_inform(covey_req *req, int status);

/* The status of the staged or begun answer; 0 before. For response middleware. */
COVEY_API int covey_status(const covey_req *req);

/* Takes the staged answer back, so that another can take its place: for response middleware, and
 * for a handler that thinks better of it. Header fields stay, but for those that describe a body.
 * 0, or -EALREADY: covey_respond() has been called. */
COVEY_API int covey_reset_response(covey_req *req);

/* ---- Streaming ---- */

struct covey_response {
    int status;
    size_t size;      /* set by the macro */
    const char *type; /* Content-Type; default "application/octet-stream" */
    int64_t length; /* bytes that will follow; 0: unknown (chunked, or until close for HTTP/1.0) */
};

/* Freezes and sends the head of a streamed answer: covey_respond(req, 200, .type = "text/plain").
 * To HEAD, and with a status that has no body, the answer is complete with it. 0 or a negative
 * code. */
#define covey_respond(req, ...)                                                                    \
    covey_respond_with(                                                                            \
        (req), &(struct covey_response){__VA_ARGS__, .size = sizeof(struct covey_response)})
COVEY_API int covey_respond_with(covey_req *req, const struct covey_response *how);

/* Appends to a streamed answer; waits while more than 64 KiB are unsent. 0, -ECANCELED (also where
 * the answer is complete with its head, so that an endless handler ends), -EMSGSIZE (more than
 * .length), -EPERM off a fiber. */
COVEY_API int covey_send(covey_req *req, const void *bytes, size_t len);

/* Ends a streamed answer (returning from the handler does too). 0, or -EIO if less than .length was
 * sent, which closes the connection so that the truncation is visible. */
COVEY_API int covey_end(covey_req *req);

/* ---- Server-sent events ---- */

struct covey_sse {
    covey_req *req;
    size_t size;       /* set by the macro */
    int64_t heartbeat; /* ms without an event after which a comment is sent, so that no proxy takes
                          the connection for dead: 15,000; COVEY_OFF: never */
};

/* Begins a stream of events (text/event-stream): covey_sse_begin(req, .heartbeat = 5000).
 * Cache-Control: no-store, unless the app has set that field, and X-Accel-Buffering: no are sent
 * along. A streamed answer otherwise: covey_end(), or returning, ends it; a client that leaves
 * makes what the handler waits in return -ECANCELED. 0 or a negative code, as covey_respond(). */
#define covey_sse_begin(...)                                                                       \
    covey_sse_begin_with(&(struct covey_sse){__VA_ARGS__, .size = sizeof(struct covey_sse)})
COVEY_API int covey_sse_begin_with(const struct covey_sse *how);

struct covey_sse_event {
    const char *data;  /* UTF-8; each line of it (LF, CR LF or CR) is sent as one; NULL: none */
    size_t size;       /* set by the macro */
    const char *event; /* its type, one line; default: "message" for the browser */
    const char *id;    /* one line; the browser sends the last one when it connects again */
    int64_t retry;     /* ms after which it does; 0: what it thinks fit */
};

/* Sends an event: covey_sse_send(req, "3 new", .event = "mail", .id = "17"). An event without data
 * (NULL) only tells id and retry. Waits as covey_send(), and returns as it does; -EINVAL also for
 * CR or LF in .event and .id, -ENOMEM. */
#define covey_sse_send(req, ...)                                                                   \
    covey_sse_send_with(                                                                           \
        (req), &(struct covey_sse_event){__VA_ARGS__, .size = sizeof(struct covey_sse_event)})
COVEY_API int covey_sse_send_with(covey_req *req, const struct covey_sse_event *event);

/* The id of the last event that a browser had before it connected again (Last-Event-ID), or NULL:
 * what a stream should go on behind. */
COVEY_API const char *covey_sse_last_id(covey_req *req);

#endif
