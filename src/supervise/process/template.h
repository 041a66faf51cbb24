/* A template: a process that has loaded the app and run setup(), and of which workers are copies.
 *
 *     master            template                                worker
 *       | spawn -------> | load the app, setup()
 *       | <------ HELLO  |
 *       | MAKE --------> | fork, so that the master is the parent -> | says HELLO, and lives on
 *       | <------- MADE  |                                          | like any other
 *
 * There is one per generation, made when its first worker is wanted. What setup() has built is
 * shared by the copies until they write to it. Loop, descriptors and fibers are each worker's own:
 * a template has none.
 */
#ifndef CV_SUPERVISE_TEMPLATE_H
#define CV_SUPERVISE_TEMPLATE_H

#include "supervise/shared/boot.h"

#include <stdbool.h>
#include <sys/types.h>

struct cv_template {
    pid_t pid; /* 0: there is none */
    int pidfd;
    int channel;
    uint32_t generation;
    uint32_t incarnation;
    int64_t started_at;
    int64_t waited_since; /* start, or the first order that is not answered; CV_NEVER: nothing is */
    int64_t deadline;     /* CV_NEVER: nothing is waited for */
    bool is_up;           /* it has said HELLO */
    bool is_refused;      /* it may not serve: that counts as exit 78 */
    bool is_dumping;      /* ABRT has been sent */
    unsigned orders;      /* that are not answered */
};

/* For the process of a slot. */
struct cv_order {
    bool is_wanted;
    uint32_t generation;
    uint32_t template; /* the incarnation that is asked */
    bool is_sent;      /* the fields below are valid */
    uint32_t logs;     /* how often the log files had been opened anew */
    int channel;       /* our end */
    uint32_t incarnation;
};

/* ---- The master's side ---- */

/* Sends the order for what `boot` says; its descriptors stay the caller's. `door` is that of the
 * cgroup the copy enters first; -1: it stays in the template's. 0 or -errno. */
CV_MUST_CHECK int cv_template_ask(struct cv_template *template, const struct cv_boot *boot,
                                  unsigned slot, uint32_t incarnation, int door);

/* ---- The template's side ---- */

struct cv_child;

/* Carries out orders until the master is gone: -EPIPE. In each worker that is made it returns 0,
 * with *child that worker's; what else it has inherited (signal handlers, the log) is the caller's
 * to change. */
CV_MUST_CHECK int cv_template_serve(struct cv_child *child);

#endif
