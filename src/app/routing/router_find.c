/* Which route answers a request: the search. See router.h. */
#include "app/routing/host.h"
#include "app/routing/router_inside.h"
#include "http/text.h"

#include <errno.h>

/* The methods that a route may have. */
struct wish {
    uint32_t bit;      /* the request's, 0 if no route has it */
    uint32_t fallback; /* GET's for HEAD */
};

struct search {
    struct cv_match *match;
    bool is_split;
    bool gave_up;
    size_t n_segments; /* > CV_PATTERN_SEGMENTS_MAX: only a path parameter can take so many */
    size_t n_values;
    struct wish wish;
    struct cv_span segments[CV_PATTERN_SEGMENTS_MAX];
};

enum slash { AS_WRITTEN, ONE_MORE_OR_LESS };

/* The one of these, which have the same pattern, that has the method; adds those of the others to
 * `allowed`. With a slash more or less at the end than they are written with, only those that do
 * not mind. */
static inline const struct cv_route *pick(const struct cv_entry *here, struct wish wish,
                                          enum slash slash, uint32_t *allowed)
{
    const struct cv_route *second = NULL;
    for (const struct cv_entry *entry = here; entry != NULL; entry = entry->next) {
        if (slash == ONE_MORE_OR_LESS && entry->route->is_strict)
            continue;
        if ((entry->method_bits & wish.bit) != 0)
            return entry->route;
        if ((entry->method_bits & wish.fallback) != 0)
            second = entry->route;
        *allowed |= entry->method_bits;
    }
    return second;
}

static struct cv_span rest_from(const struct search *search, size_t depth)
{
    const char *at = search->segments[depth].at;
    struct cv_span path = search->match->path;
    return cv_span(at, (size_t)(path.at + path.len - at));
}

static const struct cv_route *walk(struct search *search, const struct cv_router_node *node,
                                   size_t depth);

static const struct cv_route *walk_typed(struct search *search, const struct cv_router_node *node,
                                         size_t depth)
{
    size_t n_values = search->n_values;
    for (const struct cv_router_node *child = node->typed; child != NULL; child = child->beside) {
        int fits =
            cv_param_fits(child->type, search->segments[depth], search->match->values + n_values);
        if (CV_UNLIKELY(fits < 0)) {
            search->gave_up = true;
            search->match->too_hard = child->type;
        }
        if (fits <= 0)
            continue;
        search->n_values = n_values + cv_param_values(child->type);
        const struct cv_route *route = walk(search, child, depth + 1);
        if (route != NULL)
            return route;
    }
    search->n_values = n_values;
    return NULL;
}

static const struct cv_route *at_end(struct search *search, const struct cv_router_node *node)
{
    const struct cv_route *route =
        pick(node->here, search->wish, AS_WRITTEN, &search->match->allowed);
    if (route == NULL)
        route = pick(node->slashed, search->wish, ONE_MORE_OR_LESS, &search->match->allowed);
    return route;
}

/* The empty last segment of "/a/" is no node. */
static const struct cv_route *walk_literal(struct search *search, const struct cv_router_node *node,
                                           size_t depth)
{
    struct cv_span text = search->segments[depth];
    if (text.len == 0 && depth + 1 == search->n_segments)
        return pick(node->slashed, search->wish, AS_WRITTEN, &search->match->allowed);
    const struct cv_router_node *child = cv_table_find(&node->literals, text);
    return child != NULL ? walk(search, child, depth + 1) : NULL;
}

/* Recursion is as deep as the longest pattern, and each node has one way to it. */
static const struct cv_route *walk(struct search *search, const struct cv_router_node *node,
                                   size_t depth)
{
    if (depth == search->n_segments)
        return at_end(search, node);
    if (depth == CV_PATTERN_SEGMENTS_MAX)
        return NULL;

    bool is_empty = search->segments[depth].len == 0;
    const struct cv_route *route = walk_literal(search, node, depth);
    if (route == NULL && node->typed != NULL)
        route = walk_typed(search, node, depth);
    if (route == NULL && node->rest != NULL && !is_empty) {
        route = pick(node->rest, search->wish, AS_WRITTEN, &search->match->allowed);
        if (route != NULL)
            search->match->values[search->n_values] = rest_from(search, depth);
    }
    if (route == NULL && is_empty && depth + 1 == search->n_segments)
        route = pick(node->here, search->wish, ONE_MORE_OR_LESS, &search->match->allowed);
    return route;
}

/* Splits `path`, which begins with '/', into the search's segments; decoded ones are laid out
 * behind each other at `to`, slashes between them, if it is not NULL. 0 or -400. */
static int split(struct search *search, struct cv_span path, char *to)
{
    const char *end = path.at + path.len;
    const char *at = path.at;
    char *out = to;

    search->n_segments = 0;
    while (at < end) {
        at++; /* the slash */
        const char *slash = memchr(at, '/', (size_t)(end - at));
        struct cv_span text = {at, (size_t)((slash != NULL ? slash : end) - at)};
        at += text.len;
        if (out != NULL) {
            *out++ = '/';
            int64_t len = cv_percent_decode(text, false, out);
            if (len < 0)
                return -400;
            text = cv_span(out, (size_t)len);
            out += len;
        }
        if (search->n_segments < CV_PATTERN_SEGMENTS_MAX)
            search->segments[search->n_segments] = text;
        if (search->n_segments <= CV_PATTERN_SEGMENTS_MAX)
            search->n_segments++;
        if (slash == NULL)
            break;
    }
    if (out != NULL) {
        *out = '\0';
        search->match->path = cv_span(to, (size_t)(out - to));
    }
    return 0;
}

static int bit_of(const struct cv_router *router, enum cv_method method, struct cv_span name)
{
    if (method != CV_METHOD_OTHER)
        return router->known[method];
    for (uint32_t i = 0; i < router->n_methods; i++) {
        if (cv_span_eq(router->methods[i], name))
            return (int)i;
    }
    return -1;
}

static uint32_t mask(int bit)
{
    return bit < 0 ? 0 : UINT32_C(1) << bit;
}

/* Makes the segments known. 0, -400 or -ENOMEM. */
static int begin(struct search *search, struct cv_span path, struct cv_arena *scratch)
{
    char *to = NULL;
    search->is_split = true;
    search->n_segments = 0;
    if (path.len == 0 || path.at[0] != '/')
        return 0; /* "*" */
    search->match->decoded = memchr(path.at, '%', path.len) != NULL;
    if (search->match->decoded) {
        to = cv_arena_alloc(scratch, path.len + 1);
        if (to == NULL)
            return -ENOMEM;
    }
    return split(search, path, to);
}

static int find_in(const struct cv_router_node *root, struct search *search, struct cv_span path,
                   struct cv_arena *scratch)
{
    int rc = search->is_split ? 0 : begin(search, path, scratch);
    if (rc < 0 || search->n_segments == 0)
        return rc;
    search->n_values = 0;
    search->match->route = walk(search, root, 0);
    return search->gave_up ? CV_ROUTER_GAVE_UP : 0;
}

/* In the tries of "example.com:8080" and of "example.com". */
static int find_by_host(const struct cv_router *router, struct cv_span path, struct cv_span wanted,
                        struct search *search, struct cv_arena *scratch)
{
    char name[CV_HOST_MAX];
    struct cv_span host = {name, cv_host_write(wanted, name)};
    struct cv_span bare = cv_host_name(host);
    int rc = 0;

    const struct cv_router_node *root = cv_table_find(&router->hosts, host);
    if (root != NULL)
        rc = find_in(root, search, path, scratch);
    if (rc < 0 || search->match->route != NULL || bare.len == host.len)
        return rc;
    root = cv_table_find(&router->hosts, bare);
    return root != NULL ? find_in(root, search, path, scratch) : 0;
}

static const struct cv_route *find_exact(const struct cv_router *router, struct cv_span path,
                                         struct wish wish, struct cv_match *match)
{
    struct cv_entry *const *list = cv_table_find(&router->exact, path);
    return list != NULL ? pick(*list, wish, AS_WRITTEN, &match->allowed) : NULL;
}

/* Where one look was not enough. */
static int find_by_segments(const struct cv_router *router, struct wish wish, struct cv_span path,
                            struct cv_span host, struct cv_arena *scratch, struct cv_match *ret)
{
    struct search search;
    search.match = ret;
    search.wish = wish;
    search.is_split = false;
    search.gave_up = false;
    if (cv_router_has_hosts(router)) {
        int rc = find_by_host(router, path, host, &search, scratch);
        if (rc < 0 || ret->route != NULL)
            return rc;
        ret->route = find_exact(router, path, wish, ret);
        if (ret->route != NULL)
            return rc;
    }
    return find_in(router->root, &search, path, scratch);
}

int cv_router_find(const struct cv_router *router, enum cv_method method, struct cv_span name,
                   struct cv_span path, struct cv_span host, struct cv_arena *scratch,
                   struct cv_match *ret)
{
    struct wish wish = {.bit = mask(bit_of(router, method, name))};
    if (method == CV_METHOD_HEAD)
        wish.fallback = mask(router->known[CV_METHOD_GET]);
    ret->allowed = 0;
    ret->path = path;
    ret->decoded = false;
    ret->route = NULL;
    if (!cv_router_has_hosts(router))
        ret->route = find_exact(router, path, wish, ret);
    return ret->route != NULL ? 0 : find_by_segments(router, wish, path, host, scratch, ret);
}

const char *cv_router_allow(const struct cv_router *router, uint32_t allowed,
                            struct cv_arena *arena)
{
    const char *list = "OPTIONS";
    bool has_head =
        router->known[CV_METHOD_HEAD] >= 0 && (allowed & mask(router->known[CV_METHOD_HEAD])) != 0;

    /* From behind, because each step writes in front. */
    for (uint32_t i = router->n_methods; i-- > 0 && list != NULL;) {
        if ((allowed & (UINT32_C(1) << i)) == 0 ||
            cv_span_eq(router->methods[i], CV_SPAN("OPTIONS")))
            continue;
        bool adds_head = (int)i == router->known[CV_METHOD_GET] && !has_head;
        list = cv_arena_printf(arena, "%.*s, %s%s", (int)router->methods[i].len,
                               router->methods[i].at, adds_head ? "HEAD, " : "", list);
    }
    return list;
}
