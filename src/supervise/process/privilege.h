/* Who workers are: guardian and master stay who started them, workers give root up. */
#ifndef CV_SUPERVISE_PRIVILEGE_H
#define CV_SUPERVISE_PRIVILEGE_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CV_PRIVILEGE_GROUPS_MAX 1024

struct cv_privilege {
    char user[64]; /* for the supplementary groups; "": nobody else is to become */
    uid_t uid;
    gid_t gid;
    int n_groups; /* supplementary */
    gid_t groups[CV_PRIVILEGE_GROUPS_MAX];
};

/* Looks up "NAME" (with its own group) or "NAME:GROUP"; "" is nobody else. 0; -EINVAL (unknown),
 * -EPERM (this process may not become that user), with a sentence in `reason`. */
CV_MUST_CHECK int cv_privilege_find(struct cv_privilege *ret, const char *text, char *reason,
                                    size_t cap);

/* Whether this process would become somebody else. */
bool cv_privilege_is_change(const struct cv_privilege *privilege);

/* Becomes that user for good. 0, -errno, or -EPERM if it was not for good. The kernel clears the
 * parent-death signal thereby. */
CV_MUST_CHECK int cv_privilege_drop(const struct cv_privilege *privilege);

#endif
