/* Whether every route can be reached: what the order of types cannot promise where an app brings
 * types of its own, regular expressions or lists of extensions. Pure. */
#ifndef CV_APP_ROUTER_CHECK_H
#define CV_APP_ROUTER_CHECK_H

#include "app/routing/router.h"

/* Asks the router for paths of each route. 0, or -EINVAL with a sentence about the first that never
 * gets what is its own (*ret_route), or -ENOMEM. */
CV_MUST_CHECK int cv_router_check(struct cv_router *router, const struct cv_route **ret_route,
                                  char *reason, size_t cap);

#endif
