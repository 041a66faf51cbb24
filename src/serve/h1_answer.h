/* Answers as HTTP/1 writes them: status line, fields, framing (RFC 9112, section 6). */
#ifndef CV_SERVE_H1_ANSWER_H
#define CV_SERVE_H1_ANSWER_H

#include "serve/handler.h"

struct cv_conn;

/* A head alone in front of the answer, unless the client speaks HTTP/1.0. 0 or -ENOMEM. */
int cv_h1_inform(struct cv_exchange *x, int status, const struct cv_answer_field *fields,
                 size_t n_fields);

/* Writes head and, if `whole`, body behind what is unsent, and decides whether the connection goes
 * on (`closing`). 0 or -ENOMEM, and then nothing has changed. */
int cv_h1_answer(struct cv_exchange *x, const struct cv_answer *a, bool whole);

/* A piece of a streamed body. 0 or -ENOMEM, and then nothing has changed. */
int cv_h1_write(struct cv_exchange *x, struct cv_span bytes);

/* What ends a streamed body. 0, -EIO if it is too short, or -ENOMEM. */
int cv_h1_finish(struct cv_exchange *x);

/* A short text with Connection: close, of no exchange or in its host's place: with the fields that
 * the host has given for that. `x` NULL: there is none. False if out of memory. */
bool cv_h1_refusal(struct cv_conn *c, int status, const char *text, bool with_body,
                   const struct cv_exchange *x);

#endif
