/* The last words of a process that hangs or crashes: where it is, as lines in the log.
 *
 * ABRT comes from whoever watches it; SEGV and its kin from itself. The handler writes what the
 * process was doing and its native frames, then lets the signal take its default action, so that
 * exit status and core are those of the signal. It runs on a stack of its own: a fiber's may have
 * overflowed.
 */
#ifndef CV_SUPERVISE_DUMP_H
#define CV_SUPERVISE_DUMP_H

#include "base/macros.h"

#include <stddef.h>

/* Installs the handlers. `doing` (may be NULL) writes what the process is doing; it is called in
 * the handler. `fault` is the address that could not be accessed, NULL: that is not why. 0 or
 * -errno. */
CV_MUST_CHECK int cv_dump_install(void (*doing)(char *to, size_t cap, const void *fault));

#endif
