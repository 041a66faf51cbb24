#include "supervise/process/snapshot.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int copy(int from, int to)
{
    char bytes[4096];
    size_t copied = 0;
    for (;;) {
        ssize_t got = read(from, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : 0;
        copied += (size_t)got;
        if (copied > CV_SNAPSHOT_MAX)
            return -EFBIG;
        int rc = cv_fd_write_all(to, bytes, (size_t)got);
        if (rc < 0)
            return rc;
    }
}

static int take(const char *path)
{
    CV_AUTOCLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0)
        return -errno;
    CV_AUTOCLOSE int to = memfd_create("covey-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (to < 0)
        return -errno;
    int rc = copy(from, to);
    if (rc < 0)
        return rc;
    return fcntl(to, F_ADD_SEALS, SEALS) < 0 ? -errno : cv_take_fd(&to);
}

int cv_snapshot(const char *path, char *reason, size_t cap)
{
    int fd = take(path);
    if (fd < 0)
        (void)snprintf(reason, cap, "cannot read %s: %s", path, strerror(-fd));
    return fd;
}
