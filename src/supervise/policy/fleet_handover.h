/* The fleet in a record of handover/handover.h: all it knows, so that it decides afterwards what it
 * would have decided. Pure. */
#ifndef CV_SUPERVISE_FLEET_HANDOVER_H
#define CV_SUPERVISE_FLEET_HANDOVER_H

#include "supervise/handover/handover.h"
#include "supervise/policy/fleet.h"

/* Writes it. No action may be left in it. */
void cv_fleet_export(const struct cv_fleet *fleet, struct cv_handover *to);

/* Makes it anew from a record that cv_handover_check() has passed. Its times and limits are those
 * of `config`; the numbers of slots in `config` become those there are. 0; -ENOMEM; -EBADMSG: the
 * record holds no fleet, or one that cannot be. */
CV_MUST_CHECK int cv_fleet_import(struct cv_fleet_config *config, struct cv_span record,
                                  struct cv_fleet **ret);

#endif
