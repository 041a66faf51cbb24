#include "serve/spool.h"

#include <errno.h>

#include "base/assert.h"
#include "base/fd.h"
#include "base/log.h"
#include "serve/body.h"
#include "serve/inside.h"

bool cv_spool_is_due(const struct cv_exchange *x)
{
    return x->spool != NULL && x->mode == CV_BODY_COLLECT && x->body_total > x->spool->above;
}

bool cv_spool_is_full(const struct cv_exchange *x)
{
    return x->spool != NULL && x->spool->is_writing && x->body.len >= CV_SPOOL_PIECE;
}

/* ---- Writing ---- */

/* On a thread. The file is made with its first bytes. */
static int write_bytes(struct cv_spool *spool, struct cv_span bytes)
{
    if (spool->fd < 0)
        spool->fd = cv_fd_unnamed(spool->folder);
    return spool->fd < 0 ? spool->fd : cv_fd_write_all(spool->fd, bytes.at, bytes.len);
}

static int write_piece(void *arg)
{
    struct cv_spool *spool = arg;
    return write_bytes(spool, cv_buf_span(&spool->piece));
}

/* Everything but a lack of room is of no interest to a client. */
static int explain(const struct cv_spool *spool, int rc)
{
    if (rc >= 0)
        return 0;
    cv_error("a request body could not be written to UPLOAD_DIR (%s): %s", spool->folder,
             strerror(-rc));
    return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG ? -ENOSPC : -EIO;
}

/* The request may have ended meanwhile. */
static void written(struct cv_offload_call *call, int rc)
{
    struct cv_spool *spool = CV_CONTAINER_OF(call, struct cv_spool, call);
    struct cv_exchange *x = spool->x;
    spool->is_writing = false;
    cv_buf_done(&spool->piece);
    if (x->conn != NULL) {
        cv_server_clock(x->conn->server, cv_loop_now(x->conn->server->loop));
        cv_body_written(x->conn, explain(spool, rc));
    }
    cv_exchange_release(x);
}

void cv_spool_write(struct cv_exchange *x)
{
    struct cv_spool *spool = x->spool;
    if (spool->is_writing)
        return;
    cv_body_let_go(x->conn->server, x);
    spool->piece = x->body;
    cv_buf_init(&x->body, SIZE_MAX);
    spool->is_writing = true;
    cv_exchange_ref(x);
    spool->call = (struct cv_offload_call){.fn = write_piece, .arg = spool, .done = written};
    struct cv_offload *disk = x->conn->server->disk;
    if (disk == NULL || cv_offload_post(disk, &spool->call) < 0)
        written(&spool->call, write_piece(spool));
}

void cv_spool_done(struct cv_spool *spool)
{
    CV_ASSERT(!spool->is_writing);
    if (spool->fd >= 0)
        (void)close(spool->fd);
    spool->fd = -1;
}

/* ---- The host's side ---- */

int cv_exchange_spool(struct cv_exchange *x, const char *folder, int64_t above)
{
    if (x->spool != NULL)
        return 0;
    x->spool = cv_arena_alloc(&x->arena, sizeof(*x->spool));
    if (x->spool == NULL)
        return -ENOMEM;
    *x->spool = (struct cv_spool){.x = x, .folder = folder, .above = (uint64_t)above, .fd = -1};
    return 0;
}

int cv_exchange_body_file(struct cv_exchange *x)
{
    if (!x->body_end || x->spool == NULL)
        return -EINVAL;
    if (x->spool->fd < 0) {
        int rc = explain(x->spool, write_bytes(x->spool, x->whole));
        if (rc < 0) {
            cv_spool_done(x->spool);
            return rc;
        }
    }
    return lseek(x->spool->fd, 0, SEEK_SET) < 0 ? -errno : x->spool->fd;
}

int cv_exchange_spooled(const struct cv_exchange *x)
{
    bool is_on_disk = x->spool != NULL && x->body_end && x->whole.len == 0;
    return is_on_disk ? x->spool->fd : -1;
}
