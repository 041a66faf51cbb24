/* Clients of a worker in the same thread, who act whenever it would sleep, and what they got.
 *
 * A conversation is a list of acts. Where a call of the worker's has failed, a client may have got
 * less than in a conversation without faults: whole answers that are the same, in order; answers
 * of an error's status in place of others; the beginning of one, if the connection ended with it.
 */
#ifndef TEST_NATIVE_TALK_H
#define TEST_NATIVE_TALK_H

#include "base/span.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TALK_CLIENTS 12
#define TALK_MAX (1 << 20)

enum talk_what {
    TALK_END,
    TALK_OPEN,  /* a connection */
    TALK_SAY,   /* bytes */
    TALK_HEAR,  /* waits until so many answers have come on it, the last with that status */
    TALK_ENDED, /* waits until the server has ended it */
    TALK_NAP,   /* lets time pass, ms */
    TALK_DEAF,  /* does not read until it waits for something */
    TALK_SHUT,  /* will say nothing more */
    TALK_LEAVE, /* closes it */
    TALK_STOP,  /* tells the worker to end */
};

struct talk_act {
    enum talk_what what;
    int who;
    struct cv_span bytes;
    unsigned n;
    int status;
};

#define OPEN(client)                                                                               \
    {                                                                                              \
        .what = TALK_OPEN, .who = client                                                           \
    }
#define SAY(client, text)                                                                          \
    {                                                                                              \
        .what = TALK_SAY, .who = client, .bytes = { text, sizeof(text) - 1 }                       \
    }
#define HEAR(client, answers, last)                                                                \
    {                                                                                              \
        TALK_HEAR, client, .n = answers, .status = last                                            \
    }
#define ENDED(client)                                                                              \
    {                                                                                              \
        .what = TALK_ENDED, .who = client                                                          \
    }
#define NAP(ms)                                                                                    \
    {                                                                                              \
        .what = TALK_NAP, .n = ms                                                                  \
    }
#define DEAF(client)                                                                               \
    {                                                                                              \
        .what = TALK_DEAF, .who = client                                                           \
    }
#define SHUT(client)                                                                               \
    {                                                                                              \
        .what = TALK_SHUT, .who = client                                                           \
    }
#define LEAVE(client)                                                                              \
    {                                                                                              \
        .what = TALK_LEAVE, .who = client                                                          \
    }
#define STOP                                                                                       \
    {                                                                                              \
        .what = TALK_STOP                                                                          \
    }

struct talk_answer {
    int status;
    struct cv_span head;
    struct cv_span body; /* decoded */
};

struct talk_client {
    int fd; /* -1: not open */
    struct cv_span unsaid;
    bool is_head; /* asks HEAD only */
    bool is_deaf;
    bool has_ended; /* the server has ended it */
    bool was_reset;
    bool has_left; /* by itself, whatever it had got by then */
    size_t heard;  /* bytes of `got` that are answers */
    unsigned answers;
    int status; /* of the last */
    size_t len;
    char got[TALK_MAX];
};

static struct talk_client talk[TALK_CLIENTS];

/* ---- Answers ---- */

/* The bytes of a chunked body, without the chunks; 0 if it is not complete, else how long it was.
 */
static size_t talk_unchunk(struct cv_span bytes, char *to, size_t *ret_len)
{
    size_t at = 0;
    *ret_len = 0;
    for (;;) {
        char *end;
        const char *line = bytes.at + at;
        if (at >= bytes.len || memchr(line, '\n', bytes.len - at) == NULL)
            return 0;
        size_t n = strtoul(line, &end, 16);
        size_t next = (size_t)(end - bytes.at) + 2 + n + 2;
        if (next > bytes.len)
            return 0;
        memcpy(to + *ret_len, end + 2, n);
        *ret_len += n;
        at = next;
        if (n == 0)
            return at;
    }
}

static struct cv_span talk_field(struct cv_span head, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len < head.len; i++) {
        if (head.at[i] == '\n' && cv_span_ieq(cv_span(head.at + i + 1, len), cv_span(name, len)))
            return cv_span(head.at + i + 1 + len, head.len - i - 1 - len);
    }
    return cv_span(NULL, 0);
}

/* The first answer in `bytes`: its length, or 0 if it is not complete. */
static size_t talk_answer(struct cv_span bytes, const struct talk_client *c, char *room,
                          struct talk_answer *ret)
{
    const char *blank = bytes.len > 0 ? memmem(bytes.at, bytes.len, "\r\n\r\n", 4) : NULL;
    if (blank == NULL)
        return 0;
    size_t head = (size_t)(blank - bytes.at) + 4;
    struct cv_span rest = cv_span(bytes.at + head, bytes.len - head);
    *ret = (struct talk_answer){.status = (int)strtol(bytes.at + 9, NULL, 10),
                                .head = cv_span(bytes.at, head)};
    struct cv_span length = talk_field(ret->head, "content-length: ");
    if (c->is_head || ret->status < 200 || ret->status == 204 || ret->status == 304)
        return head;
    if (talk_field(ret->head, "transfer-encoding: chunked").at != NULL) {
        size_t used = talk_unchunk(rest, room, &ret->body.len);
        ret->body.at = room;
        return used > 0 ? head + used : 0;
    }
    size_t n = length.at != NULL ? strtoul(length.at, NULL, 10) : rest.len;
    ret->body = cv_span(rest.at, n);
    bool complete = length.at != NULL ? n <= rest.len : c->has_ended && !c->was_reset;
    return complete ? head + n : 0;
}

/* Date is the time's, not the answer's. */
static bool talk_is_same_head(struct cv_span a, struct cv_span b)
{
    struct cv_span date = talk_field(a, "date: ");
    size_t before = date.at != NULL ? (size_t)(date.at - a.at) : a.len;
    size_t behind = date.at != NULL ? before + 29 : a.len;
    return a.len == b.len && memcmp(a.at, b.at, before) == 0 &&
           memcmp(a.at + behind, b.at + behind, a.len - behind) == 0;
}

/* What is wrong with what `c` got, compared with `good`; NULL: nothing. `exactly`: they must be the
 * same. */
static const char *talk_compare(const struct talk_client *c, const struct talk_client *good,
                                bool exactly)
{
    static char rooms[2][TALK_MAX];
    struct cv_span got = cv_span(c->got, c->len);
    struct cv_span expected = cv_span(good->got, good->len);
    struct talk_answer a;
    struct talk_answer b;
    while (got.len > 0 && !c->has_left) {
        size_t n = talk_answer(got, c, rooms[0], &a);
        size_t m = talk_answer(expected, good, rooms[1], &b);
        if (n == 0)
            return c->has_ended && (!exactly || m == 0) ? NULL : "an answer is not complete";
        if (m == 0 && (exactly || a.status < 400))
            return "more answers than requests";
        bool same = m > 0 && a.status == b.status && cv_span_eq(a.body, b.body);
        if (exactly ? !same || !talk_is_same_head(a.head, b.head) : !same && a.status < 400)
            return "another answer";
        got = cv_span(got.at + n, got.len - n);
        expected = cv_span(expected.at + m, expected.len - m);
    }
    if (exactly && !c->has_left && (expected.len > 0 || c->has_ended != good->has_ended))
        return "less than without";
    return NULL;
}

/* ---- Sockets ---- */

static struct sockaddr_un talk_address;
static socklen_t talk_address_len;

/* A Unix socket without a file: what one side has sent is there for the other at once, which is not
 * sure of TCP. */
static int talk_listen(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    talk_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    talk_address_len = sizeof(talk_address);
    if (bind(fd, (struct sockaddr *)&talk_address, sizeof(sa_family_t)) < 0 ||
        listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&talk_address, &talk_address_len) < 0)
        return -1;
    return fd;
}

static void talk_open(struct talk_client *c)
{
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->has_ended = connect(c->fd, (struct sockaddr *)&talk_address, talk_address_len) < 0;
}

static void talk_close(struct talk_client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
}

static void talk_exchange(struct talk_client *c)
{
    static char room[TALK_MAX];
    struct talk_answer answer;
    if (c->fd < 0 || c->has_ended)
        return;
    ssize_t n = c->unsaid.len > 0
                    ? send(c->fd, c->unsaid.at, c->unsaid.len, MSG_NOSIGNAL | MSG_DONTWAIT)
                    : 0;
    if (n > 0)
        c->unsaid = cv_span(c->unsaid.at + n, c->unsaid.len - (size_t)n);
    if (c->is_deaf)
        return;
    while ((n = recv(c->fd, c->got + c->len, TALK_MAX - 1 - c->len, MSG_DONTWAIT)) > 0)
        c->len += (size_t)n;
    c->has_ended = n == 0 || errno != EAGAIN;
    c->was_reset = n < 0 && c->has_ended;
    size_t used;
    while ((used = talk_answer(cv_span(c->got + c->heard, c->len - c->heard), c, room, &answer)) >
           0) {
        c->heard += used;
        c->answers++;
        c->status = answer.status;
    }
}

#endif
