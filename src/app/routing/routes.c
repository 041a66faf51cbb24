/* Registration of routes: what covey_get() and its kin put into an app. See app.h. */
#include "app/app.h"
#include "app/options.h"
#include "app/response/compress.h"

#include <errno.h>

/* A route of a blueprint as it was registered: what a copy of the blueprint begins with. */
struct cv_given {
    const char *path;
    struct covey_route how;
};

/* "users.login" for the login of blueprint users. Without a name a route is called by its pattern,
 * which has the blueprint's prefix already. */
static const char *full_name(const covey_app *of, const struct covey_route *how,
                             const char *pattern)
{
    struct cv_arena *arena = &of->root->arena;
    if (how->name == NULL)
        return pattern;
    return cv_arena_printf(arena, "%s%s%s", of->name, of->name[0] != '\0' ? "." : "", how->name);
}

/* What a route does not say is as the blueprints that it lies in say, the innermost first. */
static struct covey_route inherit(const covey_app *of, const struct covey_route *how)
{
    struct covey_route all = *how;
    for (; of != NULL; of = of->parent) {
        const struct covey_blueprint *given = &of->given;
        all.host = all.host != NULL ? all.host : given->host;
        all.version = all.version != NULL ? all.version : given->version;
        all.version_prefix =
            all.version_prefix != NULL ? all.version_prefix : given->version_prefix;
        all.strict_slashes = all.strict_slashes != 0 ? all.strict_slashes : given->strict_slashes;
        all.compress = all.compress != 0 ? all.compress : given->compress;
        all.overwrite |= given->overwrite;
        all.error_format = all.error_format != NULL ? all.error_format : given->error_format;
    }
    return all;
}

static int keep_given(struct cv_route *route, const char *path, const struct covey_route *how)
{
    struct cv_arena *arena = &route->of->root->arena;
    if (route->of == route->of->root)
        return 0;
    struct cv_given *given = cv_arena_alloc(arena, sizeof(*given));
    if (given == NULL)
        return -ENOMEM;
    bool ok = true;
    *given = (struct cv_given){.path = cv_app_keep(arena, path, &ok), .how = *how};
    given->how.name = cv_app_keep(arena, how->name, &ok);
    given->how.host = cv_app_keep(arena, how->host, &ok);
    given->how.version = cv_app_keep(arena, how->version, &ok);
    given->how.version_prefix = cv_app_keep(arena, how->version_prefix, &ok);
    given->how.error_format = cv_app_keep(arena, how->error_format, &ok);
    route->given = given;
    return ok ? 0 : -ENOMEM;
}

/* `all` is `how` with what it inherits. */
static struct cv_route *route_new(covey_app *of, const char *methods, const char *path,
                                  const struct covey_route *how, const struct covey_route *all)
{
    struct cv_arena *arena = &of->root->arena;
    struct cv_route *route = cv_arena_alloc(arena, sizeof(*route));
    if (route == NULL)
        return NULL;
    *route = (struct cv_route){
        .how = *all,
        .methods = cv_arena_strndup(arena, cv_span_str(methods)),
        .pattern = cv_pattern_versioned(arena, all->version_prefix, all->version, of->prefix, path),
        .of = of,
    };
    bool ok = true;
    route->how.host = cv_app_keep(arena, all->host, &ok);
    route->how.name = full_name(of, how, route->pattern);
    ok &= route->methods != NULL && route->pattern != NULL && route->how.name != NULL;
    return ok && keep_given(route, path, how) == 0 ? route : NULL;
}

static bool is_strict(covey_app *app, const struct covey_route *how)
{
    if (how->strict_slashes != 0)
        return how->strict_slashes > 0;
    return covey_config_bool(app, "STRICT_SLASHES", false);
}

void cv_app_add_route(covey_app *app, const char *methods, const char *path,
                      const struct covey_route *how, const void *data, const char *file, int line)
{
    char reason[512];
    const struct covey_route all = inherit(app, how);
    struct cv_route *added = route_new(app, methods, path, how, &all);
    if (added == NULL) {
        cv_app_fail(app, "%s:%d: route %s: out of memory", file, line, path);
        return;
    }
    added->data = data;
    added->file = file;
    added->line = line;
    added->info = (struct covey_route_info){.name = added->how.name,
                                            .methods = added->methods,
                                            .pattern = added->pattern,
                                            .host = added->how.host,
                                            .file = file,
                                            .line = line};
    added->compresses = cv_compress_wanted(app->root, all.compress, file, line);
    if (all.error_format != NULL)
        added->error_format = cv_error_format_find(all.error_format);
    added->is_strict = is_strict(app, &all);
    if (cv_router_add(&app->root->router, added, reason, sizeof(reason)) < 0)
        cv_app_fail(app, "%s:%d: route %s: %s", file, line, added->pattern, reason);
}

void cv_app_copy_routes(covey_app *app, const covey_app *from, const char *file, int line)
{
    /* Those that are added meanwhile stand behind the last. */
    const struct cv_route *last = app->root->router.last;
    const struct cv_route *route = app->root->router.first;
    for (; route != NULL; route = route != last ? route->next : NULL) {
        if (route->of == from)
            cv_app_add_route(app, route->methods, route->given->path, &route->given->how,
                             route->data, file, line);
    }
}

/* A limit that is none; NULL: there is none such. */
static const char *wrong_limit(covey_app *app, const struct covey_route *how)
{
    const struct {
        const char *name;
        int64_t value;
    } limits[] = {{"body_max", how->body_max},
                  {"response_timeout", how->response_timeout},
                  {"spool_above", how->spool_above},
                  {"request_timeout", how->request_timeout},
                  {"body_rate_min", how->body_rate_min}};
    for (size_t i = 0; i < CV_COUNT(limits); i++) {
        if (limits[i].value < COVEY_OFF)
            return cv_arena_printf(&app->root->arena, ".%s = %lld: it is 0 or more, or COVEY_OFF",
                                   limits[i].name, (long long)limits[i].value);
    }
    return NULL;
}

/* What is wrong with it, as a sentence; NULL: nothing. */
static const char *fault_of(covey_app *app, const char *path, const struct covey_route *how)
{
    if (path[0] != '/' && path[0] != '\0')
        return "a pattern must begin with /"; /* not only behind a prefix */
    if (how->handler == NULL)
        return "the handler is NULL";
    if (how->error_format != NULL &&
        cv_error_format_find(how->error_format) == CV_ERROR_FORMAT_UNSET)
        return cv_arena_printf(&app->root->arena,
                               ".error_format = \"%.32s\": it is auto, html, json, text or problem",
                               how->error_format);
    if (how->stream && how->form)
        return ".form reads all of a body before the handler begins, .stream leaves it to the "
               "handler: choose one";
    if (how->stream && how->spool_above != 0)
        return ".stream takes a body as it comes, .spool_above waits for all of it: choose one";
    return wrong_limit(app, how);
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
    const char *fault =
        CV_OPTIONS_READ(&how, route) ? fault_of(app, path, &how) : CV_OPTIONS_UNKNOWN;
    if (fault != NULL) {
        cv_app_fail(app, "%s:%d: route %s%s: %s", file, line, app->prefix, path, fault);
        return;
    }

    how.stream |= how.form; /* a form is read as it comes, too, by this library */
    cv_app_add_route(app, methods, path, &how, NULL, file, line);
}
