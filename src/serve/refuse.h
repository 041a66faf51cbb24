/* What is not done for a client: counted, named in the log, and answered where there is an answer.
 *
 * Why, and what is said of it, is a line of refusals.def. An answer in the host's place is one
 * sentence of text, and the connection closes.
 */
#ifndef CV_SERVE_REFUSE_H
#define CV_SERVE_REFUSE_H

#include "serve/handler.h"
#include "serve/metrics.h"
#include "serve/peer.h"

/* The status of an answer, 0 if there is none; a sentence for it, which names the setting; and the
 * same as a text of its own, with a point and a newline. */
int cv_refused_status(enum cv_refused reason);
const char *cv_refused_sentence(enum cv_refused reason);
const char *cv_refused_text(enum cv_refused reason);

/* Counts a refusal and logs it, with the limit that applied: refusal_log.h. To be called before the
 * answer, with the request or, where there is none (NULL), with the peer; without either, what it
 * is about is the server. */
void cv_refused(struct cv_server *server, enum cv_refused reason, const struct cv_peer *peer,
                const struct cv_exchange *x);

/* The host has released an exchange without a word: 500. The connection goes on. */
void cv_refuse_unanswered(struct cv_exchange *x);

/* There is too much to do already: 503, and to come again. The connection goes on, because new ones
 * would only add to the load, unless it is one too many itself. */
void cv_refuse_busy(struct cv_exchange *x, enum cv_refused reason);

/* The host is too late: 503, or a cut if it has begun. */
void cv_refuse_late(struct cv_exchange *x);

/* The body cannot be had. Why, for what went wrong with it. */
enum cv_refused cv_refused_body(int error);

#endif
