/* What became wrong, as an answer: the one table from negative codes to statuses, and the pages. */
#include "app/request/request.h"
#include "app/response/trace.h"

#include "base/buf.h"
#include "base/log.h"
#include "http/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define PAGE_MAX (256 * 1024)

int covey_fail(covey_req *req, int status, const char *format, ...)
{
    if (!cv_req_here(req))
        return -EPERM;
    if (status < 400 || status > 599) {
        cv_error("%s: covey_fail() with status %d, which is no error", cv_req_name(req), status);
        status = 500;
    }

    va_list args;
    va_start(args, format);
    req->fail_text = covey_utf8(req, cv_arena_vprintf(req->arena, format, args));
    va_end(args);
    req->fail_code = -(CV_CODE_FAIL + status);
    req->fail_is_public = false;
    if (req->app->host.debug)
        req->trace = cv_trace_take(req->arena, __builtin_return_address(0));
    return req->fail_code;
}

static int status_of_canceled(const struct covey_req *req)
{
    switch (req->cause) {
    case COVEY_NOT_CANCELED: return 500; /* the handler's own idea */
    case COVEY_CAUSE_CLIENT: break;      /* nobody is there to read it */
    case COVEY_CAUSE_TIMEOUT:
    case COVEY_CAUSE_DRAIN: break;
    }
    return 503;
}

/* The table of DESIGN section 3. */
static int status_of(const struct covey_req *req, int code)
{
    if (code <= -(CV_CODE_FAIL + 400) && code >= -(CV_CODE_FAIL + 599))
        return -code - CV_CODE_FAIL;
    if (req->bad_status != 0 && code == req->bad_code)
        return req->bad_status;
    switch (code) {
    case -EMSGSIZE: return 413;
    case -ENOMEM: return 503;
    case -ECANCELED: return status_of_canceled(req);
    }
    return 500;
}

const char *cv_req_why(const struct covey_req *req, int code)
{
    if (code == req->fail_code)
        return req->fail_text; /* of covey_fail() */
    if (code == -ECANCELED && req->cause == COVEY_CAUSE_TIMEOUT)
        return "it was cancelled: RESPONSE_TIMEOUT is over";
    if (code == -ECANCELED && req->cause == COVEY_CAUSE_DRAIN)
        return "it was cancelled: the server ends, and the time for that is over";
    if (code <= -400 && code >= -599)
        return "a status is no negative code: covey_fail() makes one of it";
    return code > -CV_CODE_FAIL ? strerror(-code) : NULL;
}

void cv_req_stage_error(struct covey_req *req, int code)
{
    int status = status_of(req, code);
    const char *text = cv_req_why(req, code);

    if (status >= 500)
        cv_error("%s: %d %s: %s", cv_req_name(req), status, cv_status_reason(status),
                 text != NULL ? text : "no reason given");
    bool is_own = code == req->fail_code;
    bool is_public = is_own && (status < 500 || req->fail_is_public);
    if (status >= 500 && req->app->host.debug)
        is_public = true;
    req->fail_text = text;
    if (!is_own)
        req->trace = NULL; /* it is another error's */
    if (!cv_req_ask_error_handler(req, status))
        cv_error_page_stage(req, status, is_public ? text : NULL);
}

/* ---- Pages ---- */

enum cv_error_format cv_error_format_find(const char *name)
{
    static const char *const names[] = {[CV_ERROR_FORMAT_AUTO] = "auto",
                                        [CV_ERROR_FORMAT_HTML] = "html",
                                        [CV_ERROR_FORMAT_JSON] = "json",
                                        [CV_ERROR_FORMAT_TEXT] = "text",
                                        [CV_ERROR_FORMAT_PROBLEM] = "problem"};

    for (size_t i = CV_ERROR_FORMAT_AUTO; i < CV_COUNT(names); i++) {
        if (cv_string_ieq(name, names[i]))
            return (enum cv_error_format)i;
    }
    return CV_ERROR_FORMAT_UNSET;
}

/* The setting is read at the first error. */
static enum cv_error_format wanted_format(struct covey_req *req)
{
    covey_app *app = req->app;
    if (req->route != NULL && req->route->error_format != CV_ERROR_FORMAT_UNSET)
        return req->route->error_format;
    if (app->error_format == CV_ERROR_FORMAT_UNSET)
        app->error_format =
            cv_error_format_find(covey_config_str(app, "FALLBACK_ERROR_FORMAT", "auto"));
    return app->error_format;
}

/* Who has sent JSON and accepts anything gets JSON, as Sanic does it. */
static bool has_sent_json(const struct covey_req *req)
{
    return cv_req_has_type(req, CV_SPAN("application/json"));
}

static enum cv_format format_of(struct covey_req *req)
{
    switch (wanted_format(req)) {
    case CV_ERROR_FORMAT_HTML: return CV_FORMAT_HTML;
    case CV_ERROR_FORMAT_JSON: return CV_FORMAT_JSON;
    case CV_ERROR_FORMAT_TEXT: return CV_FORMAT_TEXT;
    case CV_ERROR_FORMAT_PROBLEM: return CV_FORMAT_PROBLEM;
    case CV_ERROR_FORMAT_AUTO:
    case CV_ERROR_FORMAT_UNSET: break;
    }
    struct cv_span accept = cv_req_field(req, CV_SPAN("accept"));
    (void)!cv_field_vary(req, CV_SPAN("Accept")); /* without memory there will be no page either */
    return cv_accept_format(accept, has_sent_json(req) ? CV_FORMAT_JSON : CV_FORMAT_TEXT);
}

/* What only a developer may see. */
static void add_debug(struct covey_req *req, struct cv_error_page *page)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    page->request = cv_arena_printf(req->arena, "%.*s %.*s%s%.*s", (int)head->method_len,
                                    bytes + head->method_at, (int)head->path_len,
                                    bytes + head->path_at, head->query_len > 0 ? "?" : "",
                                    (int)head->query_len, bytes + head->query_at);
    if (req->route != NULL) {
        page->route = req->route->pattern;
        page->route_file = req->route->file;
        page->route_line = req->route->line;
    }
    if (req->trace == NULL)
        return;
    page->frames = cv_trace_frames(req->trace, req->arena);
    page->n_frames = page->frames != NULL ? req->trace->n : 0;
}

void cv_error_page_stage(struct covey_req *req, int status, const char *text)
{
    struct cv_error_page what = {.status = status, .text = text};
    struct cv_span type, body = {NULL, 0};
    struct cv_buf page;
    cv_buf_init(&page, PAGE_MAX);

    if (req->app->host.debug)
        add_debug(req, &what);
    if (cv_error_page_write(&page, format_of(req), &what, &type) == 0) {
        char *copy = cv_arena_strndup(req->arena, cv_buf_span(&page));
        body = cv_span(copy, copy != NULL ? page.len : 0);
    }
    cv_buf_done(&page);
    if (body.len == 0)
        type = cv_span(NULL, 0); /* no memory for a page: the status alone still tells */
    req->type = NULL;
    cv_field_drop_entity(req);
    (void)cv_stage(req, status, type, body);
}
