/* Forms that are read before the handler begins. See form.h. */
#include "app/request/form.h"

#include "base/log.h"
#include "serve/refuse.h"

#include <errno.h>

#define MEMORY_OF_A_FILE 65536 /* where the route says nothing */

struct cv_form {
    struct cv_args *fields;
    struct cv_uploads uploads;
    int rc; /* of reading it */
};

/* One that is being read. */
struct reading {
    struct covey_req *req;
    struct cv_form *form;
    struct cv_buf bytes; /* of the part, or of the whole body */
    uint64_t left;       /* of FORM_MAX_MEMORY */
};

static int too_long(struct reading *r)
{
    return covey_fail(r->req, 413, "The fields of the form are too long (FORM_MAX_MEMORY).");
}

/* Accounts for memory. 0, or -E2BIG: there is not so much left. */
static int take(struct reading *r, size_t n)
{
    if (n > r->left)
        return -E2BIG;
    r->left -= n;
    return 0;
}

/* ---- application/x-www-form-urlencoded ---- */

static int read_body(struct reading *r)
{
    char some[16384];
    ssize_t n;
    while ((n = covey_body_read(r->req, some, sizeof(some))) > 0) {
        if (take(r, (size_t)n) < 0)
            return too_long(r);
        if (cv_buf_append(&r->bytes, cv_span(some, (size_t)n)) < 0)
            return -ENOMEM;
    }
    return (int)n;
}

static int read_urlencoded(struct reading *r)
{
    int rc = read_body(r);
    if (rc < 0)
        return rc;
    switch (rc = cv_args_read(r->form->fields, cv_buf_span(&r->bytes))) {
    case -400: return covey_fail(r->req, 400, "The form has a broken escape");
    case -E2BIG:
        return covey_fail(r->req, 413, "The form has too many fields (REQUEST_MAX_PARAMS).");
    default: return rc;
    }
}

/* ---- multipart/form-data ---- */

/* What has been collected of the part, ended by a NUL, in the request's memory. */
static char *keep(struct reading *r)
{
    return cv_arena_strndup(r->req->arena, cv_buf_span(&r->bytes));
}

static int read_field(struct reading *r, struct cv_parts *parts, const char *name)
{
    struct cv_span data;
    int rc;
    while ((rc = cv_parts_data(r->req, parts, &data)) == 1) {
        if (take(r, data.len) < 0)
            return too_long(r);
        if (cv_buf_append(&r->bytes, data) < 0)
            return -ENOMEM;
    }
    if (rc < 0)
        return rc;
    if (r->bytes.len > 0 && memchr(r->bytes.at, '\0', r->bytes.len) != NULL)
        return covey_fail(r->req, 400, "A field of the form has a NUL in it");
    const char *copy = cv_arena_strndup(r->req->arena, cv_span_str(name));
    const char *value = keep(r);
    return copy != NULL && value != NULL ? cv_args_add(r->form->fields, copy, value) : -ENOMEM;
}

/* What is written at once; each time takes a thread. */
#define PIECE ((size_t)64 << 10)

/* Puts what has been collected of it on disk. */
static int spill(struct reading *r, struct cv_upload *upload)
{
    int rc = cv_upload_write(r->req, upload, cv_buf_span(&r->bytes));
    r->bytes.len = 0;
    return rc;
}

/* It has become too long for memory, and gives back what it has had of it. */
static int leave_memory(struct reading *r, struct cv_upload *upload)
{
    r->left += r->bytes.len;
    return spill(r, upload);
}

static int add_to_file(struct reading *r, struct cv_upload *upload, struct cv_span data)
{
    int64_t above = r->req->route->how.spool_above;
    upload->shown.len += (int64_t)data.len;
    if (upload->fd < 0 && upload->shown.len <= (above > 0 ? above : MEMORY_OF_A_FILE) &&
        take(r, data.len) == 0)
        return cv_buf_append(&r->bytes, data) < 0 ? -ENOMEM : 0;
    int rc = upload->fd < 0 ? leave_memory(r, upload) : 0;
    if (rc == 0)
        rc = cv_buf_append(&r->bytes, data);
    return rc == 0 && r->bytes.len >= PIECE ? spill(r, upload) : rc;
}

static int read_file(struct reading *r, struct cv_parts *parts)
{
    struct cv_uploads *uploads = &r->form->uploads;
    struct cv_upload *upload;
    struct cv_span data;

    if (uploads->n == r->req->app->rules.files_max)
        return covey_fail(r->req, 413, "The form has too many files (FORM_MAX_FILES).");
    int rc = cv_uploads_add(r->req, uploads, &parts->part, &upload);
    while (rc == 0 && (rc = cv_parts_data(r->req, parts, &data)) == 1)
        rc = add_to_file(r, upload, data);
    if (rc < 0)
        return rc;
    if (upload->shown.len == 0 && upload->shown.filename[0] == '\0')
        uploads->n--; /* nobody has chosen a file */
    if (upload->fd >= 0)
        return r->bytes.len > 0 ? spill(r, upload) : 0;
    upload->shown.bytes = keep(r);
    return upload->shown.bytes != NULL ? 0 : -ENOMEM;
}

static size_t length_of(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static int read_part(struct reading *r, struct cv_parts *parts)
{
    const struct covey_part *part = &parts->part;
    r->bytes.len = 0;
    if (take(r, strlen(part->name) + length_of(part->filename) + length_of(part->type)) < 0)
        return too_long(r);
    return part->filename != NULL ? read_file(r, parts) : read_field(r, parts, part->name);
}

static int read_multipart(struct reading *r)
{
    struct cv_parts *parts;
    int rc = cv_parts_open(r->req, &parts);
    while (rc == 0 && (rc = cv_parts_next(r->req, parts)) == 1)
        rc = read_part(r, parts);
    return rc;
}

/* ---- Either ---- */

static int read_any(struct reading *r)
{
    if (!cv_exchange_head(r->req->x)->has_body)
        return 0; /* a form without fields */
    if (cv_req_has_type(r->req, CV_SPAN("application/x-www-form-urlencoded")))
        return read_urlencoded(r);
    if (cv_req_has_type(r->req, CV_SPAN("multipart/form-data")))
        return read_multipart(r);
    return covey_fail(r->req, 415,
                      "The body must be application/x-www-form-urlencoded or multipart/form-data");
}

/* An empty form that belongs to the request. NULL when out of memory. */
static struct cv_form *form_new(struct covey_req *req)
{
    struct cv_req_more *more = cv_req_more(req);
    struct cv_form *form = cv_arena_alloc(req->arena, sizeof(*form));
    if (more == NULL || form == NULL)
        return NULL;
    *form = (struct cv_form){.fields = cv_req_args(req, req->app->rules.params_max)};
    if (form->fields == NULL)
        return NULL;
    more->form = form;
    return form;
}

int cv_req_read_form(struct covey_req *req)
{
    if (req->more != NULL && req->more->form != NULL)
        return req->more->form->rc;
    struct cv_form *form = form_new(req);
    if (form == NULL)
        return -ENOMEM;
    struct reading r = {.req = req, .form = form, .left = req->app->rules.form_memory};
    cv_buf_init(&r.bytes, SIZE_MAX);
    int rc = read_any(&r);
    cv_buf_done(&r.bytes);
    if (rc == 0 && req->route->how.response_timeout != 0)
        cv_exchange_timeout(req->x, req->route->how.response_timeout);
    if (rc < 0 && rc == req->bad_code)
        rc = covey_fail(req, req->bad_status, "%s", cv_refused_sentence(cv_refused_body(rc)));
    return form->rc = rc;
}

/* ---- Getters ---- */

/* NULL where there is none, or it cannot be read. */
static const struct cv_form *form_of(struct covey_req *req, const char *call)
{
    if (!cv_req_may(req, call) || req->route == NULL)
        return NULL;
    if (!req->route->how.form) {
        cv_error("%s: %s() needs a route with .form = true", cv_req_name(req), call);
        return NULL;
    }
    return cv_req_read_form(req) == 0 ? req->more->form : NULL;
}

static const struct cv_args *fields_of(struct covey_req *req, const char *call)
{
    const struct cv_form *form = form_of(req, call);
    return form != NULL ? form->fields : NULL;
}

const char *covey_form(covey_req *req, const char *name)
{
    return cv_args_value(fields_of(req, __func__), name);
}

const char *covey_form_list(covey_req *req, const char *name, size_t *at)
{
    return cv_args_list(fields_of(req, __func__), name, at);
}

bool covey_form_next(covey_req *req, size_t *at, const char **ret_name, const char **ret_value)
{
    return cv_args_each(fields_of(req, __func__), at, ret_name, ret_value);
}

int64_t covey_form_int(covey_req *req, const char *name, int64_t fallback)
{
    return cv_query_int(fields_of(req, __func__), name, fallback);
}

bool covey_form_bool(covey_req *req, const char *name, bool fallback)
{
    return cv_query_bool(fields_of(req, __func__), name, fallback);
}

struct cv_upload *cv_form_upload(const struct cv_form *form, const struct covey_upload *shown)
{
    for (uint32_t i = 0; form != NULL && i < form->uploads.n; i++) {
        if (&form->uploads.at[i]->shown == shown)
            return form->uploads.at[i];
    }
    return NULL;
}

const struct covey_upload *covey_upload_list(covey_req *req, const char *name, size_t *at)
{
    const struct cv_form *form = form_of(req, __func__);
    while (form != NULL && *at < form->uploads.n) {
        const struct covey_upload *upload = &form->uploads.at[(*at)++]->shown;
        if (name == NULL || strcmp(upload->name, name) == 0)
            return upload;
    }
    return NULL;
}

const struct covey_upload *covey_upload(covey_req *req, const char *name)
{
    size_t at = 0;
    return covey_upload_list(req, name, &at);
}
