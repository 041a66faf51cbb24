/* Who may call: one thread per app, and waiting only on a fiber. Checked in every build, because a
 * call from a wrong thread corrupts silently. See app.h. */
#include "app/app.h"

#include "base/log.h"

static CV_THREAD_LOCAL covey_app *current;

void cv_app_enter(covey_app *app)
{
    current = app;
}

covey_app *cv_app_current(void)
{
    return current;
}

bool cv_app_here(const covey_app *app, const char *call)
{
    if (CV_LIKELY(current != NULL && (app == current || app == NULL || app->root == current)))
        return true;
    cv_error(
        "%s() was called outside the thread of the worker's loop and was refused; other threads "
        "may only log and call covey_add_task()",
        call);
    return false;
}

bool cv_app_can_wait(const char *call)
{
    if (!cv_app_here(NULL, call))
        return false;
    if (CV_LIKELY(cv_fiber_self() != NULL))
        return true;
    cv_error(
        "%s() was called off a fiber and was refused; only handlers, middleware, listeners and "
        "tasks can wait",
        call);
    return false;
}
