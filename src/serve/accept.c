#include "serve/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "serve/conn.h"
#include "serve/inside.h"
#include "serve/refuse.h"
#include "serve/shortage.h"

#define YIELD_PAUSE (10 * CV_MS)
#define SHORTAGE_PAUSE (100 * CV_MS)

/* Connections that are being told that there are too many; more wait. */
#define SURPLUS_MAX 64

/* Bound of the last look into a queue: what the kernel lets a backlog be, by far. */
#define REST_MAX 65536

/* ---- Pauses ---- */

static void unwatch_all(struct cv_server *server)
{
    for (size_t i = 0; i < server->accept.n_listeners; i++)
        cv_loop_del(server->loop, &server->accept.listeners[i].watch);
}

static int watch_all(struct cv_server *server)
{
    for (size_t i = 0; i < server->accept.n_listeners; i++) {
        struct cv_listener *listener = &server->accept.listeners[i];
        int rc = cv_loop_add(server->loop, &listener->watch, listener->fd, CV_READ | CV_EXCLUSIVE);
        if (rc < 0) {
            unwatch_all(server);
            return rc;
        }
    }
    return 0;
}

/* Leaves the listeners alone for `length`, or until a connection closes. */
static void pause_for(struct cv_server *server, int64_t length)
{
    unwatch_all(server);
    server->accept.paused = true;
    cv_timer_move(server->loop, &server->accept.timer,
                  length == CV_NEVER ? CV_NEVER : cv_loop_now(server->loop) + length);
}

static void resume(struct cv_server *server)
{
    server->accept.paused = false;
    cv_timer_move(server->loop, &server->accept.timer, CV_NEVER);
    if (watch_all(server) < 0)
        pause_for(server, SHORTAGE_PAUSE);
}

static void pause_ends(struct cv_timer *timer)
{
    struct cv_server *server = CV_CONTAINER_OF(timer, struct cv_server, accept.timer);
    cv_timer_move(server->loop, &server->accept.timer, CV_NEVER);
    if (server->accept.paused)
        resume(server);
}

/* Of those that are turned away there may be a few beyond the limit. */
static bool is_full(const struct cv_server *server)
{
    return cv_accept_is_at_limit(server) &&
           (!server->limits.turn_away || server->accept.surplus >= SURPLUS_MAX);
}

bool cv_accept_is_at_limit(const struct cv_server *server)
{
    uint32_t max = server->limits.connections_max;
    return max > 0 && server->open - server->accept.surplus >= max;
}

void cv_accept_on_close(struct cv_server *server)
{
    if (server->accept.paused && !is_full(server))
        resume(server);
}

/* ---- Taking ---- */

/* One connection. 0 (also if it was lost between two calls), -EAGAIN: none, or a shortage. */
static int take_one(struct cv_server *server, int listener)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(address);
    int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        server->accept.yielded = false;
        struct cv_peer peer = cv_peer_of(&address);
        return cv_conn_open(server, fd, &peer);
    }
    int error = -errno;
    bool hopeless = error == -EBADF || error == -EINVAL || error == -ENOTSOCK;
    return error == -EAGAIN || hopeless || cv_shortage_is(error) ? error : 0;
}

/* The same, with the descriptor of an idle connection if there is no other. */
static int take_or_shed(struct cv_server *server, int listener)
{
    int rc = take_one(server, listener);
    if (rc < 0 && rc != -EAGAIN)
        cv_shortage_tell(server, rc);
    return cv_shortage_is(rc) && cv_shortage_shed(server) ? take_one(server, listener) : rc;
}

/* How many to take now; 0 after a pause has been begun. */
static int budget(struct cv_server *server)
{
    struct cv_accept *accept = &server->accept;
    if (is_full(server)) {
        cv_refused(server, CV_REFUSED_CONNECTIONS_MAX, NULL, NULL);
        pause_for(server, CV_NEVER);
        return 0;
    }
    int n = accept->budget != NULL ? accept->budget(accept->arg, server->open) : CV_PACE_MAX;
    /* Nobody is turned away whom another would take. */
    if (n > 1 || (n > 0 && !cv_accept_is_at_limit(server)))
        return n;
    /* The kernel may have woken nobody else: whoever still waits after the pause is taken. */
    if (accept->yielded)
        return 1;
    accept->yielded = true;
    pause_for(server, YIELD_PAUSE);
    return 0;
}

static void ready(struct cv_watch *watch, unsigned events)
{
    (void)events;
    struct cv_listener *listener = CV_CONTAINER_OF(watch, struct cv_listener, watch);
    struct cv_server *server = listener->server;
    struct cv_pace *pace = &server->accept.pace;
    cv_server_clock(server, cv_loop_now(server->loop));
    unsigned n = (unsigned)budget(server);
    unsigned taken = 0;
    int rc = 0;
    while (taken < n && taken < pace->n && !is_full(server)) {
        rc = take_or_shed(server, listener->fd);
        if (rc < 0)
            break;
        taken++;
    }
    if (taken == pace->n || rc == -EAGAIN)
        cv_pace_learn(pace, taken, rc == -EAGAIN);
    if (rc < 0 && rc != -EAGAIN) {
        cv_metrics_refused(server, CV_REFUSED_NO_DESCRIPTORS);
        pause_for(server, SHORTAGE_PAUSE);
    }
}

/* What is watched anew is told of what waits already. */
void cv_accept_look(struct cv_server *server)
{
    const struct cv_accept *accept = &server->accept;
    if (accept->n_listeners == 0 || accept->listeners[0].watch.fd < 0)
        return;
    unwatch_all(server);
    if (watch_all(server) < 0)
        pause_for(server, SHORTAGE_PAUSE);
}

void cv_accept_rest(struct cv_server *server)
{
    unwatch_all(server); /* whatever comes from now on wakes others */
    for (size_t i = 0; i < server->accept.n_listeners; i++) {
        int rc = 0;
        for (int n = 0; n < REST_MAX && rc == 0; n++)
            rc = take_or_shed(server, server->accept.listeners[i].fd);
    }
}

/* ---- Life ---- */

int cv_accept_init(struct cv_server *server, const struct cv_server_config *config)
{
    struct cv_accept *accept = &server->accept;
    accept->budget = config->accept_budget;
    accept->arg = config->arg;
    accept->pace = CV_PACE_INIT;
    accept->timer.fire = pause_ends;
    accept->failed_at = -CV_SHORTAGE_SPELL;
    accept->tcp = (struct cv_tcp){config->defer_accept, config->tcp_keepalive};
    accept->listeners = calloc(config->n_listeners + 1, sizeof(*accept->listeners));
    if (accept->listeners == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_listeners; i++) {
        struct cv_listener *listener = &accept->listeners[i];
        listener->watch = (struct cv_watch){.ready = ready, .fd = -1};
        listener->server = server;
        listener->fd = config->listeners[i];
    }
    accept->n_listeners = config->n_listeners;
    return cv_timer_set(server->loop, &accept->timer, CV_NEVER);
}

int cv_accept_start(struct cv_server *server)
{
    for (size_t i = 0; i < server->accept.n_listeners; i++)
        cv_tcp_set_options(server->accept.listeners[i].fd, &server->accept.tcp);
    return watch_all(server);
}

void cv_accept_stop(struct cv_server *server)
{
    struct cv_accept *accept = &server->accept;
    unwatch_all(server);
    accept->paused = false;
    cv_timer_move(server->loop, &server->accept.timer, CV_NEVER);
    for (size_t i = 0; i < accept->n_listeners; i++)
        (void)close(accept->listeners[i].fd);
    accept->n_listeners = 0;
}

void cv_accept_done(struct cv_server *server)
{
    if (server->accept.timer.slot != 0)
        cv_accept_stop(server);
    cv_timer_stop(server->loop, &server->accept.timer);
    free(server->accept.listeners);
}
