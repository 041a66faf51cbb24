/* Answers that the server gives itself, in the host's place: one sentence of text with the cause,
 * and the connection closes. Each is logged at debug level.
 */
#ifndef CV_SERVE_REFUSE_H
#define CV_SERVE_REFUSE_H

#include "serve/handler.h"

/* The sentence for a head that cannot be served: 400, 414, 417, 431, 501, 503, 505, 408. */
const char *cv_refuse_head_text(int status);

/* The host has released an exchange without a word: 500. The connection goes on. */
void cv_refuse_unanswered(struct cv_exchange *x);

/* The host is too late: 503, or a cut if it has begun. */
void cv_refuse_late(struct cv_exchange *x);

/* The body cannot be collected: for -EMSGSIZE 413, -ETIMEDOUT 408, -ENOMEM 503, else 400. */
void cv_refuse_body(struct cv_exchange *x, int error);

#endif
