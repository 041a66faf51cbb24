#include "supervise/notify/hearing.h"

#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct cv_hearing_name cv_hearing_name(const struct cv_run *run)
{
    struct cv_hearing_name name;
    (void)snprintf(name.text, sizeof(name.text), "@covey-%s", run->id);
    return name;
}

int cv_hearing_open(const struct cv_run *run)
{
    const struct cv_hearing_name name = cv_hearing_name(run);
    size_t len = strlen(name.text);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name.text + 1, len - 1);
    CV_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0 ||
        bind(fd, (const struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
        return -errno;
    return cv_take_fd(&fd);
}

/* There is room for the credentials and nothing else, so that the kernel closes what descriptors
 * come along. */
int cv_hearing_next(int fd, struct cv_said *ret)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = ret->text, .iov_len = sizeof(ret->text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t len;
    do
        len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return errno == EAGAIN ? 0 : -errno;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if ((message.msg_flags & MSG_TRUNC) != 0 || head == NULL || head->cmsg_level != SOL_SOCKET ||
        head->cmsg_type != SCM_CREDENTIALS)
        return -EMSGSIZE;
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(head), sizeof(sender));
    ret->pid = sender.pid;
    ret->uid = sender.uid;
    ret->len = (size_t)len;
    return 1;
}
