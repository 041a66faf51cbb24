#include "supervise/notify/outer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES",
                                        "LISTEN_PIDFDID"};

static bool is_own_pid(const char *text)
{
    uint64_t pid;
    return cv_num_u64(cv_span_str(text), INT32_MAX, &pid) == 0 && pid == (uint64_t)getpid();
}

/* A path, or "@name" in the abstract namespace. Others (vsock) are not spoken. */
static int take_socket(struct cv_outer *outer, const char *text, char *reason, size_t cap)
{
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(outer->address.sun_path)) {
        (void)snprintf(reason, cap,
                       "NOTIFY_SOCKET: \"%.100s\" is no absolute path and no @name of at most %zu "
                       "bytes",
                       text, sizeof(outer->address.sun_path) - 1);
        return -EINVAL;
    }
    outer->address.sun_family = AF_UNIX;
    memcpy(outer->address.sun_path, text, len);
    if (text[0] == '@')
        outer->address.sun_path[0] = '\0';
    outer->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

static int take_watchdog(struct cv_outer *outer, const char *text, char *reason, size_t cap)
{
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t usec;
    if (pid != NULL && !is_own_pid(pid))
        return 0;
    if (cv_num_u64(cv_span_str(text), INT64_MAX / 1000, &usec) < 0 || usec == 0) {
        (void)snprintf(reason, cap, "WATCHDOG_USEC: \"%.40s\" is no time in microseconds", text);
        return -EINVAL;
    }
    outer->watchdog = (int64_t)usec * 1000;
    return 0;
}

static int take_listeners(struct cv_outer *outer, const char *text, char *reason, size_t cap)
{
    const char *pid = getenv("LISTEN_PID");
    uint64_t count;
    if (pid == NULL || !is_own_pid(pid))
        return 0;
    if (cv_num_u64(cv_span_str(text), INT32_MAX - CV_OUTER_FIRST_FD, &count) < 0) {
        (void)snprintf(reason, cap, "LISTEN_FDS: \"%.40s\" is no number of sockets", text);
        return -EINVAL;
    }
    outer->listen_fds = (int)count;
    return 0;
}

int cv_outer_take(struct cv_outer *ret, char *reason, size_t cap)
{
    const struct {
        const char *text;
        int (*take)(struct cv_outer *, const char *, char *, size_t);
    } parts[] = {{getenv("NOTIFY_SOCKET"), take_socket},
                 {getenv("WATCHDOG_USEC"), take_watchdog},
                 {getenv("LISTEN_FDS"), take_listeners}};
    *ret = (struct cv_outer){0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < CV_COUNT(parts); i++)
        if (parts[i].text != NULL && parts[i].text[0] != '\0')
            rc = parts[i].take(ret, parts[i].text, reason, cap);
    for (size_t i = 0; i < CV_COUNT(variables); i++)
        (void)unsetenv(variables[i]);
    return rc;
}

void cv_outer_tell(const struct cv_outer *outer, const char *text)
{
    const struct timeval patience = {.tv_usec = 100000};
    if (outer->address_len == 0 || text[0] == '\0')
        return;
    CV_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    ssize_t sent;
    do
        sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                      (const struct sockaddr *)&outer->address, outer->address_len);
    while (sent < 0 && errno == EINTR);
}
