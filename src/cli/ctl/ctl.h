/* The commands for a running server: covey status, top, scale, reload, restart, stop.
 *
 * Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 69 no server is there.
 */
#ifndef CV_CLI_CTL_H
#define CV_CLI_CTL_H

#include "base/macros.h"

/* Whether covey has a command of that name here. */
CV_MUST_CHECK int cv_ctl_knows(const char *command);

/* Carries it out. `words`: NULL-terminated, what follows the command. Returns the exit code. */
CV_MUST_CHECK int cv_ctl(const char *command, char *const *words);

/* How to use them, a line each. */
extern const char cv_ctl_usage[];

#endif
