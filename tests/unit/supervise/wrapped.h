/* What of libc is made to fail in test_faults.c. */
#ifndef CV_TEST_SUPERVISE_WRAPPED_H
#define CV_TEST_SUPERVISE_WRAPPED_H

#include "unit/base/wrapped.h"

WRAP(open64, -1, EMFILE)
WRAP(openat64, -1, EMFILE)
WRAP(fdopendir, 0, ENOMEM)
WRAP(mkdir, -1, ENOSPC)
WRAP(statx, -1, ENOMEM)
WRAP(fstat64, -1, ENOMEM)
WRAP(fchmod, -1, EROFS)
WRAP(flock, -1, ENOLCK)
WRAP(read, -1, EIO)
WRAP(pread64, -1, EIO)
WRAP(write, -1, ENOSPC)
WRAP(ftruncate64, -1, ENOSPC)
WRAP(fcntl64, -1, EMFILE)
WRAP(memfd_create, -1, EMFILE)
WRAP(mmap64, -1, ENOMEM)
WRAP(socket, -1, EMFILE)
WRAP(socketpair, -1, EMFILE)
WRAP(bind, -1, ENOMEM)
WRAP(listen, -1, EOPNOTSUPP)
WRAP(setsockopt, -1, ENOMEM)
WRAP(epoll_create1, -1, EMFILE)
WRAP(epoll_ctl, -1, ENOSPC)
WRAP(syscall, -1, ENOMEM)
WRAP(prctl, -1, EPERM)

#endif
