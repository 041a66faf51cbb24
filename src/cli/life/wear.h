/* When a worker has served for long enough: MAX_REQUESTS, MAX_AGE, MAX_MEMORY.
 *
 * Pure but for the reading of this process's memory. Each worker takes up to a tenth off its
 * limits, by chance, so that workers that were started together are not spent together. Whatever
 * the limits, the supervisor replaces one at a time and only when another serves in its stead.
 */
#ifndef CV_CLI_WEAR_H
#define CV_CLI_WEAR_H

#include "base/macros.h"

#include <stdint.h>

#define CV_WEAR_REASON_BYTES 96

/* 0 or less: no limit. */
struct cv_wear_limits {
    int64_t requests;
    int64_t age;    /* ns since the worker's start */
    int64_t memory; /* bytes, resident */
};

struct cv_wear {
    struct cv_wear_limits limits; /* those of this worker */
    int64_t spent_at;             /* CV_NEVER: no limit of age */
};

/* `now` is the worker's start, `random` anything. */
void cv_wear_init(struct cv_wear *wear, const struct cv_wear_limits *limits, int64_t now,
                  uint64_t random);

/* 1 with a sentence in `reason` (CV_WEAR_REASON_BYTES), else 0. `memory` in bytes; negative: not
 * known. */
int cv_wear_look(const struct cv_wear *wear, uint64_t requests, int64_t memory, int64_t now,
                 char *reason);

/* The resident memory of this process in bytes; negative if it cannot be read (proc(5), statm). */
int64_t cv_wear_memory(void);

#endif
