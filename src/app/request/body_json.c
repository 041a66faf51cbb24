/* Bodies of requests in JSON. */
#include "app/request/request.h"

#include "base/buf.h"
#include "http/json.h"

#include <errno.h>
#include <jansson.h>

#define DEPTH_MAX 100 /* jansson recurses, on a fiber's stack */

static void drop(void *json)
{
    json_decref(json);
}

/* All of the body: where it is, or read into `buf`. 0 or a negative code. */
static int whole_body(struct covey_req *req, struct cv_buf *buf, struct cv_span *ret)
{
    char some[16384];
    ssize_t n;
    size_t len;
    const void *body = covey_body(req, &len);
    *ret = cv_span(body, len);
    if (body != NULL)
        return 0;
    while ((n = covey_body_read(req, some, sizeof(some))) > 0) {
        if (cv_buf_append(buf, cv_span(some, (size_t)n)) < 0)
            return -ENOMEM;
    }
    *ret = cv_buf_span(buf);
    return (int)n;
}

static int parse(struct covey_req *req, struct cv_span text, json_t **ret)
{
    json_error_t error;
    if (text.len == 0)
        return covey_fail(req, 400, "The body must be JSON, and is empty");
    if (!cv_json_is_shallow(text, DEPTH_MAX))
        return covey_fail(req, 400, "The body's JSON is nested more than %d deep", DEPTH_MAX);
    *ret = json_loadb(text.at, text.len, JSON_DECODE_ANY, &error);
    if (*ret == NULL && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (*ret == NULL)
        return covey_fail(req, 400, "The body is no JSON: line %d, column %d: %s", error.line,
                          error.column, error.text);
    return covey_defer(req, drop, *ret);
}

int covey_body_json(covey_req *req, struct json_t **ret)
{
    struct cv_buf buf;
    struct cv_span text;

    *ret = NULL;
    struct cv_req_more *more = cv_req_here(req) ? cv_req_more(req) : NULL;
    if (more == NULL)
        return -ENOMEM;
    if (more->json == NULL) {
        cv_buf_init(&buf, SIZE_MAX);
        int rc = whole_body(req, &buf, &text);
        if (rc == 0)
            rc = parse(req, text, &more->json);
        cv_buf_done(&buf);
        if (rc < 0) {
            more->json = NULL;
            return rc;
        }
    }
    *ret = more->json;
    return 0;
}
