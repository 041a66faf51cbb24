/* Memory for a worker's own use that outlives it: a sealed memfd for each slot, of a size that is
 * the caller's (src/cli); what is in it nothing here knows.
 *
 * It is made when the first worker of the slot is born, handed to each that follows, and kept for
 * the server's life, so that the next one goes on where the last one ended. Only what stands at its
 * beginning is of one process, and cleared when that is gone. What a worker has written is hostile
 * data to everyone else.
 */
#ifndef CV_SUPERVISE_REGION_H
#define CV_SUPERVISE_REGION_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cv_region_kind {
    uint32_t layout;   /* changes with the meaning of the bytes */
    uint32_t bytes;    /* 0: workers have none */
    uint32_t fleeting; /* of them, at the beginning: cleared when a process is gone */
};

/* All bytes are 0; its size is for ever, and only who has it from here can write to it. The
 * descriptor (close-on-exec) or -errno. */
CV_MUST_CHECK int cv_region_new(const struct cv_region_kind *kind);

/* Its process is gone. */
void cv_region_clear(int fd, const struct cv_region_kind *kind);

/* One more descriptor, for reading only. -errno, without /proc too. */
CV_MUST_CHECK int cv_region_share(int fd);

/* Maps one that is of `bytes`, for writing too if this process's descriptor is. NULL: it is not,
 * could shrink (past its end there is only a signal), or there is no memory. To be given back with
 * munmap(2). */
CV_MUST_CHECK void *cv_region_map(int fd, size_t bytes, bool for_writing);

#endif
