/* Registration: what covey_get() and its kin put into an app. See app.h. */
#include "app/app.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

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

static CV_PRINTF(2, 0) void fail_v(covey_app *app, const char *format, va_list args)
{
    if (app->failed)
        return; /* what came first is the cause of what follows */
    app->failed = true;
    (void)vsnprintf(app->reason, sizeof(app->reason), format, args);
}

void cv_app_fail(covey_app *app, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_v(app, format, args);
    va_end(args);
}

int covey_setup_fail(covey_app *app, const char *format, ...)
{
    if (!cv_app_here(app, "covey_setup_fail"))
        return -EPERM;
    va_list args;
    va_start(args, format);
    fail_v(app, format, args);
    va_end(args);
    return -CV_CODE_SETUP;
}

/* Registering works in setup() only: routes that come and go would need every reader to care. */
bool cv_app_can_register(covey_app *app, const char *call, const char *file, int line)
{
    if (!cv_app_here(app, call))
        return false;
    if (app->phase != CV_APP_SETUP) {
        cv_error("%s:%d: %s() works in setup only and was ignored", file, line, call);
        return false;
    }
    return true;
}

/* ---- Routes ---- */

/* The options as this library knows them. Programs built against an older header pass fewer. */
static int read_options(const struct covey_route *route, struct covey_route *ret)
{
    const size_t least = offsetof(struct covey_route, size) + sizeof(route->size);
    if (route->size < least || route->size > sizeof(*route))
        return -EINVAL;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, route, route->size);
    return 0;
}

static struct cv_route *route_new(struct cv_arena *arena, const char *methods, const char *path,
                                  const struct covey_route *how)
{
    struct cv_route *route = cv_arena_alloc(arena, sizeof(*route));
    if (route == NULL)
        return NULL;
    *route = (struct cv_route){
        .how = *how,
        .methods = cv_arena_strndup(arena, cv_span_str(methods)),
        .pattern = cv_arena_strndup(arena, cv_span_str(path)),
    };
    if (how->name != NULL)
        route->how.name = cv_arena_strndup(arena, cv_span_str(how->name));
    else
        route->how.name = route->pattern;
    bool complete = route->methods != NULL && route->pattern != NULL && route->how.name != NULL;
    return complete ? route : NULL;
}

void cv_app_add_route(covey_app *app, const char *methods, const char *path,
                      const struct covey_route *how, const void *data, const char *file, int line)
{
    char reason[512];
    struct cv_route *added = route_new(&app->arena, methods, path, how);
    if (added == NULL) {
        cv_app_fail(app, "%s:%d: route %s: out of memory", file, line, path);
        return;
    }
    added->data = data;
    added->file = file;
    added->line = line;
    if (cv_router_add(&app->router, added, reason, sizeof(reason)) < 0)
        cv_app_fail(app, "%s:%d: route %s: %s", file, line, path, reason);
}

void covey_route_at(covey_app *app, const char *methods, const char *path,
                    const struct covey_route *route, const char *file, int line)
{
    struct covey_route how;

    if (!cv_app_can_register(app, "covey_route", file, line))
        return;
    if (methods == NULL || path == NULL) {
        cv_app_fail(app, "%s:%d: a route needs methods and a path", file, line);
        return;
    }
    if (read_options(route, &how) < 0) {
        cv_app_fail(app,
                    "%s:%d: route %s: options of an unknown size (%zu bytes): the program was "
                    "built for another covey",
                    file, line, path, route->size);
        return;
    }
    if (how.handler == NULL) {
        cv_app_fail(app, "%s:%d: route %s: the handler is NULL", file, line, path);
        return;
    }
    if (how.stream && how.spool_above != 0) {
        cv_app_fail(app,
                    "%s:%d: route %s: .stream takes a body as it comes, .spool_above waits "
                    "for all of it: choose one",
                    file, line, path);
        return;
    }

    cv_app_add_route(app, methods, path, &how, NULL, file, line);
}

/* ---- Listeners and middleware ---- */

static int hooks_add(struct cv_arena *arena, struct cv_hooks *hooks, const struct cv_hook *hook)
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

void covey_listener_at(covey_app *app, enum covey_event event, covey_listener_fn *listener,
                       const char *name, const char *file, int line)
{
    struct cv_hook hook = {.listener = listener, .name = name, .file = file, .line = line};

    if (!cv_app_can_register(app, "covey_listener", file, line))
        return;
    if ((unsigned)event >= CV_EVENT_COUNT || listener == NULL)
        cv_app_fail(app, "%s:%d: listener %s: %s", file, line, name,
                    listener == NULL ? "it is NULL" : "there is no such event");
    else if (hooks_add(&app->arena, &app->listeners[event], &hook) < 0)
        cv_app_fail(app, "%s:%d: listener %s: out of memory", file, line, name);
}

void covey_middleware_at(covey_app *app, enum covey_phase phase, covey_handler_fn *handler,
                         const char *name, const char *file, int line)
{
    struct cv_hook hook = {.handler = handler, .name = name, .file = file, .line = line};

    if (!cv_app_can_register(app, "covey_middleware", file, line))
        return;
    if ((unsigned)phase >= CV_PHASE_COUNT || handler == NULL)
        cv_app_fail(app, "%s:%d: middleware %s: %s", file, line, name,
                    handler == NULL ? "it is NULL" : "there is no such phase");
    else if (hooks_add(&app->arena, &app->middleware[phase], &hook) < 0)
        cv_app_fail(app, "%s:%d: middleware %s: out of memory", file, line, name);
}

/* ---- The app's own pointer ---- */

void covey_app_set_ctx(covey_app *app, void *ctx)
{
    if (cv_app_here(app, "covey_app_set_ctx"))
        app->ctx = ctx;
}

void *covey_app_ctx(const covey_app *app)
{
    return cv_app_here(app, "covey_app_ctx") ? app->ctx : NULL;
}

bool covey_is_stopping(const covey_app *app)
{
    if (!cv_app_here(app, "covey_is_stopping"))
        return false;
    bool was_asked = app->host.was_asked != NULL && app->host.was_asked(app->host.arg);
    return was_asked || app->is_stopping;
}

/* ---- Life ---- */

int cv_app_init(covey_app *app, const struct cv_app_host *host, struct cv_loop *loop,
                struct cv_fibers *fibers, struct cv_offload *offload)
{
    *app = (covey_app){.host = *host, .loop = loop, .fibers = fibers, .offload = offload};
    cv_arena_init(&app->arena);
    cv_tasks_init(&app->tasks, loop);
    cv_app_enter(app);
    return cv_router_init(&app->router, &app->arena);
}

int cv_app_attach(covey_app *app, struct cv_loop *loop, struct cv_fibers *fibers,
                  struct cv_offload *offload)
{
    app->loop = loop;
    app->fibers = fibers;
    app->offload = offload;
    return cv_tasks_attach(&app->tasks, loop);
}

void cv_app_done(covey_app *app)
{
    cv_app_enter(NULL);
    cv_tasks_done(&app->tasks);
    cv_file_cache_free(app->files);
    cv_arena_done(&app->arena);
}

void covey_extend_start(covey_app *app, int64_t ms)
{
    if (!cv_app_here(app, "covey_extend_start") || app->phase == CV_APP_RUNNING || ms <= 0)
        return;
    if (app->host.extend != NULL)
        app->host.extend(app->host.arg, ms);
}
