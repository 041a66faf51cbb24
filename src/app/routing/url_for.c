/* covey_url_for(): URLs of an app's routes, from a request or without one. See url.h. */
#include "app/options.h"
#include "app/request/request.h"
#include "app/routing/url.h"
#include "base/log.h"

#include <covey/origin.h>

#include <errno.h>
#include <stdlib.h>

#define URL_MAX 65536 /* bytes */

/* False, and a line in the log: the options are those of another covey. */
static bool read_how(const struct covey_url *what, struct covey_url *ret)
{
    bool is_known = CV_OPTIONS_READ(ret, what);
    if (!is_known)
        cv_error("covey_url_for(): " CV_OPTIONS_UNKNOWN);
    return is_known;
}

/* `fallback` is the server of an external URL, if nobody names another. */
static int write_url(covey_app *app, const struct covey_url *what, struct cv_span fallback,
                     struct cv_buf *to, char *reason, size_t cap)
{
    const struct cv_route *route =
        what->name != NULL ? cv_table_find(&app->root->router.names, cv_span_str(what->name))
                           : NULL;
    if (route == NULL)
        return cv_url_complain(reason, cap, "no route has this name");
    if (what->scheme != NULL && !cv_url_is_external(what))
        return cv_url_complain(reason, cap, ".scheme is for URLs with .external = true");
    int rc = cv_url_is_external(what) ? cv_url_origin(route, what, fallback, to, reason, cap) : 0;
    return rc == 0 ? cv_url_path(&app->root->router, route, what, to, reason, cap) : rc;
}

/* The URL in a buffer, to be freed; false, and a line in the log. */
static bool build(covey_app *app, const struct covey_url *what, struct cv_span fallback,
                  struct cv_buf *to)
{
    char reason[512];
    cv_buf_init(to, URL_MAX);
    if (write_url(app, what, fallback, to, reason, sizeof(reason)) == 0)
        return true;
    cv_error("covey_url_for(\"%s\"): %s", what->name != NULL ? what->name : "", reason);
    cv_buf_done(to);
    return false;
}

/* As the client sees it. */
static struct cv_span server_of(covey_req *req)
{
    const char *host = covey_host(req);
    const char *server = cv_arena_printf(req->arena, "%s://%s", covey_scheme(req), host);
    return server != NULL && host[0] != '\0' ? cv_span_str(server) : CV_SPAN("");
}

const char *covey_url_for_with(covey_req *req, const struct covey_url *what)
{
    struct covey_url known;
    struct cv_buf url;
    if (!cv_req_here(req) || !read_how(what, &known))
        return NULL;
    struct cv_span server = cv_url_is_external(&known) ? server_of(req) : CV_SPAN("");
    if (!build(req->app, &known, server, &url))
        return NULL;
    const char *copy = cv_arena_strndup(req->arena, cv_buf_span(&url));
    cv_buf_done(&url);
    return copy;
}

char *covey_app_url_for_with(covey_app *app, const struct covey_url *what)
{
    struct covey_url known;
    struct cv_buf url;
    if (!cv_app_here(app, "covey_app_url_for") || !read_how(what, &known))
        return NULL;
    const char *server = covey_config_str(app, "SERVER_NAME", "");
    if (!build(app, &known, cv_span_str(server), &url))
        return NULL;
    char *copy = strndup(url.at, url.len);
    cv_buf_done(&url);
    return copy;
}
