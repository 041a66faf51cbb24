/* The master: turns the world into events for the fleet, and the fleet's actions into calls. */
#ifndef CV_SUPERVISE_MASTER_H
#define CV_SUPERVISE_MASTER_H

#include "supervise/containment/cgroup.h"
#include "supervise/containment/strays.h"
#include "supervise/shared/overseer.h"
#include "supervise/supervise.h"

struct cv_master_config {
    const struct cv_supervise *how;
    const struct cv_run *run;
    pid_t guardian;                /* its pid */
    int guardian_fd;               /* pidfd of it */
    int outer_proc;                /* /proc outside the PID namespace; -1: we are in none */
    int channel;                   /* from the guardian */
    struct cv_overseer_page *beat; /* read by the guardian */
    int beat_fd;                   /* of the same */
    struct cv_cgroup *cgroup;      /* of the run */
    uint64_t nofile; /* the soft limit of descriptors before it was raised; 0: it was not */
};

/* Supervises until nothing is left. Returns the exit code. In a worker made by fork it does not
 * return. */
CV_MUST_CHECK int cv_master_run(const struct cv_master_config *config);

/* ---- After an upgrade ---- */

struct cv_handed;

/* Whether this program could go on with what is handed over: 0, or -errno with a sentence in
 * `reason`. Touches no descriptor. `how` is changed. */
CV_MUST_CHECK int cv_master_try(struct cv_supervise *how, const struct cv_handed *handed,
                                char *reason, size_t cap);

/* Goes on with it, like cv_master_run(). */
CV_MUST_CHECK int cv_master_resume(struct cv_supervise *how, const struct cv_handed *handed);

#endif
