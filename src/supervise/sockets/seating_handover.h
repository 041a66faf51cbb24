/* The seats of the workers and the sockets behind them in a record of handover/handover.h. */
#ifndef CV_SUPERVISE_SEATING_HANDOVER_H
#define CV_SUPERVISE_SEATING_HANDOVER_H

#include "supervise/handover/handover.h"
#include "supervise/sockets/seating.h"

void cv_seating_export(const struct cv_seating *seating, struct cv_handover *to);

/* 1: *seating has been made anew, in memory only; 0: the record holds none; -ENOMEM; -EBADMSG. */
CV_MUST_CHECK int cv_seating_import(struct cv_seating *seating, struct cv_listeners *listeners,
                                    unsigned capacity, struct cv_span record);

#endif
