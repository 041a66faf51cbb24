/* The processes behind the slots in a record of handover/handover.h: who they are, by which
 * descriptors they are reached, what their generations are started from. */
#ifndef CV_SUPERVISE_CREW_HANDOVER_H
#define CV_SUPERVISE_CREW_HANDOVER_H

#include "supervise/crew/crew.h"
#include "supervise/handover/handover.h"

void cv_crew_export(const struct cv_crew *crew, struct cv_handover *to);

/* Makes it anew: only memory, no descriptor is touched. 0, -ENOMEM, or -EBADMSG. */
CV_MUST_CHECK int cv_crew_import(struct cv_crew *crew, struct cv_span record);

/* What cv_crew_import() does not do: maps the state pages, drops the regions if they are of another
 * kind, and finds the way to itself for those that will be born. 0 or -errno. */
CV_MUST_CHECK int cv_crew_take_over(struct cv_crew *crew, const struct cv_region_kind *kind);

#endif
