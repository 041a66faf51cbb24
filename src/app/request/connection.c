/* A connection as apps see it: a pointer of theirs that lives as long, and when it comes and goes.
 */
#include "app/request/request.h"

#include <errno.h>

void cv_req_find_conn(struct covey_req *req)
{
    req->conn = cv_conns_find(&req->app->conns, cv_exchange_conn(req->x));
    if (req->conn != NULL)
        req->conn->refs++;
}

/* NULL when out of memory, or if it is gone. */
static struct cv_conn_ctx *keep(struct covey_req *req)
{
    uintptr_t conn = cv_exchange_conn(req->x);
    req->conn = conn != 0 ? cv_conns_add(&req->app->conns, conn) : NULL;
    if (req->conn == NULL)
        return NULL;
    req->conn->refs++;
    cv_exchange_keep_conn(req->x);
    return req->conn;
}

void cv_req_tell_connection(struct covey_req *req)
{
    if (req->conn == NULL && keep(req) != NULL)
        cv_req_tell(req, CV_SIGNAL_BEGIN, NULL);
}

/* ---- Its end ---- */

struct ending {
    covey_app *app;
    struct cv_conn_ctx *kept;
};

static void drop(void *arg)
{
    struct ending *ending = arg;
    cv_conn_ctx_unref(ending->kept);
    free(ending);
}

static void tell_complete(void *arg)
{
    const struct ending *ending = arg;
    cv_signal_tell(ending->app, CV_SIGNAL_COMPLETE,
                   &(struct covey_signal_event){.data = ending->kept->ctx});
    drop(arg);
}

void cv_app_conn_gone(covey_app *app, uintptr_t conn)
{
    struct cv_conn_ctx *kept = cv_conns_take(&app->conns, conn);
    if (kept == NULL)
        return;
    bool is_heard = (app->signals.heard & CV_SIGNAL_BIT(CV_SIGNAL_COMPLETE)) != 0;
    struct ending *ending = is_heard ? malloc(sizeof(*ending)) : NULL;
    if (ending == NULL) {
        cv_conn_ctx_unref(kept);
        return;
    }
    *ending = (struct ending){app, kept};
    const struct cv_task task = {.fn = tell_complete, .drop = drop, .arg = ending};
    if (cv_tasks_add(&app->tasks, &task) < 0)
        drop(ending);
}

/* ---- The app's pointer ---- */

int covey_conn_set_ctx(covey_req *req, void *ctx, void (*release)(void *ctx))
{
    if (!cv_req_here(req))
        return -EPERM;
    if (req->conn == NULL && keep(req) == NULL)
        return cv_exchange_conn(req->x) != 0 ? -ENOMEM : -ECANCELED;
    cv_conn_ctx_set(req->conn, ctx, release);
    return 0;
}

void *covey_conn_ctx(const covey_req *req)
{
    return cv_req_here(req) && req->conn != NULL ? req->conn->ctx : NULL;
}
