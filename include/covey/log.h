/* Logging. */
#ifndef COVEY_LOG_H
#define COVEY_LOG_H

#include <covey/export.h>

/* Writes a line, of up to 4 KiB, to standard error if LOG_LEVEL lets it through: without a wait, so
 * that a line is dropped, and counted, where nobody reads. From any thread, at any time. With
 * LOG_REQUEST_ID, what is written for a request (by its handler, middleware, and in what these have
 * covey_offload() do) begins with its covey_request_id() in brackets. */
COVEY_API void covey_debug(const char *format, ...) COVEY_PRINTF(1, 2);
COVEY_API void covey_info(const char *format, ...) COVEY_PRINTF(1, 2);
COVEY_API void covey_warn(const char *format, ...) COVEY_PRINTF(1, 2);
COVEY_API void covey_error(const char *format, ...) COVEY_PRINTF(1, 2);

#endif
