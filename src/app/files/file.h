/* Files, as this folder's other files use them. */
#ifndef CV_APP_FILE_H
#define CV_APP_FILE_H

#include "app/request/request.h"
#include "serve/file_cache.h"

#include <covey/files.h>

/* A file from the cache or the disk, one reference; `root` NULL: none. With `expect_none` the cache
 * remembers that there is none. 0 or -errno as cv_file_open() has them; -ECANCELED. */
CV_MUST_CHECK int cv_app_file(covey_app *app, const char *root, const char *path, bool expect_none,
                              struct cv_file **ret);

/* The directory as a root, opened at once. 0 or -errno. */
CV_MUST_CHECK int cv_app_file_root(covey_app *app, const char *root);

/* A descriptor of its directory, the caller's. -errno. */
CV_MUST_CHECK int cv_app_file_root_dup(covey_app *app, const char *root);

/* Stages a file as the answer; the options are known and checked. 0 or a negative code; if the file
 * could not be opened, *ret_error says why, and nothing has been staged. */
CV_MUST_CHECK int cv_req_send_file(struct covey_req *req, const struct covey_file *what,
                                   int *ret_error);

/* Why there is none: -EISDIR and its kin as an answer. */
int cv_req_file_error(struct covey_req *req, const char *path, int rc);

#endif
