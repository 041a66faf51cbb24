/* Answers in JSON: jansson writes straight into the request's arena. */
#include "app/request/request.h"

#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* Text that grows in an arena. */
struct sink {
    struct cv_arena *arena;
    char *at;
    size_t len;
    size_t cap;
};

static int sink_write(const char *bytes, size_t len, void *data)
{
    struct sink *sink = data;
    if (len > sink->cap - sink->len) {
        size_t cap = sink->cap == 0 ? 512 : sink->cap * 2;
        while (cap - sink->len < len)
            cap *= 2;
        char *more = cv_arena_alloc(sink->arena, cap);
        if (more == NULL)
            return -1;
        if (sink->len > 0)
            memcpy(more, sink->at, sink->len);
        sink->at = more;
        sink->cap = cap;
    }
    memcpy(sink->at + sink->len, bytes, len);
    sink->len += len;
    return 0;
}

/* Does not take the reference. */
static int answer_json(struct covey_req *req, int status, const json_t *json)
{
    struct sink sink = {.arena = req->arena};

    int rc = covey_empty(req, status); /* refuses a second answer and a wrong status */
    if (rc < 0)
        return rc;
    if (json_dump_callback(json, sink_write, &sink, JSON_COMPACT | JSON_ENCODE_ANY) < 0) {
        cv_stage_drop(req);
        if (req->arena->ran_out)
            return -ENOMEM;
        cv_error("%s: covey_json(): the value cannot be written", cv_req_name(req));
        return -EINVAL;
    }
    (void)cv_stage(req, status, CV_SPAN("application/json"), cv_span(sink.at, sink.len));
    return 0;
}

int covey_json(covey_req *req, int status, struct json_t *json)
{
    int rc = -EPERM;
    if (cv_req_here(req)) {
        if (json != NULL)
            rc = answer_json(req, status, json);
        else {
            cv_error("%s: covey_json() with NULL", cv_req_name(req));
            rc = -EINVAL;
        }
    }
    json_decref(json);
    return rc;
}

int covey_jsonf(covey_req *req, int status, const char *format, ...)
{
    json_error_t error;

    if (!cv_req_here(req))
        return -EPERM;
    va_list args;
    va_start(args, format);
    json_t *json = json_vpack_ex(&error, 0, format, args);
    va_end(args);
    if (json == NULL && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (json == NULL) {
        cv_error("%s: covey_jsonf(\"%s\"): %s", cv_req_name(req), format, error.text);
        return -EINVAL;
    }
    return covey_json(req, status, json);
}
