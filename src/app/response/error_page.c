#include "app/response/error_page.h"

#include "app/response/html.h"
#include "base/json_line.h"

/* A whole page is written, or none: the first error stays, and nothing is written behind it. */
struct pen {
    struct cv_buf *to;
    int rc;
};

static void put(struct pen *pen, const char *text)
{
    if (pen->rc == 0)
        pen->rc = cv_buf_append(pen->to, cv_span_str(text));
}

static CV_PRINTF(2, 3) void putf(struct pen *pen, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (pen->rc == 0)
        pen->rc = cv_buf_vprintf(pen->to, format, args);
    va_end(args);
}

/* ---- HTML ---- */

static void put_html(struct pen *pen, const char *text)
{
    if (pen->rc == 0)
        pen->rc = cv_html_write(pen->to, text);
}

/* The line itself stands out. */
static void put_source_html(struct pen *pen, const struct cv_frame *frame)
{
    const char *at = frame->source;
    put(pen, "<pre>");
    for (int number = frame->source_line; *at != '\0' && pen->rc == 0; number++) {
        const char *tag = number == frame->line ? "b" : "span";
        char line[512];
        size_t len = strcspn(at, "\n");
        size_t kept = len < sizeof(line) ? len : sizeof(line) - 1;
        memcpy(line, at, kept);
        line[kept] = '\0';
        putf(pen, "<%s>%5d  ", tag, number);
        put_html(pen, line);
        putf(pen, "</%s>\n", tag);
        at += len + (at[len] == '\n');
    }
    put(pen, "</pre>\n");
}

static void put_frame_html(struct pen *pen, const struct cv_frame *frame)
{
    put(pen, "<li>");
    put_html(pen, frame->symbol);
    if (frame->file != NULL) {
        put(pen, " <i>");
        put_html(pen, frame->file);
        putf(pen, ":%d</i>", frame->line);
    }
    put(pen, "\n");
    if (frame->source != NULL)
        put_source_html(pen, frame);
}

static void put_debug_html(struct pen *pen, const struct cv_error_page *page)
{
    put(pen, "<p>Request: ");
    put_html(pen, page->request);
    put(pen, "</p>\n<p>Route: ");
    if (page->route != NULL) {
        put_html(pen, page->route);
        put(pen, " <i>");
        put_html(pen, page->route_file);
        putf(pen, ":%d</i></p>\n", page->route_line);
    } else {
        put(pen, "none</p>\n");
    }
    if (page->n_frames > 0)
        put(pen, "<p>The error was reported here:</p>\n<ol>\n");
    for (size_t i = 0; i < page->n_frames; i++)
        put_frame_html(pen, &page->frames[i]);
    if (page->n_frames > 0)
        put(pen, "</ol>\n");
    put(pen, "<p>This is shown because DEBUG is on.</p>\n");
}

static void put_page_html(struct pen *pen, const struct cv_error_page *page, const char *reason)
{
    putf(pen,
         "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
         "<title>%d %s</title>\n<h1>%d %s</h1>\n",
         page->status, reason, page->status, reason);
    if (page->text != NULL) {
        put(pen, "<p>");
        put_html(pen, page->text);
        put(pen, "</p>\n");
    }
    if (page->request != NULL)
        put_debug_html(pen, page);
}

/* ---- JSON ---- */

/* A path may hold any bytes once decoded: what is no UTF-8 would make the whole document invalid.
 */
static void put_string(struct pen *pen, const char *text)
{
    struct cv_span rest = cv_span_str(text);
    put(pen, "\"");
    while (rest.len > 0 && pen->rc == 0) {
        char c[CV_JSON_CHAR_MAX];
        pen->rc = cv_buf_append(pen->to, cv_span(c, cv_json_char(&rest, c)));
    }
    put(pen, "\"");
}

/* A member that is not the first one. */
static void put_member(struct pen *pen, const char *name, const char *value)
{
    putf(pen, ",\"%s\":", name);
    if (value != NULL)
        put_string(pen, value);
    else
        put(pen, "null");
}

static void put_frame_json(struct pen *pen, const struct cv_frame *frame)
{
    put(pen, "{\"name\":");
    put_string(pen, frame->symbol);
    put_member(pen, "file", frame->file);
    putf(pen, ",\"line\":%d", frame->line);
    put_member(pen, "src", frame->source);
    put(pen, "}");
}

static void put_debug_json(struct pen *pen, const struct cv_error_page *page)
{
    put_member(pen, "request", page->request);
    put_member(pen, "route", page->route);
    put_member(pen, "route_file", page->route_file);
    putf(pen, ",\"route_line\":%d,\"frames\":[", page->route_line);
    for (size_t i = 0; i < page->n_frames; i++) {
        put(pen, i > 0 ? "," : "");
        put_frame_json(pen, &page->frames[i]);
    }
    put(pen, "]");
}

/* Sanic's shape. */
static void put_page_json(struct pen *pen, const struct cv_error_page *page, const char *reason)
{
    put(pen, "{\"description\":");
    put_string(pen, reason);
    putf(pen, ",\"status\":%d", page->status);
    put_member(pen, "message", page->text != NULL ? page->text : reason);
    if (page->request != NULL)
        put_debug_json(pen, page);
    put(pen, "}");
}

/* RFC 9457; without a type of its own the title is the status' (section 4.2.1). */
static void put_page_problem(struct pen *pen, const struct cv_error_page *page, const char *reason)
{
    put(pen, "{\"type\":\"about:blank\",\"title\":");
    put_string(pen, reason);
    putf(pen, ",\"status\":%d", page->status);
    if (page->text != NULL)
        put_member(pen, "detail", page->text);
    if (page->request != NULL)
        put_debug_json(pen, page);
    put(pen, "}");
}

/* ---- Text ---- */

static void put_frame_text(struct pen *pen, const struct cv_frame *frame)
{
    putf(pen, "  %s", frame->symbol);
    if (frame->file != NULL)
        putf(pen, " %s:%d", frame->file, frame->line);
    put(pen, "\n");
}

static void put_page_text(struct pen *pen, const struct cv_error_page *page, const char *reason)
{
    putf(pen, "%d %s", page->status, reason);
    if (page->text != NULL)
        putf(pen, ": %s", page->text);
    put(pen, "\n");
    if (page->request == NULL)
        return;
    putf(pen, "Request: %s\n", page->request);
    if (page->route != NULL)
        putf(pen, "Route: %s %s:%d\n", page->route, page->route_file, page->route_line);
    if (page->n_frames > 0)
        put(pen, "The error was reported here:\n");
    for (size_t i = 0; i < page->n_frames; i++)
        put_frame_text(pen, &page->frames[i]);
}

int cv_error_page_write(struct cv_buf *to, enum cv_format format, const struct cv_error_page *page,
                        struct cv_span *ret_type)
{
    const char *reason = cv_status_reason(page->status);
    struct pen pen = {.to = to};
    switch (format) {
    case CV_FORMAT_HTML:
        *ret_type = CV_SPAN("text/html; charset=utf-8");
        put_page_html(&pen, page, reason);
        break;
    case CV_FORMAT_JSON:
        *ret_type = CV_SPAN("application/json");
        put_page_json(&pen, page, reason);
        break;
    case CV_FORMAT_PROBLEM:
        *ret_type = CV_SPAN("application/problem+json");
        put_page_problem(&pen, page, reason);
        break;
    case CV_FORMAT_TEXT:
        *ret_type = CV_SPAN("text/plain; charset=utf-8");
        put_page_text(&pen, page, reason);
        break;
    }
    return pen.rc;
}
