#include "serve/refuse.h"

#include <errno.h>

#include "serve/conn.h"
#include "serve/exchange.h"
#include "serve/inside.h"

/* A whole answer of one sentence. */
static void answer(struct cv_exchange *x, int status, const char *text)
{
    const struct cv_answer_field soon = {CV_SPAN("Retry-After"), CV_SPAN("1")};
    struct cv_answer a = {
        .status = status,
        .fields = &soon,
        .n_fields = status == 503,
        .type = CV_SPAN("text/plain; charset=utf-8"),
        .body = cv_span_str(text),
    };
    if (cv_exchange_answer(x, &a) < 0)
        cv_exchange_abort(x);
}

void cv_refuse_unanswered(struct cv_exchange *x)
{
    answer(x, 500, "The application has not answered.\n");
}

void cv_refuse_busy(struct cv_exchange *x, enum cv_refused reason)
{
    cv_refused(x->conn->server, reason, NULL, x);
    x->route.place = CV_METRICS_REFUSED;
    cv_exchange_ref(x); /* the host, which has not heard of it, will not hold it */
    answer(x, cv_refused_status(reason), cv_refused_text(reason));
    cv_exchange_release(x);
}

void cv_refuse_late(struct cv_exchange *x)
{
    struct cv_conn *c = x->conn;
    cv_refused(c->server, CV_REFUSED_RESPONSE_TIMEOUT, NULL, x);
    if (x->begun)
        cv_conn_close(c, CV_GONE_TIMEOUT);
    else
        c->protocol->refuse(x, CV_REFUSED_RESPONSE_TIMEOUT, CV_GONE_TIMEOUT);
}

enum cv_refused cv_refused_body(int error)
{
    switch (error) {
    case -EMSGSIZE: return CV_REFUSED_BODY_TOO_LARGE;
    case -ETIMEDOUT: return CV_REFUSED_BODY_TIMEOUT;
    case -ETIME: return CV_REFUSED_BODY_RATE;
    case -ENOMEM: return CV_REFUSED_NO_MEMORY;
    case -ENOBUFS: return CV_REFUSED_BODIES_MEMORY;
    case -ENOSPC: return CV_REFUSED_BODY_NO_ROOM;
    case -EIO: return CV_REFUSED_BODY_NOT_KEPT;
    case -ECONNRESET: return CV_REFUSED_BODY_ENDED;
    default: return CV_REFUSED_BODY_MALFORMED;
    }
}
