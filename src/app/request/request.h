/* One request on its way through the app: what came, what is staged as its answer, and what waits.
 *
 * A request lives in the arena of its exchange, so that it costs no malloc, and is counted: the
 * host has one reference from cv_req_new() to the end of the handler, a body that was handed over
 * without a copy has another until it is sent. The exchange is held as long.
 */
#ifndef CV_APP_REQUEST_H
#define CV_APP_REQUEST_H

#include "app/app.h"
#include "base/list.h"
#include "http/args.h"
#include "serve/handler.h"

#include <covey/loop.h>
#include <covey/response.h>

/* What its fiber waits for in the server, so that an event wakes it only for that. */
enum cv_req_wait { CV_REQ_WAITS_NOT, CV_REQ_WAITS_BODY, CV_REQ_WAITS_ROOM };

enum cv_req_stream {
    CV_STREAM_NOT,
    CV_STREAM_BEGUN,
    CV_STREAM_HEAD_ONLY, /* complete with its head, because nothing may follow */
    CV_STREAM_ENDED
};

struct cv_defer {
    struct cv_defer *next;
    void (*fn)(void *arg);
    void *arg;
};

/* The answer as far as it is known, in the form in which the server takes it, so that it is written
 * once. status == 0: none is staged, all of it is zero. */
struct cv_staged {
    struct cv_answer answer; /* `file`: one reference */
    bool is_taken;           /* the body is lent; `release` (may be NULL) is called with `bytes` */
    void (*release)(void *bytes);
    void *bytes;
};

/* What its answer says to pages of other origins. */
struct cv_req_cors {
    struct cv_answer_fields fields;
    struct cv_answer_field room[CV_CORS_FIELDS_MAX];
};

/* A pointer of a part of the app's, under its name. */
struct cv_named_ctx {
    struct cv_named_ctx *next;
    const char *name;
    void *ctx;
};

/* What only some requests have, or are asked for; NULL: not yet. */
struct cv_req_more {
    struct cv_form *form;
    struct cv_parts *parts;
    struct cv_args *cookies;
    const struct covey_credentials *credentials;
    struct cv_args *forwarded;
    const struct covey_conn_info *conn_info;
    struct json_t *json;
    const char *id;
    struct cv_req_cors *cors; /* NULL: nothing */
    struct cv_named_ctx *contexts;
};

struct covey_req {
    struct covey_req *self; /* without const: getters fill in what they were asked for */
    covey_app *app;
    struct cv_exchange *x;
    const struct cv_route *route; /* NULL: none matched; `allowed` then tells 404 from 405 */
    uint32_t allowed;
    uint32_t refs;
    struct cv_fiber *fiber;     /* while its handler runs */
    const struct cv_hook *hook; /* the middleware or error handler that runs, for messages */
    struct cv_link canceled;    /* the host's list of those that were told to end */
    int64_t canceled_at;
    enum covey_cause cause;
    enum cv_req_wait wait;
    enum cv_req_stream stream;
    bool response_middleware_ran;
    bool is_responding; /* covey_respond() has been called, though its head may not have left */
    bool was_started;   /* the host's: the handler has begun */
    bool was_named;     /* the host's: the log says that it ignores its cancellation */
    int bad_status;     /* the request itself was refused while being read: 400, 408, 413; or 204: a
                         * browser's question, which is none of the app's */
    int bad_code;       /* what is wrong with its body; or with its target: 0, query: -E2BIG,
                         * cookies: -EILSEQ */
    size_t body_offset; /* of a collected body, for covey_body_read() */

    char *head; /* a copy of the head, with NULs behind whatever was asked for; NULL: not yet */
    const char *path;
    const char **params;   /* values of route->params, NUL-terminated */
    struct cv_args *query; /* NULL: not read yet */
    struct cv_req_more *more;

    struct cv_sse *sse;         /* what a stream of events needs; NULL: it is none */
    struct cv_packing *packing; /* of a streamed answer that is compressed; NULL: it is not */
    struct cv_staged staged;
    const char *type; /* Content-Type set by the app, wins over the staged one */
    struct cv_answer_field *fields;
    size_t n_fields;
    size_t cap_fields;
    int fail_code;    /* of the last covey_fail() */
    int error_status; /* that an error handler is told; 0: nothing has failed */
    const char *fail_text;
    struct cv_trace *trace; /* with DEBUG: where that was called */
    bool fail_is_public;    /* that is covey's own sentence: shown also from 500 on */

    struct cv_defer *defers;
    void *ctx;
    struct cv_conn_ctx *conn; /* what is kept with its connection; NULL: nothing */
    struct cv_arena *arena;   /* the exchange's */
};

/* Takes over the host's reference of `x` and finds its route. NULL when out of memory (the exchange
 * is not touched). A malformed path or query is noted in bad_status. */
struct covey_req *cv_req_new(covey_app *app, struct cv_exchange *x);

/* Drops a reference; the last runs what was deferred and releases the exchange. */
void cv_req_unref(struct covey_req *req);

/* Runs middleware, handler and response middleware and hands the answer to the server. On a fiber;
 * or off it, if cv_req_needs_fiber() says that no code of the app's will run. */
void cv_req_run(struct covey_req *req);
bool cv_req_needs_fiber(const struct covey_req *req);

/* Answers with an error page without asking the app; `text` (a literal) is shown in any case. */
void cv_req_refuse(struct covey_req *req, int status, const char *text);

/* Its body cannot be had, for this reason (0: it can): its error is answered, and not its handler.
 */
void cv_req_refuse_body(struct covey_req *req, int code);

/* Makes the handler's waits fail from now on; the first cause stays. */
void cv_req_cancel(struct covey_req *req, enum covey_cause cause);

/* "GET /hello/<name>" for messages. In the request's arena. */
const char *cv_req_name(struct covey_req *req);

/* Says why `call` may not be made on the request, and that it was refused. False. */
bool cv_req_complain(const struct covey_req *req, const char *call);

/* Whether this thread may use the request, and it has not ended; one line if not. Macros, because
 * as a function it would not be inlined. */
#define cv_req_may(req, call)                                                                      \
    (CV_LIKELY((req)->app == cv_app_current()) || cv_req_complain((req), (call)))
#define cv_req_here(req) cv_req_may(req, __func__)

/* In DEBUG: instead of releasing its exchange, keeps it for a while, so that a call on the request
 * can be told that it has ended. False if it cannot be kept. */
bool cv_req_keep(struct covey_req *req);
bool cv_req_has_ended(const struct covey_req *req);

/* ---- Between this folder's files ---- */

/* UPLOAD_DIR, or what stands for it. */
const char *cv_app_upload_folder(covey_app *app);

/* fn(arg), for which a disk may be needed, on a thread while the fiber waits; at once where no
 * thread can be had. Its result, or -ECANCELED: it was not called. */
int cv_req_on_disk(struct covey_req *req, int (*fn)(void *arg), void *arg);

/* Decodes the query, once. 0, -400 (a broken escape, %00), -E2BIG (REQUEST_MAX_PARAMS) or -ENOMEM.
 */
CV_MUST_CHECK int cv_req_read_query(struct covey_req *req);

/* What only some requests need, empty at first. NULL when out of memory. */
struct cv_req_more *cv_req_more(struct covey_req *req);

/* An empty collection for names that the client has chosen. NULL when out of memory. */
struct cv_args *cv_req_args(struct covey_req *req, uint32_t max);

/* The first value of that name as what the app wants; `fallback` where it is none such. */
int64_t cv_query_int(const struct cv_args *args, const char *name, int64_t fallback);
bool cv_query_bool(const struct cv_args *args, const char *name, bool fallback);

/* Reads the body of a .form route, once. 0 or the negative code of what was wrong. */
CV_MUST_CHECK int cv_req_read_form(struct covey_req *req);

/* The field's value as a span over the head, at == NULL if there is none. */
struct cv_span cv_req_field(const struct covey_req *req, struct cv_span name);

/* The same of one that must not come twice: at == NULL also if it has. */
struct cv_span cv_req_only_field(const struct covey_req *req, struct cv_span name);

/* The server that the request is meant for: Host, or without it what an absolute-form target says
 * (RFC 9112, section 3.3; where both are there they are the same). at == NULL: nobody says. */
struct cv_span cv_req_host(const struct covey_req *req);

/* The values of all fields of that name, joined; at == NULL if there is none. */
struct cv_span cv_req_fields(struct covey_req *req, const char *name);

/* Whether there is one Content-Type, and its first word is this one. */
bool cv_req_has_type(const struct covey_req *req, struct cv_span type);

/* What runs around its handler, or instead where it has none. */
static inline const struct cv_plan *cv_req_plan(const struct covey_req *req)
{
    return req->route != NULL ? req->route->plan : &req->app->plan;
}

/* What a negative code of a handler means, for the log; NULL: it is not known. */
const char *cv_req_why(const struct covey_req *req, int code);

/* Stages the answer to a negative code of a handler: the app's, or else an error page. */
void cv_req_stage_error(struct covey_req *req, int code);

/* Whether somebody listens to one of these signals, a bit each. */
static inline bool cv_req_is_heard(const struct covey_req *req, uint32_t signals)
{
    return CV_UNLIKELY((req->app->signals.heard & signals) != 0);
}

/* Tells a signal of a request, if somebody listens; `event` (NULL: nothing) without the request. */
void cv_req_tell_now(struct covey_req *req, enum cv_signal which,
                     const struct covey_signal_event *event);

static inline void cv_req_tell(struct covey_req *req, enum cv_signal which,
                               const struct covey_signal_event *event)
{
    if (cv_req_is_heard(req, CV_SIGNAL_BIT(which)))
        cv_req_tell_now(req, which, event);
}

/* Finds what is kept with its connection. */
void cv_req_find_conn(struct covey_req *req);

/* Settles more->cors; without memory the request is refused. And puts it among the fields of the
 * answer; with Access-Control-Allow-Origin set by the app, only what caches must know. */
CV_COLD void cv_req_find_cors(struct covey_req *req);
CV_COLD void cv_req_put_cors(struct covey_req *req);

/* Tells of its connection, if this is its first request. */
void cv_req_tell_connection(struct covey_req *req);

/* All that is told when a request's turn has come, at once: whoever hears the first cannot change
 * what the others are about, since the route has been found and a body that is wanted whole is
 * there. And all that is told when the answer is staged. */
void cv_req_tell_arrival(struct covey_req *req);
void cv_req_tell_answer(struct covey_req *req);

/* Has the app's error handler answer `status`. False if there is none, or it has not. */
bool cv_req_ask_error_handler(struct covey_req *req, int status);

/* Writes the error page for `status` into the arena and stages it; `text` NULL: none. */
void cv_error_page_stage(struct covey_req *req, int status, const char *text);

/* Whether `call` may stage an answer with this status: 0, -EPERM, -EALREADY, -EINVAL, logged. */
CV_MUST_CHECK int cv_stage_check(struct covey_req *req, int status, const char *call);

/* A content type, checked and copied into the arena; NULL: application/octet-stream. 0, -EINVAL,
 * -ENOMEM. */
CV_MUST_CHECK int cv_stage_type(struct covey_req *req, const char *type, struct cv_span *ret);

/* Puts an answer in place of whatever was staged, and returns it: what is not given here is zero.
 */
struct cv_staged *cv_stage(struct covey_req *req, int status, struct cv_span type,
                           struct cv_span body);

/* Puts other bytes, which free() is called for once they are sent, in place of the staged body. */
void cv_stage_replace_body(struct covey_req *req, char *bytes, size_t len);

/* Gives back a staged body that will not be sent. */
void cv_stage_drop(struct covey_req *req);

/* The same, and drops what described it: whatever was to be the answer is none any more. */
void cv_stage_reset(struct covey_req *req);

/* The staged answer with its fields, ready for the server. Valid as long as the request. */
struct cv_answer *cv_stage_answer(struct covey_req *req);

/* Sets a field without the checks that the app's names need. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_field_set(struct covey_req *req, const char *name, const char *value);

/* The same without a copy: `value` lives as long as the request, `name` is a literal. */
CV_MUST_CHECK int cv_field_put(struct covey_req *req, struct cv_span name, struct cv_span value);

/* Adds a cookie that http/set_cookie.h has written, in place of the same one. As above. */
CV_MUST_CHECK int cv_field_put_cookie(struct covey_req *req, struct cv_span value);

/* 0, or -EPERM, logged: the head has left. `name` is for the message. */
CV_MUST_CHECK int cv_field_may_change(struct covey_req *req, const char *name);

/* The same without dropping others of that name. */
CV_MUST_CHECK int cv_field_append(struct covey_req *req, struct cv_span name, struct cv_span value);

/* The answer would be another with another value of the request's field `on` (a literal): Vary says
 * so, once, next to what the app has set (RFC 9110, section 12.5.5). 0 or -ENOMEM. */
CV_MUST_CHECK int cv_field_vary(struct covey_req *req, struct cv_span on);

/* The first such field that the app has set, at NULL if there is none (Content-Type never is). */
struct cv_span cv_field_value(const struct covey_req *req, struct cv_span name);

/* Whether one of that name has `token` in its list. */
bool cv_field_lists(const struct covey_req *req, struct cv_span name, struct cv_span token);

/* Drops the fields that described a body which is not sent. */
void cv_field_drop_entity(struct covey_req *req);

/* Runs the response middleware, once. 0 or the negative code of the one that failed. */
CV_MUST_CHECK int cv_req_run_response_middleware(struct covey_req *req);

/* Ends a streamed answer that its handler has left open. */
void cv_stream_settle(struct covey_req *req, int code);

/* Waits until the host reports what `wait` says. 0 or -ECANCELED. */
CV_MUST_CHECK int cv_req_wait_for(struct covey_req *req, enum cv_req_wait wait);

/* The server has told that the peer is gone before its event was handled. -ECANCELED. */
int cv_req_cancel_self(struct covey_req *req);

#endif
