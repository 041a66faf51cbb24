/* Birth of a worker. */
#ifndef CV_SUPERVISE_SPAWN_H
#define CV_SUPERVISE_SPAWN_H

#include "supervise/process/program.h"
#include "supervise/shared/boot.h"

#include <sys/types.h>

/* Starts the pinned program with this process's own argv and environment, plus boot and tag: vfork
 * and exec. Descriptors named in `boot` are inherited, and 0 to 2 as they are. `door` is that of
 * the cgroup it enters first (cv_cgroup_new()); -1: it stays in its parent's. The pid or -errno
 * (also if exec fails). */
CV_MUST_CHECK pid_t cv_spawn_exec(const struct cv_pinned *pinned, const struct cv_boot *boot,
                                  char *const *argv, int door);

/* The same for a program that is only tried (handover/file.h): it inherits `kept` (the first of
 * which holds what it reads; -1: none) and 0 to 2, and carries `tag`. */
CV_MUST_CHECK pid_t cv_spawn_trial(int program, const int *kept, size_t n_kept, const char *tag,
                                   char *const *argv, int door);

/* Forks. 0 in the child, whose signals are as in an exec'd one. The pid or -errno. */
CV_MUST_CHECK pid_t cv_spawn_fork(int door);

/* For a new process, also in a vfork: arms the parent-death signal, enters the cgroup, resets
 * signals, makes it likelier to be chosen when memory runs out. Ends it if `parent` is gone
 * already. 0, or -errno if it could not enter. */
CV_MUST_CHECK int cv_spawn_set_up(pid_t parent, int door);

/* Arms the parent-death signal (again, where a change of user has cleared it). */
void cv_spawn_arm(pid_t parent);

#endif
