#include "supervise/containment/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "supervise/containment/cgroup_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define PREFIX "covey-"
#define DEPTH_MAX 16 /* of cgroups that a worker has made in its own */
#define REMOVE_MS 100

/* ---- Files and directories ---- */

static int open_folder(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int write_word(int folder, const char *name, const char *word)
{
    CV_AUTOCLOSE int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : cv_fd_write_all(fd, word, strlen(word));
}

static void kill_all(int folder)
{
    (void)write_word(folder, "cgroup.kill", "1");
}

/* 0 or -errno; -EBUSY while somebody lives, or is still dying, in it. */
static int remove_tree(int at, const char *name, int depth)
{
    if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    int folder = errno == EBUSY && depth > 0 ? open_folder(at, name) : -1;
    DIR *list = folder >= 0 ? fdopendir(folder) : NULL;
    if (list == NULL) {
        if (folder >= 0)
            (void)close(folder);
        return -EBUSY;
    }
    bool has_some = false;
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            has_some |= remove_tree(dirfd(list), entry->d_name, depth - 1) == 0;
    (void)closedir(list);
    return has_some && unlinkat(at, name, AT_REMOVEDIR) == 0 ? 0 : -EBUSY;
}

static bool remove_within(int at, const char *name, int bound_ms)
{
    int64_t until = cv_clock_ns() + bound_ms * CV_MS;
    while (remove_tree(at, name, DEPTH_MAX) < 0) {
        if (cv_clock_ns() >= until)
            return false;
        (void)poll(NULL, 0, 1);
    }
    return true;
}

/* ---- Where it is, and whether it is ours ---- */

/* The initial cgroup namespace's inode, the same on every Linux (PROC_CGROUP_INIT_INO). */
#define INITIAL_NAMESPACE "cgroup:[4026531835]"

static bool is_root_of_container(const char *path)
{
    char namespace[64];
    ssize_t len = readlink("/proc/self/ns/cgroup", namespace, sizeof(namespace) - 1);
    if (len < 0 || strcmp(path, "/") != 0)
        return false;
    namespace[len] = '\0';
    return strcmp(namespace, INITIAL_NAMESPACE) != 0;
}

/* systemd marks what it has delegated. */
static bool is_marked(int folder)
{
    static const char *const names[] = {"user.delegate", "trusted.delegate"};
    for (size_t i = 0; i < CV_COUNT(names); i++) {
        char value[2];
        if (fgetxattr(folder, names[i], value, sizeof(value)) == 1 && value[0] == '1')
            return true;
    }
    return false;
}

static bool is_delegated(int folder, const char *path)
{
    return geteuid() != 0 || is_marked(folder) || is_root_of_container(path);
}

static int check_writable(int folder)
{
    static const char *const names[] = {".", "cgroup.procs"};
    for (size_t i = 0; i < CV_COUNT(names); i++)
        if (faccessat(folder, names[i], W_OK, AT_EACCESS) < 0)
            return -errno;
    return 0;
}

/* Finds and opens the cgroup of this process. 0 or -errno with a sentence. */
static int open_own(struct cv_cgroup *cgroup, bool is_forced, char *reason, size_t cap)
{
    static char mountinfo[1 << 18];
    static char cgroups[1 << 14];
    char place[PATH_MAX] = "";
    char path[PATH_MAX] = "";
    ssize_t len = cv_fd_slurp("/proc/self/mountinfo", mountinfo, sizeof(mountinfo));
    if (len >= 0)
        len = cv_fd_slurp("/proc/self/cgroup", cgroups, sizeof(cgroups));
    int rc = len < 0 ? (int)len : cv_cgroup_text_path(cgroups, NULL, path, sizeof(path));
    if (rc == 0)
        rc = cv_cgroup_text_place(mountinfo, cgroups, NULL, place, sizeof(place));
    if (rc < 0) {
        (void)snprintf(reason, cap,
                       rc == -EXDEV ? "no mounted cgroup2 file system shows this process's cgroup"
                                    : "no cgroup2 file system is mounted");
        return rc;
    }
    cgroup->own = open_folder(AT_FDCWD, place);
    rc = cgroup->own < 0 ? -errno : check_writable(cgroup->own);
    if (rc < 0)
        (void)snprintf(reason, cap, "no cgroups can be made in %s (%s)", place, strerror(-rc));
    if (rc == 0 && !is_forced && !is_delegated(cgroup->own, path)) {
        (void)snprintf(reason, cap, "%s is not delegated", place);
        rc = -EPERM;
    }
    return rc;
}

/* ---- What killed servers have left ---- */

static bool is_of_a_run(const char *name)
{
    return strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
           strlen(name) == strlen(PREFIX) + sizeof(struct cv_run) - 1 &&
           strspn(name + strlen(PREFIX), "0123456789abcdef") == sizeof(struct cv_run) - 1;
}

static void end_left(int own, const char *name)
{
    CV_AUTOCLOSE int folder = open_folder(own, name);
    if (folder < 0 || flock(folder, LOCK_EX | LOCK_NB) < 0)
        return; /* it is gone, or somebody's */
    if (remove_tree(own, name, DEPTH_MAX) == 0)
        return;
    cv_warn("a server that was killed has left processes in the cgroup %s: killed", name);
    kill_all(folder);
    (void)remove_within(own, name, REMOVE_MS);
}

static void end_all_left(int own)
{
    int fd = open_folder(own, ".");
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    if (list == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (is_of_a_run(entry->d_name))
            end_left(own, entry->d_name);
    (void)closedir(list);
}

/* ---- The directory of the run ---- */

static bool is_there(int at, const char *name, int fd)
{
    struct stat named;
    struct stat opened;
    return fstatat(at, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_ino == opened.st_ino;
}

/* Between the making and the lock another server may take it for one that nobody owns. */
static int make_run(struct cv_cgroup *cgroup)
{
    for (int round = 0; round < 20; round++) {
        if (mkdirat(cgroup->own, cgroup->name, 0755) < 0 && errno != EEXIST)
            return -errno;
        CV_AUTOCLOSE int fd = open_folder(cgroup->own, cgroup->name);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
            is_there(cgroup->own, cgroup->name, fd)) {
            cgroup->run = cv_take_fd(&fd);
            return 0;
        }
        (void)poll(NULL, 0, 1);
    }
    return -EBUSY;
}

/* A process of no use enters a cgroup of the run as workers will. 0 or -errno. */
static int probe(struct cv_cgroup *cgroup)
{
    CV_AUTOCLOSE int door = cv_cgroup_new(cgroup, 0);
    if (door < 0)
        return door;
    if (faccessat(cgroup->run, "cgroup.kill", W_OK, AT_EACCESS) < 0)
        return errno == ENOENT ? -ENOSYS : -errno;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(door, "0", 1) == 1 ? 0 : errno);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0)
        return -errno;
    if (!WIFEXITED(status))
        return -EIO;
    (void)remove_within(cgroup->run, "0", REMOVE_MS);
    return -WEXITSTATUS(status);
}

int cv_cgroup_open(struct cv_cgroup *cgroup, const struct cv_run *run, bool is_forced, char *reason,
                   size_t cap)
{
    cv_cgroup_none(cgroup);
    (void)snprintf(cgroup->name, sizeof(cgroup->name), PREFIX "%s", run->id);
    int rc = open_own(cgroup, is_forced, reason, cap);
    if (rc == 0) {
        end_all_left(cgroup->own);
        rc = make_run(cgroup);
        if (rc == 0)
            rc = probe(cgroup);
        if (rc < 0)
            (void)snprintf(reason, cap, "%s (%s)",
                           rc == -ENOSYS
                               ? "the kernel has no cgroup.kill, which came with Linux 5.14"
                               : "no process can be started in a cgroup of its own",
                           strerror(-rc));
    }
    if (rc == 0)
        return 1;
    (void)cv_cgroup_remove(cgroup, REMOVE_MS);
    cv_cgroup_forget(cgroup);
    return is_forced ? rc : 0;
}

void cv_cgroup_none(struct cv_cgroup *cgroup)
{
    *cgroup = (struct cv_cgroup){.own = -1, .run = -1, .epoll = -1};
}

int cv_cgroup_listen(struct cv_cgroup *cgroup)
{
    if (cgroup->run < 0)
        return -1;
    cgroup->epoll = epoll_create1(EPOLL_CLOEXEC);
    return cgroup->epoll < 0 ? -errno : cgroup->epoll;
}

void cv_cgroup_unlisten(struct cv_cgroup *cgroup)
{
    if (cgroup->epoll >= 0)
        (void)close(cgroup->epoll);
    cgroup->epoll = -1;
}

void cv_cgroup_forget(struct cv_cgroup *cgroup)
{
    for (size_t i = 0; i < CV_COUNT(cgroup->grave); i++)
        if (cgroup->grave[i].incarnation != 0)
            (void)close(cgroup->grave[i].events);
    const int fds[] = {cgroup->own, cgroup->run, cgroup->epoll};
    for (size_t i = 0; i < CV_COUNT(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    cv_cgroup_none(cgroup);
}

/* ---- Incarnations ---- */

struct name {
    char text[16];
};

static struct name name_of(uint32_t incarnation)
{
    struct name name;
    (void)snprintf(name.text, sizeof(name.text), "%u", incarnation);
    return name;
}

int cv_cgroup_new(struct cv_cgroup *cgroup, uint32_t incarnation)
{
    struct name name = name_of(incarnation);
    if (mkdirat(cgroup->run, name.text, 0755) < 0)
        return -errno;
    CV_AUTOCLOSE int folder = open_folder(cgroup->run, name.text);
    int door = folder < 0 ? -1 : openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (door >= 0)
        return door;
    int rc = -errno;
    (void)unlinkat(cgroup->run, name.text, AT_REMOVEDIR);
    return rc;
}

/* Has the kernel tell when the last of them has gone. -EBUSY: there is no place to note it. */
static int dig(struct cv_cgroup *cgroup, int folder, uint32_t incarnation)
{
    char text[256];
    size_t i = 0;
    while (i < CV_COUNT(cgroup->grave) && cgroup->grave[i].incarnation != 0)
        i++;
    if (i == CV_COUNT(cgroup->grave))
        return -EBUSY;
    if (cgroup->epoll < 0)
        return -EBADF;
    CV_AUTOCLOSE int events = openat(folder, "cgroup.events", O_RDONLY | O_CLOEXEC);
    /* What changes after a reading is told. */
    if (events < 0 || pread(events, text, sizeof(text), 0) < 0)
        return -errno;
    struct epoll_event event = {.events = EPOLLPRI, .data.u64 = i};
    if (epoll_ctl(cgroup->epoll, EPOLL_CTL_ADD, events, &event) < 0)
        return -errno;
    cgroup->grave[i] = (struct cv_cgroup_grave){incarnation, cv_take_fd(&events)};
    return 0;
}

void cv_cgroup_bury(struct cv_cgroup *cgroup, uint32_t incarnation)
{
    struct name name = name_of(incarnation);
    if (cgroup->run < 0 || unlinkat(cgroup->run, name.text, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    CV_AUTOCLOSE int folder = open_folder(cgroup->run, name.text);
    if (folder < 0)
        return;
    kill_all(folder);
    if (dig(cgroup, folder, incarnation) == 0)
        cv_cgroup_clear(cgroup); /* they may have gone before we began to listen */
}

void cv_cgroup_clear(struct cv_cgroup *cgroup)
{
    for (size_t i = 0; i < CV_COUNT(cgroup->grave); i++) {
        struct cv_cgroup_grave *grave = &cgroup->grave[i];
        char text[256];
        if (grave->incarnation == 0)
            continue;
        (void)!pread(grave->events, text, sizeof(text), 0); /* heard */
        if (remove_tree(cgroup->run, name_of(grave->incarnation).text, DEPTH_MAX) < 0)
            continue;
        (void)epoll_ctl(cgroup->epoll, EPOLL_CTL_DEL, grave->events, NULL);
        (void)close(grave->events);
        grave->incarnation = 0;
    }
}

/* ---- The end ---- */

void cv_cgroup_kill(const struct cv_cgroup *cgroup)
{
    if (cgroup->run >= 0)
        kill_all(cgroup->run);
}

bool cv_cgroup_remove(struct cv_cgroup *cgroup, int bound_ms)
{
    return cgroup->run < 0 || remove_within(cgroup->own, cgroup->name, bound_ms);
}
