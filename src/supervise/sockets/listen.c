#include "supervise/sockets/listen.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "supervise/sockets/sockfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#define RETRY_FOR CV_SECOND
#define RETRY_EVERY_MS 50

#define FORMS "give host:port (port 0 to 65535), [v6]:port or unix:path"

/* ---- From text ---- */

static int parse_unix(struct cv_listener *listener, struct cv_span path, char *reason, size_t cap)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&listener->address;
    if (path.len == 0 || path.len >= sizeof(address->sun_path)) {
        (void)snprintf(reason, cap, "the path of a Unix socket has 1 to %zu bytes, not %zu",
                       sizeof(address->sun_path) - 1, path.len);
        return -EINVAL;
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path.at, path.len);
    listener->address_len = sizeof(*address);
    (void)snprintf(listener->text, sizeof(listener->text), "unix:%s", address->sun_path);
    return 0;
}

void cv_listen_describe(struct cv_listener *listener, const struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        (void)snprintf(listener->text, sizeof(listener->text), "http://[%s]:%u", host,
                       ntohs(v6->sin6_port));
    } else if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        (void)snprintf(listener->text, sizeof(listener->text), "http://%s:%u", host,
                       ntohs(v4->sin_port));
    }
}

static int resolve(struct cv_listener *listener, const char *host, const char *port, char *reason,
                   size_t cap)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
    if (rc != 0) {
        (void)snprintf(reason, cap, "no address is known for host \"%s\": %s", host,
                       gai_strerror(rc));
        return -EINVAL;
    }
    memcpy(&listener->address, found->ai_addr, found->ai_addrlen);
    listener->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    cv_listen_describe(listener, &listener->address);
    return 0;
}

static int parse_tcp(struct cv_listener *listener, struct cv_span text, char *reason, size_t cap)
{
    const char *colon = memrchr(text.at, ':', text.len);
    struct cv_span host = cv_span(text.at, colon != NULL ? (size_t)(colon - text.at) : 0);
    uint64_t port;
    if (colon == NULL ||
        cv_num_u64(cv_span(colon + 1, text.len - host.len - 1), 65535, &port) < 0) {
        (void)snprintf(reason, cap, "\"%.*s\" is no address: " FORMS, (int)text.len, text.at);
        return -EINVAL;
    }
    bool v6 = host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (v6)
        host = cv_span(host.at + 1, host.len - 2);
    char name[256];
    char number[8];
    if (host.len >= sizeof(name)) {
        (void)snprintf(reason, cap, "a host name of %zu bytes is too long", host.len);
        return -EINVAL;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)host.len, host.at);
    (void)snprintf(number, sizeof(number), "%u", (unsigned)port);
    return resolve(listener, name, number, reason, cap);
}

int cv_listen_parse(struct cv_listeners *listeners, const char *list, char *reason, size_t cap)
{
    while (*list != '\0') {
        struct cv_span text = cv_span(list, strcspn(list, ","));
        list += text.len + (list[text.len] == ',' ? 1 : 0);
        if (text.len == 0)
            continue;
        if (listeners->n == CV_LISTEN_MAX) {
            (void)snprintf(reason, cap, "more than %d addresses to listen on", CV_LISTEN_MAX);
            return -EINVAL;
        }
        struct cv_listener *listener = &listeners->item[listeners->n];
        *listener = (struct cv_listener){.fd = -1};
        int rc = text.len >= 5 && memcmp(text.at, "unix:", 5) == 0
                     ? parse_unix(listener, cv_span(text.at + 5, text.len - 5), reason, cap)
                     : parse_tcp(listener, text, reason, cap);
        if (rc < 0)
            return rc;
        listeners->n++;
    }
    if (listeners->n == 0) {
        (void)snprintf(reason, cap, "no address to listen on: " FORMS);
        return -EINVAL;
    }
    return 0;
}

/* ---- Opening ---- */

static void set_options(int fd, int family)
{
    int on = 1;
    if (family == AF_UNIX)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof(on)); /* inherited by what is accepted */
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
}

static const char *path_of(const struct cv_listener *listener)
{
    return ((const struct sockaddr_un *)&listener->address)->sun_path;
}

static int share_port(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 ? 0 : -errno;
}

static int bind_and_listen(const struct cv_listener *listener, int backlog, bool is_again)
{
    int family = listener->address.ss_family;
    CV_AUTOCLOSE int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_options(fd, family);
    if (is_again && share_port(fd) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&listener->address, listener->address_len) < 0)
        return -errno;
    if (listen(fd, backlog) < 0) {
        int rc = -errno;
        if (family == AF_UNIX)
            (void)unlink(path_of(listener));
        return rc;
    }
    return cv_take_fd(&fd);
}

/* Nobody answers at the socket file: what left it is gone. (A file that is no socket refuses the
 * connection in the same way.) */
static bool is_stale(const struct cv_listener *listener)
{
    struct statx file;
    if (!cv_sockfile_look(AT_FDCWD, path_of(listener), &file) || !S_ISSOCK(file.stx_mode))
        return false;
    CV_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 &&
           connect(fd, (const struct sockaddr *)&listener->address, listener->address_len) < 0 &&
           errno == ECONNREFUSED;
}

/* Everybody may connect who may enter the folder, whatever the umask: a proxy runs as another user.
 */
static int bind_file(const struct cv_listener *listener, int backlog)
{
    mode_t before = umask(0111);
    int fd = bind_and_listen(listener, backlog, false);
    (void)umask(before);
    return fd;
}

/* The folder is locked meanwhile, so that two servers started at once cannot both take the file for
 * stale. Anybody may hold such a lock, so nobody waits for it: -EAGAIN. */
static int open_unix(struct cv_listener *listener, int backlog)
{
    const char *path = path_of(listener);
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof(copy), "%s", path);
    CV_AUTOCLOSE int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    if (flock(folder, LOCK_EX | LOCK_NB) < 0)
        return -errno;

    int fd = bind_file(listener, backlog);
    if (fd == -EADDRINUSE && is_stale(listener)) {
        if (unlink(path) < 0)
            return -errno;
        fd = bind_file(listener, backlog);
    }
    if (fd >= 0 && !cv_sockfile_look(AT_FDCWD, path, &listener->file))
        listener->file = (struct statx){0};
    return fd;
}

/* The address that was really bound: port 0 has become a number. */
static void describe_bound(struct cv_listener *listener)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    if (listener->address.ss_family == AF_UNIX ||
        getsockname(listener->fd, (struct sockaddr *)&bound, &len) < 0)
        return;
    listener->address = bound;
    listener->address_len = len;
    cv_listen_describe(listener, &bound);
}

static void explain(const struct cv_listener *listener, int error, char *reason, size_t cap)
{
    bool is_unix = listener->address.ss_family == AF_UNIX;
    const char *why = strerror(-error);
    if (error == -EADDRINUSE)
        why = is_unix ? "another server listens there, or the file is no socket"
                      : "the address is in use (ss -ltnp shows by whom)";
    if (error == -EADDRNOTAVAIL)
        why = "this machine does not have the address (ip addr lists those it has)";
    if (error == -EACCES && !is_unix)
        why = "not permitted (ports below 1024 need CAP_NET_BIND_SERVICE)";
    if (error == -ENOENT && is_unix)
        why = "its folder does not exist";
    if (error == -EAGAIN)
        why = "another process holds a lock on its folder (lslocks shows which)";
    (void)snprintf(reason, cap, "cannot listen on %s: %s", listener->text, why);
}

static int open_one(struct cv_listener *listener, int backlog, int64_t until)
{
    for (;;) {
        int fd = listener->address.ss_family == AF_UNIX ? open_unix(listener, backlog)
                                                        : bind_and_listen(listener, backlog, false);
        if ((fd != -EADDRINUSE && fd != -EAGAIN) || cv_clock_ns() >= until)
            return fd;
        (void)poll(NULL, 0, RETRY_EVERY_MS);
    }
}

int cv_listen_open(struct cv_listeners *listeners, int backlog, char *reason, size_t cap)
{
    int64_t until = cv_clock_ns() + RETRY_FOR;
    listeners->backlog = backlog;
    for (int i = 0; i < listeners->n; i++) {
        struct cv_listener *listener = &listeners->item[i];
        int fd = open_one(listener, backlog, until);
        if (fd < 0) {
            explain(listener, fd, reason, cap);
            cv_listen_unlink(listeners);
            cv_listen_close(listeners);
            return fd;
        }
        listener->fd = fd;
        describe_bound(listener);
    }
    return 0;
}

/* Only now: the first bind has been a proof that nobody else listens there. */
int cv_listen_allow_more(const struct cv_listeners *listeners)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < listeners->n; i++)
        if (listeners->item[i].address.ss_family != AF_UNIX && listeners->item[i].owner[0] == '\0')
            rc = share_port(listeners->item[i].fd);
    return rc;
}

int cv_listen_again(const struct cv_listener *listener, int backlog)
{
    return bind_and_listen(listener, backlog, true);
}

const char *cv_listen_owner(const struct cv_listeners *listeners)
{
    for (int i = 0; i < listeners->n; i++)
        if (listeners->item[i].owner[0] != '\0')
            return listeners->item[i].owner;
    return NULL;
}

static bool is_among(int fd, const int32_t *kept, uint32_t n_kept)
{
    for (uint32_t i = 0; i < n_kept; i++)
        if (kept[i] == fd)
            return true;
    return false;
}

void cv_listen_close_others(struct cv_listeners *listeners, const int32_t *kept, uint32_t n_kept)
{
    for (int i = 0; i < listeners->n; i++) {
        int fd = listeners->item[i].fd;
        if (fd < 0 || is_among(fd, kept, n_kept))
            continue;
        (void)close(fd);
        listeners->item[i].fd = -1;
    }
}

void cv_listen_close(struct cv_listeners *listeners)
{
    cv_listen_close_others(listeners, NULL, 0);
}

void cv_listen_unlink(const struct cv_listeners *listeners)
{
    for (int i = 0; i < listeners->n; i++) {
        const struct cv_listener *listener = &listeners->item[i];
        if (listener->address.ss_family == AF_UNIX && listener->file.stx_ino != 0)
            cv_sockfile_unlink(AT_FDCWD, path_of(listener), &listener->file);
    }
}
