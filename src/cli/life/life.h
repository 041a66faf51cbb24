/* A process's life as a worker (or as `main`): joins src/host/native to src/supervise. */
#ifndef CV_CLI_LIFE_H
#define CV_CLI_LIFE_H

#include "cli/settings/conf.h"
#include "supervise/log/logs.h"
#include "supervise/process/child.h"
#include "supervise/sockets/listen.h"

/* What is to be served. */
struct cv_app_source {
    covey_setup_fn *setup; /* NULL: comes from `object` */
    const char *object;    /* path of a shared object; NULL: none */
    const char *symbol;    /* in it; NULL: the usual one */
    char *const *command;  /* a foreign program instead, and its arguments; NULL: none */
};

/* Lives until told to stop. The exit code. */
CV_MUST_CHECK int cv_life_worker(struct cv_conf *conf, const struct cv_app_source *source,
                                 struct cv_child *child);

/* The same without a master: TERM and INT stop it (again: at once). Takes the open listeners over.
 */
CV_MUST_CHECK int cv_life_single(struct cv_conf *conf, const struct cv_app_source *source,
                                 struct cv_listeners *listeners, const struct cv_logs *logs);

#endif
