/* Ctrl+Z. The terminal stops its foreground job, and of that only the guardian is a part: it takes
 * master and workers, who sit in a group of their own, along into the stop and out of it.
 *
 * So that the stop is held against nobody, its length is known exactly: it stands in shared memory
 * before the master runs on.
 */
#ifndef CV_SUPERVISE_SUSPEND_H
#define CV_SUPERVISE_SUSPEND_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* Stops process group `group` (its leader, a child that is not reaped yet, before the others), then
 * this process, as SIGTSTP does; both must have that signal and CONT blocked. Returns when somebody
 * has continued this process, and has continued the group; if nobody could (the job is orphaned: no
 * shell waits for it), at once. Adds the time to *suspended before that, and returns it in ns. */
int64_t cv_suspend(pid_t group, _Atomic int64_t *suspended);

#endif
