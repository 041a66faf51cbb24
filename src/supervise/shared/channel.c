#include "supervise/shared/channel.h"

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

/* After a call that has failed. */
static bool is_to_be_repeated(int *shortages)
{
    return errno == EINTR || (is_shortage(errno) && ++*shortages < SHORTAGE_TRIES);
}

int cv_channel_send(int fd, const struct cv_message *message)
{
    CV_ASSERT(message->body_len <= CV_MESSAGE_BODY_MAX);
    int shortages = 0;
    while (send(fd, message, HEAD_BYTES + message->body_len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (!is_to_be_repeated(&shortages))
            return -errno;
    return 0;
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

/* What became of a datagram of `got` bytes. */
static int judge(ssize_t got, const struct cv_message *ret)
{
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

/* A reset is told once, when the other side has closed without reading all; behind it is what it
 * had said before. */
static bool is_more_behind(ssize_t got, bool *is_reset)
{
    bool is_first = got < 0 && errno == ECONNRESET && !*is_reset;
    *is_reset |= is_first;
    return is_first || (got < 0 && errno == EINTR);
}

int cv_channel_receive(int fd, struct cv_message *ret)
{
    ssize_t got;
    bool is_reset = false;
    do
        got = recv(fd, ret, sizeof(*ret), MSG_TRUNC | MSG_DONTWAIT);
    while (is_more_behind(got, &is_reset));
    return judge(got, ret);
}

/* ---- With descriptors ---- */

union rights {
    char bytes[CMSG_SPACE(CV_CHANNEL_FILES_MAX * sizeof(int))];
    struct cmsghdr align;
};

int cv_channel_send_files(int fd, const struct cv_message *message, const struct cv_files *files)
{
    CV_ASSERT(message->body_len <= CV_MESSAGE_BODY_MAX && files->n <= CV_CHANNEL_FILES_MAX);
    union rights rights = {{0}};
    struct iovec bytes = {.iov_base = (void *)(uintptr_t)message,
                          .iov_len = HEAD_BYTES + message->body_len};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (files->n > 0) {
        header.msg_control = rights.bytes;
        header.msg_controllen = CMSG_SPACE(files->n * sizeof(int));
        rights.align.cmsg_level = SOL_SOCKET;
        rights.align.cmsg_type = SCM_RIGHTS;
        rights.align.cmsg_len = CMSG_LEN(files->n * sizeof(int));
        memcpy(CMSG_DATA(&rights.align), files->fd, files->n * sizeof(int));
    }
    int shortages = 0;
    while (sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (!is_to_be_repeated(&shortages))
            return -errno;
    return 0;
}

static void take_files(struct msghdr *header, struct cv_files *ret)
{
    const struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    if (rights == NULL || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
        return;
    ret->n = (unsigned)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(ret->fd, CMSG_DATA(rights), ret->n * sizeof(int));
}

int cv_channel_receive_files(int fd, struct cv_message *ret, struct cv_files *ret_files)
{
    union rights rights;
    struct iovec bytes = {.iov_base = ret, .iov_len = sizeof(*ret)};
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = rights.bytes,
                            .msg_controllen = sizeof(rights.bytes)};
    ret_files->n = 0;
    memset(ret_files->fd, -1, sizeof(ret_files->fd));
    ssize_t got;
    bool is_reset = false;
    do
        got = recvmsg(fd, &header, MSG_TRUNC | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (is_more_behind(got, &is_reset));
    int saved = errno;
    if (got > 0)
        take_files(&header, ret_files);
    errno = saved;
    return judge(got, ret);
}
