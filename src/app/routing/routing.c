/* What an app says and asks about its routes: types of its own, the route of a request and its
 * parameters by their type. */
#include "app/request/request.h"
#include "app/routing/regex.h"
#include "app/routing/router_check.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/chars.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>

void covey_pattern_at(covey_app *app, const char *name, covey_pattern_fn *matcher, const char *file,
                      int line)
{
    char reason[256];

    if (!cv_app_can_register(app, "covey_pattern", file, line))
        return;
    if (name == NULL || matcher == NULL) {
        cv_app_fail(app, "%s:%d: a pattern needs a name and a function", file, line);
        return;
    }
    if (cv_param_type_add(&app->root->router.types, cv_span_str(name), matcher, reason,
                          sizeof(reason)) < 0)
        cv_app_fail(app, "%s:%d: pattern %s: %s", file, line, name, reason);
}

void cv_app_check_routes(covey_app *app)
{
    char reason[512];
    const struct cv_route *route;
    if (!app->failed && cv_router_check(&app->root->router, &route, reason, sizeof(reason)) < 0)
        cv_app_fail(app, "%s:%d: route %s: %s", route->file, route->line, route->pattern, reason);
}

#define SAID_EVERY (60 * 1000 * CV_MS)
#define SHOWN 200 /* bytes of a path, and of an expression */

static int shown(struct cv_span text)
{
    return text.len > SHOWN ? SHOWN : (int)text.len;
}

void cv_app_gave_up(covey_app *app, const struct cv_param_type *type, struct cv_span path)
{
    int64_t now = cv_clock_ns();
    app->gave_up++;
    if (app->gave_up_at != 0 && now - app->gave_up_at < SAID_EVERY)
        return;
    cv_warn("the regular expression %.*s of a route gave up on %.*s after %d steps and was taken "
            "not to match (%llu times since this was last said): make it simpler",
            shown(type->text) - 1, type->text.at + 1, shown(path), path.at, CV_REGEX_STEPS_MAX,
            (unsigned long long)app->gave_up);
    app->gave_up_at = now;
    app->gave_up = 0;
}

const struct covey_route_info *covey_routes_next(const covey_app *app,
                                                 const struct covey_route_info *before)
{
    if (!cv_app_here(app, "covey_routes_next"))
        return NULL;
    const char *at = (const char *)before;
    const struct cv_route *route = app->root->router.first;
    if (before != NULL)
        route =
            ((const struct cv_route *)(const void *)(at - offsetof(struct cv_route, info)))->next;
    while (route != NULL && route->n_places == 0)
        route = route->next; /* overwritten */
    return route != NULL ? &route->info : NULL;
}

/* ---- The route of a request ---- */

const char *covey_route_name(const covey_req *req)
{
    return cv_req_here(req) && req->route != NULL ? req->route->how.name : NULL;
}

const char *covey_route_pattern(const covey_req *req)
{
    return cv_req_here(req) && req->route != NULL ? req->route->pattern : NULL;
}

void *covey_route_ctx(const covey_req *req)
{
    return cv_req_here(req) && req->route != NULL ? req->route->how.ctx : NULL;
}

/* ---- Parameters ---- */

bool covey_param_next(covey_req *req, size_t *at, const char **ret_name, const char **ret_value)
{
    if (!cv_req_here(req) || req->route == NULL || *at >= req->route->n_params)
        return false;
    *ret_name = req->route->params[*at].name;
    *ret_value = req->params[*at];
    (*at)++;
    return true;
}

static locale_t plain_locale;

static void make_locale(void)
{
    plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Whatever the app's locale takes for the decimal point. */
double covey_param_float(covey_req *req, const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *text = covey_param(req, name);
    if (text == NULL || pthread_once(&once, make_locale) != 0 || plain_locale == (locale_t)0)
        return 0;
    return strtod_l(text, NULL, plain_locale);
}

bool covey_param_ymd(covey_req *req, const char *name, struct tm *ret)
{
    int year, month, day;
    const char *text = covey_param(req, name);
    if (text == NULL || !cv_param_ymd(cv_span_str(text), &year, &month, &day))
        return false;
    struct tm date = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    (void)timegm(&date); /* fills in the day of the week and of the year */
    *ret = date;
    return true;
}

bool covey_param_uuid(covey_req *req, const char *name, unsigned char ret[16])
{
    const char *text = covey_param(req, name);
    if (text == NULL || !cv_param_is_uuid(cv_span_str(text)))
        return false;
    for (size_t i = 0; i < 16; i++) {
        text += *text == '-';
        ret[i] = (unsigned char)(cv_chars_hex(text[0]) << 4 | cv_chars_hex(text[1]));
        text += 2;
    }
    return true;
}
