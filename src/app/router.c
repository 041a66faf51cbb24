/* Which route answers a path. See router.h. */
#include "app/router.h"

#include "app/pattern.h"
#include "base/assert.h"
#include "http/text.h"

#include <errno.h>
#include <stdio.h>

/* Everything that follows one prefix of segments. */
struct cv_router_node {
    struct cv_span text;              /* the literal that leads here */
    struct cv_router_node **literals; /* sorted by length, then bytes */
    size_t n_literals;
    size_t cap_literals;
    struct cv_router_node
        *typed[CV_PARAM_PATH]; /* by int, uuid, str, in this order of precedence */
    struct cv_route *here;     /* routes whose pattern ends here */
    struct cv_route *rest;     /* routes whose path parameter begins here */
};

static struct cv_router_node *node_new(struct cv_router *router, struct cv_span text)
{
    struct cv_router_node *node = cv_arena_alloc(router->arena, sizeof(*node));
    if (node != NULL)
        *node = (struct cv_router_node){.text = text};
    return node;
}

int cv_router_init(struct cv_router *router, struct cv_arena *arena)
{
    *router = (struct cv_router){.arena = arena};
    memset(router->known, -1, sizeof(router->known));
    router->root = node_new(router, CV_SPAN(""));
    return router->root != NULL ? 0 : -ENOMEM;
}

/* ---- Building ---- */

static int compare(struct cv_span a, struct cv_span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.at, b.at, a.len);
}

/* The place of a literal among the children; *ret_found tells whether it is there already. */
static size_t literal_place(const struct cv_router_node *node, struct cv_span text, bool *ret_found)
{
    size_t low = 0, high = node->n_literals;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(text, node->literals[middle]->text);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_found = false;
    return low;
}

static int literals_grow(struct cv_router *router, struct cv_router_node *node)
{
    if (node->n_literals < node->cap_literals)
        return 0;
    size_t cap = node->cap_literals == 0 ? 4 : node->cap_literals * 2;
    struct cv_router_node **more =
        cv_arena_alloc(router->arena, cap * sizeof(struct cv_router_node *));
    if (more == NULL)
        return -ENOMEM;
    if (node->n_literals > 0)
        memcpy(more, node->literals, node->n_literals * sizeof(struct cv_router_node *));
    node->literals = more;
    node->cap_literals = cap;
    return 0;
}

/* The child for a literal segment, made if it is missing. NULL when out of memory. */
static struct cv_router_node *literal_child(struct cv_router *router, struct cv_router_node *node,
                                            struct cv_span text)
{
    bool found;
    size_t place = literal_place(node, text, &found);
    if (found)
        return node->literals[place];

    struct cv_router_node *child = node_new(router, text);
    if (child == NULL || literals_grow(router, node) < 0)
        return NULL;
    memmove(node->literals + place + 1, node->literals + place,
            (node->n_literals - place) * sizeof(struct cv_router_node *));
    node->literals[place] = child;
    node->n_literals++;
    return child;
}

static struct cv_router_node *typed_child(struct cv_router *router, struct cv_router_node *node,
                                          enum cv_param_kind kind)
{
    if (node->typed[kind] == NULL)
        node->typed[kind] = node_new(router, CV_SPAN(""));
    return node->typed[kind];
}

/* The bit of a method, given out at its first use. -1: too many different ones. */
static int method_bit(struct cv_router *router, struct cv_span name)
{
    for (uint32_t i = 0; i < router->n_methods; i++) {
        if (cv_span_eq(router->methods[i], name))
            return (int)i;
    }
    if (router->n_methods == CV_ROUTER_METHODS_MAX)
        return -1;

    int bit = (int)router->n_methods++;
    enum cv_method method = cv_method_find(name);
    router->methods[bit] = name;
    if (method != CV_METHOD_OTHER)
        router->known[method] = (int8_t)bit;
    return bit;
}

/* "GET, POST" or "GET POST" as bits. */
static int parse_methods(struct cv_router *router, const char *methods, uint32_t *ret, char *reason,
                         size_t cap)
{
    static const char gap[] = " ,";
    uint32_t bits = 0;

    for (const char *at = methods + strspn(methods, gap); *at != '\0'; at += strspn(at, gap)) {
        struct cv_span name = {at, strcspn(at, gap)};
        if (!cv_is_token(name)) {
            (void)snprintf(reason, cap, "\"%.*s\" is no method", (int)name.len, name.at);
            return -EINVAL;
        }
        int bit = method_bit(router, name);
        if (bit < 0) {
            (void)snprintf(reason, cap, "an app may have at most %d different methods",
                           CV_ROUTER_METHODS_MAX);
            return -EINVAL;
        }
        bits |= UINT32_C(1) << bit;
        at += name.len;
    }
    if (bits == 0) {
        (void)snprintf(reason, cap, "a route needs a method");
        return -EINVAL;
    }
    *ret = bits;
    return 0;
}

/* Walks down `pattern`, making what is missing. *ret is the list its route belongs to. */
static int place_of(struct cv_router *router, const struct cv_pattern *pattern,
                    struct cv_route ***ret)
{
    struct cv_router_node *node = router->root;
    for (size_t i = 0; i < pattern->n; i++) {
        const struct cv_segment *segment = &pattern->segments[i];
        if (segment->is_param && segment->kind == CV_PARAM_PATH) {
            *ret = &node->rest;
            return 0;
        }
        node = segment->is_param ? typed_child(router, node, segment->kind)
                                 : literal_child(router, node, segment->text);
        if (node == NULL)
            return -ENOMEM;
    }
    *ret = &node->here;
    return 0;
}

/* If no segment of it has to be looked at by itself. */
static int note_exact(struct cv_router *router, const struct cv_route *route,
                      struct cv_route *const *list)
{
    if (route->n_params > 0 || strchr(route->pattern, '%') != NULL)
        return 0;
    return cv_exact_add(&router->exact, router->arena, cv_span_str(route->pattern), list);
}

static int name_params(struct cv_router *router, struct cv_route *route,
                       const struct cv_pattern *pattern)
{
    route->n_params = 0;
    route->params = cv_arena_alloc(router->arena, pattern->n * sizeof(*route->params));
    if (route->params == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < pattern->n; i++) {
        const struct cv_segment *segment = &pattern->segments[i];
        if (!segment->is_param)
            continue;
        char *name = cv_arena_strndup(router->arena, segment->text);
        if (name == NULL)
            return -ENOMEM;
        route->params[route->n_params++] = (struct cv_param){name, segment->kind};
    }
    return 0;
}

static int refuse_conflict(const struct cv_route *others, const struct cv_route *route,
                           char *reason, size_t cap)
{
    for (const struct cv_route *other = others; other != NULL; other = other->next_here) {
        if ((other->method_bits & route->method_bits) != 0) {
            (void)snprintf(reason, cap, "it conflicts with %s %s, registered at %s:%d",
                           other->methods, other->pattern, other->file, other->line);
            return -EINVAL;
        }
    }
    return 0;
}

int cv_router_add(struct cv_router *router, struct cv_route *route, char *reason, size_t cap)
{
    struct cv_pattern pattern;
    struct cv_route **list = NULL;

    int rc = cv_pattern_parse(route->pattern, &pattern, reason, cap);
    if (rc == 0)
        rc = parse_methods(router, route->methods, &route->method_bits, reason, cap);
    if (rc < 0)
        return rc;

    rc = name_params(router, route, &pattern);
    if (rc == 0)
        rc = place_of(router, &pattern, &list);
    if (rc == 0)
        rc = note_exact(router, route, list);
    if (rc < 0) {
        (void)snprintf(reason, cap, "out of memory");
        return rc;
    }

    rc = refuse_conflict(*list, route, reason, cap);
    if (rc < 0)
        return rc;
    route->next_here = *list;
    *list = route;
    if (router->last != NULL)
        router->last->next = route;
    else
        router->first = route;
    router->last = route;
    route->number = (uint32_t)router->n_routes++;
    return 0;
}

/* ---- Finding ---- */

/* The methods that a route may have. */
struct wish {
    uint32_t bit;      /* the request's, 0 if no route has it */
    uint32_t fallback; /* GET's for HEAD */
};

struct search {
    struct cv_match *match;
    size_t n_segments; /* > CV_ROUTER_SEGMENTS_MAX: only a path parameter can take so many */
    size_t n_values;
    struct wish wish;
    struct cv_span segments[CV_ROUTER_SEGMENTS_MAX];
};

/* The one of these routes, which have the same pattern, that has the method; adds those of the
 * others to `allowed`. */
static const struct cv_route *pick(const struct cv_route *routes, struct wish wish,
                                   uint32_t *allowed)
{
    const struct cv_route *second = NULL;
    for (const struct cv_route *route = routes; route != NULL; route = route->next_here) {
        if ((route->method_bits & wish.bit) != 0)
            return route;
        if ((route->method_bits & wish.fallback) != 0)
            second = route;
        *allowed |= route->method_bits;
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
    for (int kind = CV_PARAM_INT; kind < CV_PARAM_PATH; kind++) {
        const struct cv_router_node *child = node->typed[kind];
        if (child == NULL || !cv_pattern_fits((enum cv_param_kind)kind, search->segments[depth]))
            continue;
        search->match->values[search->n_values++] = search->segments[depth];
        const struct cv_route *route = walk(search, child, depth + 1);
        if (route != NULL)
            return route;
        search->n_values--;
    }
    return NULL;
}

/* Recursion is as deep as the longest pattern, and each node has one way to it. */
static const struct cv_route *walk(struct search *search, const struct cv_router_node *node,
                                   size_t depth)
{
    if (depth == search->n_segments)
        return pick(node->here, search->wish, &search->match->allowed);
    if (depth == CV_ROUTER_SEGMENTS_MAX)
        return NULL;

    bool found;
    size_t place = literal_place(node, search->segments[depth], &found);
    const struct cv_route *route = NULL;
    if (found)
        route = walk(search, node->literals[place], depth + 1);
    if (route == NULL)
        route = walk_typed(search, node, depth);
    if (route == NULL && node->rest != NULL && search->segments[depth].len > 0) {
        route = pick(node->rest, search->wish, &search->match->allowed);
        if (route != NULL)
            search->match->values[search->n_values] = rest_from(search, depth);
    }
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
        if (search->n_segments < CV_ROUTER_SEGMENTS_MAX)
            search->segments[search->n_segments] = text;
        if (search->n_segments <= CV_ROUTER_SEGMENTS_MAX)
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

static int find_by_segments(const struct cv_router *router, struct wish wish, struct cv_span path,
                            struct cv_arena *scratch, struct cv_match *ret)
{
    char *to = NULL;
    ret->allowed = 0;
    if (path.len == 0 || path.at[0] != '/')
        return 0; /* "*" */
    ret->decoded = memchr(path.at, '%', path.len) != NULL;
    if (ret->decoded) {
        to = cv_arena_alloc(scratch, path.len + 1);
        if (to == NULL)
            return -ENOMEM;
    }
    struct search search;
    search.match = ret;
    search.n_values = 0;
    search.wish = wish;
    int rc = split(&search, path, to);
    if (rc == 0)
        ret->route = walk(&search, router->root, 0);
    return rc;
}

int cv_router_find(const struct cv_router *router, enum cv_method method, struct cv_span name,
                   struct cv_span path, struct cv_arena *scratch, struct cv_match *ret)
{
    struct wish wish = {.bit = mask(bit_of(router, method, name))};
    if (method == CV_METHOD_HEAD)
        wish.fallback = mask(router->known[CV_METHOD_GET]);
    ret->allowed = 0;
    ret->path = path;
    ret->decoded = false;
    ret->route = pick(cv_exact_find(&router->exact, path), wish, &ret->allowed);
    return ret->route != NULL ? 0 : find_by_segments(router, wish, path, scratch, ret);
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
