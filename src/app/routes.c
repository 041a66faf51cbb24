/* Registration of routes: what covey_get() and its kin put into an app. See app.h. */
#include "app/app.h"

#include <errno.h>

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
