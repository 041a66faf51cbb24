/* What an app says and asks about its routes: types of its own, the route of a request and its
 * parameters by their type. */
#include "app/request.h"

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

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

bool covey_param_uuid(covey_req *req, const char *name, unsigned char ret[16])
{
    const char *text = covey_param(req, name);
    if (text == NULL || !cv_param_is_uuid(cv_span_str(text)))
        return false;
    for (size_t i = 0; i < 16; i++) {
        text += *text == '-';
        ret[i] = (unsigned char)(hex_value(text[0]) << 4 | hex_value(text[1]));
        text += 2;
    }
    return true;
}
