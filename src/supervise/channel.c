#include "supervise/channel.h"

#include "base/assert.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#define HEAD_BYTES offsetof(struct cv_message, body)

/* A call that has found no memory may find some at once: what is said here is said only once. */
#define SHORTAGE_TRIES 4

static bool is_shortage(int error)
{
    return error == ENOBUFS || error == ENOMEM;
}

int cv_channel_pair(int ret_fds[2])
{
    int rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds);
    return rc == 0 ? 0 : -errno;
}

int cv_channel_send(int fd, const struct cv_message *message)
{
    CV_ASSERT(message->body_len <= CV_MESSAGE_BODY_MAX);
    for (int shortages = 0;;) {
        ssize_t sent =
            send(fd, message, HEAD_BYTES + message->body_len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            return 0;
        bool again = errno == EINTR || (is_shortage(errno) && ++shortages < SHORTAGE_TRIES);
        if (!again)
            return -errno;
    }
}

int cv_channel_tell(int fd, enum cv_message_kind kind, uint32_t word, int64_t time)
{
    struct cv_message message; /* not initialised as a whole: the body is large and not sent */
    message.kind = kind;
    message.body_len = 0;
    memset(message.word, 0, sizeof(message.word));
    message.word[0] = word;
    message.time = time;
    return cv_channel_send(fd, &message);
}

int cv_channel_receive(int fd, struct cv_message *ret)
{
    ssize_t got;
    do
        got = recv(fd, ret, sizeof(*ret), MSG_TRUNC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && is_shortage(errno))
        return -EAGAIN;
    if (got < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (got == 0)
        return 0;
    if ((size_t)got < HEAD_BYTES || (size_t)got > sizeof(*ret) ||
        ret->body_len != (size_t)got - HEAD_BYTES)
        return -EBADMSG;
    return 1;
}
