/* covey_set_cookie() and covey_delete_cookie(): the app's options, with their defaults, as a field.
 */
#include "app/options.h"
#include "app/request/request.h"

#include "base/log.h"
#include "http/set_cookie.h"

#include <errno.h>

static int refuse(struct covey_req *req, const char *name, const char *why)
{
    cv_error("%s: cookie \"%.64s\" was refused: %s", cv_req_name(req), name, why);
    return -EINVAL;
}

/* As far as both sides know the struct. */
static int read_options(struct covey_req *req, const struct covey_cookie *cookie,
                        struct covey_cookie *ret)
{
    if (!CV_OPTIONS_READ(ret, cookie))
        return refuse(req, "?", CV_OPTIONS_UNKNOWN);
    if (ret->name == NULL)
        return refuse(req, "?", "it has no name");
    if (ret->host_prefix && ret->secure_prefix)
        return refuse(req, ret->name, ".host_prefix and .secure_prefix exclude each other");
    return 0;
}

static struct cv_span or_default(const char *given, const char *otherwise)
{
    return cv_span_str(given != NULL ? given : otherwise);
}

/* Sanic's defaults: path "/", Secure, SameSite=Lax. */
static int put_cookie(struct covey_req *req, const struct covey_cookie *how, bool is_over)
{
    const char *prefix = how->host_prefix ? "__Host-" : how->secure_prefix ? "__Secure-" : "";
    const char *name = cv_arena_printf(req->arena, "%s%s", prefix, how->name);
    char text[CV_SET_COOKIE_MAX];
    if (name == NULL)
        return -ENOMEM;
    const struct cv_set_cookie cookie = {
        .name = cv_span_str(name),
        .value = or_default(is_over ? NULL : how->value, ""),
        .path = or_default(how->path, "/"),
        .domain = or_default(how->domain, ""),
        .same_site = or_default(how->samesite, "Lax"),
        .max_age = is_over ? 0 : how->max_age,
        .expires = is_over ? 0 : how->expires,
        .is_over = is_over,
        .secure = how->secure >= 0,
        .http_only = how->httponly,
        .partitioned = how->partitioned,
    };
    const char *why = cv_set_cookie_check(&cookie);
    if (why != NULL)
        return refuse(req, name, why);
    struct cv_span field = cv_span(text, cv_set_cookie_write(&cookie, text));
    field.at = cv_arena_strndup(req->arena, field);
    return field.at != NULL ? cv_field_put_cookie(req, field) : -ENOMEM;
}

static int set(struct covey_req *req, const struct covey_cookie *cookie, bool is_over)
{
    struct covey_cookie known;
    int rc = read_options(req, cookie, &known);
    if (rc == 0)
        rc = cv_field_may_change(req, "Set-Cookie");
    return rc == 0 ? put_cookie(req, &known, is_over) : rc;
}

int covey_set_cookie_with(covey_req *req, const struct covey_cookie *cookie)
{
    return cv_req_here(req) ? set(req, cookie, false) : -EPERM;
}

int covey_delete_cookie_with(covey_req *req, const struct covey_cookie *cookie)
{
    return cv_req_here(req) ? set(req, cookie, true) : -EPERM;
}
