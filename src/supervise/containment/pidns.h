/* Containment by a PID namespace: the master is its first process, so that the kernel kills
 * everything in it when the master dies, whoever lives to see that.
 *
 * The guardian stays outside. Who is not root gets the right to it from a user namespace, in which
 * only their own ids mean something.
 */
#ifndef CV_SUPERVISE_PIDNS_H
#define CV_SUPERVISE_PIDNS_H

#include "base/macros.h"

#include <sys/types.h>

/* In the guardian: the next process it forks is the first of a new namespace. 0, or -errno with a
 * sentence: which call was refused, and what to look at. */
CV_MUST_CHECK int cv_pidns_prepare(char *reason, size_t cap);

/* In that process, before anything else: mounts of its own, with a /proc of the new namespace.
 * *ret_outer is the one outside, for cv_pidns_outer(); its owner closes it. 0, or -errno with a
 * sentence. */
CV_MUST_CHECK int cv_pidns_enter(int *ret_outer, char *reason, size_t cap);

/* The pid, as seen outside, of the process behind a pidfd of ours; 0 if it is gone. */
pid_t cv_pidns_outer(int outer, int pidfd);

#endif
