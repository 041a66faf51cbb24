#include "serve/accept.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/conn.h"
#include "serve/inside.h"
#include "serve/refuse.h"

/* Bytes that the kernel takes for one client before it can send them. It would take up to 4 MiB,
 * which a thousand clients that do not read turn into gigabytes; downloads are as quick with this.
 */
#define UNSENT_MAX (256 << 10)

#define YIELD_PAUSE (10 * CV_MS)
#define SHORTAGE_PAUSE (100 * CV_MS)

/* Failures that are no further apart are one spell of them. */
#define SPELL (10 * CV_SECOND)

/* Connections that are being told that there are too many; more wait. */
#define SURPLUS_MAX 64

/* Of a silent peer, before it is taken for gone. */
#define PROBES 3

/* Idle connections looked at to get a descriptor. */
#define SHED_TRIES 16

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

/* Closes the connection that has been idle for the longest time. False if there is none. */
static bool shed_idlest(struct cv_server *server)
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

/* Once for a spell of failures, however long it is. */
static void complain(struct cv_server *server, int error)
{
    bool goes_on = server->now - server->accept.failed_at < SPELL;
    server->accept.failed_at = server->now;
    if (!goes_on)
        cv_warn("cannot accept connections (%u open): %s%s", server->open, strerror(-error),
                remedy(error));
}

static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

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
    return error == -EAGAIN || hopeless || is_shortage(error) ? error : 0;
}

/* The same, with the descriptor of an idle connection if there is no other. */
static int take_or_shed(struct cv_server *server, int listener)
{
    int rc = take_one(server, listener);
    if (rc < 0 && rc != -EAGAIN)
        complain(server, rc);
    return is_shortage(rc) && shed_idlest(server) ? take_one(server, listener) : rc;
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

/* The kernel knows no less; 0: off. */
static int whole_seconds(int64_t ms)
{
    return ms > 0 ? (int)((ms + 999) / 1000) : 0;
}

int cv_accept_init(struct cv_server *server, const struct cv_server_config *config)
{
    struct cv_accept *accept = &server->accept;
    accept->budget = config->accept_budget;
    accept->arg = config->arg;
    accept->pace = CV_PACE_INIT;
    accept->timer.fire = pause_ends;
    accept->failed_at = -SPELL;
    accept->defer_s = whole_seconds(config->defer_accept);
    accept->keepalive_s = whole_seconds(config->tcp_keepalive);
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

/* Accepted sockets inherit them, so that none costs a call. Unix sockets refuse them, which is
 * fine. */
static void set_options(int fd, const struct cv_accept *accept)
{
    int silence = accept->keepalive_s;
    const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, accept->defer_s},
        {SOL_SOCKET, SO_KEEPALIVE, silence > 0},
        {IPPROTO_TCP, TCP_KEEPIDLE, silence}, /* 0, where it is off, is refused */
        {IPPROTO_TCP, TCP_KEEPINTVL, (silence + PROBES - 1) / PROBES},
        {IPPROTO_TCP, TCP_KEEPCNT, PROBES},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

int cv_accept_start(struct cv_server *server)
{
    for (size_t i = 0; i < server->accept.n_listeners; i++)
        set_options(server->accept.listeners[i].fd, &server->accept);
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
