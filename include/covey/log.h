/* Logging: one line to standard error, never a wait (docs/architecture.md). Callable from any
 * thread. */
#ifndef COVEY_LOG_H
#define COVEY_LOG_H

#include <covey/export.h>

COVEY_API void covey_debug(const char *format, ...) COVEY_PRINTF(1, 2);
COVEY_API void covey_info(const char *format, ...) COVEY_PRINTF(1, 2);
COVEY_API void covey_warn(const char *format, ...) COVEY_PRINTF(1, 2);
COVEY_API void covey_error(const char *format, ...) COVEY_PRINTF(1, 2);

#endif
