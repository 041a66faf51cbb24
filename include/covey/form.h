/* Forms: application/x-www-form-urlencoded, and multipart/form-data (RFC 7578) with files.
 *
 * On a route with .form = true the whole form is read before the handler begins; what is no form
 * gets 415, a malformed one 400, one past its limits 413, each with a sentence. Middleware may ask
 * earlier: the form is read then, which may wait. Fields are in memory (FORM_MAX_MEMORY), a file of
 * more than .spool_above bytes is on disk (UPLOAD_DIR) and is gone with the request.
 *
 * On other routes covey_part_next() reads a multipart body part by part, as it comes.
 */
#ifndef COVEY_FORM_H
#define COVEY_FORM_H

#include <covey/request.h>

/* The first field of that name, or NULL; "" for an empty one. Also NULL on a route without .form,
 * with a line in the log, and in middleware if the form cannot be read. */
COVEY_API const char *covey_form(covey_req *req, const char *name);

/* Each field of that name, and all fields in order: as covey_query_list() and covey_query_next().
 */
COVEY_API const char *covey_form_list(covey_req *req, const char *name, size_t *at);
COVEY_API bool covey_form_next(covey_req *req, size_t *at, const char **ret_name,
                               const char **ret_value);

/* The first field as a number or a truth value: as covey_query_int() and covey_query_bool(). */
COVEY_API int64_t covey_form_int(covey_req *req, const char *name, int64_t fallback);
COVEY_API bool covey_form_bool(covey_req *req, const char *name, bool fallback);

/* ---- Files ---- */

/* A file of a form. Belongs to the request. */
struct covey_upload {
    const char *name;     /* of the field */
    const char *filename; /* without folders; as the client says, so never a path to open */
    const char *type;     /* as the client says; "text/plain" where it says nothing (RFC 7578) */
    int64_t len;          /* bytes */
    const void *bytes;    /* a NUL follows the last; NULL: they are on disk */
};

/* The first file of that name, or NULL. A field for a file of which nobody has chosen one (no name,
 * no byte) counts for none. */
COVEY_API const struct covey_upload *covey_upload(covey_req *req, const char *name);

/* Each file of that name; `name` NULL: all of them. Start with *at = 0; NULL at the end. */
COVEY_API const struct covey_upload *covey_upload_list(covey_req *req, const char *name,
                                                       size_t *at);

/* The file as a descriptor at offset 0, which belongs to the request and is closed at its end
 * (dup() it, or give the file a name with linkat() and AT_SYMLINK_FOLLOW of /proc/self/fd/N). One
 * in memory is written to UPLOAD_DIR now by a thread, for which it waits. Negative: -ENOSPC, -EIO
 * (a line in the log says more), -ECANCELED. */
COVEY_API int covey_upload_file(covey_req *req, const struct covey_upload *upload);

/* ---- Part by part ---- */

/* What the head of a part says. */
struct covey_part {
    const char *name;
    const char *filename; /* NULL: a field; else as in covey_upload */
    const char *type;     /* NULL: it says nothing */
};

/* The next part of a multipart/form-data body, waiting for it; what was not read of the one before
 * is read over. *ret is valid up to the next call. 1, 0 behind the last, or a negative code that
 * may be returned: 415 (no multipart/form-data), 400 (malformed), 413 (more than REQUEST_MAX_PARAMS
 * parts), and what covey_body_read() has, which must not be called before. */
COVEY_API int covey_part_next(covey_req *req, const struct covey_part **ret);

/* The next bytes of that part, waiting for them: > 0 bytes, 0 at its end, or negative as above. */
COVEY_API ssize_t covey_part_read(covey_req *req, void *to, size_t cap);

#endif
