/* What a server has made for itself and keeps over an upgrade, in a record of handover/handover.h:
 * its sockets, its files, and who is told about it outside. Also whether the two programs
 * understand each other at all.
 */
#ifndef CV_SUPERVISE_BELONGINGS_H
#define CV_SUPERVISE_BELONGINGS_H

#include "supervise/handover/handover.h"
#include "supervise/supervise.h"

void cv_belongings_export(const struct cv_supervise *how, struct cv_handover *to);

/* Reads them into `how`: what its listeners, control and logs point to, its pid file, its manager
 * outside. 0; -EPROTO: the record was written by a program whose workers the one that reads does
 * not understand; -EBADMSG; both with a sentence in `reason`. */
CV_MUST_CHECK int cv_belongings_import(struct cv_supervise *how, struct cv_span record,
                                       char *reason, size_t cap);

#endif
