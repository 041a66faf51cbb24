/* The crew's foreign programs: commands of managed processes, and the workers of `covey run --
 * COMMAND`. */
#ifndef CV_SUPERVISE_CREW_FOREIGN_H
#define CV_SUPERVISE_CREW_FOREIGN_H

#include "supervise/crew/crew.h"

/* Whether the slot runs a foreign program; `at`: the place of its generation among those pinned. */
bool cv_crew_is_foreign(const struct cv_crew *crew, const struct cv_supervise *how, unsigned slot,
                        size_t at);

/* Starts it, with the listeners and the tag of `boot`, in the cgroup behind `door` (-1: ours). The
 * pid or -errno. */
CV_MUST_CHECK pid_t cv_crew_start_foreign(const struct cv_crew *crew,
                                          const struct cv_supervise *how, const struct cv_run *run,
                                          unsigned slot, size_t at, const struct cv_boot *boot,
                                          int door);

#endif
