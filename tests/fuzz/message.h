/* One request, head and body, read from bytes that come in pieces: for the fuzz targets and the
 * unit tests, which both claim that the pieces do not matter.
 *
 * Every piece is parsed in heap memory of exactly its size, at another address each time, so that
 * the address sanitizer sees a byte read too far and a pointer kept too long.
 */
#ifndef CV_TEST_FUZZ_MESSAGE_H
#define CV_TEST_FUZZ_MESSAGE_H

#include "base/span.h"
#include "http/chunk.h"
#include "http/h1.h"

#include <stdlib.h>

struct message {
    int rc; /* CV_H1_MORE, CV_H1_DONE when head and body are complete, or minus a status */
    bool has_head;
    struct cv_h1 parser;
    struct cv_chunk decoder;
    size_t used; /* bytes of head and body so far */
    char *body;
    size_t body_len;
    size_t body_cap;
};

static inline void message_init(struct message *m, size_t body_cap)
{
    memset(m, 0, sizeof(*m)); /* the fields too, so that heads can be compared as bytes */
    cv_h1_init(&m->parser);
    cv_chunk_init(&m->decoder);
    m->body = malloc(body_cap + 1);
    m->body_cap = body_cap;
    if (m->body == NULL)
        abort();
}

static inline void message_done(struct message *m)
{
    free(m->body);
}

static inline void message_keep(struct message *m, struct cv_span data)
{
    if (data.len > m->body_cap - m->body_len)
        abort(); /* more came out than went in */
    memcpy(m->body + m->body_len, data.at, data.len);
    m->body_len += data.len;
}

static inline void message_read_chunks(struct message *m, struct cv_span rest)
{
    for (;;) {
        size_t used = SIZE_MAX;
        struct cv_span data = {NULL, 0};
        int rc = cv_chunk_decode(&m->decoder, rest, &used, &data);
        if (used > rest.len)
            abort();
        m->used += used;
        if (rc == CV_CHUNK_DATA) {
            if (data.len == 0 || data.at < rest.at || data.at + data.len > rest.at + used)
                abort();
            message_keep(m, data);
            rest = cv_span(rest.at + used, rest.len - used);
            continue;
        }
        if (rc == CV_CHUNK_MORE && used != rest.len)
            abort();
        m->rc = rc == CV_CHUNK_END ? CV_H1_DONE : rc;
        return;
    }
}

static inline void message_read_body(struct message *m, struct cv_span rest)
{
    const struct cv_h1_head *head = &m->parser.head;

    if (head->chunked) {
        message_read_chunks(m, rest);
        return;
    }
    uint64_t left = head->content_length - m->body_len;
    size_t len = rest.len < left ? rest.len : (size_t)left;
    message_keep(m, cv_span(rest.at, len));
    m->used += len;
    m->rc = m->body_len == head->content_length ? CV_H1_DONE : CV_H1_MORE;
}

/* `len` bytes of the stream have come now. */
static inline void message_feed(struct message *m, const struct cv_h1_limits *limits,
                                const char *stream, size_t len)
{
    if (m->rc != CV_H1_MORE)
        return;
    char *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, stream, len);
    if (!m->has_head) {
        m->rc = cv_h1_parse(&m->parser, limits, cv_span(copy, len));
        m->has_head = m->rc == CV_H1_DONE;
        m->used = m->has_head ? m->parser.head.len : 0;
    }
    if (m->has_head)
        message_read_body(m, cv_span(copy + m->used, len - m->used));
    free(copy);
}

static inline bool message_same(const struct message *a, const struct message *b)
{
    return a->rc == b->rc && a->has_head == b->has_head && a->used == b->used &&
           a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0 &&
           (!a->has_head || memcmp(&a->parser.head, &b->parser.head, sizeof(a->parser.head)) == 0);
}

/* Whether the stream, cut at `first` and `second`, gives what `whole` says. */
static inline bool message_same_when_cut(const struct message *whole,
                                         const struct cv_h1_limits *limits, struct cv_span stream,
                                         size_t first, size_t second)
{
    struct message cut;
    message_init(&cut, stream.len);
    message_feed(&cut, limits, stream.at, first);
    message_feed(&cut, limits, stream.at, second);
    message_feed(&cut, limits, stream.at, stream.len);
    bool same = message_same(whole, &cut);
    message_done(&cut);
    return same;
}

/* The same with a cut behind every byte. */
static inline bool message_same_bytewise(const struct message *whole,
                                         const struct cv_h1_limits *limits, struct cv_span stream)
{
    struct message cut;
    message_init(&cut, stream.len);
    for (size_t len = 0; len <= stream.len; len++)
        message_feed(&cut, limits, stream.at, len);
    bool same = message_same(whole, &cut);
    message_done(&cut);
    return same;
}

#endif
