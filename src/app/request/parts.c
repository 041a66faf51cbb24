/* Multipart bodies, part by part as they come. See form.h. */
#include "app/request/form.h"

#include <errno.h>

/* ---- Through the parser ---- */

static int refuse(struct covey_req *req, struct cv_parts *parts)
{
    return parts->rc = covey_fail(req, 400, "%s", parts->parser.reason);
}

#define IN_A_ROW (1 << 20)

/* A client that sends as fast as its parts are taken must not have the worker for itself. */
static int let_others_go_on(struct cv_parts *parts, size_t n)
{
    parts->in_a_row += n;
    if (parts->in_a_row < IN_A_ROW)
        return 0;
    parts->in_a_row = 0;
    return covey_sleep_ms(0);
}

/* More of the body: 0, or the negative code. At its end the parser says whether it may end here. */
static int fill(struct covey_req *req, struct cv_parts *parts)
{
    ssize_t n = covey_body_read(req, parts->bytes, sizeof(parts->bytes));
    int rc = n < 0 ? (int)n : let_others_go_on(parts, (size_t)n);
    if (rc < 0)
        return parts->rc = rc;
    parts->input = cv_span(parts->bytes, (size_t)n);
    if (n > 0)
        return 0;
    parts->ended = true;
    return cv_multipart_finish(&parts->parser) < 0 ? refuse(req, parts) : 0;
}

/* The next event but MORE; END at the end of the body, which is read to its end. */
static int next_event(struct covey_req *req, struct cv_parts *parts)
{
    while (parts->rc == 0 && !parts->ended) {
        size_t used = 0;
        int event = cv_multipart_next(&parts->parser, parts->input, &used, &parts->data);
        parts->input = cv_span(parts->input.at + used, parts->input.len - used);
        if (event < 0)
            return refuse(req, parts);
        if (event != CV_MULTIPART_MORE && event != CV_MULTIPART_END)
            return event;
        int rc = event == CV_MULTIPART_MORE ? fill(req, parts) : 0;
        if (rc < 0)
            return rc;
    }
    return parts->rc < 0 ? parts->rc : CV_MULTIPART_END;
}

int cv_parts_open(struct covey_req *req, struct cv_parts **ret)
{
    if (!cv_req_has_type(req, CV_SPAN("multipart/form-data")))
        return covey_fail(req, 415, "The body must be multipart/form-data");
    struct cv_parts *parts = cv_arena_alloc(req->arena, sizeof(*parts));
    if (parts == NULL)
        return -ENOMEM;
    memset(parts, 0, offsetof(struct cv_parts, bytes));
    *ret = parts;
    int rc = cv_multipart_init(&parts->parser, cv_req_field(req, CV_SPAN("Content-Type")));
    return rc < 0 ? refuse(req, parts) : 0;
}

int cv_parts_next(struct covey_req *req, struct cv_parts *parts)
{
    int event;
    while ((event = next_event(req, parts)) >= 0 && event != CV_MULTIPART_END) {
        parts->in_part = event == CV_MULTIPART_PART || event == CV_MULTIPART_DATA;
        if (event != CV_MULTIPART_PART)
            continue;
        const struct cv_part *part = &parts->parser.part;
        parts->part = (struct covey_part){part->name, part->filename, part->type};
        parts->data = cv_span(NULL, 0);
        if (++parts->n > req->app->rules.params_max)
            return parts->rc =
                       covey_fail(req, 413, "The form has too many parts (REQUEST_MAX_PARAMS).");
        return 1;
    }
    parts->in_part = false;
    parts->data = cv_span(NULL, 0);
    return event < 0 ? event : 0;
}

int cv_parts_data(struct covey_req *req, struct cv_parts *parts, struct cv_span *ret)
{
    if (!parts->in_part)
        return parts->rc;
    int event = next_event(req, parts);
    if (event < 0)
        return event;
    parts->in_part = event == CV_MULTIPART_DATA;
    *ret = parts->data;
    return parts->in_part;
}

/* ---- For the app ---- */

/* The request's, made with the first call. */
static int own_parts(struct covey_req *req, struct cv_parts **ret)
{
    struct cv_req_more *more = cv_req_more(req);
    if (more == NULL)
        return -ENOMEM;
    int rc = more->parts == NULL ? cv_parts_open(req, &more->parts) : 0;
    *ret = more->parts;
    return rc;
}

int covey_part_next(covey_req *req, const struct covey_part **ret)
{
    struct cv_parts *parts;

    if (!cv_req_here(req) || !cv_app_can_wait(__func__))
        return -EPERM;
    int rc = own_parts(req, &parts);
    if (rc == 0)
        rc = cv_parts_next(req, parts);
    *ret = rc == 1 ? &parts->part : NULL;
    return rc;
}

ssize_t covey_part_read(covey_req *req, void *to, size_t cap)
{
    if (!cv_req_here(req) || !cv_app_can_wait(__func__))
        return -EPERM;
    struct cv_parts *parts = req->more != NULL ? req->more->parts : NULL;
    if (parts == NULL || cap == 0)
        return 0;
    if (parts->data.len == 0) {
        int rc = cv_parts_data(req, parts, &parts->data);
        if (rc <= 0)
            return rc;
    }
    size_t n = parts->data.len < cap ? parts->data.len : cap;
    memcpy(to, parts->data.at, n);
    parts->data = cv_span(parts->data.at + n, parts->data.len - n);
    return (ssize_t)n;
}
