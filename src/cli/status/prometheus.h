/* What workers have counted, in Prometheus' text format, version 0.0.4. Pure but for the stream.
 * https://prometheus.io/docs/instrumenting/exposition_formats/ */
#ifndef CV_CLI_PROMETHEUS_H
#define CV_CLI_PROMETHEUS_H

#include "cli/status/status.h"

#include <stdio.h>

#define CV_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* docs/metrics.md lists the names. */
void cv_prometheus_write(FILE *to, const struct cv_ctl_status *status);

#endif
