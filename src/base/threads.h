/* Whether this process may be forked without loss. */
#ifndef CV_BASE_THREADS_H
#define CV_BASE_THREADS_H

#include <stdbool.h>

/* There are other threads than the caller. fork() would leave their locks locked for ever in the
 * child. False also where it cannot be told (no /proc, a sanitizer with a thread of its own). */
bool cv_threads_any(void);

#endif
