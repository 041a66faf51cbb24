/* Who is at the other end, as a small value. */
#ifndef CV_SERVE_PEER_H
#define CV_SERVE_PEER_H

#include <stdint.h>
#include <sys/socket.h>

struct cv_peer {
    uint8_t family; /* AF_INET, AF_INET6, or AF_UNSPEC: no address (Unix sockets) */
    uint8_t ip[16];
};

#define CV_PEER_TEXT 46 /* room for the longest text */

/* IPv4 that came through an IPv6 socket is taken as IPv4. */
struct cv_peer cv_peer_of(const struct sockaddr_storage *address);

/* Writes the address as text, "" if there is none. */
void cv_peer_write(const struct cv_peer *peer, char text[CV_PEER_TEXT]);

#endif
