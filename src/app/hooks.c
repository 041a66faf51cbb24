/* Registration of listeners and middleware. See app.h. */
#include "app/app.h"

#include <errno.h>

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
