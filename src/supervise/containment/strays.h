/* Strays: processes that a worker left behind and that its supervisor has adopted (it is a
 * subreaper).
 *
 * They are known by the tag that every incarnation carries in its environment. Signals go through
 * pidfds whose process has been seen to be a child of ours after the pidfd was opened, so that no
 * stranger is ever hit.
 */
#ifndef CV_SUPERVISE_STRAYS_H
#define CV_SUPERVISE_STRAYS_H

#include "base/macros.h"
#include "supervise/shared/boot.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The first half of every tag of this server; the second names the incarnation. */
struct cv_run {
    char id[17];
};

void cv_run_init(struct cv_run *run);
void cv_run_tag(const struct cv_run *run, uint32_t incarnation, char ret[CV_TAG_BYTES]);

/* The children of this process at this moment, at most `max`: how many, or -errno. */
CV_MUST_CHECK int cv_strays_list(pid_t *ret, int max);

/* The incarnation whose tag the process carries; 0 if it carries none of this run. */
uint32_t cv_strays_incarnation(const struct cv_run *run, pid_t pid);

/* Sends KILL to a child of this process. 0, -ESRCH (gone, or no child of ours), -EPERM. */
int cv_strays_kill(pid_t pid);

/* Kills and reaps every child but `kept` until none is left or `bound_ms` are over. `run` not NULL:
 * only those that carry its tag. The number of children that could not be ended, as far as that can
 * be told. */
int cv_strays_end(const pid_t *kept, int n_kept, const struct cv_run *run, int bound_ms);

#endif
