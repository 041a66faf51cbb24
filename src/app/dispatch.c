/* A request's way through the app: middleware, handler, response middleware, answer. See request.h.
 *
 *     request middleware -> handler -> (error handler) -> response middleware -> server
 *
 * A streamed answer leaves in between (stream.c); what is left to do here is to see that it ends.
 */
#include "app/request/request.h"
#include "app/response/compress.h"

#include "base/log.h"
#include "serve/refuse.h"

#include <errno.h>
#include <string.h>

/* `return covey_text(...)` for one: the first one stands. */
static bool is_second_answer(const struct covey_req *req, int code)
{
    return code == -EALREADY && req->staged.answer.status != 0;
}

/* ---- Middleware ---- */

static int run_middleware(struct covey_req *req, const struct cv_hook *hook, const char *condition)
{
    const struct covey_signal_event event = {.condition = condition};
    cv_req_tell(req, CV_SIGNAL_MIDDLEWARE_BEFORE, &event);
    req->hook = hook;
    int rc = hook->handler(req);
    req->hook = NULL;
    if (rc >= 0)
        cv_req_tell(req, CV_SIGNAL_MIDDLEWARE_AFTER, &event);
    return rc;
}

/* The chain stops when one has answered or failed. */
static int run_request_middleware(struct covey_req *req)
{
    const struct cv_chain *chain = &cv_req_plan(req)->request;
    for (size_t i = 0; i < chain->n; i++) {
        int rc = run_middleware(req, chain->at[i], "attach_to=request");
        if (rc < 0 || req->staged.answer.status != 0)
            return rc;
    }
    return 0;
}

int cv_req_run_response_middleware(struct covey_req *req)
{
    const struct cv_chain *chain = &cv_req_plan(req)->response;
    if (req->response_middleware_ran)
        return 0;
    req->response_middleware_ran = true;
    for (size_t i = 0; i < chain->n; i++) {
        int rc = run_middleware(req, chain->at[i], "attach_to=response");
        if (rc < 0 && !is_second_answer(req, rc))
            return rc;
    }
    return 0;
}

/* ---- The handler ---- */

static int stage_allow(struct covey_req *req)
{
    const char *allow = cv_router_allow(&req->app->router, req->allowed, req->arena);
    return allow != NULL ? cv_field_set(req, "Allow", allow) : -ENOMEM;
}

/* No route has this path, or none with this method. */
static int answer_unrouted(struct covey_req *req)
{
    bool is_options = cv_exchange_head(req->x)->method == CV_METHOD_OPTIONS;

    if (req->allowed != 0) {
        int rc = stage_allow(req);
        if (rc < 0)
            return rc;
        if (!is_options)
            return covey_fail(req, 405, "Method %s not allowed for URL %s", covey_method(req),
                              covey_path(req));
        return covey_empty(req, 204);
    }
    if (is_options && strcmp(covey_path(req), "*") == 0)
        return covey_empty(req, 204);
    return covey_fail(req, 404, "Requested URL %s not found", covey_path(req));
}

static const char *what_is_bad(const struct covey_req *req)
{
    switch (req->bad_code) {
    case 0: return "The request target has a broken escape";
    case -E2BIG: return "The query has too many arguments (REQUEST_MAX_PARAMS).";
    case -EILSEQ: return "A cookie of the Cookie field is empty, or begins with '='";
    default: return cv_refused_sentence(cv_refused_body(req->bad_code));
    }
}

/* The request itself cannot be had, or is a browser's question: middleware would miss credentials,
 * which browsers do not send with it. */
static int answer_itself(struct covey_req *req)
{
    if (req->bad_status == 204)
        return covey_empty(req, 204);
    int rc = covey_fail(req, req->bad_status, "%s", what_is_bad(req));
    req->fail_is_public = true;
    return rc;
}

static int run_handler(struct covey_req *req)
{
    if (req->bad_status != 0)
        return answer_itself(req);
    int rc = run_request_middleware(req);
    if (rc < 0 || req->staged.answer.status != 0)
        return rc;
    if (req->route == NULL)
        return answer_unrouted(req);

    if (req->route->how.form && (rc = cv_req_read_form(req)) < 0)
        return rc;
    cv_req_tell(req, CV_SIGNAL_HANDLER_BEFORE, NULL);
    rc = req->route->how.handler(req);
    if (rc < 0)
        return rc;
    cv_req_tell(req, CV_SIGNAL_HANDLER_AFTER, NULL);
    if (req->staged.answer.status == 0) {
        cv_error("%s: the handler returned %d without an answer; each way through it must end in "
                 "one (covey_text() and its kin), or in a negative code",
                 cv_req_name(req), rc);
        return covey_fail(req, 500, "The handler returned without an answer");
    }
    return rc;
}

/* ---- The answer ---- */

static void send_staged(struct covey_req *req)
{
    if (req->route != NULL && req->route->compresses)
        cv_compress_staged(req);
    int rc = cv_exchange_answer(req->x, cv_stage_answer(req));
    if (rc < 0 && rc != -ECONNRESET && rc != -EALREADY)
        cv_error("%s: the answer could not be sent: %s", cv_req_name(req), strerror(-rc));
}

/* What a handler has made of a request whose getters had no memory is no answer to it: what did not
 * fit was to the handler as what had not come. */
static int unless_out_of_memory(struct covey_req *req, int code)
{
    if (CV_LIKELY(!req->arena->ran_out) || code < 0)
        return code;
    req->arena->ran_out = false;
    return -ENOMEM;
}

static int run_behind(struct covey_req *req)
{
    int rc = cv_req_run_response_middleware(req);
    if (rc >= 0 && req->staged.answer.status == 0)
        return covey_fail(req, 500, "The response middleware has left no answer");
    return unless_out_of_memory(req, rc);
}

/* `code` is what the handler returned. */
static void settle(struct covey_req *req, int code)
{
    if (is_second_answer(req, code))
        code = 0;
    if (req->stream != CV_STREAM_NOT) {
        cv_stream_settle(req, code);
        return;
    }
    if (code == -ECANCELED && req->cause == COVEY_CAUSE_CLIENT) {
        cv_exchange_abort(req->x);
        return;
    }
    if (code == -ECANCELED && req->cause == COVEY_CAUSE_TIMEOUT)
        return; /* the server has answered already */
    code = unless_out_of_memory(req, code);
    if (code < 0)
        cv_req_stage_error(req, code);
    code = cv_req_plan(req)->response.n > 0 ? run_behind(req) : 0;
    if (code < 0)
        cv_req_stage_error(req, code);
    if (req->stream != CV_STREAM_NOT) {
        cv_stream_settle(req, 0); /* an error handler's */
        return;
    }
    if (cv_req_is_heard(req, CV_SIGNALS_ANSWER))
        cv_req_tell_answer(req);
    send_staged(req);
}

void cv_req_run(struct covey_req *req)
{
    if (cv_req_is_heard(req, CV_SIGNALS_ARRIVAL))
        cv_req_tell_arrival(req);
    settle(req, run_handler(req));
}

bool cv_req_needs_fiber(const struct covey_req *req)
{
    if (CV_LIKELY(req->route != NULL && req->bad_status == 0))
        return true;
    const struct cv_plan *plan = cv_req_plan(req);
    return (plan->request.n > 0 && req->bad_status == 0) || plan->response.n > 0 ||
           plan->errors.n > 0 || cv_req_is_heard(req, CV_SIGNALS_REQUEST);
}

void cv_req_refuse(struct covey_req *req, int status, const char *text)
{
    cv_error_page_stage(req, status, text);
    send_staged(req);
}
