/* Which route answers a request.
 *
 * One look (table.h) for a path without parameters, else a trie over path segments, whose every
 * step is one look, too: what a request costs does not depend on how many routes there are. A
 * segment is compared after percent-decoding, but the path is split before it, so that %2F stays
 * inside a segment. Literals win over parameters, and those have an order (param.h); where a choice
 * leads nowhere, the next one is tried. A request visits each node at most once, so that only the
 * app, never a client, decides how long a search may take.
 *
 * Each host that routes name has a trie of its own, which is asked before the one of the routes
 * that name none.
 *
 * Knows nothing of apps and requests.
 */
#ifndef CV_APP_ROUTER_H
#define CV_APP_ROUTER_H

#include "app/routing/pattern.h"
#include "app/routing/table.h"
#include "http/h1.h"

#include <covey/app.h>

#define CV_ROUTER_METHODS_MAX 32                           /* different ones in one app */
#define CV_ROUTER_VALUES_MAX (CV_PATTERN_SEGMENTS_MAX + 1) /* of parameters: one may have two */

struct cv_given;
struct cv_plan;

/* What error pages look like; AUTO: as the client wants them. */
enum cv_error_format {
    CV_ERROR_FORMAT_UNSET,
    CV_ERROR_FORMAT_AUTO,
    CV_ERROR_FORMAT_HTML,
    CV_ERROR_FORMAT_JSON,
    CV_ERROR_FORMAT_TEXT,
    CV_ERROR_FORMAT_PROBLEM,
};

struct cv_param {
    const char *name;
    const struct cv_param_type *type;
};

/* A place where a route stands, among those with the same pattern and host. */
struct cv_entry {
    struct cv_entry *next;
    struct cv_route *route;
    uint32_t method_bits; /* without those that another route has overwritten */
};

/* A registered route. All strings live in the router's arena or are literals. */
struct cv_route {
    struct covey_route how; /* as registered; name is never NULL */
    const char *methods;
    const char *pattern;          /* with prefixes and version in front */
    const void *data;             /* of a handler of this library's */
    covey_app *of;                /* the app or the blueprint that it was registered with */
    const struct cv_given *given; /* as it was registered; NULL: not with a blueprint */
    const struct cv_plan *plan;   /* what runs around its handler; plan.h */
    const char *file;
    int line;
    struct covey_route_info info;      /* of these, for apps */
    enum cv_error_format error_format; /* UNSET: the app's */
    bool compresses;                   /* its answers are compressed; compress.h */
    bool is_strict;                    /* a slash more or less at the end is another path */
    uint32_t method_bits;              /* as registered */
    uint32_t n_places;                 /* where not all of them have been overwritten */
    uint32_t n_params;                 /* values */
    uint32_t number;                   /* in order of registration */
    struct cv_param *params;
    struct cv_entry entry; /* its first place; there is one for each of its hosts */
    struct cv_route *next; /* in order of registration */
};

struct cv_router_node;

struct cv_router {
    struct cv_arena *arena;
    struct cv_param_types types;
    struct cv_router_node *root; /* of the routes that name no host */
    struct cv_table exact;       /* their paths without parameters -> the place of their routes */
    struct cv_table hosts;       /* "example.com" or "example.com:8080" -> root of its routes */
    struct cv_table names;       /* -> struct cv_route */
    struct cv_route *first;
    struct cv_route *last;
    size_t n_routes;
    struct cv_span methods[CV_ROUTER_METHODS_MAX]; /* a route's bit -> the method's name */
    uint32_t n_methods;
    int8_t known[CV_METHOD_COUNT]; /* enum cv_method -> bit, -1: no route has it */
};

/* An empty router whose memory comes from `arena`. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_router_init(struct cv_router *router, struct cv_arena *arena);

/* Frees what does not lie in the arena. */
void cv_router_done(struct cv_router *router);

/* Adds `route` (what it is given before is set, the rest zero; kept). 0, or
 * -EINVAL (bad pattern, bad method, conflict) or -ENOMEM with a sentence in `reason`. */
CV_MUST_CHECK int cv_router_add(struct cv_router *router, struct cv_route *route, char *reason,
                                size_t cap);

/* What a search has found. */
struct cv_match {
    const struct cv_route *route;
    uint32_t allowed;    /* bits of the methods that the path has, when no route was found */
    struct cv_span path; /* decoded; NUL-terminated if `decoded` */
    bool decoded; /* `path` and the values lie in the scratch arena, else in the given path */
    struct cv_span values[CV_ROUTER_VALUES_MAX]; /* of route->params; valid up to n_params */
    const struct cv_param_type *too_hard;        /* valid after CV_ROUTER_GAVE_UP */
};

#define CV_ROUTER_GAVE_UP 1 /* on a regular expression, which is taken not to match */

static inline bool cv_router_has_hosts(const struct cv_router *router)
{
    return router->hosts.n > 0;
}

/* Finds the route for a request. HEAD takes what GET has. `path` is as it came, without the query,
 * and so is `host`, which is needed only where cv_router_has_hosts(). Decoding takes memory from
 * `scratch`. 0 or CV_ROUTER_GAVE_UP (route == NULL: not found; allowed != 0: the path exists with
 * other methods), -400 (broken escape, %00), -ENOMEM. */
CV_MUST_CHECK int cv_router_find(const struct cv_router *router, enum cv_method method,
                                 struct cv_span name, struct cv_span path, struct cv_span host,
                                 struct cv_arena *scratch, struct cv_match *ret);

/* The value of Allow for these bits: "GET, HEAD, OPTIONS". In `arena`; NULL when out of memory. */
const char *cv_router_allow(const struct cv_router *router, uint32_t allowed,
                            struct cv_arena *arena);

#endif
