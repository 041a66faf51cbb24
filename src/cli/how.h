/* From settings to what src/supervise is to do. */
#ifndef CV_CLI_HOW_H
#define CV_CLI_HOW_H

#include "cli/entry.h"
#include "supervise/supervise.h"

/* Fills in all but what has to be made: listeners and control socket (places for them are there,
 * empty), pid file, manager outside. 0, or an exit code with the reason in conf. Kept as long as
 * the process. */
CV_MUST_CHECK int cv_how(struct cv_conf *conf, const struct cv_app_source *source,
                         struct cv_supervise *ret);

#endif
