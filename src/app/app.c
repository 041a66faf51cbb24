/* An app's life: made, filled by setup(), ended; and what went wrong meanwhile. See app.h. */
#include "app/app.h"
#include "app/response/compress.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- What ends the start ---- */

static CV_PRINTF(2, 0) void fail_v(covey_app *app, const char *format, va_list args)
{
    app = app->root;
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
    if (app->root->phase != CV_APP_SETUP) {
        cv_error("%s:%d: %s() works in setup only and was ignored", file, line, call);
        return false;
    }
    return true;
}

const char *cv_app_keep(struct cv_arena *arena, const char *text, bool *ok)
{
    const char *copy = text != NULL ? cv_arena_strndup(arena, cv_span_str(text)) : NULL;
    *ok &= text == NULL || copy != NULL;
    return copy;
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
    app = app->root;
    bool was_asked = app->host.was_asked != NULL && app->host.was_asked(app->host.arg);
    return was_asked || app->is_stopping;
}

/* ---- Life ---- */

int cv_app_init(covey_app *app, const struct cv_app_host *host, struct cv_loop *loop,
                struct cv_fibers *fibers, struct cv_offload *offload)
{
    *app = (covey_app){.root = app,
                       .name = "",
                       .prefix = "",
                       .host = *host,
                       .loop = loop,
                       .fibers = fibers,
                       .offload = offload};
    cv_arena_init(&app->arena);
    cv_signals_init(&app->signals);
    cv_tasks_init(&app->tasks, loop);
    cv_app_enter(app);
    cv_rules_read(app, &app->rules);
    return cv_router_init(&app->router, &app->arena);
}

void cv_app_attach(covey_app *app, struct cv_loop *loop, struct cv_fibers *fibers,
                   struct cv_offload *offload, struct cv_offload *disk)
{
    app->loop = loop;
    app->fibers = fibers;
    app->offload = offload;
    app->disk = disk;
    cv_tasks_attach(&app->tasks, loop);
}

void cv_app_finalize(covey_app *app)
{
    if (!app->failed)
        cv_plan_make_all(app);
}

void cv_app_done(covey_app *app)
{
    cv_app_enter(NULL);
    cv_tasks_done(&app->tasks);
    cv_app_forget_ended(app);
    cv_conns_done(&app->conns);
    cv_file_cache_free(app->files);
    cv_compress_done(app);
    cv_router_done(&app->router);
    cv_arena_done(&app->arena);
}

void covey_extend_start(covey_app *app, int64_t ms)
{
    if (!cv_app_here(app, "covey_extend_start"))
        return;
    app = app->root;
    if (app->phase != CV_APP_RUNNING && ms > 0 && app->host.extend != NULL)
        app->host.extend(app->host.arg, ms);
}
