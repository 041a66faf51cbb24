/* Into the background: the server goes on in a session of its own, and the command that was typed
 * ends when it serves, or with the code of the start that failed.
 */
#ifndef CV_SUPERVISE_DAEMON_H
#define CV_SUPERVISE_DAEMON_H

#include "base/macros.h"

/* Forks. In the command it does not return: that waits, passes INT, TERM, HUP and QUIT on as a
 * stop, and ends. In the new process, the leader of a session: 0, with a descriptor for
 * cv_daemon_ready(). -errno if there can be no process. */
CV_MUST_CHECK int cv_daemon_start(const char *name, int *ret_ready);

/* The server serves: lets the command end with 0. Closes *ready (-1: nothing happens). */
void cv_daemon_ready(int *ready);

#endif
