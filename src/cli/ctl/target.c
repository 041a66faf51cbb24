#include "cli/ctl/target.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define BUSY_FOR (5 * CV_SECOND)
#define BUSY_EVERY_MS 20

/* ---- Names ---- */

static bool read_pid(struct cv_span text, pid_t *ret)
{
    uint64_t pid;
    if (cv_num_u64(text, INT32_MAX, &pid) < 0 || pid == 0)
        return false;
    *ret = (pid_t)pid;
    return true;
}

bool cv_ctl_read_name(const char *file, struct cv_span *ret_name, pid_t *ret_pid)
{
    const size_t suffix = sizeof(CV_CONTROL_SUFFIX) - 1;
    size_t len = strlen(file);
    if (len <= suffix || strcmp(file + len - suffix, CV_CONTROL_SUFFIX) != 0)
        return false;
    const char *end = file + len - suffix;
    const char *dash = memrchr(file, '-', (size_t)(end - file));
    if (dash == NULL || dash == file)
        return false;
    *ret_name = cv_span(file, (size_t)(dash - file));
    return read_pid(cv_span(dash + 1, (size_t)(end - dash) - 1), ret_pid);
}

bool cv_ctl_means(const char *target, struct cv_span name, pid_t pid)
{
    pid_t wanted;
    if (target == NULL || cv_span_eq(cv_span_str(target), name))
        return true;
    return read_pid(cv_span_str(target), &wanted) && wanted == pid;
}

/* ---- Connecting ---- */

/* As long as too many others wait to be heard, it waits too. */
static int connect_patiently(int folder, const char *name)
{
    int64_t until = cv_clock_ns() + BUSY_FOR;
    for (;;) {
        int fd = cv_control_connect(folder, name);
        if (fd != -EAGAIN || cv_clock_ns() >= until)
            return fd;
        (void)poll(NULL, 0, BUSY_EVERY_MS);
    }
}

static int cannot(const char *what, const char *why, int code)
{
    (void)fprintf(stderr, "covey: %s: %s\n", what, why);
    return code;
}

static int cannot_connect(const char *what, int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR: return cannot(what, "there is no control socket", CV_EXIT_ADDRESS);
    case -ECONNREFUSED: return cannot(what, "the server that it was of is gone", CV_EXIT_ADDRESS);
    case -EAGAIN: return cannot(what, "the server does not answer", CV_EXIT_INTERNAL);
    default: return cannot(what, strerror(-error), CV_EXIT_INTERNAL);
    }
}

/* Who listens there, as the kernel knows it. A server of somebody else is not to be believed. */
static int know(struct cv_ctl_server *server)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(server->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
        (peer.uid != geteuid() && peer.uid != 0 && geteuid() != 0))
        return cannot(server->label, "another user listens there", CV_EXIT_INTERNAL);
    server->pid = peer.pid;
    return 0;
}

/* ---- By path ---- */

static int reach_path(const char *path, struct cv_ctl_server *ret)
{
    char folder[PATH_MAX];
    char name[CV_CONTROL_NAME_MAX];
    (void)snprintf(ret->label, sizeof(ret->label), "%s", path);
    if (cv_control_split(path, folder, name) < 0)
        return cannot(path, "that is no path of a control socket", CV_EXIT_USAGE);
    CV_AUTOCLOSE int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cannot_connect(path, -errno);
    ret->fd = connect_patiently(fd, name);
    return ret->fd < 0 ? cannot_connect(path, ret->fd) : know(ret);
}

/* ---- By name, pid, or the only one ---- */

struct search {
    const char *target;
    struct cv_ctl_server *found; /* the first */
    unsigned n;
    char list[1024]; /* all of them */
    int error;       /* of one that was meant, but could not be reached */
};

static void note(struct search *search, const char *label)
{
    size_t len = strlen(search->list);
    (void)snprintf(search->list + len, sizeof(search->list) - len, "%s%s",
                   search->n > 0 ? ", " : "", label);
    search->n++;
}

static void try_file(struct search *search, int folder, const char *file)
{
    struct cv_span name;
    pid_t pid;
    if (!cv_ctl_read_name(file, &name, &pid) || !cv_ctl_means(search->target, name, pid))
        return;
    CV_AUTOCLOSE int fd = connect_patiently(folder, file);
    if (fd == -ECONNREFUSED || fd == -ENOENT)
        return; /* left by a server that was killed; the next one removes it */
    if (fd < 0) {
        search->error = fd;
        return;
    }
    char label[sizeof(search->found->label)];
    (void)snprintf(label, sizeof(label), "%.*s (pid %d)", (int)name.len, name.at, (int)pid);
    if (search->n == 0) {
        search->found->fd = cv_take_fd(&fd);
        (void)snprintf(search->found->label, sizeof(search->found->label), "%s", label);
    }
    note(search, label);
}

static void try_folder(struct search *search, const char *path)
{
    int fd = cv_control_open_folder(path, geteuid());
    if (fd < 0)
        return;
    DIR *entries = fdopendir(fd);
    if (entries == NULL) {
        (void)close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL)
        if (strlen(entry->d_name) < CV_CONTROL_NAME_MAX)
            try_file(search, fd, entry->d_name);
    (void)closedir(entries);
}

static int found_none(const struct search *search)
{
    if (search->error != 0)
        return cannot_connect(search->target != NULL ? search->target : "the server",
                              search->error);
    if (search->target == NULL)
        (void)fprintf(stderr, "covey: no server of this user is running (one that was started with "
                              "--control PATH is named by that path)\n");
    else
        (void)fprintf(stderr, "covey: no server \"%s\" of this user is running\n", search->target);
    return CV_EXIT_ADDRESS;
}

int cv_ctl_reach(const char *target, struct cv_ctl_server *ret)
{
    *ret = (struct cv_ctl_server){.fd = -1};
    if (target != NULL && strchr(target, '/') != NULL)
        return reach_path(target, ret);
    static struct cv_control_folders folders;
    cv_control_folders(&folders, geteuid(), getenv("XDG_RUNTIME_DIR"));
    struct search search = {.target = target, .found = ret};
    for (int i = 0; i < folders.n; i++)
        try_folder(&search, folders.path[i]);
    if (search.n == 0)
        return found_none(&search);
    if (search.n == 1)
        return know(ret);
    (void)fprintf(stderr, "covey: several servers are running, say which by pid: %s\n",
                  search.list);
    (void)close(ret->fd);
    ret->fd = -1;
    return CV_EXIT_USAGE;
}
