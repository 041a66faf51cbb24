/* What became wrong, as an answer: the one table from negative codes to statuses, and the pages. */
#include "app/request.h"

#include "base/buf.h"
#include "base/log.h"
#include "http/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define PAGE_MAX 65536

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
    req->fail_text = cv_arena_vprintf(req->arena, format, args);
    va_end(args);
    req->fail_code = -(CV_CODE_FAIL + status);
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

/* What covey_fail() recorded, if it is what was returned. */
static const char *text_of(const struct covey_req *req, int code)
{
    if (code == req->fail_code)
        return req->fail_text;
    return code > -CV_CODE_FAIL ? strerror(-code) : NULL;
}

void cv_req_stage_error(struct covey_req *req, int code)
{
    int status = status_of(req, code);
    const char *text = text_of(req, code);

    if (status >= 500)
        cv_error("%s: %d %s: %s", cv_req_name(req), status, cv_status_reason(status),
                 text != NULL ? text : "no reason given");
    bool is_own = code == req->fail_code;
    bool is_public = status < 500 ? is_own : req->app->host.debug || req->fail_is_public;
    req->fail_text = text;
    if (!cv_req_ask_error_handler(req, status))
        cv_error_page_stage(req, status, is_public ? text : NULL);
}

/* ---- Pages ---- */

static int put(struct cv_buf *page, const char *text)
{
    return cv_buf_append(page, cv_span_str(text));
}

static int put_html(struct cv_buf *page, const char *text)
{
    int rc = 0;
    for (; *text != '\0' && rc == 0; text++) {
        switch (*text) {
        case '&': rc = put(page, "&amp;"); break;
        case '<': rc = put(page, "&lt;"); break;
        case '>': rc = put(page, "&gt;"); break;
        case '"': rc = put(page, "&quot;"); break;
        default: rc = cv_buf_append(page, cv_span(text, 1));
        }
    }
    return rc;
}

/* A path may hold any bytes once decoded: what is no UTF-8 would make the whole document invalid.
 */
static size_t utf8_len(const unsigned char *at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = *at < 0x80 ? 1 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc2 ? 2 : 0;
    if (len <= 1)
        return len;

    uint32_t point = *at & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3fu);
    }
    bool is_valid = point >= least[len] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    return is_valid ? len : 0;
}

static int put_json(struct cv_buf *page, const char *text)
{
    int rc = put(page, "\"");
    while (*text != '\0' && rc == 0) {
        unsigned char c = (unsigned char)*text;
        size_t len = utf8_len((const unsigned char *)text);
        if (len == 0)
            rc = put(page, "\\ufffd");
        else if (c < 0x20 || c == '"' || c == '\\')
            rc = cv_buf_printf(page, "\\u%04x", c);
        else
            rc = cv_buf_append(page, cv_span(text, len));
        text += len > 0 ? len : 1;
    }
    return rc == 0 ? put(page, "\"") : rc;
}

static int write_html(struct cv_buf *page, int status, const char *reason, const char *text)
{
    int rc = cv_buf_printf(page,
                           "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
                           "<title>%d %s</title>\n<h1>%d %s</h1>\n",
                           status, reason, status, reason);
    if (rc < 0 || text == NULL)
        return rc;
    rc = put(page, "<p>");
    if (rc == 0)
        rc = put_html(page, text);
    return rc == 0 ? put(page, "</p>\n") : rc;
}

/* Sanic's shape. */
static int write_json(struct cv_buf *page, int status, const char *reason, const char *text)
{
    int rc = put(page, "{\"description\":");
    if (rc == 0)
        rc = put_json(page, reason);
    if (rc == 0)
        rc = cv_buf_printf(page, ",\"status\":%d,\"message\":", status);
    if (rc == 0)
        rc = put_json(page, text != NULL ? text : reason);
    return rc == 0 ? put(page, "}") : rc;
}

static int write_text(struct cv_buf *page, int status, const char *reason, const char *text)
{
    return text != NULL ? cv_buf_printf(page, "%d %s: %s\n", status, reason, text)
                        : cv_buf_printf(page, "%d %s\n", status, reason);
}

static int write_page(struct cv_buf *page, enum cv_format format, int status, const char *text,
                      struct cv_span *ret_type)
{
    const char *reason = cv_status_reason(status);
    switch (format) {
    case CV_FORMAT_HTML:
        *ret_type = CV_SPAN("text/html; charset=utf-8");
        return write_html(page, status, reason, text);
    case CV_FORMAT_JSON:
        *ret_type = CV_SPAN("application/json");
        return write_json(page, status, reason, text);
    case CV_FORMAT_TEXT: break;
    }
    *ret_type = CV_SPAN("text/plain; charset=utf-8");
    return write_text(page, status, reason, text);
}

void cv_error_page_stage(struct covey_req *req, int status, const char *text)
{
    struct cv_span type, body = {NULL, 0};
    struct cv_buf page;
    cv_buf_init(&page, PAGE_MAX);

    struct cv_span accept = cv_req_field(req, CV_SPAN("accept"));
    enum cv_format format = accept.at != NULL ? cv_accept_format(accept) : CV_FORMAT_TEXT;
    if (write_page(&page, format, status, text, &type) == 0) {
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
