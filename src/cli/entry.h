/* The way into covey, for programs with a main() of their own and for the covey command. */
#ifndef CV_CLI_ENTRY_H
#define CV_CLI_ENTRY_H

#include "cli/life/life.h"

/* Takes part in the server in whatever role this process has. Returns the exit code in the process
 * that the user started, never in a worker. `flags`: NULL-terminated, without the program's name;
 * NULL: none are read. `usage` stands at the top of --help. */
CV_MUST_CHECK int cv_entry(const char *program, const char *usage, char *const *flags,
                           const struct covey_options *options, const struct cv_app_source *source);

#endif
