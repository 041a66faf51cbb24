/* Answers that leave in parts: informational ones in front of it; streamed ones, of which the head
 * leaves first, then pieces, with back-pressure. */
#include "app/options.h"
#include "app/request/request.h"
#include "app/response/compress.h"

#include "base/log.h"
#include "http/text.h"

#include <errno.h>
#include <string.h>

static int server_code(struct covey_req *req, int rc)
{
    return rc == -ECONNRESET ? cv_req_cancel_self(req) : rc;
}

int covey_inform(covey_req *req, int status)
{
    if (!cv_req_here(req))
        return -EPERM;
    int rc = cv_exchange_inform(req->x, status, req->fields, req->n_fields);
    if (rc == -EALREADY || rc == -EINVAL)
        cv_error("%s: covey_inform() %s %d", cv_req_name(req),
                 rc == -EALREADY ? "behind the answer's head, with status" : "with status", status);
    return server_code(req, rc);
}

/* Whether nothing follows the head; a handler that went on would never have to wait. */
static bool is_head_only(const struct covey_req *req)
{
    return cv_exchange_head(req->x)->method == CV_METHOD_HEAD ||
           !cv_status_has_body(req->staged.answer.status);
}

static int begin(struct covey_req *req, int64_t length)
{
    /* It is the last that may still change the head. */
    int rc = cv_req_run_response_middleware(req);
    if (rc < 0)
        return rc;
    cv_req_tell(req, CV_SIGNAL_RESPONSE, NULL);
    if (req->route != NULL && req->route->compresses)
        rc = cv_compress_begin(req, length);
    if (rc < 0)
        return rc;

    struct cv_answer *answer = cv_stage_answer(req);
    answer->length = length > 0 && req->packing == NULL ? length : -1;
    rc = cv_exchange_begin(req->x, answer);
    if (rc == 0 || rc == -ECONNRESET)
        req->stream = CV_STREAM_BEGUN;
    if (rc == 0 && is_head_only(req)) {
        req->stream = CV_STREAM_HEAD_ONLY;
        rc = cv_exchange_end(req->x);
    }
    return server_code(req, rc);
}

int covey_respond_with(covey_req *req, const struct covey_response *how)
{
    struct covey_response known;

    if (!cv_req_here(req))
        return -EPERM;
    struct cv_span type;
    if (!CV_OPTIONS_READ(&known, how)) {
        cv_error("%s: covey_respond(): " CV_OPTIONS_UNKNOWN, cv_req_name(req));
        return -EINVAL;
    }
    int rc = cv_stage_check(req, known.status, "covey_respond");
    if (rc == 0)
        rc = cv_stage_type(req, known.type, &type);
    if (rc < 0)
        return rc;
    (void)cv_stage(req, known.status, type, cv_span(NULL, 0));
    req->is_responding = true;
    rc = begin(req, known.length);
    if (rc < 0 && req->stream == CV_STREAM_NOT) {
        cv_stage_drop(req); /* nothing has left: an error page may */
        req->is_responding = false;
    }
    return rc;
}

static int write_piece(struct covey_req *req, struct cv_span piece)
{
    ssize_t unsent = cv_exchange_write(req->x, piece);
    if (unsent < 0)
        return server_code(req, (int)unsent);
    return unsent > CV_WRITE_HIGH ? cv_req_wait_for(req, CV_REQ_WAITS_ROOM) : 0;
}

static int write_packed(struct covey_req *req, struct cv_span piece, enum cv_codec_end end)
{
    struct cv_buf out;
    cv_buf_init(&out, piece.len + piece.len / 8 + 2 * CV_CODEC_ROOM);
    int rc = cv_compress_piece(req, piece, end, &out);
    if (rc == 0 && end == CV_CODEC_FINISH)
        rc = cv_exchange_write(req->x, cv_buf_span(&out)) < 0 ? -ECONNRESET : 0;
    else if (rc == 0)
        rc = write_piece(req, cv_buf_span(&out));
    cv_buf_done(&out);
    return rc;
}

int covey_send(covey_req *req, const void *bytes, size_t len)
{
    if (!cv_req_here(req) || !cv_app_can_wait(__func__))
        return -EPERM;
    if (req->stream == CV_STREAM_HEAD_ONLY)
        return -ECANCELED;
    if (req->stream != CV_STREAM_BEGUN) {
        cv_error("%s: covey_send() %s", cv_req_name(req),
                 req->stream == CV_STREAM_NOT ? "before covey_respond()" : "after covey_end()");
        return req->stream == CV_STREAM_NOT ? -EINVAL : -EALREADY;
    }

    cv_req_tell(req, CV_SIGNAL_SEND, &(struct covey_signal_event){.bytes = bytes, .len = len});
    struct cv_span piece = cv_span(bytes, len);
    return req->packing != NULL ? write_packed(req, piece, CV_CODEC_FLUSH)
                                : write_piece(req, piece);
}

/* What the encoder still holds leaves first. */
static int end(struct covey_req *req)
{
    int rc = 0;
    if (req->packing != NULL)
        rc = write_packed(req, cv_span(NULL, 0), CV_CODEC_FINISH);
    if (rc < 0 && rc != -ECONNRESET) {
        cv_exchange_abort(req->x);
        return rc;
    }
    return cv_exchange_end(req->x);
}

int covey_end(covey_req *req)
{
    if (!cv_req_here(req))
        return -EPERM;
    if (req->stream == CV_STREAM_ENDED)
        return -EALREADY;
    if (req->stream == CV_STREAM_NOT) {
        cv_error("%s: covey_end() before covey_respond()", cv_req_name(req));
        return -EINVAL;
    }
    bool has_left = req->stream == CV_STREAM_HEAD_ONLY;
    req->stream = CV_STREAM_ENDED;
    int rc = has_left ? 0 : end(req);
    if (rc == -EIO)
        cv_error("%s: the answer is shorter than its length; the connection was closed",
                 cv_req_name(req));
    return rc == -ECONNRESET ? 0 : rc;
}

void cv_stream_settle(struct covey_req *req, int code)
{
    if (req->stream == CV_STREAM_ENDED)
        return;
    if (code >= 0 || req->stream == CV_STREAM_HEAD_ONLY) {
        (void)covey_end(req); /* has said what there is to say */
        return;
    }
    req->stream = CV_STREAM_ENDED;
    const char *why = cv_req_why(req, code);
    if (req->cause != COVEY_CAUSE_CLIENT)
        cv_error("%s: the handler failed (%s) after the head had left; the connection was closed",
                 cv_req_name(req), why != NULL ? why : "no reason given");
    cv_exchange_abort(req->x);
}
