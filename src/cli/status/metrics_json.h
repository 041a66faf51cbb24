/* What workers have counted, as JSON. */
#ifndef CV_CLI_METRICS_JSON_H
#define CV_CLI_METRICS_JSON_H

#include "cli/status/status.h"

#include <jansson.h>

/* An object, the caller's; NULL: no memory. docs/metrics.md says what it holds. */
json_t *cv_metrics_json(const struct cv_ctl_status *status);

#endif
