/* Birth of a foreign program: one that knows nothing of covey. The master execs it itself.
 *
 * It gets standard input from /dev/null, standard output and error, the listeners it is to have
 * from descriptor 3 on, and no other descriptor; the user's own limit of descriptors; all signals
 * at their defaults; the tag and the parent-death signal as every process of the server.
 */
#ifndef CV_SUPERVISE_FOREIGN_H
#define CV_SUPERVISE_FOREIGN_H

#include "base/macros.h"
#include "supervise/process/privilege.h"

#include <stdint.h>
#include <sys/types.h>

struct cv_foreign {
    int program;      /* pinned, O_PATH; -1: the path counts */
    const char *path; /* of the program */
    char *const *argv;
    char *const *envp;
    char *pid_text; /* in envp: where the pid is to stand, CV_FOREIGN_PID_BYTES; NULL: nowhere */
    const int *listeners;
    int n_listeners;
    const struct cv_privilege *user; /* that it becomes */
    uint64_t nofile;                 /* of struct cv_boot */
    int door;                        /* of the cgroup it enters first; -1: of its parent's */
};

#define CV_FOREIGN_PID_BYTES 12

/* This process's environment without what covey or an outer manager has put there, and with
 * `entries` ("NAME=value", NULL-terminated). To be freed; NULL without memory. */
char **cv_foreign_environment(char *const *entries);

/* Starts it: vfork and exec. The pid or -errno (also if exec fails). */
CV_MUST_CHECK pid_t cv_foreign_start(const struct cv_foreign *foreign);

#endif
