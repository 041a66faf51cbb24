/* How loaded the workers are, read from their state pages: what share.h decides by. */
#ifndef CV_CLI_CROWD_H
#define CV_CLI_CROWD_H

#include "cli/life/share.h"
#include "supervise/shared/slots.h"

/* Of those that can accept now, this process with `own` open connections included. */
struct cv_share_load cv_crowd_load(const struct cv_slots *slots, unsigned own, int64_t now);

#endif
