/* The end of a server's work: cv_server_drain() and what follows from it. */
#ifndef CV_SERVE_DRAIN_H
#define CV_SERVE_DRAIN_H

#include "base/macros.h"
#include "loop/loop.h"

struct cv_server;

struct cv_draining {
    struct cv_timer timer; /* `until`, then the cut */
    bool forewarned;       /* answers close their connections */
    bool on;
    bool stop;    /* CV_DRAIN_STOP: idle connections close at once */
    bool overdue; /* `until` has passed */
    bool told;    /* CV_EV_DRAINED has been taken */
    int64_t until;
};

/* 0 or -ENOMEM. */
CV_MUST_CHECK int cv_drain_init(struct cv_server *server);
void cv_drain_done(struct cv_server *server);

/* Whether CV_EV_DRAINED is to be told now; take() says so once. */
bool cv_drain_is_due(const struct cv_server *server);
bool cv_drain_take(struct cv_server *server);

#endif
