/* Staging an answer. What is staged leaves after the handler and the response middleware; the first
 * one stands. */
#include "app/request.h"

#include "base/log.h"
#include "http/text.h"
#include "serve/file.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define TYPE_TEXT CV_SPAN("text/plain; charset=utf-8")
#define TYPE_HTML CV_SPAN("text/html; charset=utf-8")

void cv_stage_drop(struct covey_req *req)
{
    struct cv_staged old = req->staged;
    req->staged = (struct cv_staged){0};
    if (old.is_taken && old.release != NULL)
        old.release(old.bytes);
    if (old.file != NULL)
        cv_file_unref(old.file);
}

void cv_stage(struct covey_req *req, const struct cv_staged *staged)
{
    if (req->staged.status != 0)
        cv_stage_drop(req);
    req->staged = *staged;
}

/* The server is done with a body that was handed over. */
static void release_taken(void *arg)
{
    struct covey_req *req = arg;
    cv_stage_drop(req);
    cv_req_unref(req);
}

void cv_stage_answer(struct covey_req *req, struct cv_answer *ret)
{
    const struct cv_staged *staged = &req->staged;
    *ret = (struct cv_answer){
        .status = staged->status,
        .fields = req->fields,
        .n_fields = req->n_fields,
        .type = req->type != NULL ? cv_span_str(req->type) : staged->type,
        .body = staged->body,
        .file = staged->file,
        .slices = staged->slices,
        .n_slices = staged->n_slices,
        .length = -1,
        .close = req->bad_status == 400,
    };
    if (staged->is_taken) {
        req->refs++;
        ret->release = release_taken;
        ret->arg = req;
    }
}

int cv_stage_check(struct covey_req *req, int status, const char *call)
{
    if (!cv_app_here(req->app, call))
        return -EPERM;
    if (req->staged.status != 0) {
        cv_warn("%s: %s() after the request had been answered; the first answer stands",
                cv_req_name(req), call);
        return -EALREADY;
    }
    if (status < 200 || status > 599) {
        cv_error("%s: %s() with status %d", cv_req_name(req), call, status);
        return -EINVAL;
    }
    return 0;
}

static int stage_copy(struct covey_req *req, int status, struct cv_span type, struct cv_span body)
{
    char *copy = NULL;
    if (body.len > 0) {
        copy = cv_arena_alloc(req->arena, body.len);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, body.at, body.len);
    }
    cv_stage(req,
             &(struct cv_staged){.status = status, .type = type, .body = cv_span(copy, body.len)});
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
    cv_stage(req,
             &(struct cv_staged){.status = status, .type = TYPE_TEXT, .body = cv_span_str(text)});
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
    cv_stage(req, &(struct cv_staged){.status = status,
                                      .type = given,
                                      .body = cv_span(bytes, len),
                                      .is_taken = true,
                                      .release = release,
                                      .bytes = bytes});
    return 0;
}

int covey_empty(covey_req *req, int status)
{
    int rc = cv_stage_check(req, status, __func__);
    if (rc == 0)
        cv_stage(req, &(struct cv_staged){.status = status});
    return rc;
}

/* A location with a control character could be read as two fields, or as another address. */
static bool is_location(const char *location)
{
    if (location == NULL || location[0] == '\0')
        return false;
    for (const char *at = location; *at != '\0'; at++) {
        if ((unsigned char)*at <= 0x20 || *at == 0x7f)
            return false;
    }
    return true;
}

int covey_redirect(covey_req *req, int status, const char *location)
{
    int rc = cv_stage_check(req, status, __func__);
    if (rc < 0)
        return rc;
    bool is_redirect =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!is_redirect || !is_location(location)) {
        cv_error("%s: covey_redirect() with %s", cv_req_name(req),
                 is_redirect ? "an empty location or one with blanks or control characters"
                             : "a status that is no redirect");
        return -EINVAL;
    }
    rc = cv_field_set(req, "Location", location);
    return rc == 0 ? covey_empty(req, status) : rc;
}

int covey_status(const covey_req *req)
{
    return cv_req_here(req) ? req->staged.status : 0;
}
