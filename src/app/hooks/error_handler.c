/* What an app has to say to an error, before covey says it with a page of its own. */
#include "app/request/request.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

int covey_error_status(const covey_req *req)
{
    return cv_req_here(req) ? req->error_status : 0;
}

const char *covey_error_text(const covey_req *req)
{
    return cv_req_here(req) && req->error_status != 0 ? req->fail_text : NULL;
}

static void name_failed(struct covey_req *req, const struct cv_hook *hook, int code)
{
    const char *why = code == req->fail_code && req->fail_text != NULL ? req->fail_text
                      : code > -CV_CODE_FAIL                           ? strerror(-code)
                                                                       : "its own code";
    cv_error("%s: error handler %s (%s:%d) failed: %s", cv_req_name(req), hook->name, hook->file,
             hook->line, why);
}

bool cv_req_ask_error_handler(struct covey_req *req, int status)
{
    const struct cv_hook *hook = cv_plan_error(cv_req_plan(req), status);
    req->error_status = status;
    const char *text = req->fail_text;
    const struct covey_signal_event event = {.bytes = text, .len = text != NULL ? strlen(text) : 0};
    cv_req_tell(req, CV_SIGNAL_REPORT, &event);
    cv_req_tell(req, CV_SIGNAL_EXCEPTION, &event);
    if (hook == NULL)
        return false;
    cv_stage_reset(req);
    req->hook = hook;
    int rc = hook->handler(req);
    req->hook = NULL;
    bool has_answered = req->staged.answer.status != 0;
    if (rc >= 0 || (rc == -EALREADY && has_answered))
        return has_answered;
    name_failed(req, hook, rc);
    if (req->stream == CV_STREAM_NOT)
        return false;
    cv_stream_settle(req, rc); /* its head has left: cut off */
    return true;
}
