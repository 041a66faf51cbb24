#include "serve/refuse.h"

#include <errno.h>

#include "serve/conn.h"
#include "serve/exchange.h"
#include "serve/inside.h"

const char *cv_refuse_head_text(int status)
{
    switch (status) {
    case 400: return "The request is malformed.\n";
    case 408: return "The request did not arrive in time.\n";
    case 414: return "The request target is too long.\n";
    case 417: return "This expectation cannot be met.\n";
    case 431: return "The request's header fields are too large.\n";
    case 501: return "This method or transfer coding is not implemented.\n";
    case 505: return "This HTTP version is not supported.\n";
    default: return "The server is out of memory.\n"; /* 503 */
    }
}

void cv_refuse_unanswered(struct cv_exchange *x)
{
    struct cv_answer a = {
        .status = 500,
        .type = CV_SPAN("text/plain; charset=utf-8"),
        .body = CV_SPAN("The application has not answered.\n"),
    };
    (void)cv_exchange_answer(x, &a); /* if it fails, the caller cuts the connection */
}

void cv_refuse_late(struct cv_exchange *x)
{
    struct cv_conn *c = x->conn;
    cv_metrics_refused(c->server, CV_REFUSED_RESPONSE_TIMEOUT);
    if (x->begun)
        cv_conn_close(c, CV_GONE_TIMEOUT);
    else
        c->protocol->refuse(x, 503, "The application did not answer in time.\n", CV_GONE_TIMEOUT);
}

void cv_refuse_body(struct cv_exchange *x, int error)
{
    int status = 400;
    const char *text = "The request body is malformed.\n";
    enum cv_refused reason = CV_REFUSED_BODY_MALFORMED;
    switch (error) {
    case -EMSGSIZE:
        status = 413;
        reason = CV_REFUSED_BODY_TOO_LARGE;
        text = "The request body is too large.\n";
        break;
    case -ETIMEDOUT:
        status = 408;
        reason = CV_REFUSED_BODY_TIMEOUT;
        text = "The request body did not arrive in time.\n";
        break;
    case -ENOMEM:
        status = 503;
        reason = CV_REFUSED_NO_MEMORY;
        text = "The server is out of memory.\n";
        break;
    case -ENOSPC:
        status = 507;
        reason = CV_REFUSED_NO_MEMORY;
        text = "The server has no room for the request body.\n";
        break;
    case -EIO:
        status = 503;
        reason = CV_REFUSED_NO_MEMORY;
        text = "The server could not keep the request body.\n";
        break;
    case -ECONNRESET: text = "The request body ended early.\n"; break;
    default: break;
    }
    cv_metrics_refused(x->conn->server, reason);
    x->conn->protocol->refuse(x, status, text, CV_GONE_BODY);
}
