/* Forms, as this folder's files share them: parts as they come, and what is kept of them. */
#ifndef CV_APP_FORM_H
#define CV_APP_FORM_H

#include "app/request/request.h"
#include "base/buf.h"
#include "http/multipart.h"

#include <covey/form.h>

/* ---- parts.c ---- */

/* A multipart body on its way through the parser. */
struct cv_parts {
    struct covey_part part;
    struct cv_span input; /* what has been read of the body, and not parsed */
    struct cv_span data;  /* of the part, and not taken */
    bool in_part;
    bool ended;
    uint32_t n;
    int rc;          /* what every call returns once it has failed */
    size_t in_a_row; /* bytes that came without others having had their turn */
    char bytes[16384];
    struct cv_multipart parser;
};

/* Parts of this request's body. 0, or the negative code of what was wrong. */
CV_MUST_CHECK int cv_parts_open(struct covey_req *req, struct cv_parts **ret);

/* As covey_part_next(); and some bytes of the part, *ret valid up to the next call: 1, 0 at its
 * end, or negative. */
CV_MUST_CHECK int cv_parts_next(struct covey_req *req, struct cv_parts *parts);
CV_MUST_CHECK int cv_parts_data(struct covey_req *req, struct cv_parts *parts, struct cv_span *ret);

/* ---- upload.c ---- */

struct cv_upload {
    struct covey_upload shown;
    int fd; /* -1: in memory */
};

struct cv_uploads {
    struct cv_upload **at;
    uint32_t n;
    uint32_t cap;
};

/* Adds the file that the part begins with: its strings are copied. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_uploads_add(struct covey_req *req, struct cv_uploads *uploads,
                                 const struct covey_part *part, struct cv_upload **ret);

/* Appends to the file on disk, which is made with the first. 0, or a negative code: 507, 503. */
CV_MUST_CHECK int cv_upload_write(struct covey_req *req, struct cv_upload *upload,
                                  struct cv_span bytes);

/* ---- form.c ---- */

struct cv_form;

/* What stands behind a file that the app was shown; NULL: it is none of this form's. */
struct cv_upload *cv_form_upload(const struct cv_form *form, const struct covey_upload *shown);

#endif
