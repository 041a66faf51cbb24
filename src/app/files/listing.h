/* A directory as a page, for covey_static() with .listing. */
#ifndef CV_APP_LISTING_H
#define CV_APP_LISTING_H

#include "app/files/file_list.h"
#include "app/request/request.h"
#include "base/buf.h"

/* The page of `list`, whose path, as the client sees it, is `path`. 0, -ENOMEM or -EMSGSIZE. */
CV_MUST_CHECK int cv_listing_write(struct cv_buf *to, const char *path,
                                   const struct cv_file_list *list);

/* Answers with the page of the directory `path` ("" or with its slash) in `root`. Waits for a
 * thread that reads it. 0 or a negative code; as cv_req_send_file(). */
CV_MUST_CHECK int cv_req_send_listing(struct covey_req *req, const char *root, const char *path,
                                      bool hidden, int *ret_error);

#endif
