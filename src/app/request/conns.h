/* What apps keep with connections, found by the server's name of one.
 *
 * Only those connections are known that something is kept with, or about which somebody listens to
 * signals: as long as there are none, a request looks at a number.
 */
#ifndef CV_APP_CONNS_H
#define CV_APP_CONNS_H

#include "base/macros.h"

#include <stddef.h>
#include <stdint.h>

struct cv_conn_ctx {
    struct cv_conn_ctx *next;
    uintptr_t conn;
    unsigned refs; /* the table's, and one of each request */
    void *ctx;
    void (*release)(void *ctx);
};

struct cv_conns {
    struct cv_conn_ctx **at; /* lists, by the low bits of a hash */
    size_t cap;              /* 0 or a power of two */
    size_t n;
};

/* NULL: nothing is kept with it. No reference is given. */
struct cv_conn_ctx *cv_conns_find(const struct cv_conns *conns, uintptr_t conn);

/* Adds one that is not there yet, with nothing in it and one reference, the table's. NULL when out
 * of memory. */
struct cv_conn_ctx *cv_conns_add(struct cv_conns *conns, uintptr_t conn);

/* Takes it out of the table, together with the table's reference. NULL: it is not there. */
struct cv_conn_ctx *cv_conns_take(struct cv_conns *conns, uintptr_t conn);

/* Puts a thing in the place of what it holds, which is released if it is another. */
void cv_conn_ctx_set(struct cv_conn_ctx *kept, void *ctx, void (*release)(void *ctx));

/* Drops a reference; the last releases what it holds. */
void cv_conn_ctx_unref(struct cv_conn_ctx *kept);

/* Drops them all. */
void cv_conns_done(struct cv_conns *conns);

#endif
