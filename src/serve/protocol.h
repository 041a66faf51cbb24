/* What is spoken on a connection: a table, so that HTTP/2 and WebSocket are further entries.
 *
 * conn.c brings the bytes and the deadlines, exchange.c what a host does; a protocol decides what
 * both mean. After any of these calls the connection may be closed.
 */
#ifndef CV_SERVE_PROTOCOL_H
#define CV_SERVE_PROTOCOL_H

#include "base/span.h"
#include "serve/deadline.h"
#include "serve/handler.h"
#include "serve/metrics.h"
#include "serve/speed.h"

struct cv_conn;

struct cv_protocol {
    /* Whether more bytes could be used now. */
    bool (*wants)(const struct cv_conn *c);
    /* Uses bytes from the front and says how many; 0: not without more behind them. */
    size_t (*input)(struct cv_conn *c, struct cv_span bytes);
    /* The peer will send nothing more. Called where input() would be. */
    void (*eof)(struct cv_conn *c);
    /* The deadline that applies now, and that it has passed, or that a transfer is too slow. */
    enum cv_due (*due)(const struct cv_conn *c);
    void (*expired)(struct cv_conn *c, enum cv_due kind, enum cv_speed_verdict why);

    /* ---- For the connection's exchange, which is attached and in the right state ---- */

    /* An informational answer. 0 or -ENOMEM, and then nothing has been written. */
    int (*inform)(struct cv_exchange *x, int status, const struct cv_answer_field *fields,
                  size_t n_fields);
    /* Head and, if `whole`, body. 0 or -ENOMEM, and then nothing has been written. */
    int (*answer)(struct cv_exchange *x, const struct cv_answer *answer, bool whole);
    /* A piece of the body. 0 or -ENOMEM, and then nothing has been written. */
    int (*write)(struct cv_exchange *x, struct cv_span bytes);
    /* The answer is complete; detaches the exchange. 0 or -ENOMEM. */
    int (*end)(struct cv_exchange *x);
    /* The host would like the body, or more of it. */
    void (*ask)(struct cv_exchange *x);
    /* The server answers in the host's place, and closes; detaches with `why`. */
    void (*refuse)(struct cv_exchange *x, enum cv_refused reason, enum cv_gone why);
};

extern const struct cv_protocol cv_proto_h1;

#endif
