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

/* No body (204 and the like), and a redirect (CR, LF and control characters in `location` are
 * refused). */
COVEY_API int covey_empty(covey_req *req, int status);
COVEY_API int covey_redirect(covey_req *req, int status, const char *location);

/* Records an error answer and returns a negative code to be passed up. The text is shown to the
 * client below 500, and only logged from 500 on. */
COVEY_API int covey_fail(covey_req *req, int status, const char *format, ...) COVEY_PRINTF(3, 4);

/* Header fields of the answer; copied. Set replaces, add appends. 0, -EINVAL (not a token,
 * CR/LF/NUL in the value), -EPERM (Content-Length, Transfer-Encoding, Connection, Date: covey's
 * own; or the head has left), -ENOMEM. */
COVEY_API int covey_set_header(covey_req *req, const char *name, const char *value);
COVEY_API int covey_add_header(covey_req *req, const char *name, const char *value);

/* Sends the fields set so far as an informational answer, 103 Early Hints (or 102), ahead of the
 * answer, for which they stay. It leaves when the handler next waits. 0, also where the client
 * speaks HTTP/1.0 and gets none; -EALREADY once the answer's head has left, -ECANCELED, -EINVAL
 * (another status: 100 Continue is sent by itself), -ENOMEM. */
COVEY_API int covey_inform(covey_req *req, int status);

/* The status of the staged or begun answer; 0 before. For response middleware. */
COVEY_API int covey_status(const covey_req *req);

/* ---- Streaming ---- */

struct covey_response {
    int status;
    size_t size;      /* set by the macro */
    const char *type; /* Content-Type; default "application/octet-stream" */
    int64_t length; /* bytes that will follow; 0: unknown (chunked, or until close for HTTP/1.0) */
};

/* Freezes and sends the head of a streamed answer: covey_respond(req, 200, .type = "text/plain").
 * 0 or a negative code. */
#define covey_respond(req, ...)                                                                    \
    covey_respond_with(                                                                            \
        (req), &(struct covey_response){__VA_ARGS__, .size = sizeof(struct covey_response)})
COVEY_API int covey_respond_with(covey_req *req, const struct covey_response *how);

/* Appends to a streamed answer; waits while more than 64 KiB are unsent. 0, -ECANCELED, -EMSGSIZE
 * (more than .length), -EPERM off a fiber. */
COVEY_API int covey_send(covey_req *req, const void *bytes, size_t len);

/* Ends a streamed answer (returning from the handler does too). 0, or -EIO if less than .length was
 * sent, which closes the connection so that the truncation is visible. */
COVEY_API int covey_end(covey_req *req);

#endif
