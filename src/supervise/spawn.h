/* Birth of a worker. */
#ifndef CV_SUPERVISE_SPAWN_H
#define CV_SUPERVISE_SPAWN_H

#include "supervise/boot.h"
#include "supervise/program.h"

#include <sys/types.h>

/* Starts the pinned program with this process's own argv and environment, plus boot and tag: vfork
 * and exec. Descriptors named in `boot` are inherited, and 0 to 2 as they are. The pid or -errno
 * (also if exec fails). */
CV_MUST_CHECK pid_t cv_spawn_exec(const struct cv_pinned *pinned, const struct cv_boot *boot,
                                  char *const *argv);

/* Forks. 0 in the child, whose signals are as in an exec'd one. The pid or -errno. */
CV_MUST_CHECK pid_t cv_spawn_fork(void);

#endif
