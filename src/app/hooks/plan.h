/* What runs around the handlers of some routes: middleware in its order, and error handlers; and
 * which other origins are let in.
 *
 * Made once, when all is registered, so that a request looks at an array and pays nothing for what
 * its route does not have. An app and each of its blueprints have one; a route that a middleware
 * names has its own.
 */
#ifndef CV_APP_PLAN_H
#define CV_APP_PLAN_H

#include <covey/app.h>

struct cv_hook;

struct cv_chain {
    const struct cv_hook **at;
    size_t n;
};

struct cv_plan {
    struct cv_chain request; /* in the order in which they run */
    struct cv_chain response;
    struct cv_chain errors;     /* the first one that is for a status is the one that answers */
    const struct cv_hook *cors; /* NULL: nothing is said to other origins */
};

/* Makes the plans of an app, its blueprints and its routes, or notes in the app what is wrong. */
void cv_plan_make_all(covey_app *app);

/* The error handler for a status; NULL: there is none. */
const struct cv_hook *cv_plan_error(const struct cv_plan *plan, int status);

#endif
