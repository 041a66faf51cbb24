/* A worker's HTTP server on a loop: listeners in, exchanges out.
 *
 * Knows nothing of processes: listening sockets come in as descriptors, the rest are callbacks.
 */
#ifndef CV_SERVE_SERVER_H
#define CV_SERVE_SERVER_H

#include "loop/loop.h"
#include "loop/offload.h"
#include "serve/handler.h"
#include "serve/metrics.h"

struct cv_peer;

/* Every cap and deadline of a server, in bytes, counts and milliseconds. < 0: off. */
struct cv_limits {
    struct cv_h1_limits head;
    int64_t head_timeout;    /* from a head's first byte (or the accept) to its last: 408 */
    int64_t request_timeout; /* from the head to the last byte of its body; and for the head: 408 */
    int64_t response_timeout; /* from the request's last byte to the answer's first: 503 */
    int64_t send_timeout;     /* without a byte that the client takes */
    int64_t body_rate_min;    /* bytes a second, over each rate_span: 408 */
    int64_t send_rate_min;    /* the same for what the client takes while there is something */
    int64_t rate_span;
    int64_t keep_alive_timeout; /* between requests */
    int64_t
        body_max; /* default of collect() for hosts; the server itself reads over at most 64 KiB */
    int64_t bodies_memory;  /* of all that are collected at once in memory: 503 past it; 0: off */
    int64_t linger_timeout; /* reading on after an early answer, so that the client sees it */
    uint32_t connections_max;
    bool turn_away; /* those that are too many get 503; else they wait to be accepted */
    uint32_t keep_alive_requests; /* on one connection; 0: no limit */
    uint32_t in_flight_max; /* requests that are worked on at once: 503 past it; 0: no limit */
    uint32_t fibers_max;    /* the host's: requests that wait at once */
};

struct cv_server_config {
    struct cv_limits limits;
    const int
        *listeners; /* descriptors, non-blocking; the server closes them when it stops accepting */
    size_t n_listeners;
    int64_t defer_accept;  /* of TCP, ms that the kernel waits for a client's first byte before it
                              hands it over; <= 0: off */
    int64_t tcp_keepalive; /* ms of silence before a peer is probed; it is taken for gone after as
                              long again; <= 0: never */
    bool keep_alive;
    int access_log;          /* descriptor for access lines, or -1 */
    bool access_ids;         /* they have the request's id */
    struct cv_offload *disk; /* borrowed, and freed after the server: writes bodies that are
                                spooled; NULL: the loop does */

    /* How many connections to take in one turn while `open` are open: 0 leaves the listener alone
     * for a moment (the server asks again after 10 ms or when a connection closes, and then takes
     * one whatever the answer, because the kernel may have woken nobody else), 1 means that
     * others have fewer. NULL: 64. */
    int (*accept_budget)(void *arg, unsigned open);
    /* Told whenever the number of open connections changes. NULL: nobody. */
    void (*load)(void *arg, unsigned open);
    void *arg;
    struct cv_metrics_config metrics;
};

/* 0 or -errno. Accepting begins with cv_server_start(). */
CV_MUST_CHECK int cv_server_new(struct cv_loop *loop, const struct cv_server_config *config,
                                struct cv_server **ret);
CV_MUST_CHECK int cv_server_start(struct cv_server *server);

/* Serves a connection that the owner has brought: a non-blocking socket, taken over, and who is at
 * its other end. Its time runs from now. 0, or -ENOMEM (closed). Not while events are handled. */
CV_MUST_CHECK int cv_server_take(struct cv_server *server, int fd, const struct cv_peer *peer);

/* How a server ends its work. It stops accepting and queues CV_EV_DRAINED when the last connection
 * is gone. What waits in the accept queue at this moment is taken in any case, since nobody else
 * may have been woken for it. STOP: idle connections close at once; running requests are answered
 * with Connection: close. RETIRE (others go on serving): idle connections stay until their next
 * request, answered with Connection: close, or `until`. At `until` (loop time) running exchanges
 * get CV_EV_GONE (CV_GONE_DRAIN), then 1 s later every connection is cut. Calling again may only
 * shorten, or turn RETIRE into STOP. */
enum cv_drain { CV_DRAIN_STOP, CV_DRAIN_RETIRE };
void cv_server_drain(struct cv_server *server, enum cv_drain kind, int64_t until);

/* The end will come: from now on answers close their connections; accepting goes on. */
void cv_server_forewarn(struct cv_server *server);

/* A process that shared the listeners has died: a connection may wait that had woken it alone. */
void cv_server_look(struct cv_server *server);

/* Cuts what is left and frees. Exchanges still referenced stay valid (gone) until released. */
void cv_server_free(struct cv_server *server);

/* Open connections, exchanges being worked on, and requests so far. */
unsigned cv_server_connections(const struct cv_server *server);
unsigned cv_server_exchanges(const struct cv_server *server);
uint64_t cv_server_requests(const struct cv_server *server);

#endif
