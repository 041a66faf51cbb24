/* What this worker is doing, in words. See native.h. */
#include "app/request/request.h"
#include "host/native/inside.h"

#include <stdio.h>

void cv_native_describe_route(const struct cv_route *route, char *to, size_t cap)
{
    if (route == NULL)
        (void)snprintf(to, cap, "the middleware of a request without a route");
    else
        (void)snprintf(to, cap, "the handler of %s %s (%s:%d)", route->methods, route->pattern,
                       route->file, route->line);
}

static void describe_request(const struct covey_req *req, char *to, size_t cap)
{
    const struct cv_route *route = req->route;
    const struct cv_hook *hook = req->hook;
    if (hook != NULL)
        (void)snprintf(to, cap, "%s (%s:%d) for %s", hook->name, hook->file, hook->line,
                       route != NULL ? route->pattern : "a request without a route");
    else
        cv_native_describe_route(route, to, cap);
}

void cv_native_describe(const struct cv_native *native, char *to, size_t cap)
{
    const struct cv_fiber *fiber = cv_fiber_self();
    const struct cv_native_listeners *run = native->listeners;
    if (fiber == NULL && native->app.phase == CV_APP_SETUP)
        (void)snprintf(to, cap, "the app's setup");
    else if (fiber == NULL)
        (void)snprintf(to, cap, "the event loop");
    else if (run != NULL && run->fiber == fiber)
        cv_native_describe_listener(run, to, cap);
    else if (native->process != NULL && native->process->fiber == fiber)
        (void)snprintf(to, cap, "managed process %s (%s:%d)", native->process->what->name,
                       native->process->what->file, native->process->what->line);
    else if (cv_fiber_owner(fiber) != NULL)
        describe_request(cv_fiber_owner(fiber), to, cap);
    else
        (void)snprintf(to, cap, "a task");
}
