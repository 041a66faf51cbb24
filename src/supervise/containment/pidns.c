#include "supervise/containment/pidns.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* What the kernel shows for an id that means nothing in a user namespace. */
#define OVERFLOW_ID "/proc/sys/kernel/overflowuid"

static long number_in(const char *path, long otherwise)
{
    char text[32];
    return cv_fd_slurp(path, text, sizeof(text)) > 0 ? strtol(text, NULL, 10) : otherwise;
}

/* ---- Refusals ---- */

/* What most likely stands in the way of a user namespace. */
static const char *obstacle(void)
{
    if (number_in("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
        return "see the sysctl kernel.unprivileged_userns_clone";
    if (number_in("/proc/sys/user/max_user_namespaces", 1) == 0)
        return "see the sysctl user.max_user_namespaces";
    if (number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) != 0)
        return "AppArmor wants a profile that permits userns; see the sysctl "
               "kernel.apparmor_restrict_unprivileged_userns";
    return "see the seccomp filter and the security module of the sandbox or container";
}

static int refuse(const char *call, const char *hint, char *reason, size_t cap)
{
    int rc = -errno;
    (void)snprintf(reason, cap, "%s is refused (%s): %s", call, strerror(-rc), hint);
    return rc;
}

/* ---- The guardian's part ---- */

static int write_text(const char *path, const char *text)
{
    CV_AUTOCLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : cv_fd_write_all(fd, text, strlen(text));
    if (rc < 0)
        errno = -rc;
    return rc;
}

/* This user and group are themselves in there; nobody else is anybody. */
static int map_ids(uid_t uid, gid_t gid)
{
    char uids[64];
    char gids[64];
    (void)snprintf(uids, sizeof(uids), "%u %u 1", uid, uid);
    (void)snprintf(gids, sizeof(gids), "%u %u 1", gid, gid);
    int rc = write_text("/proc/self/setgroups", "deny");
    if (rc == 0)
        rc = write_text("/proc/self/uid_map", uids);
    return rc == 0 ? write_text("/proc/self/gid_map", gids) : rc;
}

static int prepare_as_user(char *reason, size_t cap)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    /* Who connects to the control socket would look like ourselves. */
    if (uid == (uid_t)number_in(OVERFLOW_ID, 65534)) {
        (void)snprintf(reason, cap,
                       "in a user namespace user %u cannot be told from anybody else: run it as "
                       "another user",
                       uid);
        return -EPERM;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
        return refuse("unshare(CLONE_NEWUSER)", obstacle(), reason, cap);
    if (map_ids(uid, gid) < 0)
        return refuse("writing /proc/self/uid_map", obstacle(), reason, cap);
    return 0;
}

int cv_pidns_prepare(char *reason, size_t cap)
{
    if (geteuid() != 0)
        return prepare_as_user(reason, cap);
    if (unshare(CLONE_NEWPID) < 0)
        return refuse("unshare(CLONE_NEWPID)",
                      "it takes CAP_SYS_ADMIN, and a seccomp filter that permits it", reason, cap);
    return 0;
}

/* ---- The master's part ---- */

int cv_pidns_enter(int *ret_outer, char *reason, size_t cap)
{
    CV_AUTOCLOSE int outer = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (outer < 0)
        return refuse("opening /proc", "it must be mounted", reason, cap);
    if (unshare(CLONE_NEWNS) < 0)
        return refuse("unshare(CLONE_NEWNS)", obstacle(), reason, cap);
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return refuse("mount(MS_SLAVE)", obstacle(), reason, cap);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return refuse("mounting a /proc of its own",
                      "a container that hides parts of /proc does not permit it", reason, cap);
    *ret_outer = cv_take_fd(&outer);
    return 0;
}

pid_t cv_pidns_outer(int outer, int pidfd)
{
    char path[48];
    char text[512];
    (void)snprintf(path, sizeof(path), "self/fdinfo/%d", pidfd);
    CV_AUTOCLOSE int fd = openat(outer, path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (len <= 0)
        return 0;
    text[len] = '\0';
    const char *at = strstr(text, "\nPid:");
    long pid = at != NULL ? strtol(at + strlen("\nPid:"), NULL, 10) : 0;
    return pid > 0 ? (pid_t)pid : 0;
}
