/* The public log calls: covey's own log under the app's name for it. */
#include "base/log.h"
#include "app/request/request.h"

#include <covey/log.h>

/* Of the request whose handler runs here, or waits for this thread. */
static const char *request_id(void)
{
    const struct cv_fiber *fiber = cv_fiber_self();
    if (fiber == NULL)
        fiber = cv_offload_caller();
    const struct covey_req *req = fiber != NULL ? cv_fiber_owner(fiber) : NULL;
    return req != NULL && req->more != NULL ? req->more->id : NULL;
}

void cv_app_log_ids(void)
{
    cv_log_tag(request_id);
}

#define LOG_AT(level)                                                                              \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        cv_log_v((level), format, args);                                                           \
        va_end(args);                                                                              \
    } while (0)

void covey_debug(const char *format, ...)
{
    LOG_AT(CV_LOG_DEBUG);
}

void covey_info(const char *format, ...)
{
    LOG_AT(CV_LOG_INFO);
}

void covey_warn(const char *format, ...)
{
    LOG_AT(CV_LOG_WARN);
}

void covey_error(const char *format, ...)
{
    LOG_AT(CV_LOG_ERROR);
}
