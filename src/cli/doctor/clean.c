/* Acts on what was found, after it has been seen again under a handle that cannot change its
 * meaning: a pidfd, or the open folder of a file. */
#include "cli/doctor/doctor.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int send_signal(int pidfd, int number)
{
    return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) == 0 ? 0 : -errno;
}

/* The pidfd of the process that was seen. If the process with this pid still has that start time
 * after the pidfd was opened, the pidfd is of no other. */
static int open_seen(const struct cv_doctor_proc *seen, int *ret)
{
    CV_AUTOCLOSE int pidfd = (int)syscall(SYS_pidfd_open, seen->pid, 0);
    if (pidfd < 0)
        return -errno;
    char path[32];
    char text[1024];
    struct cv_doctor_proc now;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", seen->pid);
    if (cv_fd_slurp(path, text, sizeof(text)) < 0 || cv_doctor_read_stat(text, &now) < 0 ||
        now.start != seen->start || now.ppid != seen->ppid || now.state == 'Z')
        return -ESRCH;
    *ret = cv_take_fd(&pidfd);
    return 0;
}

static bool has_ended_within(int pidfd, int ms)
{
    int64_t until = cv_clock_ns() + ms * CV_MS;
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        int64_t rest = (until - cv_clock_ns()) / CV_MS;
        int rc = poll(&end, 1, rest > 0 ? (int)rest : 0);
        if (rc > 0 || rest <= 0)
            return rc > 0;
    }
}

int cv_doctor_end(const struct cv_doctor_proc *proc, int patience_ms)
{
    CV_AUTOCLOSE int pidfd = -1;
    int rc = open_seen(proc, &pidfd);
    if (rc < 0)
        return rc;
    static const int escalation[] = {SIGTERM, SIGKILL};
    for (size_t i = 0; i < CV_COUNT(escalation); i++) {
        rc = send_signal(pidfd, escalation[i]);
        if (rc < 0)
            return rc == -ESRCH ? 0 : rc; /* it has just ended */
        if (has_ended_within(pidfd, patience_ms))
            return 0;
    }
    return -EBUSY;
}

/* No link on the way: else who owns a folder of /tmp could lead us to another file. */
static int open_folder(const char *path, size_t len, int *ret)
{
    CV_AUTOFREE char *folder = strndup(path, len);
    if (folder == NULL)
        return -ENOMEM;
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, folder, &how, sizeof(how));
    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

int cv_doctor_remove(const struct cv_doctor_file *file)
{
    const char *name = strrchr(file->path, '/') + 1;
    CV_AUTOCLOSE int folder = -1;
    int rc = open_folder(file->path, (size_t)(name - 1 - file->path), &folder);
    if (rc < 0)
        return rc;
    struct stat now;
    if (fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (now.st_ino != file->ino || now.st_dev != file->dev ||
        S_ISSOCK(now.st_mode) != file->is_socket)
        return -ENOENT;
    if (file->is_socket && cv_doctor_is_bound(folder, name))
        return -EBUSY;
    return unlinkat(folder, name, 0) == 0 ? 0 : -errno;
}
