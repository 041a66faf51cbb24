/* A small file as it is now, whatever is done to it later. */
#ifndef CV_SUPERVISE_SNAPSHOT_H
#define CV_SUPERVISE_SNAPSHOT_H

#include "base/macros.h"

#include <stddef.h>

#define CV_SNAPSHOT_MAX (1 << 20)

/* A sealed memfd with what the file holds; close-on-exec. The descriptor, or -errno (-EFBIG: more
 * than CV_SNAPSHOT_MAX) with a sentence in `reason`. Nothing is made of the bytes. */
CV_MUST_CHECK int cv_snapshot(const char *path, char *reason, size_t cap);

#endif
