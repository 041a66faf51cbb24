/* Telling signals to their handlers and to who waits for them. See signal.h. */
#include "app/hooks/signal.h"
#include "app/options.h"

#include "app/request/request.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cv_signals_init(struct cv_signals *signals)
{
    *signals = (struct cv_signals){.first = NULL};
    cv_list_init(&signals->waiting[false]);
    cv_list_init(&signals->waiting[true]);
}

/* ---- Waiting ---- */

struct waiter {
    struct cv_link link;
    const covey_app *of;
    struct cv_signal_name name;
    uint32_t own; /* covey's signals among those it waits for */
    const struct covey_wait *how;
    struct cv_fiber *fiber;
    bool is_told;
};

/* Whose bits are set is worked out anew, because two may wait for the same. */
static void update_heard(struct cv_signals *signals)
{
    signals->heard = signals->listened;
    CV_LIST_EACH (link, &signals->waiting[true])
        signals->heard |= CV_CONTAINER_OF(link, struct waiter, link)->own;
}

static void tell_waiter(struct waiter *waiter, const struct covey_signal_event *event,
                        const char *param)
{
    const struct covey_wait *how = waiter->how;
    if (how->param != NULL && how->param_size > 0)
        (void)snprintf(how->param, how->param_size, "%s", param != NULL ? param : "");
    if (how->data != NULL)
        *how->data = event->data;
    waiter->is_told = true;
    cv_fiber_wake(waiter->fiber, 0);
}

/* Whether any has been. */
static bool tell_waiters(covey_app *scope, const struct covey_signal_event *event, bool is_own)
{
    struct cv_signals *signals = &scope->root->signals;
    const char *param;
    bool any = false;
    CV_LIST_EACH_SAFE (link, &signals->waiting[is_own]) {
        struct waiter *waiter = CV_CONTAINER_OF(link, struct waiter, link);
        if (!cv_app_is_within(waiter->of, scope) ||
            !cv_signal_name_fits(&waiter->name, event->name, &param) ||
            !cv_signal_condition_fits(event->condition, waiter->how->condition,
                                      waiter->how->exclusive >= 0))
            continue;
        cv_list_remove(link);
        tell_waiter(waiter, event, param);
        any = true;
    }
    if (any && is_own)
        update_heard(signals);
    return any;
}

static int wait_for(struct waiter *waiter)
{
    struct cv_signals *signals = &waiter->of->root->signals;
    int64_t until = CV_NEVER;
    if (waiter->how->timeout > 0 && waiter->how->timeout < CV_NEVER / CV_MS / 2)
        until = cv_clock_ns() + waiter->how->timeout * CV_MS;
    bool is_own = waiter->own != 0;
    cv_list_push(&signals->waiting[is_own], &waiter->link);
    signals->heard |= waiter->own;
    int rc = cv_fiber_park(until);
    cv_list_remove(&waiter->link);
    if (is_own)
        update_heard(signals);
    return waiter->is_told ? 0 : rc;
}

int covey_wait_signal_with(covey_app *app, const struct covey_wait *wait)
{
    struct covey_wait how;

    if (!cv_app_here(app, "covey_wait_signal") || !cv_app_can_wait("covey_wait_signal"))
        return -EPERM;
    if (!CV_OPTIONS_READ(&how, wait)) {
        cv_error("covey_wait_signal(): " CV_OPTIONS_UNKNOWN);
        return -EINVAL;
    }
    struct waiter waiter = {.of = app, .how = &how, .fiber = cv_fiber_self()};
    const char *fault =
        how.name != NULL ? cv_signal_name_parse_heard(how.name, &waiter.name) : "the name is NULL";
    if (fault != NULL) {
        cv_error("covey_wait_signal(\"%s\"): %s", how.name != NULL ? how.name : "", fault);
        return -EINVAL;
    }
    cv_list_init(&waiter.link);
    waiter.own = cv_signal_name_own(&waiter.name);
    return wait_for(&waiter);
}

/* ---- Telling ---- */

static void report_failed(const struct cv_signal_hook *hook, const struct covey_signal_event *event,
                          int code)
{
    covey_app *app = hook->of->root;
    const char *why = code > -CV_CODE_FAIL ? strerror(-code) : "its own code";
    cv_error("signal %s: handler %s (%s:%d) failed: %s", event->name, hook->called, hook->file,
             hook->line, why);
    bool is_report = strcmp(event->name, cv_signal_name_of(CV_SIGNAL_REPORT)) == 0;
    if (!is_report && (app->signals.heard & CV_SIGNAL_BIT(CV_SIGNAL_REPORT)) != 0)
        cv_signal_tell(
            app, CV_SIGNAL_REPORT,
            &(struct covey_signal_event){.req = event->req, .bytes = why, .len = strlen(why)});
}

static bool is_for(const struct cv_signal_hook *hook, const covey_app *scope,
                   const struct covey_signal_event *event, const char **ret_param)
{
    return cv_app_is_within(hook->of, scope) &&
           cv_signal_name_fits(&hook->name, event->name, ret_param) &&
           cv_signal_condition_fits(event->condition, hook->condition, hook->is_exclusive);
}

/* Tells `event`. The first value that is not 0; *ret_any: whether anybody was told. */
static int tell(covey_app *scope, struct covey_signal_event *event, bool is_own, bool reverse,
                bool *ret_any)
{
    const struct cv_signals *signals = &scope->root->signals;
    const struct cv_signal_hook *hook = reverse ? signals->last : signals->first;
    *ret_any = tell_waiters(scope, event, is_own);
    for (; hook != NULL; hook = reverse ? hook->previous : hook->next) {
        if (!is_for(hook, scope, event, &event->param))
            continue;
        *ret_any = true;
        int rc = hook->handler(hook->of, event);
        if (rc < 0)
            report_failed(hook, event, rc);
        if (rc != 0)
            return rc;
    }
    return 0;
}

void cv_signal_tell(covey_app *app, enum cv_signal which, const struct covey_signal_event *event)
{
    bool any;
    struct covey_signal_event copy = {0};
    if (event != NULL)
        copy = *event;
    copy.name = cv_signal_name_of(which);
    (void)tell(app, &copy, true, false, &any);
}

/* ---- What apps dispatch ---- */

/* A signal whose handlers run later. */
struct background {
    covey_app *scope;
    struct covey_dispatch what;
    char text[]; /* name and condition */
};

static void release(const struct covey_dispatch *what)
{
    if (what->release != NULL)
        what->release(what->data);
}

static int dispatch(covey_app *scope, const struct covey_dispatch *what)
{
    bool any;
    struct covey_signal_event event = {
        .name = what->name, .condition = what->condition, .data = what->data};
    int rc = tell(scope, &event, false, what->reverse, &any);
    release(what);
    return any ? rc : -ENOENT;
}

static void run_background(void *arg)
{
    struct background *background = arg;
    (void)dispatch(background->scope, &background->what);
    free(background);
}

static void drop_background(void *arg)
{
    struct background *background = arg;
    release(&background->what);
    free(background);
}

static int dispatch_later(covey_app *scope, const struct covey_dispatch *what)
{
    size_t name = strlen(what->name) + 1;
    size_t condition = what->condition != NULL ? strlen(what->condition) + 1 : 0;
    struct background *background = malloc(sizeof(*background) + name + condition);
    if (background == NULL) {
        release(what);
        return -ENOMEM;
    }
    *background = (struct background){.scope = scope, .what = *what};
    background->what.name = memcpy(background->text, what->name, name);
    if (condition > 0)
        background->what.condition = memcpy(background->text + name, what->condition, condition);
    const struct cv_task task = {.fn = run_background, .drop = drop_background, .arg = background};
    int rc = cv_tasks_add(&scope->root->tasks, &task);
    if (rc < 0)
        drop_background(background);
    return rc;
}

/* What is wrong with a name that is to be dispatched; NULL: nothing. */
static const char *fault_of(const char *text)
{
    struct cv_signal_name name;
    const char *fault = text != NULL ? cv_signal_name_parse(text, &name) : "the name is NULL";
    if (fault == NULL && name.is_open)
        fault = "a parameter is for who listens";
    if (fault == NULL && cv_signal_name_is_own(&name))
        fault = "only covey dispatches server.*, http.* and websocket.*";
    return fault;
}

/* Whether there is any point in a fiber of its own. */
static bool has_listener(const covey_app *scope, const char *name)
{
    const struct cv_signals *signals = &scope->root->signals;
    for (const struct cv_signal_hook *hook = signals->first; hook != NULL; hook = hook->next) {
        if (cv_app_is_within(hook->of, scope) && cv_signal_name_fits(&hook->name, name, NULL))
            return true;
    }
    CV_LIST_EACH (link, &signals->waiting[false]) {
        const struct waiter *waiter = CV_CONTAINER_OF(link, struct waiter, link);
        if (cv_app_is_within(waiter->of, scope) && cv_signal_name_fits(&waiter->name, name, NULL))
            return true;
    }
    return false;
}

static int refuse(const struct covey_dispatch *what, int code)
{
    release(what);
    return code;
}

int covey_dispatch_with(covey_app *app, const struct covey_dispatch *what)
{
    struct covey_dispatch how;

    if (!CV_OPTIONS_READ(&how, what)) {
        cv_error("covey_dispatch(): " CV_OPTIONS_UNKNOWN);
        return -EINVAL;
    }
    if (!cv_app_here(app, "covey_dispatch"))
        return refuse(&how, -EPERM);
    const char *fault = fault_of(how.name);
    if (fault != NULL) {
        cv_error("covey_dispatch(\"%s\"): %s", how.name != NULL ? how.name : "", fault);
        return refuse(&how, -EINVAL);
    }
    if (how.background)
        return has_listener(app, how.name) ? dispatch_later(app, &how) : refuse(&how, -ENOENT);
    return cv_app_can_wait("covey_dispatch") ? dispatch(app, &how) : refuse(&how, -EPERM);
}
