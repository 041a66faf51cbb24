/* Staging an answer. What is staged leaves after the handler and the response middleware; the first
 * one stands. */
#include "app/request/request.h"

#include "base/log.h"
#include "http/text.h"
#include "serve/file.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define TYPE_TEXT CV_SPAN("text/plain; charset=utf-8")
#define TYPE_HTML CV_SPAN("text/html; charset=utf-8")
#define TYPE_JSON CV_SPAN("application/json")

/* The server is done with a body that was handed over, or will not get it. */
static void release_taken(struct cv_staged *staged)
{
    if (!staged->is_taken)
        return;
    staged->is_taken = false;
    if (staged->release != NULL)
        staged->release(staged->bytes);
}

void cv_stage_drop(struct covey_req *req)
{
    struct cv_file *file = req->staged.answer.file;
    release_taken(&req->staged);
    req->staged = (struct cv_staged){0};
    if (file != NULL)
        cv_file_unref(file);
}

void cv_stage_replace_body(struct covey_req *req, char *bytes, size_t len)
{
    struct cv_staged *staged = &req->staged;
    release_taken(staged);
    staged->is_taken = true;
    staged->release = free;
    staged->bytes = bytes;
    staged->answer.body = cv_span(bytes, len);
}

struct cv_staged *cv_stage(struct covey_req *req, int status, struct cv_span type,
                           struct cv_span body)
{
    if (req->staged.answer.status != 0)
        cv_stage_drop(req);
    req->staged.answer.status = status;
    req->staged.answer.type = type;
    req->staged.answer.body = body;
    return &req->staged;
}

/* The answer itself stays: the server may be in the middle of it. */
static void on_sent(void *arg)
{
    struct covey_req *req = arg;
    release_taken(&req->staged);
    cv_req_unref(req);
}

struct cv_answer *cv_stage_answer(struct covey_req *req)
{
    struct cv_answer *answer = &req->staged.answer;
    if (CV_UNLIKELY(req->more != NULL))
        cv_req_put_cors(req);
    answer->fields = req->fields;
    answer->n_fields = req->n_fields;
    if (req->type != NULL)
        answer->type = cv_span_str(req->type);
    answer->length = -1;
    answer->close = req->bad_status == 400;
    if (req->staged.is_taken) {
        req->refs++;
        answer->release = on_sent;
        answer->arg = req;
    }
    return answer;
}

int cv_stage_check(struct covey_req *req, int status, const char *call)
{
    if (!cv_req_may(req, call))
        return -EPERM;
    if (req->staged.answer.status != 0) {
        cv_warn("%s: %s() after the request had been answered; the first answer stands: return "
                "after each",
                cv_req_name(req), call);
        return -EALREADY;
    }
    if (status < 200 || status > 599) {
        cv_error("%s: %s() with status %d", cv_req_name(req), call, status);
        return -EINVAL;
    }
    return 0;
}

/* Whether `part` lies in the request's own body, which is there until the answer has been taken. */
static bool is_of_body(const struct covey_req *req, struct cv_span part)
{
    struct cv_span body = cv_exchange_body(req->x);
    uintptr_t from = (uintptr_t)part.at - (uintptr_t)body.at; /* huge where it lies before it */
    return from <= body.len && part.len <= body.len - from;
}

static int stage_copy(struct covey_req *req, int status, struct cv_span type, struct cv_span body)
{
    if (body.len > 0 && !is_of_body(req, body)) {
        char *copy = cv_arena_alloc(req->arena, body.len);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, body.at, body.len);
        body.at = copy;
    }
    (void)cv_stage(req, status, type, body);
    return 0;
}

static int answer_string(struct covey_req *req, int status, struct cv_span type, const char *text,
                         const char *call)
{
    int rc = cv_stage_check(req, status, call);
    if (rc < 0)
        return rc;
    if (text == NULL) {
        cv_error("%s: %s() with NULL", cv_req_name(req), call);
        return -EINVAL;
    }
    return stage_copy(req, status, type, cv_span_str(text));
}

int covey_text(covey_req *req, int status, const char *text)
{
    return answer_string(req, status, TYPE_TEXT, text, __func__);
}

int covey_html(covey_req *req, int status, const char *html)
{
    return answer_string(req, status, TYPE_HTML, html, __func__);
}

int covey_json_text(covey_req *req, int status, const char *json)
{
    return answer_string(req, status, TYPE_JSON, json, __func__);
}

int covey_textf(covey_req *req, int status, const char *format, ...)
{
    int rc = cv_stage_check(req, status, __func__);
    if (rc < 0)
        return rc;

    va_list args;
    va_start(args, format);
    const char *text = cv_arena_vprintf(req->arena, format, args);
    va_end(args);
    if (text == NULL)
        return -ENOMEM;
    (void)cv_stage(req, status, TYPE_TEXT, cv_span_str(text));
    return 0;
}

int cv_stage_type(struct covey_req *req, const char *type, struct cv_span *ret)
{
    struct cv_span given = type != NULL ? cv_span_str(type) : CV_SPAN("application/octet-stream");
    if (!cv_is_field_value(given)) {
        cv_error("%s: control characters in the content type", cv_req_name(req));
        return -EINVAL;
    }
    ret->at = cv_arena_strndup(req->arena, given);
    ret->len = given.len;
    return ret->at != NULL ? 0 : -ENOMEM;
}

int covey_bytes(covey_req *req, int status, const char *type, const void *bytes, size_t len)
{
    struct cv_span given;
    int rc = cv_stage_check(req, status, __func__);
    if (rc == 0)
        rc = cv_stage_type(req, type, &given);
    return rc == 0 ? stage_copy(req, status, given, cv_span(bytes, len)) : rc;
}

int covey_bytes_take(covey_req *req, int status, const char *type, void *bytes, size_t len,
                     void (*release)(void *bytes))
{
    struct cv_span given;
    int rc = cv_stage_check(req, status, __func__);
    if (rc == 0)
        rc = cv_stage_type(req, type, &given);
    if (rc < 0) {
        if (release != NULL)
            release(bytes);
        return rc;
    }
    struct cv_staged *staged = cv_stage(req, status, given, cv_span(bytes, len));
    staged->is_taken = true;
    staged->release = release;
    staged->bytes = bytes;
    return 0;
}

int covey_empty(covey_req *req, int status)
{
    int rc = cv_stage_check(req, status, __func__);
    if (rc == 0)
        (void)cv_stage(req, status, cv_span(NULL, 0), cv_span(NULL, 0));
    return rc;
}

int covey_redirect(covey_req *req, int status, const char *location)
{
    int rc = cv_stage_check(req, status, __func__);
    if (rc < 0)
        return rc;
    bool is_redirect =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    bool has_location = location != NULL && location[0] != '\0';
    if (!is_redirect || !has_location) {
        cv_error("%s: covey_redirect() with %s", cv_req_name(req),
                 is_redirect ? "an empty location" : "a status that is no redirect");
        return -EINVAL;
    }
    struct cv_span given = cv_span_str(location);
    char *escaped = cv_arena_alloc(req->arena, 3 * given.len);
    if (escaped == NULL)
        return -ENOMEM;
    size_t len = cv_uri_escape(given, escaped);
    rc = cv_field_put(req, CV_SPAN("Location"), cv_span(escaped, len));
    return rc == 0 ? covey_empty(req, status) : rc;
}

void cv_stage_reset(struct covey_req *req)
{
    if (req->staged.answer.status != 0)
        cv_stage_drop(req);
    req->type = NULL;
    cv_field_drop_entity(req);
}

int covey_reset_response(covey_req *req)
{
    if (!cv_req_here(req))
        return -EPERM;
    if (req->is_responding)
        return -EALREADY;
    cv_stage_reset(req);
    return 0;
}

int covey_status(const covey_req *req)
{
    return cv_req_here(req) ? req->staged.answer.status : 0;
}
