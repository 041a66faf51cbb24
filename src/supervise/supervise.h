/* The supervised server: all that src/cli sees of guardian and master. */
#ifndef CV_SUPERVISE_SUPERVISE_H
#define CV_SUPERVISE_SUPERVISE_H

#include "base/log.h"
#include "supervise/control/file.h"
#include "supervise/guardian/pidfile.h"
#include "supervise/log/logs.h"
#include "supervise/notify/outer.h"
#include "supervise/policy/fleet.h"
#include "supervise/process/child.h"
#include "supervise/process/privilege.h"
#include "supervise/shared/region.h"
#include "supervise/sockets/listen.h"

enum cv_start_method {
    CV_START_SPAWN,   /* vfork + exec of the pinned program: a fresh image */
    CV_START_FORK,    /* a fork of the clean master */
    CV_START_PRELOAD, /* a copy of a template that has loaded the app (template.h) */
};

/* What holds the processes of an incarnation together, besides the sweep by tag. */
enum cv_containment {
    CV_CONTAINMENT_AUTO, /* cgroups, where that is delegated */
    CV_CONTAINMENT_NONE,
    CV_CONTAINMENT_CGROUP,
    CV_CONTAINMENT_PIDNS,
};

/* A program that knows nothing of covey, to be run as the workers. */
struct cv_foreign_app {
    const char *path; /* of the program */
    char *const *argv;
    bool notify;         /* it is ready when it says so */
    int64_t ready_after; /* ns; else once it has lived so long */
    int stop_signal;     /* what asks it to end */
};

/* Tells when what runs has been built anew: the master opens it, and asks whenever the descriptor
 * is readable. */
struct cv_edits {
    int (*open)(const char *program, const char *object); /* absolute; "": none. -errno */
    bool (*seen)(int fd);                                 /* reads it; never waits */
};

struct cv_supervise {
    const char *name;   /* in titles and logs: "hello" */
    char *const *argv;  /* as this process was given them: workers get the same */
    const char *object; /* the shared object of `covey run`; NULL: a program with its own main() */
    const struct cv_foreign_app *foreign; /* `covey run -- COMMAND`; NULL: an app of covey's */
    const char *settings;                 /* path of the file of settings; NULL: none */
    const char *version;                  /* of covey, for words */
    uint32_t abi; /* COVEY_ABI: what a worker must have been compiled against */
    enum cv_start_method method;
    enum cv_containment containment;
    enum cv_log_level log_level;
    struct cv_fleet_config fleet;    /* its pause_timeout is also how long a loop may be blocked */
    struct cv_region_kind region;    /* what each worker has */
    const struct cv_edits *edits;    /* what is built anew is reloaded; NULL: when somebody asks */
    int64_t slow_listener;           /* ns; a start listener is named after so long */
    struct cv_listeners *listeners;  /* open */
    bool is_per_slot;                /* TCP listeners of its own for each worker (seats.h) */
    struct cv_control_file *control; /* the control socket, open; or with fd and folder -1 */
    const struct cv_privilege *user; /* that workers and foreign programs become */
    struct cv_logs *logs;            /* in place */
    int ready;                       /* of cv_daemon_start(); -1: it is no daemon */
    struct cv_pidfile pidfile;       /* removed by the caller, or by the master if that is gone */
    struct cv_outer outer;           /* who started this process, if it wants to be told */

    /* CV_START_FORK: lives a worker's whole life in the fork and returns its exit code. */
    int (*worker)(void *arg, struct cv_child *child);
    void *arg;
};

/* Becomes the guardian, forks the master, waits. Returns the exit code for this process
 * (base/exit.h). Closes the listeners. */
CV_MUST_CHECK int cv_supervise(const struct cv_supervise *how);

/* ---- After an upgrade ---- */

struct cv_handed;

/* Whether this program could go on with what is handed over: 0, or -errno with a sentence in
 * `reason`. `how` has no open listeners, control socket, pid file or manager outside: those of the
 * server are put there. */
CV_MUST_CHECK int cv_supervise_try(struct cv_supervise *how, const struct cv_handed *handed,
                                   char *reason, size_t cap);

/* Goes on as what this process was: the master does not return, for the guardian it is
 * cv_supervise(). */
CV_MUST_CHECK int cv_supervise_resume(struct cv_supervise *how, const struct cv_handed *handed);

#endif
