#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int cv_fd_ensure_stdio(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        int got = open("/dev/null", O_RDWR); /* the lowest free number, which is `fd` */
        if (got < 0)
            return -errno;
    }
    return 0;
}

static int set_flag(int fd, int get, int set, int flag, int on)
{
    int flags = fcntl(fd, get);
    if (flags < 0)
        return -errno;
    int wanted = on ? flags | flag : flags & ~flag;
    return wanted == flags || fcntl(fd, set, wanted) == 0 ? 0 : -errno;
}

int cv_fd_set_cloexec(int fd, int on)
{
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int cv_fd_set_nonblock(int fd, int on)
{
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int cv_fd_pread_all(int fd, void *to, size_t n)
{
    char *at = to;
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, at + done, n - done, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        done += (size_t)got;
    }
    return 0;
}

int cv_fd_unnamed(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd >= 0 ? fd : -errno;
    char path[4096]; /* a file system without files without names */
    if (snprintf(path, sizeof(path), "%s/covey-XXXXXX", folder) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    (void)unlink(path);
    return fd;
}

int cv_fd_write_all(int fd, const void *from, size_t n)
{
    const char *at = from;
    while (n > 0) {
        ssize_t put = write(fd, at, n);
        if (put < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

ssize_t cv_fd_slurp(const char *path, char *to, size_t cap)
{
    CV_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t len = 0;
    while (len < cap - 1) {
        ssize_t got = read(fd, to + len, cap - 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    to[len] = '\0';
    return (ssize_t)len;
}
