#include "cli/edits.h"

#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* The master has one of each. */
static struct watched {
    int folder; /* inotify's number for it */
    char name[NAME_MAX + 1];
} files[2];

/* 0 or -errno. "" is no file. */
static int watch(int fd, struct watched *file, const char *path)
{
    char folder[PATH_MAX];
    *file = (struct watched){.folder = -1};
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return 0;
    (void)snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
    (void)snprintf(file->name, sizeof(file->name), "%s", slash + 1);
    file->folder = inotify_add_watch(fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO);
    return file->folder >= 0 ? 0 : -errno;
}

static int open_edits(const char *program, const char *object)
{
    CV_AUTOCLOSE int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = watch(fd, &files[0], program);
    if (rc == 0)
        rc = watch(fd, &files[1], object);
    return rc == 0 ? cv_take_fd(&fd) : rc;
}

static bool is_watched(const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0)
        return true; /* it may have been */
    for (size_t i = 0; i < CV_COUNT(files); i++) {
        if (event->len > 0 && event->wd == files[i].folder &&
            strcmp(event->name, files[i].name) == 0)
            return true;
    }
    return false;
}

static bool seen(int fd)
{
    _Alignas(struct inotify_event) char events[4096];
    bool is_seen = false;
    ssize_t n;
    while ((n = read(fd, events, sizeof(events))) > 0) {
        for (const char *at = events; at < events + n;) {
            const struct inotify_event *event = (const void *)at;
            is_seen |= is_watched(event);
            at += sizeof(*event) + event->len;
        }
    }
    return is_seen;
}

const struct cv_edits cv_edits = {.open = open_edits, .seen = seen};
