/* What is done when accepting fails because descriptors or memory have run out. */
#ifndef CV_SERVE_SHORTAGE_H
#define CV_SERVE_SHORTAGE_H

#include "base/clock.h"

#include <stdbool.h>

struct cv_server;

/* Failures that are no further apart are one spell of them. */
#define CV_SHORTAGE_SPELL (10 * CV_SECOND)

/* Whether accept4() has failed for want of something (accept(2)). */
bool cv_shortage_is(int error);

/* Says so in the log, once for a spell of failures, however long it is. */
void cv_shortage_tell(struct cv_server *server, int error);

/* Closes the connection that has been idle for the longest time. False if there is none. */
bool cv_shortage_shed(struct cv_server *server);

#endif
