/* Which route answers a request: building the trie. See router.h; finding: router_find.c. */
#include "app/routing/host.h"
#include "app/routing/router_inside.h"
#include "http/text.h"

#include <errno.h>
#include <stdio.h>

static struct cv_router_node *node_new(struct cv_router *router)
{
    struct cv_router_node *node = cv_arena_alloc(router->arena, sizeof(*node));
    if (node != NULL)
        *node = (struct cv_router_node){0};
    return node;
}

int cv_router_init(struct cv_router *router, struct cv_arena *arena)
{
    *router = (struct cv_router){.arena = arena, .types.arena = arena};
    memset(router->known, -1, sizeof(router->known));
    router->root = node_new(router);
    return router->root != NULL ? 0 : -ENOMEM;
}

void cv_router_done(struct cv_router *router)
{
    cv_param_types_done(&router->types);
}

static int no_memory(char *reason, size_t cap)
{
    (void)snprintf(reason, cap, "out of memory");
    return -ENOMEM;
}

/* ---- Nodes ---- */

/* The child for a literal segment, made if it is missing. NULL when out of memory. */
static struct cv_router_node *literal_child(struct cv_router *router, struct cv_router_node *node,
                                            struct cv_span text)
{
    struct cv_router_node *child = cv_table_find(&node->literals, text);
    if (child != NULL)
        return child;
    child = node_new(router);
    if (child == NULL || cv_table_put(&node->literals, router->arena, text, child) < 0)
        return NULL;
    return child;
}

/* The same for a parameter; the new one goes behind those that are to be asked before. */
static struct cv_router_node *typed_child(struct cv_router *router, struct cv_router_node *node,
                                          const struct cv_param_type *type)
{
    struct cv_router_node **place = NULL;
    struct cv_router_node **at = &node->typed;
    for (; *at != NULL; at = &(*at)->beside) {
        if ((*at)->type == type)
            return *at;
        if (place == NULL && cv_param_precedes(type, (*at)->type))
            place = at;
    }
    if (place == NULL)
        place = at;

    struct cv_router_node *child = node_new(router);
    if (child == NULL)
        return NULL;
    child->type = type;
    child->beside = *place;
    *place = child;
    return child;
}

/* Walks down `pattern`, making what is missing; the list its route belongs to, NULL when out of
 * memory. */
static struct cv_entry **place_of(struct cv_router *router, struct cv_router_node *node,
                                  const struct cv_pattern *pattern)
{
    for (size_t i = 0; i < pattern->n; i++) {
        const struct cv_segment *segment = &pattern->segments[i];
        if (segment->type != NULL && segment->type->kind == CV_PARAM_PATH)
            return &node->rest;
        if (segment->type == NULL && segment->text.len == 0 && i + 1 == pattern->n)
            return &node->slashed;
        node = segment->type != NULL ? typed_child(router, node, segment->type)
                                     : literal_child(router, node, segment->text);
        if (node == NULL)
            return NULL;
    }
    return &node->here;
}

/* ---- Methods ---- */

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

/* "get", "Post": methods of their own by RFC 9110, which nobody means. */
static bool is_in_small_letters(struct cv_span name)
{
    static const struct cv_span common[] = {{"GET", 3},   {"HEAD", 4},   {"POST", 4},   {"PUT", 3},
                                            {"PATCH", 5}, {"DELETE", 6}, {"OPTIONS", 7}};
    for (size_t i = 0; i < CV_COUNT(common); i++) {
        if (cv_span_ieq(name, common[i]))
            return !cv_span_eq(name, common[i]);
    }
    return false;
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
        if (is_in_small_letters(name)) {
            (void)snprintf(reason, cap, "\"%.*s\": methods are written in capitals", (int)name.len,
                           name.at);
            return -EINVAL;
        }
        if (cv_method_find(name) == CV_METHOD_CONNECT) {
            (void)snprintf(reason, cap, "CONNECT never reaches a route: the server answers 501");
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

/* ---- Conflicts ---- */

static int refuse_conflict(const struct cv_route *other, char *reason, size_t cap)
{
    (void)snprintf(reason, cap,
                   "it conflicts with %s %s, registered at %s:%d (.overwrite = true replaces it)",
                   other->methods, other->pattern, other->file, other->line);
    return -EINVAL;
}

/* Takes the methods of the new route away from those that are here already, if that is asked for.
 */
static int make_room(struct cv_entry *here, const struct cv_route *route, char *reason, size_t cap)
{
    for (struct cv_entry *other = here; other != NULL; other = other->next) {
        if ((other->method_bits & route->method_bits) == 0)
            continue;
        if (!route->how.overwrite)
            return refuse_conflict(other->route, reason, cap);
        other->method_bits &= ~route->method_bits;
        other->route->n_places -= other->method_bits == 0;
    }
    return 0;
}

/* A name stands for one pattern, so that an URL can be built from it. */
static int note_name(struct cv_router *router, struct cv_route *route, char *reason, size_t cap)
{
    struct cv_span name = cv_span_str(route->how.name);
    struct cv_route *other = cv_table_find(&router->names, name);
    bool is_taken = other != NULL && other->n_places > 0;
    if (is_taken && strcmp(other->pattern, route->pattern) != 0) {
        (void)snprintf(reason, cap, "its name \"%s\" is that of %s %s, registered at %s:%d",
                       route->how.name, other->methods, other->pattern, other->file, other->line);
        return -EINVAL;
    }
    if (is_taken)
        return 0;
    return cv_table_put(&router->names, router->arena, name, route) < 0 ? no_memory(reason, cap)
                                                                        : 0;
}

/* ---- Adding ---- */

static int name_params(struct cv_router *router, struct cv_route *route,
                       const struct cv_pattern *pattern)
{
    struct cv_param params[CV_ROUTER_VALUES_MAX];
    uint32_t n = 0;
    for (size_t i = 0; i < pattern->n; i++) {
        const struct cv_segment *segment = &pattern->segments[i];
        if (segment->type == NULL)
            continue;
        char *name = cv_arena_strndup(router->arena, segment->text);
        if (name == NULL)
            return -ENOMEM;
        params[n++] = (struct cv_param){name, segment->type};
        if (cv_param_values(segment->type) > 1)
            params[n++] = (struct cv_param){CV_PARAM_EXT_NAME, segment->type};
    }
    route->n_params = n;
    if (n == 0)
        return 0;
    route->params = cv_arena_alloc(router->arena, n * sizeof(*params));
    if (route->params == NULL)
        return -ENOMEM;
    memcpy(route->params, params, n * sizeof(*params));
    return 0;
}

/* If no segment of it has to be looked at by itself. */
static int note_exact(struct cv_router *router, const struct cv_route *route,
                      struct cv_entry **list)
{
    if (route->how.host != NULL || route->n_params > 0 || strchr(route->pattern, '%') != NULL)
        return 0;
    return cv_table_put(&router->exact, router->arena, cv_span_str(route->pattern), list);
}

static int add_below(struct cv_router *router, struct cv_router_node *root, struct cv_route *route,
                     const struct cv_pattern *pattern, char *reason, size_t cap)
{
    struct cv_entry **list = place_of(router, root, pattern);
    struct cv_entry *entry =
        route->n_places == 0 ? &route->entry : cv_arena_alloc(router->arena, sizeof(*entry));
    if (list == NULL || entry == NULL || note_exact(router, route, list) < 0)
        return no_memory(reason, cap);
    int rc = make_room(*list, route, reason, cap);
    if (rc < 0)
        return rc;
    *entry = (struct cv_entry){*list, route, route->method_bits};
    *list = entry;
    route->n_places++;
    return 0;
}

/* The root of a host's routes, made if it is missing. NULL when out of memory. */
static struct cv_router_node *host_root(struct cv_router *router, struct cv_span host)
{
    struct cv_router_node *root = cv_table_find(&router->hosts, host);
    if (root != NULL)
        return root;
    root = node_new(router);
    const char *name = cv_arena_strndup(router->arena, host);
    if (root == NULL || name == NULL ||
        cv_table_put(&router->hosts, router->arena, cv_span(name, host.len), root) < 0)
        return NULL;
    return root;
}

static int add_to_hosts(struct cv_router *router, struct cv_route *route,
                        const struct cv_pattern *pattern, char *reason, size_t cap)
{
    const char *at = route->how.host;
    for (struct cv_span host; (host = cv_host_next(&at)).len > 0;) {
        char name[CV_HOST_MAX];
        size_t len = cv_host_write(host, name);
        if (len == 0) {
            (void)snprintf(reason, cap, "\"%.*s\" is no host: a name, or name:port", (int)host.len,
                           host.at);
            return -EINVAL;
        }
        struct cv_router_node *root = host_root(router, cv_span(name, len));
        if (root == NULL)
            return no_memory(reason, cap);
        int rc = add_below(router, root, route, pattern, reason, cap);
        if (rc < 0)
            return rc;
    }
    if (route->n_places == 0) {
        (void)snprintf(reason, cap, ".host names none");
        return -EINVAL;
    }
    return 0;
}

int cv_router_add(struct cv_router *router, struct cv_route *route, char *reason, size_t cap)
{
    struct cv_pattern pattern;

    int rc = cv_pattern_parse(&router->types, route->pattern, &pattern, reason, cap);
    if (rc == 0)
        rc = parse_methods(router, route->methods, &route->method_bits, reason, cap);
    if (rc < 0)
        return rc;
    if (name_params(router, route, &pattern) < 0)
        return no_memory(reason, cap);
    route->number = (uint32_t)router->n_routes;
    if (route->how.host != NULL)
        rc = add_to_hosts(router, route, &pattern, reason, cap);
    else
        rc = add_below(router, router->root, route, &pattern, reason, cap);
    if (rc == 0)
        rc = note_name(router, route, reason, cap);
    if (rc < 0)
        return rc;
    if (router->last != NULL)
        router->last->next = route;
    else
        router->first = route;
    router->last = route;
    router->n_routes++;
    return 0;
}
