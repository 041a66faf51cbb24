/* Whether it was the kernel that killed a process, for want of memory. It only counts such deaths.
 *
 * The narrowest counter there is decides: that of the cgroup covey runs in, with all below it
 * (memory.events; memory.oom_control of version 1), or that of the whole machine (/proc/vmstat),
 * which may have counted somebody else's death.
 */
#ifndef CV_SUPERVISE_OOM_H
#define CV_SUPERVISE_OOM_H

#include "supervise/policy/fleet.h"

/* How far a counter can be trusted that has grown. */
struct cv_oom {
    int counter;     /* open for reading; -1: there is none */
    bool is_ours;    /* it counts this cgroup only */
    uint64_t blamed; /* up to here its growth has been explained by deaths */
};

/* Opens the narrowest counter of what surrounds this process. */
void cv_oom_open(struct cv_oom *oom);
void cv_oom_close(struct cv_oom *oom);

/* Its value, to be kept from a process's birth to its death. */
uint64_t cv_oom_count(const struct cv_oom *oom);

/* A process has been killed, by KILL, that was born at `count`. One step of the counter explains
 * one death. */
enum cv_oom_verdict cv_oom_judge(struct cv_oom *oom, uint64_t count_at_birth);

/* The same, pure: `now` is the counter's value. */
enum cv_oom_verdict cv_oom_weigh(struct cv_oom *oom, uint64_t count_at_birth, uint64_t now);

#endif
