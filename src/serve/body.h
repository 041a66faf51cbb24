/* Request bodies: from the bytes of a connection to what the host asked for. */
#ifndef CV_SERVE_BODY_H
#define CV_SERVE_BODY_H

#include "serve/conn.h"

/* A head has come: sets up the decoder. */
void cv_body_start(struct cv_conn *c, const struct cv_h1_head *head);

/* Whether more of the body could be used now. */
bool cv_body_wants(const struct cv_conn *c);

/* Uses body bytes from the front and says how many. May refuse the request. */
size_t cv_body_input(struct cv_conn *c, struct cv_span bytes);

/* A piece of the body that is collected on disk has been written: 0, or why it could not be. */
void cv_body_written(struct cv_conn *c, int rc);

/* What is in memory of a collected body is no longer counted: it goes to disk, or the connection
 * has let go of its request. */
void cv_body_let_go(struct cv_server *server, struct cv_exchange *x);

/* The body will not be completed: because the peer has ended (-ECONNRESET), its time is over
 * (-ETIMEDOUT) or it is too slow (-ETIME). Refuses the request or lets read() say so. */
void cv_body_fail(struct cv_conn *c, int error);

#endif
