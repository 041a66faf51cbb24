#include "serve/h1_answer.h"

#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "http/date.h"
#include "http/text.h"
#include "serve/conn.h"
#include "serve/exchange.h"
#include "serve/inside.h"

/* A body of at least this much is not copied if its owner lends it. */
#define LEND_MIN 16384

/* Room for a head without its fields: status line, Date, Content-Length, Connection. */
#define HEAD_ROOM 256

/* What stands in front of the body, decided before anything is written. */
struct plan {
    enum cv_framing framing;
    bool close;
    bool announce_keep_alive; /* to a 1.0 client */
    bool has_length;          /* Content-Length stands in the head, also in that to a HEAD */
    uint64_t length;
};

static char *put(char *at, struct cv_span text)
{
    if (text.len > 0)
        memcpy(at, text.at, text.len);
    return at + text.len;
}

static char *put_field(char *at, struct cv_span name, struct cv_span value)
{
    at = put(at, name);
    at = put(at, CV_SPAN(": "));
    at = put(at, value);
    return put(at, CV_SPAN("\r\n"));
}

/* The status line. */
static char *put_status(char *at, int status)
{
    at = put(at, CV_SPAN("HTTP/1.1 "));
    at += cv_num_write_u64(at, (uint64_t)status);
    *at++ = ' ';
    at = put(at, cv_span_str(cv_status_reason(status)));
    return put(at, CV_SPAN("\r\n"));
}

static void write_preamble(struct cv_preamble *preamble, int status, int64_t second)
{
    char *at = put_status(preamble->text, status);
    at = put(at, CV_SPAN("Date: "));
    cv_date_write(at, second);
    at = put(at + CV_DATE_LEN, CV_SPAN("\r\n"));
    preamble->status = status;
    preamble->second = second;
    preamble->len = (size_t)(at - preamble->text);
    CV_ASSERT(preamble->len <= sizeof(preamble->text));
}

static char *put_preamble(char *at, struct cv_preamble *preamble, int status)
{
    int64_t now = preamble->is_fresh ? preamble->second : cv_clock_wall_s();
    if (preamble->status != status || preamble->second != now)
        write_preamble(preamble, status, now);
    preamble->is_fresh = true;
    memcpy(at, preamble->text, sizeof(preamble->text)); /* a whole that needs no call */
    return at + preamble->len;
}

static char *put_head(char *at, struct cv_server *server, const struct cv_answer *a,
                      const struct plan *plan)
{
    at = put_preamble(at, &server->preamble, a->status);
    if (a->type.len > 0)
        at = put_field(at, CV_SPAN("Content-Type"), a->type);
    for (size_t i = 0; i < a->n_fields; i++)
        at = put_field(at, a->fields[i].name, a->fields[i].value);
    if (plan->has_length) {
        at = put(at, CV_SPAN("Content-Length: "));
        at += cv_num_write_u64(at, plan->length);
        at = put(at, CV_SPAN("\r\n"));
    } else if (plan->framing == CV_FRAMING_CHUNKED) {
        at = put(at, CV_SPAN("Transfer-Encoding: chunked\r\n"));
    }
    if (plan->close)
        at = put(at, CV_SPAN("Connection: close\r\n"));
    else if (plan->announce_keep_alive)
        at = put(at, CV_SPAN("Connection: keep-alive\r\n"));
    return put(at, CV_SPAN("\r\n"));
}

static uint64_t body_len(const struct cv_answer *a)
{
    if (a->file == NULL)
        return a->body.len;
    uint64_t len = 0;
    for (size_t i = 0; i < a->n_slices; i++)
        len += a->slices[i].before.len + a->slices[i].len;
    return len;
}

static size_t fields_room(const struct cv_answer_field *fields, size_t n)
{
    size_t room = 0;
    for (size_t i = 0; i < n; i++)
        room += fields[i].name.len + fields[i].value.len + 4;
    return room;
}

/* ---- Decisions ---- */

/* Whether more requests may have come already; then a drain lets them be answered first. */
static bool has_more(const struct cv_conn *c)
{
    return c->body_done && (c->may_read || cv_conn_pending(c).len > 0);
}

/* Whether the rest of the request's body is too much, or too uncertain, to be read over. */
static bool leaves_body(const struct cv_conn *c, bool whole)
{
    if (c->body_done)
        return false;
    if (c->expects)
        return true; /* a client that was not told to continue may send the body, or not */
    return whole && !c->chunked && c->body.left > CV_BODY_DRAIN_MAX + cv_conn_pending(c).len;
}

static bool must_close(const struct cv_exchange *x, bool whole)
{
    const struct cv_conn *c = x->conn;
    const struct cv_server *server = c->server;
    if (!x->head->keep_alive || !server->keep_alive || c->unread ||
        c->served == server->limits.keep_alive_requests)
        return true;
    if ((server->draining.forewarned || c->eof) && !has_more(c))
        return true;
    return leaves_body(c, whole);
}

static struct plan plan_answer(const struct cv_exchange *x, const struct cv_answer *a, bool whole)
{
    struct plan plan = {.framing = CV_FRAMING_NONE, .close = a->close || must_close(x, whole)};
    bool known = whole || a->length >= 0;
    if (cv_status_has_body(a->status)) {
        plan.has_length = known;
        plan.length = whole ? body_len(a) : known ? (uint64_t)a->length : 0;
        if (known)
            plan.framing = CV_FRAMING_LENGTH;
        else
            plan.framing = x->head->minor > 0 ? CV_FRAMING_CHUNKED : CV_FRAMING_CLOSE;
    }
    plan.close |= plan.framing == CV_FRAMING_CLOSE;
    plan.announce_keep_alive = x->head->minor == 0 && !plan.close;
    return plan;
}

static enum cv_framing framing_on_wire(const struct cv_exchange *x, const struct plan *plan)
{
    return x->head->method == CV_METHOD_HEAD ? CV_FRAMING_NONE : plan->framing;
}

/* ---- Writing ---- */

static bool append_slice(struct cv_out *out, struct cv_pieces *pieces, struct cv_file *file,
                         const struct cv_slice *slice)
{
    if (slice->before.len > 0) {
        char *start = cv_out_reserve(out, pieces, slice->before.len);
        if (start == NULL)
            return false;
        (void)put(start, slice->before);
        cv_out_commit(out, slice->before.len);
    }
    if (slice->len == 0)
        return true;
    struct cv_piece *piece = cv_piece_file(file, slice->offset, slice->len);
    if (piece != NULL)
        cv_out_append(out, piece);
    return piece != NULL;
}

/* What is not copied behind the head: a lent body, or parts of a file. 0 or -ENOMEM. */
static int lend_body(struct cv_out *out, struct cv_pieces *pieces, const struct cv_answer *a,
                     bool lent)
{
    bool complete = true;
    if (lent) {
        struct cv_piece *piece = cv_piece_lend(a->body, a->release, a->arg);
        if (piece == NULL)
            return -ENOMEM;
        cv_out_append(out, piece);
    }
    for (size_t i = 0; a->file != NULL && i < a->n_slices && complete; i++)
        complete = append_slice(out, pieces, a->file, &a->slices[i]);
    if (!complete)
        cv_out_drop(out, pieces);
    return complete ? 0 : -ENOMEM;
}

/* Writes head and body in one run of bytes, or the head with what is not copied behind it. */
static int write_answer(struct cv_conn *c, const struct cv_answer *a, const struct plan *plan,
                        bool with_body)
{
    struct cv_span body = with_body ? a->body : (struct cv_span){NULL, 0};
    bool lent = a->release != NULL && body.len >= LEND_MIN;
    size_t room =
        HEAD_ROOM + a->type.len + fields_room(a->fields, a->n_fields) + (lent ? 0 : body.len);
    struct cv_out behind = {NULL, NULL, 0};
    char *start = cv_out_reserve(&c->out, &c->server->pieces, room);
    if (start == NULL)
        return -ENOMEM;
    if (with_body && (lent || a->file != NULL)) {
        int rc = lend_body(&behind, &c->server->pieces, a, lent);
        if (rc < 0)
            return rc;
    }
    char *end = put_head(start, c->server, a, plan);
    if (!lent)
        end = put(end, body);
    cv_out_commit(&c->out, (size_t)(end - start));
    cv_out_join(&c->out, &behind);
    if (!lent && a->release != NULL)
        a->release(a->arg);
    cv_conn_dirty(c);
    return 0;
}

int cv_h1_inform(struct cv_exchange *x, int status, const struct cv_answer_field *fields,
                 size_t n_fields)
{
    struct cv_conn *c = x->conn;
    if (x->head->minor == 0)
        return 0;
    size_t room = HEAD_ROOM + fields_room(fields, n_fields);
    char *start = cv_out_reserve(&c->out, &c->server->pieces, room);
    if (start == NULL)
        return -ENOMEM;
    char *end = put_status(start, status);
    for (size_t i = 0; i < n_fields; i++)
        end = put_field(end, fields[i].name, fields[i].value);
    end = put(end, CV_SPAN("\r\n"));
    cv_out_commit(&c->out, (size_t)(end - start));
    cv_conn_dirty(c);
    return 0;
}

int cv_h1_answer(struct cv_exchange *x, const struct cv_answer *a, bool whole)
{
    struct cv_conn *c = x->conn;
    struct plan plan = plan_answer(x, a, whole);
    enum cv_framing framing = framing_on_wire(x, &plan);
    bool with_body = whole && framing != CV_FRAMING_NONE;
    int rc = write_answer(c, a, &plan, with_body);
    if (rc < 0)
        return rc;
    x->status = a->status;
    x->framing = (uint8_t)framing;
    x->sent = with_body ? plan.length : 0;
    x->left = plan.length - x->sent;
    if (plan.close)
        c->closing = true;
    return 0;
}

int cv_h1_write(struct cv_exchange *x, struct cv_span bytes)
{
    struct cv_conn *c = x->conn;
    bool chunked = x->framing == CV_FRAMING_CHUNKED;
    char *start = cv_out_reserve(&c->out, &c->server->pieces, bytes.len + (chunked ? 20 : 0));
    if (start == NULL)
        return -ENOMEM;
    char *end = start;
    if (chunked)
        end += cv_chunk_open(end, bytes.len);
    end = put(end, bytes);
    if (chunked)
        end = put(end, CV_SPAN("\r\n"));
    cv_out_commit(&c->out, (size_t)(end - start));
    cv_conn_dirty(c);
    x->sent += bytes.len;
    if (x->framing == CV_FRAMING_LENGTH)
        x->left -= bytes.len;
    return 0;
}

int cv_h1_finish(struct cv_exchange *x)
{
    if (x->framing == CV_FRAMING_LENGTH && x->left > 0)
        return -EIO;
    if (x->framing == CV_FRAMING_CHUNKED && !cv_conn_append(x->conn, CV_SPAN(CV_CHUNK_LAST)))
        return -ENOMEM;
    return 0;
}

bool cv_h1_refusal(struct cv_conn *c, int status, const char *text, bool with_body,
                   const struct cv_exchange *x)
{
    struct cv_answer a = {
        .status = status, .type = CV_SPAN("text/plain; charset=utf-8"), .body = cv_span_str(text)};
    if (x != NULL && x->refuse_with != NULL) {
        a.fields = x->refuse_with->at;
        a.n_fields = x->refuse_with->n;
    }
    struct plan plan = {.close = true, .has_length = true, .length = a.body.len};
    return write_answer(c, &a, &plan, with_body) == 0;
}
