#include "supervise/shared/boot.h"

#include "base/fd.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const char magic[8] = {'c', 'o', 'v', 'e', 'y', 'B', 'T', '\n'};

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define DYING_MS 100

void cv_boot_init(struct cv_boot *boot)
{
    memset(boot, 0, sizeof(*boot));
    memcpy(boot->magic, magic, sizeof(magic));
    boot->layout = CV_BOOT_LAYOUT;
    boot->size = sizeof(*boot);
    boot->settings = -1;
    boot->access_log = -1;
    boot->region = -1;
}

int cv_boot_seal(const struct cv_boot *boot)
{
    CV_AUTOCLOSE int fd = memfd_create("covey-boot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int rc = cv_fd_write_all(fd, boot, sizeof(*boot));
    if (rc < 0)
        return rc;
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return cv_take_fd(&fd);
}

/* The descriptor the variable names; -ENOENT if that is no fully sealed memfd; -errno if it cannot
 * be told. */
static int named_descriptor(const char *text)
{
    uint64_t fd;
    if (text == NULL || cv_num_u64(cv_span_str(text), INT32_MAX, &fd) < 0)
        return -ENOENT;
    int seals = fcntl((int)fd, F_GET_SEALS);
    if (seals < 0 && errno != EBADF && errno != EINVAL)
        return -errno;
    return seals >= 0 && (seals & SEALS) == SEALS ? (int)fd
                                                  : -ENOENT; /* vm.memfd_noexec adds one */
}

/* A dying master's children have another parent a moment before its pidfd tells of the death: hence
 * the wait. 1: it is dead; 0: it lives; -errno if it cannot be told. */
static int is_dead(int pidfd)
{
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    int n;
    do
        n = poll(&gone, 1, DYING_MS);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (gone.revents & POLLIN) != 0;
}

int cv_boot_read_fd(int fd, struct cv_boot *ret)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 ||
        st.st_size != (off_t)sizeof(*ret) || cv_fd_pread_all(fd, ret, sizeof(*ret)) < 0)
        return -EPROTO;
    bool is_ours = memcmp(ret->magic, magic, sizeof(magic)) == 0 && ret->layout == CV_BOOT_LAYOUT &&
                   ret->n_listeners <= CV_BOOT_LISTENERS_MAX;
    return is_ours ? 0 : -EPROTO;
}

int cv_boot_read(struct cv_boot *ret)
{
    CV_AUTOCLOSE int fd = named_descriptor(getenv(CV_BOOT_VARIABLE));
    (void)unsetenv(CV_BOOT_VARIABLE);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;

    struct cv_boot boot;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < 16)
        return 0;
    int rc = cv_fd_pread_all(fd, &boot,
                             st.st_size < (off_t)sizeof(boot) ? (size_t)st.st_size : sizeof(boot));
    if (rc < 0)
        return rc;
    if (memcmp(boot.magic, magic, sizeof(magic)) != 0)
        return 0;
    if (boot.layout != CV_BOOT_LAYOUT || boot.size != sizeof(boot) ||
        st.st_size != (off_t)sizeof(boot))
        return -EPROTO;
    if (boot.n_listeners > CV_BOOT_LISTENERS_MAX)
        return 0;
    if (boot.parent != getppid()) { /* a worker's child, or a worker that came too late */
        rc = is_dead(boot.parent_fd);
        return rc > 0 ? -ESRCH : rc;
    }
    boot.name[sizeof(boot.name) - 1] = '\0';
    *ret = boot;
    return 1;
}
