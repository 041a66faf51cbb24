/* Unsent bytes of a connection: a chain of pieces, filled at the end and sent from the front.
 *
 * Small things are copied into ordinary pieces, which are kept for reuse by the server; a large
 * body that its owner lends becomes a piece of its own and is not copied, and so does a part of a
 * file, which may be on disk: then the kernel sends it from there. Nothing is ever moved.
 */
#ifndef CV_SERVE_OUT_H
#define CV_SERVE_OUT_H

#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct cv_file;
struct cv_piece;

/* Ordinary pieces between two answers; one per server. */
struct cv_pieces {
    struct cv_piece *spare;
    unsigned count;
};

struct cv_out {
    struct cv_piece *first;
    struct cv_piece *last;
    size_t unsent;
};

/* Frees the spare pieces. */
void cv_pieces_done(struct cv_pieces *pieces);

/* Room for `n` bytes in one run behind what is there; NULL if out of memory. They belong to the
 * chain once committed, at most `n`. */
char *cv_out_reserve(struct cv_out *out, struct cv_pieces *pieces, size_t n);
void cv_out_commit(struct cv_out *out, size_t n);

/* A piece of bytes that stay the caller's until `release(arg)` is called; NULL if out of memory.
 * Appending cannot fail. */
struct cv_piece *cv_piece_lend(struct cv_span bytes, void (*release)(void *arg), void *arg);
void cv_out_append(struct cv_out *out, struct cv_piece *piece);

/* A piece of a file, which gets a reference more. NULL if out of memory. */
struct cv_piece *cv_piece_file(struct cv_file *file, uint64_t offset, uint64_t len);

/* Moves all of `more` behind `out`; `more` is empty then. */
void cv_out_join(struct cv_out *out, struct cv_out *more);

/* A part of a file that the kernel is to send. */
struct cv_out_file {
    struct cv_file *file;
    uint64_t offset;
    size_t len;
};

/* Whether such a part comes first. */
bool cv_out_file(const struct cv_out *out, struct cv_out_file *ret);

/* Describes the first unsent bytes, in at most `max` parts, up to the next part of a file; the
 * number of parts. */
int cv_out_parts(const struct cv_out *out, struct iovec *parts, int max);

/* Drops the first `n` bytes, which have been sent. */
void cv_out_sent(struct cv_out *out, struct cv_pieces *pieces, size_t n);

/* Drops everything. */
void cv_out_drop(struct cv_out *out, struct cv_pieces *pieces);

#endif
