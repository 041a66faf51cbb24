/* Waiting, cancelling, handing work to threads. The public face of loop/fiber.h. */
#include "app/request/request.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>

_Static_assert((int)COVEY_READ == (int)CV_READ && (int)COVEY_WRITE == (int)CV_WRITE,
               "the events are the loop's");

/* Milliseconds from now as a deadline; negative: never. */
static int64_t deadline(int64_t ms)
{
    if (ms < 0 || ms > CV_NEVER / CV_MS / 2)
        return CV_NEVER;
    return cv_clock_ns() + ms * CV_MS;
}

int covey_sleep_ms(int64_t ms)
{
    if (!cv_app_can_wait(__func__))
        return -EPERM;
    int64_t most = CV_NEVER / CV_MS / 2;
    return cv_fiber_sleep((ms < 0 ? 0 : ms > most ? most : ms) * CV_MS);
}

int covey_wait_fd(int fd, int events, int64_t timeout_ms)
{
    const int all = COVEY_READ | COVEY_WRITE;
    if (!cv_app_can_wait(__func__))
        return -EPERM;
    if (events == 0 || (events & ~all) != 0)
        return -EINVAL;
    int rc = cv_fiber_wait_fd(fd, (unsigned)events, deadline(timeout_ms));
    if (rc < 0)
        return rc;
    return (rc & ~all) != 0 ? all : rc;
}

int covey_offload(int (*fn)(void *arg), void *arg)
{
    if (!cv_app_can_wait(__func__))
        return -EPERM;
    return cv_offload(cv_app_current()->offload, fn, arg);
}

enum covey_cause covey_cancel_cause(const covey_req *req)
{
    return cv_req_here(req) ? req->cause : COVEY_NOT_CANCELED;
}

int covey_shield(int64_t ms)
{
    if (!cv_app_can_wait(__func__))
        return -EPERM;
    if (ms <= 0 || ms > CV_NEVER / CV_MS / 2)
        return -EINVAL;
    return cv_fiber_shield(ms * CV_MS);
}

int cv_req_wait_for(struct covey_req *req, enum cv_req_wait wait)
{
    if (cv_fiber_self() != req->fiber) {
        cv_error("%s: another fiber than its handler's was refused to wait for it",
                 cv_req_name(req));
        return -EPERM;
    }
    req->wait = wait;
    int rc = cv_fiber_park(CV_NEVER);
    req->wait = CV_REQ_WAITS_NOT;
    return rc;
}

void cv_req_cancel(struct covey_req *req, enum covey_cause cause)
{
    if (req->cause == COVEY_NOT_CANCELED)
        req->cause = cause;
    if (req->fiber != NULL)
        cv_fiber_cancel(req->fiber, (int)req->cause);
}

int cv_req_cancel_self(struct covey_req *req)
{
    cv_req_cancel(req, COVEY_CAUSE_CLIENT);
    return -ECANCELED;
}
