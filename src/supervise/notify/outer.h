/* The manager outside that has started this process (systemd, or one that speaks like it): what it
 * says in the environment, and how it is spoken to. Without libsystemd.
 *
 * Its variables are for this process alone: they are removed before anything is started.
 */
#ifndef CV_SUPERVISE_OUTER_H
#define CV_SUPERVISE_OUTER_H

#include "base/macros.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The first descriptor of those passed (SD_LISTEN_FDS_START). */
#define CV_OUTER_FIRST_FD 3

struct cv_outer {
    struct sockaddr_un address; /* of NOTIFY_SOCKET */
    socklen_t address_len;      /* 0: nobody wants to be told */
    int64_t watchdog;           /* WATCHDOG_USEC in ns; 0: none asked for */
    int listen_fds;             /* LISTEN_FDS; 0: none were passed to this process */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_* and LISTEN_*, and removes them from the environment. Those meant
 * for another process (by their PID) are removed only. 0, or -EINVAL with a sentence in `reason`.
 */
CV_MUST_CHECK int cv_outer_take(struct cv_outer *ret, char *reason, size_t cap);

/* Sends one datagram. Waits no longer than 100 ms for a manager that does not read; what it does
 * not take is lost. */
void cv_outer_tell(const struct cv_outer *outer, const char *text);

#endif
