/* Fuzz target: a path, behind a byte that chooses the host, against a table with every type. What
 * is found fits, lies in the path, and its URL leads to the same values where it can be built. */
#include "app/routing/url.h"
#include "http/text.h"

#include "fuzz/target.h"

static bool is_own(const char *segment, size_t len)
{
    return len > 0 && segment[0] == 'o';
}

static const struct covey_route table[] = {
    {.name = "/"},
    {.name = "/lit/a b"},
    {.name = "/lit/a b/c/"},
    {.name = "/t/<x:int>"},
    {.name = "/t/<x:float>"},
    {.name = "/t/<x:alpha>"},
    {.name = "/t/<x:slug>"},
    {.name = "/t/<x:ymd>"},
    {.name = "/t/<x:uuid>"},
    {.name = "/t/<x:ext>"},
    {.name = "/t/<x=int:ext=jpg|png>"},
    {.name = "/t/<x:own>"},
    {.name = "/t/<x:[a-f]{2,}x>"},
    {.name = "/t/<x:str>"},
    {.name = "/t/<x:strorempty>/<y:strorempty>"},
    {.name = "/<a>/<b:int>/<c:(?:z+)+y>"},
    {.name = "/t/<x:path>"},
    {.name = "/<x:path>", .host = "a.example"},
    {.name = "/t/<x:int>/", .host = "a.example:81"},
};

static struct cv_arena arena;
static struct cv_router router;

static void build(void)
{
    char reason[512];
    cv_arena_init(&arena);
    CHECK(cv_router_init(&router, &arena) == 0);
    CHECK(cv_param_type_add(&router.types, CV_SPAN("own"), is_own, reason, sizeof(reason)) == 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct cv_route *route = cv_arena_alloc(&arena, sizeof(*route));
        *route = (struct cv_route){.how = table[i],
                                   .methods = i % 4 == 3 ? "GET, POST" : "GET",
                                   .pattern = table[i].name,
                                   .file = "app.c",
                                   .is_strict = i % 2 == 0};
        if (table[i].host != NULL) /* a name stands for one pattern */
            route->how.name = cv_arena_printf(&arena, "%s at %s", table[i].name, table[i].host);
        CHECK(cv_router_add(&router, route, reason, sizeof(reason)) == 0);
    }
}

/* A value as covey_param() gives it. */
static const char *string(struct cv_arena *scratch, struct cv_span value)
{
    return cv_arena_strndup(scratch, value);
}

static bool has_slash(struct cv_span path)
{
    return path.len > 0 && path.at[path.len - 1] == '/';
}

/* Then a value has more slashes than the path, and may be another's. */
static bool has_escaped_slash(struct cv_span path)
{
    return memmem(path.at, path.len, "%2f", 3) != NULL ||
           memmem(path.at, path.len, "%2F", 3) != NULL;
}

static void check_url(const struct cv_match *match, struct cv_span path, struct cv_span host,
                      struct cv_arena *scratch)
{
    const char *args[2 * CV_ROUTER_VALUES_MAX + 1];
    struct cv_match again;
    struct cv_buf url;
    char reason[512];
    size_t n = 0;
    for (uint32_t i = 0; i < match->route->n_params; i++) {
        args[n++] = match->route->params[i].name;
        args[n++] = string(scratch, match->values[i]);
    }
    args[n] = NULL;
    cv_buf_init(&url, 1 << 20);
    if (cv_url_path(&router, match->route, &(struct covey_url){.args = args}, &url, reason,
                    sizeof(reason)) == 0 &&
        has_slash(cv_buf_span(&url)) == has_slash(path)) { /* else another may be written so */
        int rc = cv_router_find(&router, CV_METHOD_GET, CV_SPAN("GET"), cv_buf_span(&url), host,
                                scratch, &again);
        CHECK(rc >= 0 && again.route == match->route);
        for (uint32_t i = 0; i < match->route->n_params; i++)
            CHECK(cv_span_eq(again.values[i], match->values[i]));
    }
    cv_buf_done(&url);
}

static void check_match(const struct cv_match *match, struct cv_span path)
{
    const char *from = match->decoded ? match->path.at : path.at;
    size_t len = match->decoded ? match->path.len : path.len;
    for (uint32_t i = 0; i < match->route->n_params; i++) {
        struct cv_span value = match->values[i];
        CHECK(value.at >= from && value.at + value.len <= from + len);
        CHECK(memchr(value.at, '\0', value.len) == NULL);
    }
}

/* No other byte comes through the parser. */
static bool is_target(struct cv_span path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] <= ' ' || path.at[i] == 0x7f)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hosts[] = {"", "a.example", "a.example:81", "b.example"};
    if (router.root == NULL)
        build();
    if (size == 0)
        return 0;
    struct cv_span host = cv_span_str(hosts[data[0] % 4]);
    struct cv_span path = {(const char *)data + 1, size - 1};
    struct cv_arena scratch;
    struct cv_match match;
    if (!is_target(path))
        return 0;
    cv_arena_init(&scratch);
    int rc = cv_router_find(&router, CV_METHOD_GET, CV_SPAN("GET"), path, host, &scratch, &match);
    CHECK(rc == 0 || rc == CV_ROUTER_GAVE_UP || rc == -400);
    if (rc >= 0 && match.route != NULL) {
        check_match(&match, path);
        if (!has_escaped_slash(path))
            check_url(&match, path, host, &scratch);
    }
    cv_arena_done(&scratch);
    return 0;
}
