#include "serve/shortage.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "serve/conn.h"
#include "serve/inside.h"

/* Idle connections looked at to get a descriptor. */
#define SHED_TRIES 16

bool cv_shortage_is(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static const char *remedy(int error)
{
    switch (error) {
    case -EMFILE:
        return "; idle connections are closed to take others: raise ulimit -n (LimitNOFILE= "
               "under systemd)";
    case -ENFILE: return "; idle connections are closed to take others: raise sysctl fs.file-max";
    case -ENOBUFS:
    case -ENOMEM: return "; idle connections are closed to take others: the machine needs memory";
    default: return "";
    }
}

void cv_shortage_tell(struct cv_server *server, int error)
{
    bool goes_on = server->now - server->accept.failed_at < CV_SHORTAGE_SPELL;
    server->accept.failed_at = server->now;
    if (!goes_on)
        cv_warn("cannot accept connections (%u open): %s%s", server->open, strerror(-error),
                remedy(error));
}

bool cv_shortage_shed(struct cv_server *server)
{
    const struct cv_link *idle = &server->deadlines.lists[CV_DUE_IDLE];
    unsigned before = server->open;
    for (int i = 0; i < SHED_TRIES && !cv_list_empty(idle) && server->open == before; i++)
        cv_conn_close_idle(CV_CONTAINER_OF(idle->next, struct cv_conn, due));
    if (server->open == before)
        return false;
    cv_metrics_refused(server, CV_REFUSED_SHED);
    return true;
}
