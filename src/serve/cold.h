/* Parts of files that are not in memory: sending them would make the whole worker wait for a disk.
 *
 * The kernel is asked to read them, and meanwhile the connection is put aside and looked at again
 * every few milliseconds: nothing tells when pages have come. A file system that cannot say what is
 * in memory (NFS, FUSE) is waited for.
 */
#ifndef CV_SERVE_COLD_H
#define CV_SERVE_COLD_H

#include "base/list.h"
#include "loop/loop.h"
#include "serve/out.h"

struct cv_conn;
struct cv_server;

/* One per server. */
struct cv_cold {
    struct cv_link waiting; /* connections, by `todo` */
    struct cv_timer timer;  /* set while there are any */
};

/* 0 or -ENOMEM. */
CV_MUST_CHECK int cv_cold_init(struct cv_server *server);
void cv_cold_done(struct cv_server *server);

/* Whether the first `len` bytes of the part would have to be waited for. If so they are on their
 * way. */
bool cv_cold_is(const struct cv_server *server, const struct cv_out_file *part, size_t len);

/* Puts a connection aside that the next flush would not visit: the one after the next look does. */
void cv_cold_wait(struct cv_conn *c);

#endif
