/* Bodies of requests in JSON. */
#include "app/request/request.h"

#include "base/buf.h"
#include "http/json.h"

#include <errno.h>
#include <jansson.h>

#define DEPTH_MAX 100 /* jansson recurses, on a fiber's stack */

/* What takes longer than about a millisecond is done by a thread. */
#define INLINE_MAX 65536

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
    size_t before = req->body_offset; /* of a body on disk */
    req->body_offset = 0;
    while ((n = covey_body_read(req, some, sizeof(some))) > 0) {
        if (cv_buf_append(buf, cv_span(some, (size_t)n)) < 0) {
            n = -ENOMEM;
            break;
        }
    }
    req->body_offset = before;
    *ret = cv_buf_span(buf);
    return (int)n;
}

struct job {
    struct cv_span text;
    struct cv_json_limits limits;
    json_t *json;
    json_error_t error;
};

static int run(void *arg)
{
    struct job *job = arg;
    int rc = cv_json_check(job->text, &job->limits);
    if (rc == 0)
        job->json = json_loadb(job->text.at, job->text.len, JSON_DECODE_ANY, &job->error);
    return rc;
}

/* Here, or on a thread while the handler's fiber waits; the loop goes on. */
static int run_somewhere(struct covey_req *req, struct job *job)
{
    int rc = -EAGAIN;
    if (job->text.len > INLINE_MAX && cv_fiber_self() != NULL)
        rc = cv_offload(req->app->offload, run, job);
    return rc == -EAGAIN ? run(job) : rc; /* no thread can be had */
}

static int parse(struct covey_req *req, struct cv_span text, json_t **ret)
{
    struct job job = {.text = text, .limits = {DEPTH_MAX, req->app->rules.json_values}};
    if (text.len == 0)
        return covey_fail(req, 400, "The body must be JSON, and is empty");
    int rc = run_somewhere(req, &job);
    if (rc == -EOVERFLOW)
        return covey_fail(req, 400, "The body's JSON is nested more than %d deep", DEPTH_MAX);
    if (rc == -E2BIG)
        return covey_fail(req, 413, "The body's JSON has too many values (JSON_MAX_VALUES).");
    if (rc < 0)
        return rc;
    *ret = job.json;
    if (job.json != NULL)
        return covey_defer(req, drop, job.json);
    if (json_error_code(&job.error) == json_error_out_of_memory)
        return -ENOMEM;
    return covey_fail(req, 400, "The body is no JSON: line %d, column %d: %s", job.error.line,
                      job.error.column, job.error.text);
}

int covey_body_json(covey_req *req, struct json_t **ret)
{
    struct cv_buf buf;
    struct cv_span text;

    *ret = NULL;
    if (!cv_req_here(req))
        return -EPERM;
    struct cv_req_more *more = cv_req_more(req);
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
