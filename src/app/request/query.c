/* The query's arguments, and how named values are looked up by all getters. */
#include "app/request/request.h"

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

struct cv_args *cv_req_args(struct covey_req *req, uint32_t max)
{
    struct cv_args *args = cv_arena_alloc(req->arena, sizeof(*args));
    if (args != NULL)
        cv_args_init(args, req->arena, &req->app->rules.key, max);
    return args;
}

int64_t cv_query_int(const struct cv_args *args, const char *name, int64_t fallback)
{
    const char *text = cv_args_value(args, name);
    int64_t number;
    return text != NULL && cv_num_i64(cv_span_str(text), &number) == 0 ? number : fallback;
}

/* A name without a value is a switch that is on. */
bool cv_query_bool(const struct cv_args *args, const char *name, bool fallback)
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
    struct cv_args *args = cv_req_args(req, req->app->rules.params_max);
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
    if (!cv_req_may(req, call) || cv_req_read_query(req) < 0)
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
    return cv_query_int(query_of(req, __func__), name, fallback);
}

bool covey_query_bool(covey_req *req, const char *name, bool fallback)
{
    return cv_query_bool(query_of(req, __func__), name, fallback);
}
