/* What workers say they are doing, so that a start listener that takes long is named while it runs.
 *
 * Named after `slow`, then after twice as long, and so on. One cheap deadline for all of them:
 * nobody is looked at before it.
 */
#ifndef CV_SUPERVISE_DOING_H
#define CV_SUPERVISE_DOING_H

#include "base/macros.h"
#include "base/span.h"

#include <stdint.h>

struct cv_doing {
    char what[160]; /* "": nothing that is watched */
    int64_t since;
    int64_t say_at;
};

struct cv_doings {
    struct cv_doing *of; /* one a slot */
    unsigned n;
    int64_t slow; /* ns; CV_NEVER: nobody is named */
    int64_t next; /* when to look; CV_NEVER: not */
};

/* 0 or -ENOMEM. */
CV_MUST_CHECK int cv_doings_init(struct cv_doings *doings, unsigned n, int64_t slow);

/* Slot `slot` has begun something; an empty text ends it (also: the process is gone). */
void cv_doings_set(struct cv_doings *doings, unsigned slot, struct cv_span what, int64_t now);

/* Once `next` is due: calls `say` for each that takes long, and sets `next` anew. */
void cv_doings_look(struct cv_doings *doings, int64_t now,
                    void (*say)(void *arg, unsigned slot, const char *what, int64_t for_ns),
                    void *arg);

#endif
