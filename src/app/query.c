/* The query's arguments, and how named values are looked up by all getters. */
#include "app/request.h"

#include "base/num.h"

#include <errno.h>

struct cv_req_more *cv_req_more(struct covey_req *req)
{
    if (req->more == NULL) {
        req->more = cv_arena_alloc(req->arena, sizeof(*req->more));
        if (req->more != NULL)
            *req->more = (struct cv_req_more){0};
    }
    return req->more;
}

/* ---- Named values ---- */

struct cv_args *cv_req_args(struct covey_req *req)
{
    struct cv_args *args = cv_arena_alloc(req->arena, sizeof(*args));
    if (args != NULL)
        cv_args_init(args, req->arena, &req->app->rules.key, req->app->rules.params_max);
    return args;
}

const char *cv_args_value(const struct cv_args *args, const char *name)
{
    const struct cv_arg *arg = args != NULL ? cv_args_find(args, name) : NULL;
    return arg != NULL ? arg->value : NULL;
}

/* *at is 0 at first, then the place + 1 of what was returned. */
const char *cv_args_list(const struct cv_args *args, const char *name, size_t *at)
{
    if (args == NULL || *at > args->n)
        return NULL;
    const struct cv_arg *arg =
        *at == 0 ? cv_args_find(args, name) : cv_args_next(args, &args->at[*at - 1]);
    if (arg == NULL)
        return NULL;
    *at = (size_t)(arg - args->at) + 1;
    return arg->value;
}

bool cv_args_each(const struct cv_args *args, size_t *at, const char **ret_name,
                  const char **ret_value)
{
    if (args == NULL || *at >= args->n)
        return false;
    *ret_name = args->at[*at].name;
    *ret_value = args->at[*at].value;
    (*at)++;
    return true;
}

int64_t cv_args_int(const struct cv_args *args, const char *name, int64_t fallback)
{
    const char *text = cv_args_value(args, name);
    int64_t number;
    return text != NULL && cv_num_i64(cv_span_str(text), &number) == 0 ? number : fallback;
}

/* A name without a value is a switch that is on. */
bool cv_args_bool(const struct cv_args *args, const char *name, bool fallback)
{
    const char *text = cv_args_value(args, name);
    if (text == NULL)
        return fallback;
    int truth = text[0] != '\0' ? cv_app_truth(text) : 1;
    return truth >= 0 ? truth == 1 : fallback;
}

/* ---- The query ---- */

int cv_req_read_query(struct covey_req *req)
{
    if (req->query != NULL)
        return 0;
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    struct cv_args *args = cv_req_args(req);
    int rc = args != NULL ? cv_args_read(args, cv_h1_span(cv_exchange_bytes(req->x), head->query_at,
                                                          head->query_len))
                          : -ENOMEM;
    if (rc == 0)
        req->query = args;
    return rc;
}

/* NULL if it cannot be read, or the caller is in a wrong thread. */
static const struct cv_args *query_of(struct covey_req *req, const char *call)
{
    if (!cv_app_here(req->app, call) || cv_req_read_query(req) < 0)
        return NULL;
    return req->query;
}

const char *covey_query(covey_req *req, const char *name)
{
    return cv_args_value(query_of(req, __func__), name);
}

const char *covey_query_list(covey_req *req, const char *name, size_t *at)
{
    return cv_args_list(query_of(req, __func__), name, at);
}

bool covey_query_next(covey_req *req, size_t *at, const char **ret_name, const char **ret_value)
{
    return cv_args_each(query_of(req, __func__), at, ret_name, ret_value);
}

int64_t covey_query_int(covey_req *req, const char *name, int64_t fallback)
{
    return cv_args_int(query_of(req, __func__), name, fallback);
}

bool covey_query_bool(covey_req *req, const char *name, bool fallback)
{
    return cv_args_bool(query_of(req, __func__), name, fallback);
}
