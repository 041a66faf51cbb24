/* `covey run -- COMMAND`: what there is to check and to prepare for a foreign program. */
#ifndef CV_CLI_FOREIGN_H
#define CV_CLI_FOREIGN_H

#include "cli/life/life.h"
#include "cli/settings/conf.h"
#include "supervise/supervise.h"

#include <limits.h>

/* A program and how it is looked after. */
struct cv_foreign_run {
    char path[PATH_MAX];
    struct cv_foreign_app app;
};

/* Finds the program of source->command. 0, or an exit code with the sentence in conf->reason. */
CV_MUST_CHECK int cv_foreign_find(struct cv_foreign_run *ret, struct cv_conf *conf,
                                  const struct cv_app_source *source);

/* Once the log is open: warns of what the kernel will not do for it, and makes the listeners such
 * as it may expect them. */
void cv_foreign_prepare(const char *path, const struct cv_listeners *listeners);

#endif
