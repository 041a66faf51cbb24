/* Where an error was reported: the calls on the stack, for error pages with DEBUG. */
#ifndef CV_APP_TRACE_H
#define CV_APP_TRACE_H

#include "app/response/error_page.h"
#include "base/arena.h"

#define CV_TRACE_MAX 24

struct cv_trace {
    size_t n;
    const void *at[CV_TRACE_MAX]; /* inside each call, the innermost first */
};

/* The stack from the function on that `from`, a return address, lies in. NULL: no memory. */
struct cv_trace *cv_trace_take(struct cv_arena *arena, const void *from);

/* Its calls with names, and with lines and source where there are any. NULL: no memory. Reads
 * files. */
struct cv_frame *cv_trace_frames(const struct cv_trace *trace, struct cv_arena *arena);

#endif
