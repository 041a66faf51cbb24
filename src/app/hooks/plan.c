/* In which order middleware runs, which error handler answers, and which origins are let in. See
 * plan.h. */
#include "app/hooks/plan.h"

#include "app/app.h"

#include <errno.h>
#include <string.h>

/* ---- Names of routes ---- */

/* The next name of a list with blanks and commas in between; at == NULL behind the last. */
static struct cv_span next_name(const char **list)
{
    static const char gap[] = " ,";
    const char *at = *list + strspn(*list, gap);
    size_t len = strcspn(at, gap);
    *list = at + len;
    return cv_span(len > 0 ? at : NULL, len);
}

/* Whether `name`, as said where `of` is known, is the route's. */
static bool is_name_of(const struct cv_route *route, const covey_app *of, struct cv_span name)
{
    const char *full = route->how.name;
    size_t len = strlen(of->name);
    if (len > 0) {
        if (strncmp(full, of->name, len) != 0 || full[len] != '.')
            return false;
        full += len + 1;
    }
    return cv_span_eq(cv_span_str(full), name);
}

static bool names(const struct cv_hook *hook, const struct cv_route *route)
{
    const char *list = hook->routes;
    for (struct cv_span name; (name = next_name(&list)).at != NULL;) {
        if (cv_app_is_within(route->of, hook->of) && is_name_of(route, hook->of, name))
            return true;
    }
    return false;
}

static bool is_name(const covey_app *app, const struct cv_hook *hook, struct cv_span name)
{
    for (const struct cv_route *route = app->router.first; route != NULL; route = route->next) {
        if (cv_app_is_within(route->of, hook->of) && is_name_of(route, hook->of, name))
            return true;
    }
    return false;
}

/* A middleware for a route that does not exist guards nothing. `what` it is, for the message. */
static void check_names(covey_app *app, const struct cv_hooks *hooks, const char *what)
{
    for (size_t i = 0; i < hooks->n; i++) {
        const struct cv_hook *hook = &hooks->at[i];
        const char *list = hook->routes != NULL ? hook->routes : "";
        for (struct cv_span name; (name = next_name(&list)).at != NULL;) {
            if (!is_name(app, hook, name))
                cv_app_fail(app, "%s:%d: %s %s: .routes names %.*s, and no route has that name",
                            hook->file, hook->line, what, hook->name, (int)name.len, name.at);
        }
    }
}

/* ---- Chains ---- */

/* Whether `a` belongs in front of `b`, which was registered earlier. */
typedef bool is_before_fn(const struct cv_hook *a, const struct cv_hook *b);

static bool has_priority(const struct cv_hook *a, const struct cv_hook *b)
{
    return a->priority > b->priority;
}

static bool is_for_one(const struct cv_hook *hook)
{
    return hook->status >= 400;
}

/* One status before a class of them, before all; within these the innermost blueprint's. */
static bool is_closer(const struct cv_hook *a, const struct cv_hook *b)
{
    if (is_for_one(a) != is_for_one(b))
        return is_for_one(a);
    if (a->of != b->of)
        return cv_app_is_within(a->of, b->of);
    return a->status > b->status;
}

static bool is_for(const struct cv_hook *hook, const covey_app *scope, const struct cv_route *route)
{
    if (hook->routes != NULL)
        return route != NULL && names(hook, route);
    return cv_app_is_within(scope, hook->of);
}

/* Behind all that it need not be in front of. */
static void insert(struct cv_chain *chain, const struct cv_hook *hook, is_before_fn *is_before)
{
    size_t place = chain->n++;
    for (; place > 0 && is_before(hook, chain->at[place - 1]); place--)
        chain->at[place] = chain->at[place - 1];
    chain->at[place] = hook;
}

static int make_chain(struct cv_chain *chain, struct cv_arena *arena, const struct cv_hooks *hooks,
                      const covey_app *scope, const struct cv_route *route, is_before_fn *is_before)
{
    *chain = (struct cv_chain){.at = NULL};
    if (hooks->n == 0)
        return 0;
    chain->at = cv_arena_alloc(arena, hooks->n * sizeof(*chain->at));
    if (chain->at == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < hooks->n; i++) {
        if (is_for(&hooks->at[i], scope, route))
            insert(chain, &hooks->at[i], is_before);
    }
    return 0;
}

static void reverse(struct cv_chain *chain)
{
    for (size_t i = 0; i < chain->n / 2; i++) {
        const struct cv_hook *first = chain->at[i];
        chain->at[i] = chain->at[chain->n - 1 - i];
        chain->at[chain->n - 1 - i] = first;
    }
}

/* ---- Other origins ---- */

/* Who names routes before who does not; of each the innermost blueprint's. */
static bool is_closer_cors(const struct cv_hook *a, const struct cv_hook *b)
{
    if ((a->routes != NULL) != (b->routes != NULL))
        return a->routes != NULL;
    return a->of != b->of && cv_app_is_within(a->of, b->of);
}

static bool is_equally_close(const struct cv_hook *a, const struct cv_hook *b)
{
    return a->of == b->of && (a->routes != NULL) == (b->routes != NULL);
}

static bool lets_nobody_in(const struct cv_hook *hook)
{
    return hook->cors->origins[0] == '\0' && hook->allow == NULL;
}

static const struct cv_hook *find_cors(covey_app *scope, const struct cv_route *route)
{
    const struct cv_hooks *hooks = &scope->root->cors;
    const struct cv_hook *closest = NULL;
    for (size_t i = 0; i < hooks->n; i++) {
        const struct cv_hook *hook = &hooks->at[i];
        if (!is_for(hook, scope, route))
            continue;
        if (closest != NULL && is_equally_close(hook, closest))
            cv_app_fail(scope, "%s:%d: cors %s: there is one for the same routes at %s:%d",
                        hook->file, hook->line, hook->name, closest->file, closest->line);
        if (closest == NULL || is_closer_cors(hook, closest))
            closest = hook;
    }
    return closest != NULL && !lets_nobody_in(closest) ? closest : NULL;
}

/* ---- Plans ---- */

/* `route` NULL: for those of `scope` that nothing names. */
static int make_plan(struct cv_plan *plan, covey_app *scope, const struct cv_route *route)
{
    covey_app *app = scope->root;
    const struct cv_hooks *before = &app->middleware[COVEY_REQUEST];
    const struct cv_hooks *behind = &app->middleware[COVEY_RESPONSE];
    *plan = (struct cv_plan){0};
    int rc = make_chain(&plan->request, &app->arena, before, scope, route, has_priority);
    if (rc == 0)
        rc = make_chain(&plan->response, &app->arena, behind, scope, route, has_priority);
    if (rc == 0)
        rc = make_chain(&plan->errors, &app->arena, &app->errors, scope, route, is_closer);
    reverse(&plan->response);
    plan->cors = find_cors(scope, route);
    return rc;
}

static bool is_named(const struct cv_hooks *hooks, const struct cv_route *route)
{
    for (size_t i = 0; i < hooks->n; i++) {
        if (hooks->at[i].routes != NULL && names(&hooks->at[i], route))
            return true;
    }
    return false;
}

static int plan_route(covey_app *app, struct cv_route *route)
{
    route->plan = &route->of->plan;
    if (!is_named(&app->middleware[COVEY_REQUEST], route) &&
        !is_named(&app->middleware[COVEY_RESPONSE], route) && !is_named(&app->cors, route))
        return 0;
    struct cv_plan *own = cv_arena_alloc(&app->arena, sizeof(*own));
    route->plan = own;
    return own != NULL ? make_plan(own, route->of, route) : -ENOMEM;
}

void cv_plan_make_all(covey_app *app)
{
    check_names(app, &app->middleware[COVEY_REQUEST], "middleware");
    check_names(app, &app->middleware[COVEY_RESPONSE], "middleware");
    check_names(app, &app->cors, "cors");

    int rc = make_plan(&app->plan, app, NULL);
    for (covey_app *blueprint = app->blueprints; blueprint != NULL && rc == 0;
         blueprint = blueprint->next)
        rc = make_plan(&blueprint->plan, blueprint, NULL);
    for (struct cv_route *route = app->router.first; route != NULL && rc == 0; route = route->next)
        rc = plan_route(app, route);
    if (rc < 0)
        cv_app_fail(app, "out of memory");
}

/* ---- Errors ---- */

const struct cv_hook *cv_plan_error(const struct cv_plan *plan, int status)
{
    for (size_t i = 0; i < plan->errors.n; i++) {
        const struct cv_hook *hook = plan->errors.at[i];
        if (hook->status == status || hook->status == status / 100 ||
            hook->status == COVEY_ANY_ERROR)
            return hook;
    }
    return NULL;
}
