/* `covey run FILE[:SYMBOL]` and its kin: what the program `covey` does with its arguments. */
#ifndef CV_CLI_COMMAND_H
#define CV_CLI_COMMAND_H

#include <covey/export.h>

/* Returns the exit code; never in a worker. Exported for the program only, not a promise to users.
 */
COVEY_API int covey_command(int argc, char **argv);

#endif
