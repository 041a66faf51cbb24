/* Conditional requests for what handlers make. See fields.h. */
#include "app/request/request.h"
#include "app/response/compress.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/conditional.h"
#include "http/date.h"

#include <covey/fields.h>

#include <errno.h>

/* The text in quotes, as a field of the answer. *ret: where it stands; empty: there is none. */
static int set_etag(struct covey_req *req, const char *etag, struct cv_span *ret)
{
    *ret = cv_span(NULL, 0);
    if (etag == NULL)
        return 0;
    for (const char *at = etag; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == '"' || *at == 0x7f) {
            cv_error("%s: covey_validate(): an ETag has no blanks, quotes and control characters",
                     cv_req_name(req));
            return -EINVAL;
        }
    }
    const char *quoted = cv_arena_printf(req->arena, "\"%s\"", etag);
    if (quoted == NULL)
        return -ENOMEM;
    *ret = cv_span_str(quoted);
    return cv_field_put(req, CV_SPAN("ETag"), *ret);
}

static int set_modified(struct covey_req *req, int64_t modified)
{
    if (modified <= 0)
        return 0;
    char *text = cv_arena_alloc(req->arena, CV_DATE_LEN);
    if (text == NULL)
        return -ENOMEM;
    cv_date_write(text, modified);
    return cv_field_put(req, CV_SPAN("Last-Modified"), cv_span(text, CV_DATE_LEN));
}

/* Conditions on a date that is not known are none. */
static int check(struct covey_req *req, const struct cv_validators *validators, int64_t now)
{
    bool has_date = validators->modified > 0;
    struct cv_span none = cv_span(NULL, 0);
    const struct cv_conditions conditions = {
        .if_match = cv_req_fields(req, "If-Match"),
        .if_none_match = cv_req_fields(req, "If-None-Match"),
        .if_modified_since = has_date ? cv_req_fields(req, "If-Modified-Since") : none,
        .if_unmodified_since = has_date ? cv_req_fields(req, "If-Unmodified-Since") : none,
    };
    enum cv_method method = (enum cv_method)cv_exchange_head(req->x)->method;
    return cv_conditions_check(&conditions, validators,
                               method == CV_METHOD_GET || method == CV_METHOD_HEAD, now);
}

/* 1 or a negative code. */
static int not_modified(struct covey_req *req)
{
    int rc = req->route != NULL && req->route->compresses ? cv_compress_not_modified(req) : 0;
    if (rc == 0)
        rc = covey_empty(req, 304);
    return rc < 0 ? rc : 1;
}

int covey_validate(covey_req *req, const char *etag, int64_t modified)
{
    if (!cv_req_here(req))
        return -EPERM;
    int64_t now = cv_clock_wall_s();
    /* Never later than Date (section 8.8.2.1). */
    struct cv_validators validators = {.modified = modified < now ? modified : now};
    int rc = set_etag(req, etag, &validators.etag);
    if (rc == 0)
        rc = set_modified(req, validators.modified);
    if (rc < 0)
        return rc;
    int status = check(req, &validators, now);
    if (req->arena->ran_out)
        return -ENOMEM; /* a condition may have been overlooked, and what it guards be lost */
    switch (status) {
    case 304: return not_modified(req);
    case 412: return covey_fail(req, 412, "It is not as the request expects it");
    default: return 0;
    }
}
