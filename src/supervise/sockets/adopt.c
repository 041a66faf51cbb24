#include "supervise/sockets/adopt.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

static int int_option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static bool is_listening_stream(int fd)
{
    int family = int_option(fd, SO_DOMAIN);
    return (family == AF_INET || family == AF_INET6 || family == AF_UNIX) &&
           int_option(fd, SO_TYPE) == SOCK_STREAM && int_option(fd, SO_ACCEPTCONN) == 1;
}

static void describe_unix(struct cv_listener *listener)
{
    const struct sockaddr_un *address = (const struct sockaddr_un *)&listener->address;
    size_t len = listener->address_len - offsetof(struct sockaddr_un, sun_path);
    bool is_abstract = len > 0 && address->sun_path[0] == '\0';
    const char *name = address->sun_path + (is_abstract ? 1 : 0);
    (void)snprintf(listener->text, sizeof(listener->text), "unix:%s%.*s", is_abstract ? "@" : "",
                   (int)(is_abstract ? len - 1 : len), name);
}

static int adopt_one(struct cv_listener *listener, int fd)
{
    *listener = (struct cv_listener){.fd = -1, .address_len = sizeof(listener->address)};
    if (!is_listening_stream(fd))
        return fcntl(fd, F_GETFD) < 0 ? -EBADF : -EINVAL;
    if (getsockname(fd, (struct sockaddr *)&listener->address, &listener->address_len) < 0)
        return -errno;
    int rc = cv_fd_set_cloexec(fd, 1);
    if (rc == 0)
        rc = cv_fd_set_nonblock(fd, 1);
    if (rc < 0)
        return rc;
    if (listener->address.ss_family == AF_UNIX)
        describe_unix(listener);
    else
        cv_listen_describe(listener, &listener->address);
    listener->fd = fd;
    return 0;
}

int cv_adopt(struct cv_listeners *listeners, int first, int n, char *reason, size_t cap)
{
    listeners->n = 0;
    if (n > CV_LISTEN_MAX) {
        (void)snprintf(reason, cap, "LISTEN_FDS: %d sockets are more than %d", n, CV_LISTEN_MAX);
        return -E2BIG;
    }
    for (int i = 0; i < n; i++) {
        int rc = adopt_one(&listeners->item[i], first + i);
        if (rc < 0) {
            (void)snprintf(reason, cap, "LISTEN_FDS: descriptor %d is %s", first + i,
                           rc == -EBADF ? "not open" : "no listening stream socket");
            return rc;
        }
    }
    listeners->n = n;
    return 0;
}
