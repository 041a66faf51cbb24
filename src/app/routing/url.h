/* URLs of routes: the router the other way round. Pure. */
#ifndef CV_APP_URL_H
#define CV_APP_URL_H

#include "app/routing/router.h"
#include "base/buf.h"

#include <covey/url.h>

/* Appends path, query and anchor of what a URL of `route` is to have. 0, or -EINVAL or -ENOMEM with
 * a sentence in `reason`. */
CV_MUST_CHECK int cv_url_path(struct cv_router *router, const struct cv_route *route,
                              const struct covey_url *what, struct cv_buf *to, char *reason,
                              size_t cap);

/* Appends "http://example.com:8000": what stands in front of an external one. `fallback` is a
 * server, with its scheme or without, for what neither `what` nor the route's hosts say; empty:
 * none is known. */
CV_MUST_CHECK int cv_url_origin(const struct cv_route *route, const struct covey_url *what,
                                struct cv_span fallback, struct cv_buf *to, char *reason,
                                size_t cap);

/* Writes why there is no URL; -EINVAL. */
int cv_url_complain(char *reason, size_t cap, const char *why);

/* Whether the URL has more than a path. */
bool cv_url_is_external(const struct covey_url *what);

#endif
