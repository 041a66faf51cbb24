/* Files of forms: in memory, or on disk without a name. See form.h. */
#include "app/request/form.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <stdint.h>

static void close_file(void *arg)
{
    (void)close((int)(intptr_t)arg);
}

/* 0 or -ENOMEM. The descriptor is closed when the request ends. */
static int keep_file(struct covey_req *req, struct cv_upload *upload, int fd)
{
    int rc = covey_defer(req, close_file, (void *)(intptr_t)fd); /* has closed it if that fails */
    upload->fd = rc == 0 ? fd : -1;
    return rc;
}

/* Everything but a lack of room is of no interest to a client. */
static int explain(const struct covey_req *req, int rc)
{
    if (rc >= 0 || rc == -ECANCELED)
        return rc;
    cv_error("a file of a form could not be written to UPLOAD_DIR (%s): %s",
             cv_app_upload_folder(req->app), strerror(-rc));
    return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG ? -ENOSPC : -EIO;
}

/* Bytes on their way to the disk. */
struct writing {
    const char *folder;
    struct cv_span bytes;
    int fd; /* -1: no file yet */
};

/* On a thread. */
static int write_bytes(void *arg)
{
    struct writing *w = arg;
    int fd = w->fd < 0 ? cv_fd_unnamed(w->folder) : w->fd;
    if (fd < 0)
        return fd;
    w->fd = fd;
    return cv_fd_write_all(fd, w->bytes.at, w->bytes.len);
}

static int write_file(struct covey_req *req, struct cv_upload *upload, struct cv_span bytes)
{
    struct writing w = {cv_app_upload_folder(req->app), bytes, upload->fd};
    int rc = cv_req_on_disk(req, write_bytes, &w);
    bool is_new = w.fd != upload->fd;
    if (is_new && rc == 0)
        rc = keep_file(req, upload, w.fd);
    else if (is_new)
        (void)close(w.fd); /* what is in it is not all */
    return explain(req, rc);
}

int cv_upload_write(struct covey_req *req, struct cv_upload *upload, struct cv_span bytes)
{
    int rc = write_file(req, upload, bytes);
    switch (rc) {
    case 0:
    case -ECANCELED: return rc;
    case -ENOSPC: return covey_fail(req, 507, "There is no room for the files of the form");
    default: return covey_fail(req, 503, "The files of the form could not be kept");
    }
}

/* Room for one more. They are pointed to, so that they stay where they are. */
static int grow(struct covey_req *req, struct cv_uploads *uploads)
{
    if (uploads->n < uploads->cap)
        return 0;
    uint32_t cap = uploads->cap == 0 ? 4 : 2 * uploads->cap;
    struct cv_upload **at = cv_arena_alloc(req->arena, cap * sizeof(struct cv_upload *));
    if (at == NULL)
        return -ENOMEM;
    if (uploads->n > 0)
        memcpy(at, uploads->at, uploads->n * sizeof(struct cv_upload *));
    uploads->at = at;
    uploads->cap = cap;
    return 0;
}

int cv_uploads_add(struct covey_req *req, struct cv_uploads *uploads, const struct covey_part *part,
                   struct cv_upload **ret)
{
    struct cv_upload *upload = cv_arena_alloc(req->arena, sizeof(*upload));
    if (upload == NULL || grow(req, uploads) < 0)
        return -ENOMEM;
    const char *type = part->type != NULL ? part->type : "text/plain";
    *upload = (struct cv_upload){
        .shown = {.name = cv_arena_strndup(req->arena, cv_span_str(part->name)),
                  .filename = cv_arena_strndup(req->arena, cv_span_str(part->filename)),
                  .type = cv_arena_strndup(req->arena, cv_span_str(type))},
        .fd = -1};
    if (upload->shown.name == NULL || upload->shown.filename == NULL || upload->shown.type == NULL)
        return -ENOMEM;
    uploads->at[uploads->n++] = upload;
    *ret = upload;
    return 0;
}

int covey_upload_file(covey_req *req, const struct covey_upload *shown)
{
    if (!cv_req_here(req))
        return -EPERM;
    struct cv_form *form = req->more != NULL ? req->more->form : NULL;
    struct cv_upload *upload = cv_form_upload(form, shown);
    if (upload == NULL)
        return -EINVAL;
    if (upload->fd < 0) {
        int rc = write_file(req, upload, cv_span(shown->bytes, (size_t)shown->len));
        if (rc < 0)
            return rc;
    }
    return lseek(upload->fd, 0, SEEK_SET) < 0 ? -errno : upload->fd;
}
