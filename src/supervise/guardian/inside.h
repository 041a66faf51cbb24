/* What the files of the guardian share; nobody else includes it.
 *
 *     guardian.c  relays and waits, and cleans up after the master
 *     upgrade.c   another program takes over, in this process
 */
#ifndef CV_SUPERVISE_GUARDIAN_INSIDE_H
#define CV_SUPERVISE_GUARDIAN_INSIDE_H

#include "supervise/containment/cgroup.h"
#include "supervise/containment/strays.h"
#include "supervise/handover/file.h"
#include "supervise/notify/notify.h"
#include "supervise/process/signals.h"
#include "supervise/shared/overseer.h"
#include "supervise/supervise.h"

#define CV_GUARDIAN_FOREIGN_MAX 256

struct guardian {
    const struct cv_supervise *how;
    struct cv_signals signals;
    struct cv_run run;
    struct cv_notify notify;
    struct cv_overseer overseer;
    struct cv_cgroup cgroup;
    pid_t foreign[CV_GUARDIAN_FOREIGN_MAX]; /* children that were there before us */
    int n_foreign;
    int signal_fd;
    int ready;          /* as in struct cv_supervise; -1 once it is said */
    int terminal;       /* -1: none, or hung up */
    int64_t hung_up_at; /* 0: it is not */
    int channel;        /* to the master */
    pid_t master;
    int master_fd;
};

/* ---- guardian.c ---- */

/* Everything from the master's birth on. Returns the exit code. */
CV_MUST_CHECK int cv_guardian_serve(struct guardian *guardian);

/* ---- upgrade.c ---- */

/* The master runs another program now: becomes the same. Returns if it cannot, and goes on with the
 * old one. `settings`: the master's descriptor of the file of settings; -1. */
void cv_guardian_become(const struct guardian *guardian, int settings);

/* Whether what the master handed over to this program's trial would do for a guardian, too, is the
 * same question: both read the belongings. */
CV_MUST_CHECK int cv_guardian_resume(struct cv_supervise *how, const struct cv_handed *handed);

#endif
