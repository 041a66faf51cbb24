/* What the kernel says about cgroups, read from text. Pure.
 *
 *     /proc/self/cgroup        0::/system.slice/shop.service       where a process is
 *     /proc/self/mountinfo     ... / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
 *     memory.events and kin    oom_kill 1
 */
#ifndef CV_SUPERVISE_CGROUP_TEXT_H
#define CV_SUPERVISE_CGROUP_TEXT_H

#include "base/macros.h"

#include <stdint.h>

/* The path within its hierarchy of the cgroup that `cgroups` (the text of /proc/PID/cgroup) names:
 * of `controller` in version 1, of version 2 if that is NULL. 0, -ENOENT (no such hierarchy) or
 * -ENAMETOOLONG. */
CV_MUST_CHECK int cv_cgroup_text_path(const char *cgroups, const char *controller, char *ret,
                                      size_t cap);

/* The directory of that cgroup, found through `mountinfo`. 0, -ENOENT (the hierarchy is not
 * mounted), -EXDEV (it is, but none of its mounts shows this cgroup) or -ENAMETOOLONG. */
CV_MUST_CHECK int cv_cgroup_text_place(const char *mountinfo, const char *cgroups,
                                       const char *controller, char *ret, size_t cap);

/* The value of a line "key value". 0 or -ENOENT. */
CV_MUST_CHECK int cv_cgroup_text_field(const char *text, const char *key, uint64_t *ret);

#endif
