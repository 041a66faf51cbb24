/* Who may call: one thread per app, waiting only on a fiber, and on a request only until it ends.
 * Checked in every build, because a call from a wrong thread corrupts silently; whether a request
 * has ended can be told in DEBUG only, where ended ones are kept for a while. What is refused says
 * which route it was, and what to do instead. See app.h and request.h. */
#include "app/request/request.h"

#include "base/log.h"

#include <stdio.h>

/* Ended requests whose memory is kept in DEBUG, the newest. */
#define KEPT_MAX 256

/* One with a longer body, or with one on disk, is not: they are to cost memory, but not all of it.
 */
#define KEPT_BODY_MAX 65536

static CV_THREAD_LOCAL covey_app *current;

void cv_app_enter(covey_app *app)
{
    current = app;
}

/* What stands for the app in an ended request, so that no call takes it for one that may be made.
 */
static covey_app ended;

covey_app *cv_app_current(void)
{
    return current;
}

/* ---- Threads and fibers ---- */

/* "the handler of GET /x (app.c:12): ", or nothing where it is not known. */
struct who {
    char text[256];
};

static struct who who_is(const struct covey_req *req)
{
    struct who who = {""};
    const struct cv_route *route = req != NULL ? req->route : NULL;
    if (route != NULL)
        (void)snprintf(who.text, sizeof(who.text), "the handler of %s %s (%s:%d): ", route->methods,
                       route->pattern, route->file, route->line);
    return who;
}

static void complain_of_thread(const struct covey_req *req, const char *call)
{
    cv_error("%s%s() was called outside the thread of the worker's loop and was refused; other "
             "threads may only log and call covey_add_task(), whose function may do it",
             who_is(req).text, call);
}

/* The request whose handler waits for what this thread does for it, or NULL. */
static const struct covey_req *offloaded_for(void)
{
    const struct cv_fiber *fiber = cv_offload_caller();
    return fiber != NULL ? cv_fiber_owner(fiber) : NULL;
}

bool cv_app_here(const covey_app *app, const char *call)
{
    if (CV_LIKELY(current != NULL && (app == current || app == NULL || app->root == current)))
        return true;
    complain_of_thread(offloaded_for(), call);
    return false;
}

bool cv_app_can_wait(const char *call)
{
    if (!cv_app_here(NULL, call))
        return false;
    if (CV_LIKELY(cv_fiber_self() != NULL))
        return true;
    cv_error("%s() was called off a fiber and was refused; only handlers, middleware, listeners "
             "and tasks can wait: covey_add_task() makes one of a function",
             call);
    return false;
}

/* ---- Ended requests ---- */

struct cv_ended {
    struct cv_exchange *kept[KEPT_MAX];
    size_t next;
};

bool cv_req_complain(const struct covey_req *req, const char *call)
{
    if (req->app == &ended)
        cv_error("%s%s() was called on a request that has ended and was refused; copy what is "
                 "needed later before the handler returns, and give the copy to covey_add_task()",
                 who_is(req).text, call);
    else
        complain_of_thread(req, call);
    return false;
}

bool cv_req_has_ended(const struct covey_req *req)
{
    return req->app == &ended;
}

/* Without memory it is not kept. */
bool cv_req_keep(struct covey_req *req)
{
    covey_app *app = req->app;
    if (cv_exchange_body(req->x).len > KEPT_BODY_MAX || cv_exchange_spooled(req->x) >= 0)
        return false;
    if (app->ended == NULL)
        app->ended = calloc(1, sizeof(*app->ended));
    if (app->ended == NULL)
        return false;
    struct cv_exchange **at = &app->ended->kept[app->ended->next++ % KEPT_MAX];
    if (*at != NULL)
        cv_exchange_release(*at);
    *at = req->x;
    cv_exchange_finish(req->x);
    req->app = &ended;
    return true;
}

void cv_app_forget_ended(covey_app *app)
{
    if (app->ended == NULL)
        return;
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (app->ended->kept[i] != NULL)
            cv_exchange_release(app->ended->kept[i]);
    }
    free(app->ended);
    app->ended = NULL;
}
