/* Registration of blueprints. See app.h. */
#include "app/app.h"
#include "app/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16

/* Of a call that is wrong, for messages. */
struct place {
    const char *name;
    const char *file;
    int line;
};

static void refuse(covey_app *app, const struct place *place, const char *why)
{
    cv_app_fail(app, "%s:%d: blueprint %s: %s", place->file, place->line,
                place->name != NULL ? place->name : "without a name", why);
}

static bool is_word(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return name[0] != '\0' && name[strspn(name, allowed)] == '\0';
}

bool cv_app_is_within(const covey_app *scope, const covey_app *of)
{
    while (scope != NULL && scope != of)
        scope = scope->parent;
    return scope != NULL;
}

covey_app *covey_root(const covey_app *app)
{
    return app->root; /* also on other threads, which may add tasks to it */
}

static unsigned depth(const covey_app *app)
{
    unsigned n = 0;
    for (; app->parent != NULL; app = app->parent)
        n++;
    return n;
}

/* What is wrong with it; NULL: nothing. */
static const char *fault_of(const covey_app *parent, const struct covey_blueprint *how)
{
    if (how->name != NULL && !is_word(how->name))
        return "a name has letters, digits and \"-_\"";
    if (how->prefix != NULL && how->prefix[0] != '/')
        return "its prefix does not begin with /";
    if (how->error_format != NULL &&
        cv_error_format_find(how->error_format) == CV_ERROR_FORMAT_UNSET)
        return "its .error_format is none of auto, html, json, text, problem";
    if (depth(parent) == DEPTH_MAX)
        return "it lies too deep in others; does a setup function register itself?";
    if (how->copy_of == NULL)
        return NULL;
    if (how->copy_of->root != parent->root || how->copy_of == parent->root)
        return "what it is to be a copy of is no blueprint of this app";
    if (cv_app_is_within(parent, how->copy_of))
        return "it lies within what it is to be a copy of";
    return NULL;
}

/* `a` followed by `b` without the slashes at its end, with `between` if there is something on both
 * sides. NULL when out of memory. */
static const char *join(struct cv_arena *arena, const char *a, const char *between, const char *b)
{
    size_t len = strlen(b);
    while (len > 0 && b[len - 1] == '/')
        len--;
    if (a[0] == '\0' || len == 0)
        between = "";
    return cv_arena_printf(arena, "%s%s%.*s", a, between, (int)len, b);
}

/* Without what fills it, which happens once. */
static int keep_given(covey_app *blueprint, const struct covey_blueprint *how)
{
    struct cv_arena *arena = &blueprint->root->arena;
    bool ok = true;
    blueprint->given = (struct covey_blueprint){
        .name = cv_app_keep(arena, how->name, &ok),
        .prefix = cv_app_keep(arena, how->prefix, &ok),
        .host = cv_app_keep(arena, how->host, &ok),
        .version = cv_app_keep(arena, how->version, &ok),
        .version_prefix = cv_app_keep(arena, how->version_prefix, &ok),
        .strict_slashes = how->strict_slashes,
        .compress = how->compress,
        .overwrite = how->overwrite,
        .error_format = cv_app_keep(arena, how->error_format, &ok),
    };
    return ok ? 0 : -ENOMEM;
}

static covey_app *blueprint_new(covey_app *parent, const struct covey_blueprint *how)
{
    struct cv_arena *arena = &parent->root->arena;
    covey_app *blueprint = cv_arena_alloc(arena, sizeof(*blueprint));
    if (blueprint == NULL)
        return NULL;
    *blueprint = (covey_app){
        .root = parent->root,
        .parent = parent,
        .name = join(arena, parent->name, ".", how->name != NULL ? how->name : ""),
        .prefix = join(arena, parent->prefix, "", how->prefix != NULL ? how->prefix : ""),
    };
    bool complete = blueprint->name != NULL && blueprint->prefix != NULL;
    return complete && keep_given(blueprint, how) == 0 ? blueprint : NULL;
}

static bool is_taken(const covey_app *app, const covey_app *blueprint)
{
    const covey_app *other = app->blueprints;
    while (other != NULL && strcmp(other->name, blueprint->name) != 0)
        other = other->next;
    return other != NULL;
}

static void link_last(covey_app *app, covey_app *blueprint)
{
    covey_app **end = &app->blueprints;
    while (*end != NULL)
        end = &(*end)->next;
    *end = blueprint;
}

/* NULL if something is wrong: the app has failed. */
static covey_app *add(covey_app *parent, const struct covey_blueprint *how,
                      const struct place *place)
{
    covey_app *app = parent->root;
    const char *fault = fault_of(parent, how);
    covey_app *blueprint = fault == NULL ? blueprint_new(parent, how) : NULL;
    if (blueprint == NULL) {
        refuse(app, place, fault != NULL ? fault : "out of memory");
        return NULL;
    }
    if (how->name != NULL && is_taken(app, blueprint)) {
        refuse(app, place, "there is one of this name already");
        return NULL;
    }
    link_last(app, blueprint);
    return blueprint;
}

/* ---- What it consists of ---- */

/* What a copy does not say. */
static void take_over(struct covey_blueprint *how, const struct covey_blueprint *from)
{
    how->prefix = how->prefix != NULL ? how->prefix : from->prefix;
    how->host = how->host != NULL ? how->host : from->host;
    how->version = how->version != NULL ? how->version : from->version;
    how->version_prefix = how->version_prefix != NULL ? how->version_prefix : from->version_prefix;
    how->compress = how->compress != 0 ? how->compress : from->compress;
    how->overwrite |= from->overwrite;
    how->strict_slashes = how->strict_slashes != 0 ? how->strict_slashes : from->strict_slashes;
    how->error_format = how->error_format != NULL ? how->error_format : from->error_format;
}

/* Depth is bounded by that of `from`, and nothing is added to that meanwhile. */
static void copy(covey_app *blueprint, covey_app *from, const struct place *place)
{
    cv_app_copy_routes(blueprint, from, place->file, place->line);
    if (cv_app_copy_hooks(blueprint, from) < 0)
        refuse(blueprint, place, "out of memory");
    for (covey_app *inner = from->root->blueprints; inner != NULL; inner = inner->next) {
        if (inner->parent != from)
            continue;
        covey_app *copied = add(blueprint, &inner->given, place);
        if (copied != NULL)
            copy(copied, inner, place);
    }
}

static void run_setup(covey_app *blueprint, covey_setup_fn *setup, const struct place *place)
{
    char why[128];
    int rc = setup(blueprint);
    if (rc >= 0)
        return;
    if (rc > -CV_CODE_FAIL)
        (void)snprintf(why, sizeof(why), "its setup failed: %s", strerror(-rc));
    else
        (void)snprintf(why, sizeof(why), "its setup failed with code %d", rc);
    refuse(blueprint, place, why);
}

covey_app *covey_blueprint_at(covey_app *app, const struct covey_blueprint *how, const char *file,
                              int line)
{
    struct covey_blueprint known;

    if (!cv_app_can_register(app, "covey_blueprint", file, line))
        return app;
    const struct place place = {how->name, file, line};
    if (!CV_OPTIONS_READ(&known, how)) {
        refuse(app, &place, CV_OPTIONS_UNKNOWN);
        return app;
    }
    covey_app *from = known.copy_of;
    if (from != NULL)
        take_over(&known, &from->given);
    covey_app *blueprint = add(app, &known, &place);
    if (blueprint == NULL)
        return app;
    if (from != NULL)
        copy(blueprint, from, &place);
    if (known.setup != NULL)
        run_setup(blueprint, known.setup, &place);
    return blueprint;
}
