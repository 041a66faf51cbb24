/* The public log calls: covey's own log under the app's name for it. */
#include "base/log.h"

#include <covey/log.h>

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
