/* What a server tells about itself, taken in message by message: the answer to STATUS or METRICS.
 *
 * The master hands out what its workers have counted; adding up is done here.
 */
#ifndef CV_CLI_CTL_STATUS_H
#define CV_CLI_CTL_STATUS_H

#include "serve/metrics_sum.h"
#include "supervise/control/message.h"

/* Of a slot: all that have served there, one after another. */
struct cv_ctl_counts {
    uint32_t slot;
    struct cv_sum sum;
};

struct cv_ctl_status {
    struct cv_control_fleet fleet;
    char listeners[CV_LISTEN_MAX * CV_LISTEN_TEXT_MAX]; /* strings behind one another */
    struct cv_control_slot *slots;
    size_t n;
    struct cv_ctl_counts *counts; /* NULL: not asked for, or workers count nothing */
    size_t n_counts;
    struct cv_sum total; /* of all of them */
};

enum { CV_CTL_STATUS_MORE = 0, CV_CTL_STATUS_DONE = 1 };

/* Takes in one message of the answer, and closes the descriptors that came with it. One of the
 * above, -EBADMSG or -ENOMEM. Begins with a status of zeroes. */
CV_MUST_CHECK int cv_ctl_status_take(struct cv_ctl_status *status, struct cv_message *message,
                                     struct cv_files *files);

/* Frees what it holds: it is of zeroes again. */
void cv_ctl_status_clear(struct cv_ctl_status *status);

#endif
