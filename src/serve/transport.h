/* What carries a connection's bytes: a table, so that TLS is one more entry.
 *
 * Nothing here waits. -EAGAIN: wait for the next edge.
 */
#ifndef CV_SERVE_TRANSPORT_H
#define CV_SERVE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct cv_conn;

struct cv_transport {
    /* > 0 bytes, 0: the peer will send no more, -EAGAIN, or why it failed. */
    ssize_t (*recv)(struct cv_conn *c, void *to, size_t cap);
    /* Bytes taken, fewer than given when it is full; -EAGAIN, or why it failed. With `more` the
     * next call follows at once, so that what it brings may leave with these. */
    ssize_t (*send)(struct cv_conn *c, const struct iovec *parts, int n, bool more);
    /* The same for `len` bytes of a file from `offset` on; also fewer at its end, then 0. */
    ssize_t (*sendfile)(struct cv_conn *c, int fd, uint64_t offset, size_t len);
    /* Bytes that were sent and that the peer has not taken yet; CV_SPEED_UNKNOWN. */
    uint32_t (*queued)(const struct cv_conn *c);
    /* Tells the peer that nothing more will come. */
    void (*shutdown)(struct cv_conn *c);
    /* Closes the descriptor; with `reset` so that the peer cannot take what came for complete. */
    void (*close)(struct cv_conn *c, bool reset);
};

extern const struct cv_transport cv_transport_plain;

#endif
