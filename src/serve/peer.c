#include "serve/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

struct cv_peer cv_peer_of(const struct sockaddr_storage *address)
{
    struct cv_peer peer = {.family = AF_UNSPEC};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        peer.family = AF_INET;
        memcpy(peer.ip, &in->sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        peer.family = mapped ? AF_INET : AF_INET6;
        memcpy(peer.ip, in6->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    }
    return peer;
}

void cv_peer_write(const struct cv_peer *peer, char text[CV_PEER_TEXT])
{
    text[0] = '\0';
    if (peer->family != AF_UNSPEC)
        (void)inet_ntop(peer->family, peer->ip, text, CV_PEER_TEXT);
}
