/* Listening sockets: addresses from text, bound by the process the user starts. */
#ifndef CV_SUPERVISE_LISTEN_H
#define CV_SUPERVISE_LISTEN_H

#include "base/macros.h"
#include "supervise/policy/managed.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CV_LISTEN_MAX 64
#define CV_LISTEN_TEXT_MAX 192

struct cv_listener {
    char text[CV_LISTEN_TEXT_MAX];   /* "http://127.0.0.1:8000", "unix:/run/app.sock" */
    struct sockaddr_storage address; /* of TCP, once opened: the one that is bound */
    socklen_t address_len;
    int fd;            /* -1 until opened */
    struct statx file; /* of a Unix socket, so that only our own is removed; stx_ino 0: none */
    char owner[CV_MANAGED_NAME_BYTES]; /* the managed process whose it is; "": the workers' */
};

struct cv_listeners {
    struct cv_listener item[CV_LISTEN_MAX];
    int n;
    int backlog;
};

/* Adds the addresses of a comma-separated list, one at least: "host:port", "[v6]:port",
 * "unix:path". 0, or -EINVAL with a sentence in `reason`. */
CV_MUST_CHECK int cv_listen_parse(struct cv_listeners *listeners, const char *list, char *reason,
                                  size_t cap);

/* Binds and listens on all; an address in use is tried again for a second. A socket file that
 * nobody serves is replaced, any other file is left alone. 0, or -EADDRINUSE, -EADDRNOTAVAIL,
 * -EACCES, ... with a sentence in `reason`; then none is left open. */
CV_MUST_CHECK int cv_listen_open(struct cv_listeners *listeners, int backlog, char *reason,
                                 size_t cap);

/* Lets this user bind the TCP addresses again (SO_REUSEPORT). 0 or -errno. */
CV_MUST_CHECK int cv_listen_allow_more(const struct cv_listeners *listeners);

/* One more socket on an open TCP listener's address, after cv_listen_allow_more(): the kernel
 * spreads new connections over them. The descriptor or -errno. */
CV_MUST_CHECK int cv_listen_again(const struct cv_listener *listener, int backlog);

/* Writes a TCP address as a URL into listener->text; leaves Unix sockets alone. */
void cv_listen_describe(struct cv_listener *listener, const struct sockaddr_storage *address);

/* The managed process that has a listener of its own; NULL: none has. */
const char *cv_listen_owner(const struct cv_listeners *listeners);

/* Closes this process's copies. */
void cv_listen_close(struct cv_listeners *listeners);

/* The same but for those in `kept`. */
void cv_listen_close_others(struct cv_listeners *listeners, const int32_t *kept, uint32_t n_kept);

/* Removes the files of Unix sockets, if they are still the ones that were made. */
void cv_listen_unlink(const struct cv_listeners *listeners);

#endif
