/* Listening sockets that the manager outside has passed (LISTEN_FDS), instead of bound ones. */
#ifndef CV_SUPERVISE_ADOPT_H
#define CV_SUPERVISE_ADOPT_H

#include "supervise/sockets/listen.h"

/* Takes the `n` descriptors from `first` on as listeners. They become close-on-exec and
 * non-blocking, as our loop needs them; no socket option is touched and no file will be removed:
 * they stay the manager's. 0, or -EINVAL, -EBADF, -E2BIG with a sentence in `reason`; then none is
 * taken. */
CV_MUST_CHECK int cv_adopt(struct cv_listeners *listeners, int first, int n, char *reason,
                           size_t cap);

#endif
