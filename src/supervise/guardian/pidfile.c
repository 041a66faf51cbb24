#include "supervise/guardian/pidfile.h"

#include "base/fd.h"
#include "base/num.h"
#include "supervise/sockets/sockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define TEXT_MAX 32

/* The number in a file that holds nothing else; 0: the file is empty; -EBADMSG. */
static int64_t pid_in(int fd)
{
    char text[TEXT_MAX];
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADMSG;
    ssize_t len = pread(fd, text, sizeof(text), 0);
    uint64_t pid = 0;
    if (len < 0)
        return -errno;
    if (len > 0 && text[len - 1] == '\n')
        len--;
    else if (len == 0)
        return 0;
    return cv_num_u64(cv_span(text, (size_t)len), INT32_MAX, &pid) == 0 ? (int64_t)pid : -EBADMSG;
}

static int write_pid(int fd)
{
    char text[TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0)
        return -errno;
    return cv_fd_write_all(fd, text, (size_t)len);
}

static bool is_at(const char *path, int fd)
{
    struct stat own;
    struct stat there;
    return fstat(fd, &own) == 0 && lstat(path, &there) == 0 && own.st_ino == there.st_ino &&
           own.st_dev == there.st_dev;
}

/* Opens and locks. Whoever held it a moment ago may have removed it meanwhile: then anew. */
static int open_locked(const char *path, int64_t *ret_holder)
{
    for (;;) {
        CV_AUTOCLOSE int fd =
            open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            int rc = -errno;
            *ret_holder = pid_in(fd);
            return rc;
        }
        if (is_at(path, fd))
            return cv_take_fd(&fd);
    }
}

static int explain(const char *path, int error, int64_t holder, char *reason, size_t cap)
{
    if (error == -EAGAIN && holder > 0)
        (void)snprintf(reason, cap, "another instance runs, as process %lld: it holds %s",
                       (long long)holder, path);
    else if (error == -EAGAIN)
        (void)snprintf(reason, cap, "another instance runs: it holds %s", path);
    else
        (void)snprintf(reason, cap, "cannot write the pid file %s: %s", path,
                       error == -EBADMSG ? "what is there is no pid file" : strerror(-error));
    return error;
}

int cv_pidfile_take(struct cv_pidfile *ret, const char *path, char *reason, size_t cap)
{
    int64_t pid = 0;
    *ret = (struct cv_pidfile){.fd = -1};
    if (path[0] == '\0')
        return 0;
    CV_AUTOCLOSE int fd = open_locked(path, &pid);
    if (fd < 0)
        return explain(path, fd, pid, reason, cap);
    pid = pid_in(fd);
    int rc = pid < 0 ? (int)pid : write_pid(fd);
    if (rc == 0 && !cv_sockfile_look(AT_FDCWD, path, &ret->file))
        rc = -errno;
    if (rc < 0 && pid >= 0)
        (void)unlink(path); /* it is ours: locked, and there */
    if (rc < 0)
        return explain(path, rc, 0, reason, cap);
    ret->path = path;
    ret->fd = cv_take_fd(&fd);
    return 0;
}

void cv_pidfile_remove(const struct cv_pidfile *pidfile)
{
    if (pidfile->path != NULL)
        cv_sockfile_unlink(AT_FDCWD, pidfile->path, &pidfile->file);
}
