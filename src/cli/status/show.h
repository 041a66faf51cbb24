/* What a server has told about itself, for people and for programs. */
#ifndef CV_CLI_CTL_SHOW_H
#define CV_CLI_CTL_SHOW_H

#include "cli/status/status.h"

#include <stdio.h>

/* A time for people: "12s", "3m05s", "2h07m", "4d11h". */
struct cv_ctl_time {
    char text[24];
};
struct cv_ctl_time cv_ctl_time(int64_t ms);

/* A table. */
void cv_ctl_show(FILE *to, const struct cv_ctl_status *status);

/* JSON, one object. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_ctl_show_json(FILE *to, const struct cv_ctl_status *status);

#endif
