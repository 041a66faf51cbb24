/* Taking connections, no more than this process can and should serve.
 *
 * Listeners are watched level-triggered and exclusively: of the processes that share one, the
 * kernel wakes one. They are left alone for a while when there are no descriptors (the idlest
 * connections are closed first, to get some), at connections_max (unless those that come are to be
 * turned away), or when the owner says that others should go first.
 */
#ifndef CV_SERVE_ACCEPT_H
#define CV_SERVE_ACCEPT_H

#include "base/macros.h"
#include "loop/loop.h"
#include "serve/pace.h"
#include "serve/tcp.h"

struct cv_server;
struct cv_server_config;

struct cv_listener {
    struct cv_watch watch;
    struct cv_server *server;
    int fd;
};

struct cv_accept {
    struct cv_listener *listeners;
    size_t n_listeners;
    int (*budget)(void *arg, unsigned open);
    void *arg;
    struct cv_tcp tcp;
    struct cv_pace pace;
    struct cv_timer timer; /* end of a pause */
    bool paused;
    bool yielded;      /* the pause was for the sake of others */
    unsigned surplus;  /* connections beyond connections_max, which are turned away */
    int64_t failed_at; /* when accepting last failed */
};

/* 0 or -errno. */
CV_MUST_CHECK int cv_accept_init(struct cv_server *server, const struct cv_server_config *config);
CV_MUST_CHECK int cv_accept_start(struct cv_server *server);

/* Looks whether somebody waits in the queues, if it listens: the kernel may have told another. */
void cv_accept_look(struct cv_server *server);

/* Stops watching and takes what is in the queues, without regard to the budget. */
void cv_accept_rest(struct cv_server *server);

/* Whether there are as many connections as there may be. */
bool cv_accept_is_at_limit(const struct cv_server *server);

/* A connection has closed: an ended pause may end earlier. */
void cv_accept_on_close(struct cv_server *server);

/* Closes the listeners. */
void cv_accept_stop(struct cv_server *server);

void cv_accept_done(struct cv_server *server);

#endif
