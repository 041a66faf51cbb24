#include "serve/spool.h"

#include <errno.h>

#include "base/fd.h"
#include "base/log.h"

bool cv_spool_is_due(const struct cv_exchange *x, uint64_t total)
{
    return x->spool >= 0 || (x->mode == CV_BODY_COLLECT && x->spool_folder != NULL &&
                             total > (uint64_t)x->spool_above);
}

/* The first bytes of the file. */
static int begin(struct cv_exchange *x, struct cv_span bytes)
{
    int fd = cv_fd_unnamed(x->spool_folder);
    if (fd < 0)
        return fd;
    int rc = cv_fd_write_all(fd, bytes.at, bytes.len);
    if (rc == 0)
        x->spool = fd;
    else
        (void)close(fd);
    return rc;
}

/* Everything but a lack of room is of no interest to a client. */
static int explain(const struct cv_exchange *x, int rc)
{
    if (rc >= 0)
        return 0;
    cv_error("a request body could not be written to UPLOAD_DIR (%s): %s", x->spool_folder,
             strerror(-rc));
    return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG ? -ENOSPC : -EIO;
}

int cv_spool_add(struct cv_exchange *x, struct cv_span bytes)
{
    int rc = 0;
    if (x->spool < 0) {
        rc = begin(x, cv_buf_span(&x->body));
        cv_buf_done(&x->body);
    }
    if (rc == 0)
        rc = cv_fd_write_all(x->spool, bytes.at, bytes.len);
    return explain(x, rc);
}

void cv_exchange_spool(struct cv_exchange *x, const char *folder, int64_t above)
{
    x->spool_folder = folder;
    x->spool_above = above;
}

int cv_exchange_body_file(struct cv_exchange *x)
{
    if (x->spool < 0) {
        int rc = explain(x, begin(x, x->whole));
        if (rc < 0)
            return rc;
    }
    return lseek(x->spool, 0, SEEK_SET) < 0 ? -errno : x->spool;
}

int cv_exchange_spooled(const struct cv_exchange *x)
{
    return x->whole.len == 0 ? x->spool : -1;
}
