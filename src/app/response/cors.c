/* What an answer says to pages of other origins. Decided when the request has come, so that whoever
 * answers it, the server too, has the fields at hand. */
#include "app/request/request.h"

#include "http/text.h"

#include <errno.h>

static struct cv_cors_asked asked_of(const struct covey_req *req)
{
    return (struct cv_cors_asked){
        .origin = cv_req_field(req, CV_SPAN("Origin")),
        .method = cv_req_field(req, CV_SPAN("Access-Control-Request-Method")),
        .headers = cv_req_field(req, CV_SPAN("Access-Control-Request-Headers")),
        .is_options = cv_exchange_head(req->x)->method == CV_METHOD_OPTIONS,
    };
}

/* ---- Whose word counts ---- */

static int look(struct covey_req *req, struct cv_span method, struct cv_match *ret)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    struct cv_span path = cv_h1_span(cv_exchange_bytes(req->x), head->path_at, head->path_len);
    int rc = cv_router_find(&req->app->router, cv_method_find(method), method, path,
                            cv_req_host(req), req->arena, ret);
    return rc < 0 ? rc : 0;
}

/* The route that a preflight is about. Where its path has routes for other methods only, one of
 * these: so a page can read that it was 405. NULL: there is none. 0 or -ENOMEM. */
static int find_route(struct covey_req *req, struct cv_span method, const struct cv_route **ret)
{
    struct cv_match match;
    *ret = NULL;
    int rc = look(req, method, &match);
    if (rc == 0 && match.route == NULL && match.allowed != 0)
        rc = look(req, req->app->router.methods[__builtin_ctz(match.allowed)], &match);
    if (rc == 0)
        *ret = match.route;
    return rc == -ENOMEM ? rc : 0;
}

static int find_rule(struct covey_req *req, const struct cv_cors_asked *asked,
                     const struct cv_hook **ret)
{
    const struct cv_route *route = req->route;
    int rc = 0;
    if (cv_cors_is_preflight(asked))
        rc = find_route(req, asked->method, &route);
    else if (route == NULL)
        rc = find_route(req, cv_span_str(covey_method(req)), &route);
    *ret = route != NULL ? route->plan->cors : req->app->plan.cors;
    return rc;
}

static bool is_let_in(const struct covey_req *req, const struct cv_hook *rule,
                      struct cv_span origin)
{
    if (origin.at == NULL)
        return false;
    if (cv_cors_lists(rule->cors->origins, origin))
        return true;
    if (rule->allow == NULL || !cv_cors_is_origin(origin))
        return false;
    const char *text = cv_arena_strndup(req->arena, origin);
    return text != NULL && rule->allow(rule->of, text);
}

/* ---- Its fields ---- */

static int decide(struct covey_req *req, const struct cv_hook *rule,
                  const struct cv_cors_asked *asked)
{
    struct cv_cors_field fields[CV_CORS_FIELDS_MAX];
    struct cv_req_more *more = cv_req_more(req);
    struct cv_req_cors *cors = cv_arena_alloc(req->arena, sizeof(*cors));
    if (more == NULL || cors == NULL)
        return -ENOMEM;
    size_t n = cv_cors_fields(rule->cors, asked, is_let_in(req, rule, asked->origin), fields);
    for (size_t i = 0; i < n; i++)
        cors->room[i] = (struct cv_answer_field){fields[i].name, fields[i].value};
    cors->fields = (struct cv_answer_fields){cors->room, n};
    more->cors = cors;
    cv_exchange_refuse_with(req->x, &cors->fields);
    if (cv_cors_is_preflight(asked) && req->bad_status == 0)
        req->bad_status = 204;
    return 0;
}

void cv_req_find_cors(struct covey_req *req)
{
    const struct cv_cors_asked asked = asked_of(req);
    const struct cv_hook *rule;
    int rc = find_rule(req, &asked, &rule);
    if (rc == 0 && rule != NULL)
        rc = decide(req, rule, &asked);
    if (rc < 0)
        cv_req_refuse_body(req, rc);
}

void cv_req_put_cors(struct covey_req *req)
{
    const struct cv_req_cors *cors = req->more->cors;
    bool is_apps = cv_field_value(req, CV_SPAN("Access-Control-Allow-Origin")).at != NULL;
    int rc = 0;
    for (size_t i = 0; cors != NULL && i < cors->fields.n && rc == 0; i++) {
        const struct cv_answer_field *field = &cors->room[i];
        if (cv_span_eq(field->name, CV_SPAN("Vary")))
            rc = cv_field_vary(req, field->value);
        else if (!is_apps)
            rc = cv_field_put(req, field->name, field->value);
    }
}
