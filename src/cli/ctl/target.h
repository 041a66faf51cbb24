/* Which server a command is for: by name, by pid, by the path of its control socket, or the only
 * one.
 */
#ifndef CV_CLI_CTL_TARGET_H
#define CV_CLI_CTL_TARGET_H

#include "base/span.h"
#include "supervise/control/file.h"

/* The name of a server's socket file taken apart: "shop-17.sock" is server "shop", pid 17. False
 * for any other file. Pure. */
bool cv_ctl_read_name(const char *file, struct cv_span *ret_name, pid_t *ret_pid);

/* Whether `target` (a name or a pid; NULL: any) means that server. Pure. */
bool cv_ctl_means(const char *target, struct cv_span name, pid_t pid);

/* A server that has been reached. */
struct cv_ctl_server {
    int fd;          /* -1: none */
    pid_t pid;       /* of the guardian; 0: not visible from here */
    char label[128]; /* for messages: "shop (pid 17)", or the path */
};

/* Connects to the server that `target` means (NULL: the only one of this user). 0; or an exit code,
 * with the reason written to standard error. */
CV_MUST_CHECK int cv_ctl_reach(const char *target, struct cv_ctl_server *ret);

#endif
