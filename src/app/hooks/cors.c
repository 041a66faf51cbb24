/* Registration of which other origins are let in. See plan.h, and response/cors.c for what a
 * request gets of it. */
#include "app/app.h"
#include "app/options.h"

#include "http/text.h"

#include <errno.h>

/* Of a call that is wrong, for messages. */
struct place {
    const char *name;
    const char *file;
    int line;
};

static void refuse(covey_app *app, const struct place *place, const char *why)
{
    cv_app_fail(app, "%s:%d: cors %.64s: %s", place->file, place->line, place->name, why);
}

/* Has *ret hold a list as it is sent; unchanged (at NULL) where it is not given, or names all by
 * "*", which is then done by name: browsers take "*" for none with credentials, and never for
 * Authorization. 0, -EINVAL or -ENOMEM. */
static int keep_list(struct cv_arena *arena, const char *list, bool has_all, struct cv_span *ret)
{
    if (list == NULL)
        return 0;
    char *to = cv_arena_alloc(arena, 2 * strlen(list) + 1);
    int64_t len = to != NULL ? cv_cors_list(cv_span_str(list), to) : -ENOMEM;
    if (len < 0)
        return (int)len;
    struct cv_span kept = cv_span(to, (size_t)len);
    if (!has_all || !cv_list_has(kept, CV_SPAN("*")))
        *ret = kept;
    return 0;
}

/* NULL: it is kept; else why not. */
static const char *keep_lists(struct cv_arena *arena, const struct covey_cors *how,
                              struct cv_cors *cors)
{
    int rc = keep_list(arena, how->methods, true, &cors->methods);
    if (rc == 0)
        rc = keep_list(arena, how->headers, true, &cors->headers);
    if (rc == 0)
        rc = keep_list(arena, how->expose, false, &cors->expose);
    if (rc == -EINVAL)
        return ".methods, .headers and .expose are lists of names, with blanks or commas in "
               "between";
    return rc < 0 ? "out of memory" : NULL;
}

/* NULL: it is kept; else why not. */
static const char *keep(struct cv_arena *arena, const struct covey_cors *how, struct cv_cors *cors)
{
    if (how->origins == NULL && how->allow == NULL)
        return "it names no origins, and nothing that knows them (.allow)";
    if (how->routes != NULL && how->routes[strspn(how->routes, " ,")] == '\0')
        return ".routes names none";
    bool ok = true;
    cors->origins = cv_app_keep(arena, how->origins != NULL ? how->origins : "", &ok);
    cors->credentials = how->credentials;
    if (how->max_age != 0) {
        const char *age =
            cv_arena_printf(arena, "%lld", how->max_age > 0 ? (long long)how->max_age : 0LL);
        ok &= age != NULL;
        cors->max_age = cv_span_str(age != NULL ? age : "");
    }
    return ok ? keep_lists(arena, how, cors) : "out of memory";
}

void covey_cors_at(covey_app *app, const struct covey_cors *how, const char *file, int line)
{
    struct covey_cors known;
    struct place place = {"", file, line};

    if (!cv_app_can_register(app, "covey_cors", file, line))
        return;
    if (!CV_OPTIONS_READ(&known, how)) {
        refuse(app, &place, CV_OPTIONS_UNKNOWN);
        return;
    }
    struct cv_arena *arena = &app->root->arena;
    char reason[512];
    struct cv_cors *cors = cv_arena_alloc(arena, sizeof(*cors));
    if (cors == NULL) {
        refuse(app, &place, "out of memory");
        return;
    }
    *cors = (struct cv_cors){.origins = ""};
    place.name = known.origins != NULL ? known.origins : "";
    const char *fault = keep(arena, &known, cors);
    if (fault == NULL && cv_cors_check(cors, reason, sizeof(reason)) < 0)
        fault = reason;
    bool ok = true;
    const struct cv_hook hook = {.of = app,
                                 .name = cors->origins,
                                 .cors = cors,
                                 .allow = known.allow,
                                 .routes = cv_app_keep(arena, known.routes, &ok),
                                 .file = file,
                                 .line = line};
    if (fault == NULL && (!ok || cv_hooks_add(arena, &app->root->cors, &hook) < 0))
        fault = "out of memory";
    if (fault != NULL)
        refuse(app, &place, fault);
}
