/* The signals of a request. See signal.h. */
#include "app/request/request.h"

void cv_req_tell_now(struct covey_req *req, enum cv_signal which,
                     const struct covey_signal_event *event)
{
    struct covey_signal_event copy = {0};
    if (event != NULL)
        copy = *event;
    copy.req = req;
    cv_signal_tell(req->app, which, &copy);
}

void cv_req_tell_arrival(struct covey_req *req)
{
    struct covey_signal_event body = {0};
    body.bytes = covey_body(req, &body.len);
    if (cv_req_is_heard(req, CV_SIGNALS_CONNECTION))
        cv_req_tell_connection(req);
    cv_req_tell(req, CV_SIGNAL_READ_HEAD, NULL);
    cv_req_tell(req, CV_SIGNAL_REQUEST, NULL);
    cv_req_tell(req, CV_SIGNAL_HANDLE, NULL);
    cv_req_tell(req, CV_SIGNAL_ROUTING_BEFORE, NULL);
    cv_req_tell(req, CV_SIGNAL_ROUTING_AFTER, NULL);
    if (body.len > 0)
        cv_req_tell(req, CV_SIGNAL_READ_BODY, &body);
}

void cv_req_tell_answer(struct covey_req *req)
{
    cv_req_tell(req, CV_SIGNAL_RESPONSE, NULL);
    struct cv_span body = req->staged.answer.body;
    cv_req_tell(req, CV_SIGNAL_SEND,
                &(struct covey_signal_event){.bytes = body.at, .len = body.len});
}
