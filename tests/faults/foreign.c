/* A worker that knows nothing of covey but what systemd asks: LISTEN_FDS and NOTIFY_SOCKET.
 *
 *     GET /pid             the worker's pid
 *     GET /child?double=1  leaves a daemon behind
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTENER 3

static void tell(const char *text)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = name != NULL ? strlen(name) : 0;
    if (len == 0 || len >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)sendto(fd, text, strlen(text), 0, (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    (void)close(fd);
}

static void answer(int fd)
{
    char text[1024] = "";
    if (read(fd, text, sizeof(text) - 1) <= 0)
        return;
    if (strstr(text, "/child") != NULL)
        (void)!system("setsid sleep 300 >&- 2>&- &");
    char body[16];
    int len = snprintf(body, sizeof(body), "%d", (int)getpid());
    (void)dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len,
                  body);
}

int main(void)
{
    tell("EXTEND_TIMEOUT_USEC=2000000\nSTATUS=starting");
    tell("READY=1\nWATCHDOG=1\nSTATUS=serving");
    for (;;) {
        int fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        answer(fd);
        (void)close(fd);
        tell("WATCHDOG=1");
    }
}
