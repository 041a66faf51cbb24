/* What a generation runs, pinned: the program and, under `covey run`, the shared object, as O_PATH
 * descriptors.
 *
 * A worker replaced at night never picks up a half-deployed file; only a reload opens the paths
 * anew. Links are not resolved, so that a `current -> release-7` deployment works.
 */
#ifndef CV_SUPERVISE_PROGRAM_H
#define CV_SUPERVISE_PROGRAM_H

#include "base/macros.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct cv_program {
    char path[PATH_MAX];   /* absolute, as executed */
    char object[PATH_MAX]; /* absolute; "" for a program with its own main() */
};

struct cv_pinned {
    int program;    /* -1: not pinned */
    int object;     /* -1: none */
    bool is_script; /* it begins with "#!": it can only be run by its path */
};

/* Finds out what runs; `object` may be NULL. 0 or -errno. To be called before anyone changes the
 * directory. */
CV_MUST_CHECK int cv_program_find(struct cv_program *program, const char *object);

/* Another program than this one is what runs. 0 or -errno. */
CV_MUST_CHECK int cv_program_set(struct cv_program *program, const char *path);

/* Opens both. 0, or -errno with a sentence in `reason`. */
CV_MUST_CHECK int cv_program_pin(const struct cv_program *program, struct cv_pinned *ret,
                                 char *reason, size_t cap);

void cv_program_unpin(struct cv_pinned *pinned);

#endif
