/* Registration of listeners, middleware and error handlers. See app.h. */
#include "app/app.h"
#include "app/options.h"

#include <errno.h>
#include <string.h>

const char *cv_app_event_name(enum covey_event event)
{
    static const char *const names[CV_EVENT_COUNT] = {
        [COVEY_MAIN_PROCESS_START] = "main_process_start",
        [COVEY_MAIN_PROCESS_READY] = "main_process_ready",
        [COVEY_MAIN_PROCESS_STOP] = "main_process_stop",
        [COVEY_BEFORE_SERVER_START] = "before_server_start",
        [COVEY_AFTER_SERVER_START] = "after_server_start",
        [COVEY_BEFORE_SERVER_STOP] = "before_server_stop",
        [COVEY_AFTER_SERVER_STOP] = "after_server_stop",
    };
    return names[event];
}

int cv_hooks_add(struct cv_arena *arena, struct cv_hooks *hooks, const struct cv_hook *hook)
{
    if (hooks->n == hooks->cap) {
        size_t cap = hooks->cap == 0 ? 4 : hooks->cap * 2;
        struct cv_hook *more = cv_arena_alloc(arena, cap * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        if (hooks->n > 0)
            memcpy(more, hooks->at, hooks->n * sizeof(*more));
        hooks->at = more;
        hooks->cap = cap;
    }
    hooks->at[hooks->n++] = *hook;
    return 0;
}

static void add(struct cv_hooks *hooks, const struct cv_hook *hook, const char *what)
{
    covey_app *app = hook->of->root;
    if (cv_hooks_add(&app->arena, hooks, hook) < 0)
        cv_app_fail(app, "%s:%d: %s %s: out of memory", hook->file, hook->line, what, hook->name);
}

static void refuse(const struct cv_hook *hook, const char *what, const char *why)
{
    cv_app_fail(hook->of, "%s:%d: %s %s: %s", hook->file, hook->line, what, hook->name, why);
}

/* ---- Listeners ---- */

void covey_listener_at(covey_app *app, enum covey_event event, covey_listener_fn *listener,
                       const char *name, const char *file, int line)
{
    struct cv_hook hook = {
        .of = app, .listener = listener, .name = name, .file = file, .line = line};

    if (!cv_app_can_register(app, "covey_listener", file, line))
        return;
    if ((unsigned)event >= CV_EVENT_COUNT || listener == NULL)
        refuse(&hook, "listener", listener == NULL ? "it is NULL" : "there is no such event");
    else
        add(&app->root->listeners[event], &hook, "listener");
}

/* ---- Middleware ---- */

const char *cv_app_name_of(covey_app *app, const char *source)
{
    struct cv_span name = cv_span(source, strcspn(source, ","));
    const char *copy = cv_arena_strndup(&app->root->arena, name);
    return copy != NULL ? copy : "";
}

void covey_middleware_at(covey_app *app, enum covey_phase phase, const struct covey_middleware *how,
                         const char *source, const char *file, int line)
{
    struct covey_middleware known;

    if (!cv_app_can_register(app, "covey_middleware", file, line))
        return;
    struct cv_arena *arena = &app->root->arena;
    struct cv_hook hook = {
        .of = app, .name = cv_app_name_of(app, source), .file = file, .line = line};
    if (!CV_OPTIONS_READ(&known, how)) {
        refuse(&hook, "middleware", CV_OPTIONS_UNKNOWN);
        return;
    }
    hook.handler = known.handler;
    hook.priority = known.priority;
    if (known.routes != NULL)
        hook.routes = cv_arena_strndup(arena, cv_span_str(known.routes));
    if ((unsigned)phase >= CV_PHASE_COUNT || hook.handler == NULL)
        refuse(&hook, "middleware", hook.handler == NULL ? "it is NULL" : "there is no such phase");
    else if (known.routes != NULL && hook.routes == NULL)
        refuse(&hook, "middleware", "out of memory");
    else if (hook.routes != NULL && hook.routes[strspn(hook.routes, " ,")] == '\0')
        refuse(&hook, "middleware", ".routes names none");
    else
        add(&app->root->middleware[phase], &hook, "middleware");
}

/* ---- Error handlers ---- */

static bool is_error(int status)
{
    return (status >= 400 && status <= 599) || status == COVEY_ANY_ERROR ||
           status == COVEY_CLIENT_ERROR || status == COVEY_SERVER_ERROR;
}

static bool has_error(const struct cv_hooks *hooks, const struct cv_hook *wanted)
{
    for (size_t i = 0; i < hooks->n; i++) {
        if (hooks->at[i].of == wanted->of && hooks->at[i].status == wanted->status)
            return true;
    }
    return false;
}

void covey_on_error_at(covey_app *app, int status, covey_handler_fn *handler, const char *name,
                       const char *file, int line)
{
    struct cv_hook hook = {
        .of = app, .handler = handler, .status = status, .name = name, .file = file, .line = line};

    if (!cv_app_can_register(app, "covey_on_error", file, line))
        return;
    if (handler == NULL)
        refuse(&hook, "error handler", "it is NULL");
    else if (!is_error(status))
        refuse(&hook, "error handler",
               "its status is no error's (400 to 599), nor a class of them");
    else if (has_error(&app->root->errors, &hook))
        refuse(&hook, "error handler", "there is one for this status already");
    else
        add(&app->root->errors, &hook, "error handler");
}

/* ---- Copies of blueprints ---- */

static int copy(covey_app *app, const covey_app *from, struct cv_hooks *hooks)
{
    for (size_t i = 0, n = hooks->n; i < n; i++) {
        struct cv_hook hook = hooks->at[i];
        if (hook.of != from)
            continue;
        hook.of = app;
        if (cv_hooks_add(&app->root->arena, hooks, &hook) < 0)
            return -ENOMEM;
    }
    return 0;
}

int cv_app_copy_hooks(covey_app *app, const covey_app *from)
{
    covey_app *root = app->root;
    int rc = copy(app, from, &root->errors);
    if (rc == 0)
        rc = copy(app, from, &root->cors);
    for (size_t i = 0; i < CV_EVENT_COUNT && rc == 0; i++)
        rc = copy(app, from, &root->listeners[i]);
    for (size_t i = 0; i < CV_PHASE_COUNT && rc == 0; i++)
        rc = copy(app, from, &root->middleware[i]);
    return rc == 0 ? cv_signals_copy(app, from) : rc;
}
