#include "serve/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

/* Bytes that the kernel takes for one client before it can send them. It would take up to 4 MiB,
 * which a thousand clients that do not read turn into gigabytes; downloads are as quick with this.
 */
#define UNSENT_MAX (256 << 10)

/* Of a silent peer, before it is taken for gone. */
#define PROBES 3

static int whole_seconds(int64_t ms)
{
    return ms > 0 ? (int)((ms + 999) / 1000) : 0;
}

void cv_tcp_set_options(int listener, const struct cv_tcp *tcp)
{
    int silence = whole_seconds(tcp->keepalive);
    const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, whole_seconds(tcp->defer_accept)},
        {SOL_SOCKET, SO_KEEPALIVE, silence > 0},
        {IPPROTO_TCP, TCP_KEEPIDLE, silence}, /* 0, where it is off, is refused */
        {IPPROTO_TCP, TCP_KEEPINTVL, (silence + PROBES - 1) / PROBES},
        {IPPROTO_TCP, TCP_KEEPCNT, PROBES},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(listener, options[i].level, options[i].name, &options[i].value,
                         sizeof(int));
}
