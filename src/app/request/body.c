/* Bodies of requests: whole ones that are there when the handler starts, and streamed ones. */
#include "app/request/request.h"

#include "serve/refuse.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

const void *covey_body(covey_req *req, size_t *len)
{
    struct cv_span body = {NULL, 0};
    if (cv_req_here(req) && req->route != NULL && !req->route->how.stream)
        body = cv_exchange_body(req->x);
    if (len != NULL)
        *len = body.len;
    return body.len > 0 ? body.at : NULL;
}

/* Where bodies are spooled to. */
const char *cv_app_upload_folder(covey_app *app)
{
    const char *folder = covey_config_str(app, "UPLOAD_DIR", "");
    if (folder[0] == '\0')
        folder = getenv("TMPDIR");
    return folder != NULL && folder[0] != '\0' ? folder : "/var/tmp";
}

int cv_req_on_disk(struct covey_req *req, int (*fn)(void *arg), void *arg)
{
    int rc = cv_fiber_self() != NULL ? cv_offload(req->app->disk, fn, arg) : -EAGAIN;
    return rc == -EAGAIN ? fn(arg) : rc; /* no thread can be had */
}

static int body_file(void *x)
{
    return cv_exchange_body_file(x);
}

int covey_body_file(covey_req *req)
{
    if (!cv_req_here(req))
        return -EPERM;
    if (req->route == NULL || req->route->how.stream)
        return -EINVAL;
    if (cv_exchange_spooled(req->x) >= 0)
        return cv_exchange_body_file(req->x);
    int rc = cv_exchange_spool(req->x, cv_app_upload_folder(req->app), 0);
    return rc == 0 ? cv_req_on_disk(req, body_file, req->x) : rc;
}

struct reading {
    int fd;
    int flags;
    off_t at;
    struct iovec to;
};

/* Bytes, at most INT_MAX, or -errno. */
static int read_file(void *arg)
{
    const struct reading *r = arg;
    ssize_t n;
    do
        n = preadv2(r->fd, &r->to, 1, r->at, r->flags);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
}

/* The next bytes of a body on disk; on a thread if they are not in memory, or nobody knows. */
static ssize_t read_spooled(struct covey_req *req, void *to, size_t cap)
{
    struct reading r = {.fd = cv_exchange_spooled(req->x),
                        .flags = RWF_NOWAIT,
                        .at = (off_t)req->body_offset,
                        .to = {to, cap < INT_MAX ? cap : INT_MAX}};
    int n = read_file(&r);
    if (n == -EAGAIN || n == -EOPNOTSUPP) {
        r.flags = 0;
        n = cv_req_on_disk(req, read_file, &r);
    }
    if (n > 0)
        req->body_offset += (size_t)n;
    return n;
}

/* What is left of a body that was collected before the handler began. */
static ssize_t read_collected(struct covey_req *req, void *to, size_t cap)
{
    struct cv_span body = cv_exchange_body(req->x);
    size_t n = body.len - req->body_offset;
    if (n > cap)
        n = cap;
    if (n > 0)
        memcpy(to, body.at + req->body_offset, n);
    req->body_offset += n;
    return (ssize_t)n;
}

void cv_req_refuse_body(struct covey_req *req, int code)
{
    if (code == 0)
        return;
    req->bad_code = code;
    req->bad_status = cv_refused_status(cv_refused_body(code));
}

/* An error of the client's: returned by the handler, it becomes this status. */
static ssize_t refuse(struct covey_req *req, int code, int status)
{
    req->bad_code = code;
    req->bad_status = status;
    return code;
}

ssize_t covey_body_read(covey_req *req, void *to, size_t cap)
{
    if (!cv_req_here(req) || !cv_app_can_wait(__func__))
        return -EPERM;
    if (req->route == NULL || cap == 0)
        return 0;
    if (cv_exchange_spooled(req->x) >= 0)
        return read_spooled(req, to, cap);
    if (!req->route->how.stream)
        return read_collected(req, to, cap);

    for (;;) {
        ssize_t n = cv_exchange_read(req->x, to, cap);
        if (n > 0)
            cv_req_tell(req, CV_SIGNAL_READ_BODY,
                        &(struct covey_signal_event){.bytes = to, .len = (size_t)n});
        if (n >= 0)
            return n;
        int rc = 0;
        switch ((int)n) {
        case -EAGAIN: rc = cv_req_wait_for(req, CV_REQ_WAITS_BODY); break;
        case -EMSGSIZE: return refuse(req, (int)n, 413);
        case -ETIMEDOUT: return refuse(req, (int)n, 408);
        case -EBADMSG: return refuse(req, (int)n, 400);
        case -ECONNRESET: rc = cv_req_cancel_self(req); break;
        default: return n;
        }
        if (rc < 0)
            return rc;
    }
}
