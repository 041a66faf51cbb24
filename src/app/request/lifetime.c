/* Requests: made of an exchange and a route, counted, and ended. See request.h. */
#include "app/request/request.h"

#include "base/assert.h"
#include "http/cookie.h"

#include <covey/origin.h>

#include <errno.h>

static struct cv_span raw_path(const struct cv_h1_head *head, const char *bytes)
{
    return cv_h1_span(bytes, head->path_at, head->path_len);
}

/* The values are copied, because they must end in NULs and the head must not change. */
static int keep_params(struct covey_req *req, const struct cv_match *match)
{
    size_t n = match->route->n_params;
    if (n == 0)
        return 0;
    req->params = cv_arena_alloc(req->arena, n * sizeof(*req->params));
    if (req->params == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        req->params[i] = cv_arena_strndup(req->arena, match->values[i]);
        if (req->params[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

/* With the whole search in it: as a call that has ten arguments it would take 30 instructions more.
 */
CV_FLATTEN static int find_route(struct covey_req *req)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    const struct cv_router *router = &req->app->router;
    struct cv_span host = CV_SPAN("");
    struct cv_match match;

    if (cv_router_has_hosts(router))
        host = cv_req_host(req);
    int rc = cv_router_find(router, (enum cv_method)head->method,
                            cv_h1_span(bytes, head->method_at, head->method_len),
                            raw_path(head, bytes), host, req->arena, &match);
    if (rc == -400) {
        req->bad_status = 400;
        return 0;
    }
    if (rc < 0)
        return rc;
    if (rc == CV_ROUTER_GAVE_UP)
        cv_app_gave_up(req->app, match.too_hard, raw_path(head, bytes));
    req->route = match.route;
    req->allowed = match.allowed;
    if (match.decoded)
        req->path = match.path.at;
    return match.route != NULL ? keep_params(req, &match) : 0;
}

static void check_query(struct covey_req *req, const struct cv_h1_head *head, const char *bytes)
{
    const char *query = bytes + head->query_at;
    bool may_be_many = head->query_len / 2 >= req->app->rules.params_max; /* "a&b&c" */
    if (!may_be_many && memchr(query, '%', head->query_len) == NULL)
        return;
    int rc = cv_req_read_query(req);
    if (rc == -400 || rc == -E2BIG) {
        req->bad_status = 400;
        req->bad_code = rc == -E2BIG ? rc : 0;
    }
}

static void check_cookies(struct covey_req *req, const struct cv_h1_head *head, const char *bytes)
{
    for (unsigned i = 0; i < head->n_fields; i++) {
        const struct cv_h1_field *field = &head->fields[i];
        if (field->known == CV_FIELD_COOKIE &&
            !cv_cookie_is_field(cv_h1_span(bytes, field->value_at, field->value_len))) {
            req->bad_status = 400;
            req->bad_code = -EILSEQ;
        }
    }
}

/* Getters cannot refuse what is broken: it is looked at before the handler runs. */
static void check_head(struct covey_req *req)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    if (head->query_len > 0)
        check_query(req, head, cv_exchange_bytes(req->x));
    if (head->has_cookies)
        check_cookies(req, head, cv_exchange_bytes(req->x));
}

struct covey_req *cv_req_new(covey_app *app, struct cv_exchange *x)
{
    struct cv_arena *arena = cv_exchange_arena(x);
    struct covey_req *req = cv_arena_alloc(arena, sizeof(*req));
    if (req == NULL)
        return NULL;
    *req = (struct covey_req){.self = req, .app = app, .x = x, .refs = 1, .arena = arena};
    cv_list_init(&req->canceled);
    if (find_route(req) < 0)
        return NULL;
    check_head(req);
    if (CV_UNLIKELY(app->rules.logs_ids))
        (void)covey_request_id(req); /* without memory its lines have none */
    if (CV_UNLIKELY(app->conns.n > 0))
        cv_req_find_conn(req);
    if (CV_UNLIKELY(app->cors.n > 0))
        cv_req_find_cors(req);
    cv_exchange_set_host(x, req);
    if (req->route != NULL) {
        cv_exchange_set_name(x, req->route->how.name);
        cv_exchange_set_route(x, req->route->number);
    }
    return req;
}

static void run_deferred(struct covey_req *req)
{
    /* A deferred function may defer another. */
    while (req->defers != NULL) {
        struct cv_defer *defer = req->defers;
        req->defers = defer->next;
        defer->fn(defer->arg);
    }
}

void cv_req_unref(struct covey_req *req)
{
    CV_ASSERT(req->refs > 0);
    if (--req->refs > 0)
        return;
    req->refs = 1; /* what is deferred may still use the request */
    run_deferred(req);
    if (req->staged.answer.status != 0)
        cv_stage_drop(req);
    if (req->conn != NULL)
        cv_conn_ctx_unref(req->conn);
    cv_list_remove(&req->canceled);
    cv_exchange_set_host(req->x, NULL);
    if (CV_UNLIKELY(req->app->host.debug) && cv_req_keep(req))
        return;
    cv_exchange_release(req->x); /* the request lies in it */
}

const char *cv_req_name(struct covey_req *req)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    struct cv_span what = raw_path(head, bytes);
    if (req->route != NULL)
        what = cv_span_str(req->route->how.name);
    const char *name = cv_arena_printf(req->arena, "%.*s %.*s", (int)head->method_len,
                                       bytes + head->method_at, (int)what.len, what.at);
    return name != NULL ? name : "a request";
}
