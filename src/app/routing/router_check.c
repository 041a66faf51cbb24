/* Whether every route can be reached. See router_check.h. */
#include "app/routing/router_check.h"

#include "app/routing/host.h"
#include "base/buf.h"
#include "http/text.h"

#include <errno.h>
#include <stdio.h>

#define PATH_MAX_BYTES 65536

/* A route that is asked for. */
struct question {
    struct cv_router *router;
    const struct cv_route *route;
    struct cv_pattern pattern;
    struct cv_span host;
    struct cv_arena scratch;
    struct cv_buf path;
    struct cv_match match;
};

/* Only then can one route have what is another's. */
static bool is_needed(const struct cv_router *router)
{
    for (const struct cv_param_type *type = router->types.first; type != NULL; type = type->next) {
        if (type->kind == CV_PARAM_REGEX || type->kind == CV_PARAM_OWN || type->extensions.len > 0)
            return true;
    }
    return false;
}

static int append_sample(struct cv_buf *path, const struct cv_param_type *type,
                         struct cv_span extension, size_t n)
{
    bool is_ext = type->kind == CV_PARAM_EXT;
    const char *sample = cv_param_sample(is_ext ? type->base : type->kind, n);
    if (sample == NULL)
        return -ENOENT;
    int rc = cv_buf_append(path, cv_span_str(sample));
    if (rc == 0 && is_ext)
        rc = cv_buf_append(path, CV_SPAN("."));
    if (rc == 0 && is_ext)
        rc = cv_buf_append(path, extension.len > 0 ? extension : CV_SPAN("~"));
    return rc;
}

/* The n-th path of the route. 0, -ENOENT (only the app knows any) or -ENOMEM. */
static int write_path(struct question *q, struct cv_span extension, size_t n)
{
    int rc = 0;
    q->path.len = 0;
    for (size_t i = 0; i < q->pattern.n && rc == 0; i++) {
        const struct cv_segment *segment = &q->pattern.segments[i];
        rc = cv_buf_append(&q->path, CV_SPAN("/"));
        if (rc == 0)
            rc = segment->type != NULL ? append_sample(&q->path, segment->type, extension, n)
                                       : cv_buf_append(&q->path, segment->text);
    }
    return rc;
}

/* 1: the route has one of its paths; 0: none, q->match says who has the last of them; or as
 * write_path(). */
static int has_any(struct question *q, struct cv_span method, struct cv_span extension)
{
    for (size_t n = 0; n < CV_PARAM_SAMPLES; n++) {
        int rc = write_path(q, extension, n);
        if (rc == 0)
            rc = cv_router_find(q->router, cv_method_find(method), method, cv_buf_span(&q->path),
                                q->host, &q->scratch, &q->match);
        if (rc < 0)
            return rc;
        if (q->match.route == NULL || q->match.route->number == q->route->number)
            return 1; /* not found: a regular expression has given up */
    }
    return 0;
}

static int refuse(const struct question *q, struct cv_span method, char *reason, size_t cap)
{
    const struct cv_route *other = q->match.route;
    (void)snprintf(reason, cap, "it is not reached: %.*s %.*s%s goes to %s %s, registered at %s:%d",
                   (int)method.len, method.at, q->path.len > 64 ? 64 : (int)q->path.len, q->path.at,
                   q->path.len > 64 ? "..." : "", other->methods, other->pattern, other->file,
                   other->line);
    return -EINVAL;
}

static struct cv_span extensions_of(const struct cv_pattern *pattern)
{
    for (size_t i = 0; i < pattern->n; i++) {
        const struct cv_param_type *type = pattern->segments[i].type;
        if (type != NULL && type->kind == CV_PARAM_EXT)
            return type->extensions;
    }
    return CV_SPAN("");
}

/* With each of its methods and extensions. */
static int check(struct question *q, char *reason, size_t cap)
{
    for (uint32_t i = 0; i < q->router->n_methods; i++) {
        if ((q->route->entry.method_bits & UINT32_C(1) << i) == 0)
            continue; /* it has not got it, or another has overwritten it */
        struct cv_span rest = extensions_of(&q->pattern);
        do {
            struct cv_span extension = cv_param_next_extension(&rest);
            int rc = has_any(q, q->router->methods[i], extension);
            if (rc < 0)
                return rc;
            if (rc == 0)
                return refuse(q, q->router->methods[i], reason, cap);
        } while (rest.len > 0);
    }
    return 0;
}

static int ask(struct question *q, char *reason, size_t cap)
{
    const char *hosts = q->route->how.host;
    /* a '%' would have to be escaped; such literals are rare */
    if (q->route->n_params == 0 || strchr(q->route->pattern, '%') != NULL)
        return 0;
    q->host = hosts != NULL ? cv_host_next(&hosts) : CV_SPAN("");
    int rc = cv_pattern_parse(&q->router->types, q->route->pattern, &q->pattern, reason, cap);
    if (rc == 0)
        rc = check(q, reason, cap);
    return rc == -ENOENT ? 0 : rc;
}

int cv_router_check(struct cv_router *router, const struct cv_route **ret_route, char *reason,
                    size_t cap)
{
    if (!is_needed(router))
        return 0;
    struct question q = {.router = router};
    cv_buf_init(&q.path, PATH_MAX_BYTES);
    int rc = 0;
    for (q.route = router->first; q.route != NULL && rc == 0; q.route = q.route->next) {
        *ret_route = q.route;
        rc = ask(&q, reason, cap);
    }
    cv_buf_done(&q.path);
    cv_arena_done(&q.scratch);
    if (rc == -ENOMEM || rc == -EMSGSIZE)
        (void)snprintf(reason, cap, "out of memory");
    return rc;
}
