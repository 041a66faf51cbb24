#include "serve/out.h"

#include <stdlib.h>

#include "base/assert.h"
#include "serve/file.h"

/* An ordinary piece is 8 KiB with its header and malloc's, so that most answers fit; 64 of them are
 * kept: 512 KiB. */
#define PIECE_ROOM (8192 - sizeof(struct cv_piece) - 16)
#define SPARE_MAX 64

struct cv_piece {
    struct cv_piece *next;
    const char *at; /* first unsent byte */
    size_t len;     /* unsent bytes */
    size_t room;    /* free bytes behind them */
    void (*release)(void *arg);
    void *arg;
    struct cv_file *file; /* NULL: `at` has the bytes; else they are in its descriptor */
    uint64_t offset;      /* there */
    bool ordinary;
    char bytes[];
};

void cv_pieces_done(struct cv_pieces *pieces)
{
    while (pieces->spare != NULL) {
        struct cv_piece *piece = pieces->spare;
        pieces->spare = piece->next;
        free(piece);
    }
    pieces->count = 0;
}

static struct cv_piece *piece_new(size_t room)
{
    struct cv_piece *piece = malloc(sizeof(*piece) + room);
    if (piece == NULL)
        return NULL;
    *piece = (struct cv_piece){.at = piece->bytes, .room = room, .ordinary = room == PIECE_ROOM};
    return piece;
}

static struct cv_piece *piece_take(struct cv_pieces *pieces, size_t room)
{
    if (room > PIECE_ROOM)
        return piece_new(room);
    struct cv_piece *piece = pieces->spare;
    if (piece == NULL)
        return piece_new(PIECE_ROOM);
    pieces->spare = piece->next;
    pieces->count--;
    *piece = (struct cv_piece){.at = piece->bytes, .room = PIECE_ROOM, .ordinary = true};
    return piece;
}

static void piece_give(struct cv_pieces *pieces, struct cv_piece *piece)
{
    if (piece->release != NULL)
        piece->release(piece->arg);
    if (!piece->ordinary || pieces->count == SPARE_MAX) {
        free(piece);
        return;
    }
    piece->next = pieces->spare;
    pieces->spare = piece;
    pieces->count++;
}

static void link_piece(struct cv_out *out, struct cv_piece *piece)
{
    if (out->last != NULL)
        out->last->next = piece;
    else
        out->first = piece;
    out->last = piece;
}

char *cv_out_reserve(struct cv_out *out, struct cv_pieces *pieces, size_t n)
{
    if (out->last == NULL || out->last->room < n) {
        struct cv_piece *piece = piece_take(pieces, n);
        if (piece == NULL)
            return NULL;
        link_piece(out, piece);
    }
    /* A piece with room is an own one: `at` points into its bytes. */
    return out->last->bytes + (out->last->at - out->last->bytes) + out->last->len;
}

void cv_out_commit(struct cv_out *out, size_t n)
{
    CV_ASSERT(out->last != NULL && n <= out->last->room);
    out->last->len += n;
    out->last->room -= n;
    out->unsent += n;
}

struct cv_piece *cv_piece_lend(struct cv_span bytes, void (*release)(void *arg), void *arg)
{
    struct cv_piece *piece = piece_new(0);
    if (piece == NULL)
        return NULL;
    piece->at = bytes.at;
    piece->len = bytes.len;
    piece->release = release;
    piece->arg = arg;
    return piece;
}

static void release_file(void *arg)
{
    cv_file_unref(arg);
}

struct cv_piece *cv_piece_file(struct cv_file *file, uint64_t offset, uint64_t len)
{
    struct cv_piece *piece = piece_new(0);
    if (piece == NULL)
        return NULL;
    piece->len = len;
    piece->release = release_file;
    piece->arg = cv_file_ref(file);
    piece->offset = offset;
    if (file->bytes != NULL)
        piece->at = file->bytes + offset;
    else
        piece->file = file;
    return piece;
}

void cv_out_append(struct cv_out *out, struct cv_piece *piece)
{
    link_piece(out, piece);
    out->unsent += piece->len;
}

void cv_out_join(struct cv_out *out, struct cv_out *more)
{
    if (more->first == NULL)
        return;
    if (out->last != NULL)
        out->last->next = more->first;
    else
        out->first = more->first;
    out->last = more->last;
    out->unsent += more->unsent;
    *more = (struct cv_out){NULL, NULL, 0};
}

bool cv_out_file(const struct cv_out *out, struct cv_out_file *ret)
{
    const struct cv_piece *piece = out->first;
    while (piece != NULL && piece->len == 0)
        piece = piece->next;
    if (piece == NULL || piece->file == NULL)
        return false;
    *ret = (struct cv_out_file){piece->file, piece->offset, piece->len};
    return true;
}

int cv_out_parts(const struct cv_out *out, struct iovec *parts, int max)
{
    int n = 0;
    for (const struct cv_piece *piece = out->first; piece != NULL && piece->file == NULL && n < max;
         piece = piece->next) {
        if (piece->len > 0)
            parts[n++] = (struct iovec){(void *)(uintptr_t)piece->at, piece->len};
    }
    return n;
}

void cv_out_sent(struct cv_out *out, struct cv_pieces *pieces, size_t n)
{
    CV_ASSERT(n <= out->unsent);
    out->unsent -= n;
    while (out->first != NULL && n >= out->first->len) {
        struct cv_piece *piece = out->first;
        n -= piece->len;
        out->first = piece->next;
        piece_give(pieces, piece);
    }
    if (out->first == NULL) {
        out->last = NULL;
        return;
    }
    if (out->first->file != NULL)
        out->first->offset += n;
    else
        out->first->at += n;
    out->first->len -= n;
}

void cv_out_drop(struct cv_out *out, struct cv_pieces *pieces)
{
    cv_out_sent(out, pieces, out->unsent);
}
