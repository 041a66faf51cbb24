/* Plain sockets, TCP and Unix. */
#include "serve/transport.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "serve/conn.h"

static ssize_t plain_recv(struct cv_conn *c, void *to, size_t cap)
{
    ssize_t n;
    do
        n = recv(c->fd, to, cap, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t plain_send(struct cv_conn *c, const struct iovec *parts, int n, bool more)
{
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n};
    ssize_t sent;
    do
        sent = n == 1 ? send(c->fd, parts->iov_base, parts->iov_len, flags)
                      : sendmsg(c->fd, &message, flags);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static ssize_t plain_sendfile(struct cv_conn *c, int fd, uint64_t offset, size_t len)
{
    ssize_t sent;
    do {
        off_t from = (off_t)offset;
        sent = sendfile(c->fd, fd, &from, len);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static uint32_t plain_queued(const struct cv_conn *c)
{
    int n = 0;
    return ioctl(c->fd, SIOCOUTQ, &n) == 0 ? (uint32_t)n : CV_SPEED_UNKNOWN;
}

static void plain_shutdown(struct cv_conn *c)
{
    (void)shutdown(c->fd, SHUT_WR);
}

static void plain_close(struct cv_conn *c, bool reset)
{
    if (reset) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    (void)close(c->fd);
    c->fd = -1;
}

const struct cv_transport cv_transport_plain = {
    .recv = plain_recv,
    .send = plain_send,
    .sendfile = plain_sendfile,
    .queued = plain_queued,
    .shutdown = plain_shutdown,
    .close = plain_close,
};
