/* The cgroup of the run in a record of handover/handover.h. */
#ifndef CV_SUPERVISE_CGROUP_HANDOVER_H
#define CV_SUPERVISE_CGROUP_HANDOVER_H

#include "supervise/containment/cgroup.h"
#include "supervise/handover/handover.h"

void cv_cgroup_export(const struct cv_cgroup *cgroup, struct cv_handover *to);

/* In memory only. 0 or -EBADMSG. */
CV_MUST_CHECK int cv_cgroup_import(struct cv_cgroup *cgroup, struct cv_span record);

/* In the master, once cv_cgroup_listen() has been called: buries again who was not gone yet. */
void cv_cgroup_rebury(struct cv_cgroup *cgroup, struct cv_span record);

#endif
