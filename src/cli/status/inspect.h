/* The inspector: an ordinary app in a managed process of its own, which shows over HTTP what
 * `covey status --json` does. Nothing of the server's app runs there; the master is asked over the
 * channel that each process has with it, and parses nothing from a network. */
#ifndef CV_CLI_INSPECT_H
#define CV_CLI_INSPECT_H

#include "cli/status/status.h"

#include <covey/app.h>

/* Its name, as a managed process. */
#define CV_INSPECTOR "inspector"

/* What it asks with. Waits, on a fiber: 0 with what the master has told, good until the next wait;
 * -ETIMEDOUT, -ECANCELED, -errno. */
struct cv_inspect_source {
    int (*look)(void *arg, const struct cv_ctl_status **ret);
    void *arg;
};

/* Sets it, before the setup: handlers have no argument of their own. */
void cv_inspect_from(const struct cv_inspect_source *source);

/* Declares the app: /metrics, /status, /healthz. */
int cv_inspect_setup(covey_app *app);

#endif
