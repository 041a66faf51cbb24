/* Request bodies on disk: a file without a name, so that nothing is left behind whatever happens.
 *
 * Writing goes to the page cache; the loop waits for a disk only when the kernel makes writers
 * wait.
 */
#ifndef CV_SERVE_SPOOL_H
#define CV_SERVE_SPOOL_H

#include "base/span.h"
#include "serve/exchange.h"

/* Whether a collected body that has come to `total` bytes belongs on disk. */
bool cv_spool_is_due(const struct cv_exchange *x, uint64_t total);

/* Writes bytes behind what is there, at first what has been collected in memory. 0, -ENOSPC (the
 * file system, a quota or a limit is full) or -EIO (anything else), with a line in the log. */
CV_MUST_CHECK int cv_spool_add(struct cv_exchange *x, struct cv_span bytes);

#endif
