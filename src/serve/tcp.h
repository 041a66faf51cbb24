/* What every connection's socket is told, by telling its listener: what it accepts inherits it, so
 * that no connection costs a call. */
#ifndef CV_SERVE_TCP_H
#define CV_SERVE_TCP_H

#include <stdint.h>

/* In ms, as settings have them; the kernel counts seconds, and gets them rounded up. 0: off. */
struct cv_tcp {
    int64_t defer_accept;
    int64_t keepalive; /* silence after which a peer is asked whether it is there; as long again */
};

/* Unix sockets refuse all of it, which is fine. */
void cv_tcp_set_options(int listener, const struct cv_tcp *tcp);

#endif
