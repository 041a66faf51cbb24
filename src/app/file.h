/* Files, as this folder's other files use them. */
#ifndef CV_APP_FILE_H
#define CV_APP_FILE_H

#include "app/request.h"
#include "serve/file_cache.h"

#include <covey/files.h>

/* A file from the cache or the disk, one reference; `root` NULL: none. With `expect_none` the cache
 * remembers that there is none. 0 or -errno as cv_file_open() has them; -ECANCELED. */
CV_MUST_CHECK int cv_app_file(covey_app *app, const char *root, const char *path, bool expect_none,
                              struct cv_file **ret);

/* The directory as a root, opened at once. 0 or -errno. */
CV_MUST_CHECK int cv_app_file_root(covey_app *app, const char *root);

/* Answers with a file, or with why there is none: what covey_file() returns. The options are known
 * and checked. */
int cv_req_send_file(struct covey_req *req, const struct covey_file *what);

/* Why there is none: -EISDIR and its kin as an answer. */
int cv_req_file_error(struct covey_req *req, const char *path, int rc);

#endif
