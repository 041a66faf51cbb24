/* Which route answers a path.
 *
 * One look (exact.h) for a path without parameters, else a trie over path segments. A segment is
 * compared after percent-decoding, but the path is split before it, so that %2F stays inside a
 * segment. Literals win over parameters, int and uuid over str, str over path; where that leads
 * nowhere, the next choice is tried. A request visits each node at most once, so that only the app,
 * never a client, decides how long a search may take.
 *
 * Knows nothing of apps and requests.
 */
#ifndef CV_APP_ROUTER_H
#define CV_APP_ROUTER_H

#include "app/exact.h"
#include "base/arena.h"
#include "base/span.h"
#include "http/h1.h"

#include <covey/app.h>

#define CV_ROUTER_SEGMENTS_MAX 32 /* of a pattern */
#define CV_ROUTER_METHODS_MAX 32  /* different ones in one app */

enum cv_param_kind { CV_PARAM_INT, CV_PARAM_UUID, CV_PARAM_STR, CV_PARAM_PATH };

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
    enum cv_param_kind kind;
};

/* A registered route. All strings live in the router's arena or are literals. */
struct cv_route {
    struct covey_route how; /* as registered; name is never NULL */
    const char *methods;
    const char *pattern;
    const void *data;             /* of a handler of this library's */
    covey_app *of;                /* the app or the blueprint that it was registered with */
    const struct cv_given *given; /* as it was registered; NULL: not with a blueprint */
    const struct cv_plan *plan;   /* what runs around its handler; plan.h */
    const char *file;
    int line;
    enum cv_error_format error_format; /* UNSET: the app's */
    uint32_t method_bits;
    uint32_t n_params;
    uint32_t number; /* in order of registration */
    struct cv_param *params;
    struct cv_route *next_here; /* same pattern, other methods */
    struct cv_route *next;      /* in order of registration */
};

struct cv_router_node;

struct cv_router {
    struct cv_arena *arena;
    struct cv_router_node *root;
    struct cv_exact exact;
    struct cv_route *first;
    struct cv_route *last;
    size_t n_routes;
    struct cv_span methods[CV_ROUTER_METHODS_MAX]; /* a route's bit -> the method's name */
    uint32_t n_methods;
    int8_t known[CV_METHOD_COUNT]; /* enum cv_method -> bit, -1: no route has it */
};

/* An empty router whose memory comes from `arena`. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_router_init(struct cv_router *router, struct cv_arena *arena);

/* Adds `route` (how, methods, pattern, file and line are set; kept). 0, or -EINVAL (bad pattern,
 * bad method, conflict) or -ENOMEM with a sentence in `reason`. */
CV_MUST_CHECK int cv_router_add(struct cv_router *router, struct cv_route *route, char *reason,
                                size_t cap);

/* What a search has found. */
struct cv_match {
    const struct cv_route *route;
    uint32_t allowed;    /* bits of the methods that the path has, when no route was found */
    struct cv_span path; /* decoded; NUL-terminated if `decoded` */
    bool decoded; /* `path` and the values lie in the scratch arena, else in the given path */
    struct cv_span values[CV_ROUTER_SEGMENTS_MAX]; /* of route->params; valid up to n_params */
};

/* Finds the route for a request. HEAD takes what GET has. `path` is as it came, without the query;
 * decoding takes memory from `scratch`. 0 (route == NULL: not found; allowed != 0: the path exists
 * with other methods), -400 (broken escape, %00), -ENOMEM. */
CV_MUST_CHECK int cv_router_find(const struct cv_router *router, enum cv_method method,
                                 struct cv_span name, struct cv_span path, struct cv_arena *scratch,
                                 struct cv_match *ret);

/* The value of Allow for these bits: "GET, HEAD, OPTIONS". In `arena`; NULL when out of memory. */
const char *cv_router_allow(const struct cv_router *router, uint32_t allowed,
                            struct cv_arena *arena);

#endif
