/* What a foreign program says in sd_notify's language: lines NAME=value, read from a datagram that
 * may be anything. Pure. */
#ifndef CV_SUPERVISE_HEARD_H
#define CV_SUPERVISE_HEARD_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_HEARD_STATUS_BYTES 80

struct cv_heard {
    bool is_ready;    /* READY=1 */
    bool is_stopping; /* STOPPING=1 */
    bool is_alive;    /* WATCHDOG=1 */
    bool has_status;
    int64_t extend;                     /* EXTEND_TIMEOUT_USEC, in ns; 0: none */
    char status[CV_HEARD_STATUS_BYTES]; /* STATUS, fit for a terminal, cut */
};

/* False if a line is not of that form; then nothing of it counts. Unknown names are ignored. */
bool cv_heard_read(struct cv_heard *ret, struct cv_span message);

#endif
