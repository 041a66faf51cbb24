/* The pid file: whoever holds its lock is the one instance. Master and forked workers hold it too,
 * so that nobody takes it over before the whole tree is gone, however that comes.
 */
#ifndef CV_SUPERVISE_PIDFILE_H
#define CV_SUPERVISE_PIDFILE_H

#include "base/macros.h"

#include <stddef.h>
#include <sys/stat.h>

struct cv_pidfile {
    const char *path; /* NULL: there is none */
    int fd;           /* locked */
    struct statx file;
};

/* Makes the file, or takes over one that nobody holds, and writes this process's pid into it.
 * Keeps `path`; "": none is wanted. 0; -EAGAIN if another instance lives; -EBADMSG if what is
 * there is no pid file; -errno; with a sentence in `reason`. */
CV_MUST_CHECK int cv_pidfile_take(struct cv_pidfile *ret, const char *path, char *reason,
                                  size_t cap);

/* Removes the file if it is still the one that was taken. */
void cv_pidfile_remove(const struct cv_pidfile *pidfile);

#endif
