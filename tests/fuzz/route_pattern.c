/* Fuzz target: routes as they are registered, one pattern a line. Whatever is taken can be found,
 * or the check of the routes says who is in front. */
#include "app/routing/router_check.h"
#include "app/routing/url.h"

#include "fuzz/target.h"

#include <errno.h>

#define ROUTES_MAX 16

static bool is_own(const char *segment, size_t len)
{
    return len > 0 && segment[0] == 'o';
}

static void add(struct cv_router *router, struct cv_arena *arena, const char *pattern, size_t n)
{
    char reason[512] = "";
    struct cv_route *route = cv_arena_alloc(arena, sizeof(*route));
    *route = (struct cv_route){.how = {.name = pattern},
                               .methods = n % 2 == 0 ? "GET" : "GET POST",
                               .pattern = pattern,
                               .file = "app.c",
                               .line = (int)n,
                               .is_strict = n % 3 == 0};
    size_t before = router->n_routes;
    int rc = cv_router_add(router, route, reason, sizeof(reason));
    CHECK(rc == 0 || (rc == -EINVAL && reason[0] != '\0'));
    CHECK(router->n_routes == before + (rc == 0));
    CHECK(rc < 0 || (route->method_bits != 0 && route->n_params <= CV_ROUTER_VALUES_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_arena arena;
    struct cv_router router;
    char reason[512] = "";
    size_t n = 0;

    cv_arena_init(&arena);
    CHECK(cv_router_init(&router, &arena) == 0);
    CHECK(cv_param_type_add(&router.types, CV_SPAN("own"), is_own, reason, sizeof(reason)) == 0);
    for (size_t at = 0; at < size && n < ROUTES_MAX; n++) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
        add(&router, &arena, cv_arena_strndup(&arena, cv_span(data + at, len)), n);
        at += len + 1;
    }
    const struct cv_route *route = NULL;
    int rc = cv_router_check(&router, &route, reason, sizeof(reason));
    CHECK(rc == 0 || (rc == -EINVAL && reason[0] != '\0'));
    cv_router_done(&router);
    cv_arena_done(&arena);
    return 0;
}
