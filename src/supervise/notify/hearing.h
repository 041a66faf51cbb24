/* The socket that foreign programs speak to (NOTIFY_SOCKET): one of the master's for all, in the
 * abstract namespace, so that nothing is left in the file system. Anyone on the machine can send
 * to it; who has sent is what the kernel says (SCM_CREDENTIALS). */
#ifndef CV_SUPERVISE_HEARING_H
#define CV_SUPERVISE_HEARING_H

#include "base/span.h"
#include "supervise/containment/strays.h"

#include <sys/types.h>

/* A longer message is refused. */
#define CV_HEARING_BYTES 4096

/* Its address as NOTIFY_SOCKET has it: "@covey-<id>". */
struct cv_hearing_name {
    char text[40];
};
struct cv_hearing_name cv_hearing_name(const struct cv_run *run);

/* The socket, close-on-exec and non-blocking, or -errno. */
CV_MUST_CHECK int cv_hearing_open(const struct cv_run *run);

struct cv_said {
    pid_t pid;
    uid_t uid;
    size_t len;
    char text[CV_HEARING_BYTES];
};

/* The next message: 1; 0: there is none; -EMSGSIZE: one that is too long, or says nothing of its
 * sender, has been dropped; -errno. Descriptors that come with it are closed. */
CV_MUST_CHECK int cv_hearing_next(int fd, struct cv_said *ret);

#endif
