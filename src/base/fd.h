/* Descriptors: small calls that are easy to get wrong in ten places. All are EINTR-proof. */
#ifndef CV_BASE_FD_H
#define CV_BASE_FD_H

#include "base/macros.h"

#include <sys/types.h>

/* Opens /dev/null on each of 0, 1, 2 that is closed, so that no socket ever lands there. */
CV_MUST_CHECK int cv_fd_ensure_stdio(void);

/* 0 or -errno. */
int cv_fd_set_cloexec(int fd, int on);
CV_MUST_CHECK int cv_fd_set_nonblock(int fd, int on);

/* Reads exactly n bytes from offset 0 of a file (memfd). 0, -errno, or -EIO if it is shorter. */
CV_MUST_CHECK int cv_fd_pread_all(int fd, void *to, size_t n);

/* A new file without a name in `folder`, for reading and writing, gone with its last descriptor.
 * -errno. */
CV_MUST_CHECK int cv_fd_unnamed(const char *folder);

/* Writes all n bytes. 0 or -errno. */
CV_MUST_CHECK int cv_fd_write_all(int fd, const void *from, size_t n);

/* The whole of a small file (e.g. /proc/self/stat): bytes read, at most cap - 1, NUL-terminated; or
 * -errno. */
CV_MUST_CHECK ssize_t cv_fd_slurp(const char *path, char *to, size_t cap);

#endif
