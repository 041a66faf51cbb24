#include "serve/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "serve/body.h"
#include "serve/conn.h"
#include "serve/inside.h"
#include "serve/refuse.h"
#include "serve/spool.h"

static void timed_out(struct cv_timer *timer);

/* ---- Life ---- */

/* Only the fields in use are copied: of the 100 that there is room for, most requests have ten. */
static size_t head_size(const struct cv_h1_head *head)
{
    return offsetof(struct cv_h1_head, fields) + head->n_fields * sizeof(head->fields[0]);
}

struct cv_exchange *cv_exchange_new(struct cv_conn *c, const struct cv_h1_head *head,
                                    const char *bytes, size_t with)
{
    struct cv_arena arena;
    cv_arena_init(&arena);
    size_t fields = (head_size(head) + 15) & ~(size_t)15;
    struct cv_exchange *x = cv_arena_alloc(&arena, sizeof(*x));
    char *room = cv_arena_alloc(&arena, fields + CV_PEER_TEXT + head->len + with + 1);
    if (x == NULL || room == NULL) {
        cv_arena_done(&arena);
        return NULL;
    }
    char *copy = room + fields + CV_PEER_TEXT;
    memcpy(room, head, head_size(head));
    memcpy(copy, bytes, head->len + with);
    copy[head->len + with] = '\0';
    *x = (struct cv_exchange){
        .conn = c,
        .refs = 1,
        .head = (const struct cv_h1_head *)(const void *)room,
        .bytes = copy,
        .peer = c->peer,
        .peer_text = room + fields,
        .started = c->server->now,
        .whole = {copy + head->len, with},
        .body_end = c->body_done,
        .body_max = -1,
        .timer = {.fire = timed_out},
        .arena = arena,
    };
    x->peer_text[0] = '\0';
    cv_list_init(&x->queued);
    cv_buf_init(&x->body, SIZE_MAX);
    c->x = x;
    c->server->running++;
    c->server->requests++;
    cv_exchange_tell(x, CV_EV_REQUEST);
    if (c->peer_closed)
        cv_exchange_warn(x, CV_GONE_HALF);
    return x;
}

static void exchange_free(struct cv_exchange *x)
{
    CV_ASSERT(x->conn == NULL);
    cv_list_remove(&x->queued);
    cv_buf_done(&x->body);
    if (x->spool != NULL)
        cv_spool_done(x->spool);
    struct cv_arena arena = x->arena; /* it contains x */
    cv_arena_done(&arena);
}

void cv_exchange_ref(struct cv_exchange *x)
{
    x->refs++;
}

void cv_exchange_release(struct cv_exchange *x)
{
    CV_ASSERT(x->refs > 0);
    if (--x->refs > 0)
        return;
    cv_exchange_finish(x);
    exchange_free(x);
}

void cv_exchange_finish(struct cv_exchange *x)
{
    if (x->conn != NULL && !x->begun)
        cv_refuse_unanswered(x);
    cv_exchange_abort(x); /* nothing if that has worked */
}

/* ---- What the host is told ---- */

void cv_exchange_tell(struct cv_exchange *x, enum cv_event_kind kind)
{
    CV_ASSERT(x->conn != NULL);
    x->told |= (uint8_t)(1u << kind);
    if (cv_list_empty(&x->queued))
        cv_list_push(&x->conn->server->events, &x->queued);
}

void cv_exchange_warn(struct cv_exchange *x, enum cv_gone why)
{
    x->gone = (uint8_t)why;
    cv_exchange_tell(x, CV_EV_GONE);
}

void cv_exchange_detach(struct cv_exchange *x, enum cv_gone why)
{
    struct cv_conn *c = x->conn;
    cv_access_log_add(c->server, x);
    cv_metrics_ended(c->server, x);
    cv_body_let_go(c->server, x);
    cv_timer_stop(c->server->loop, &x->timer);
    c->server->running--;
    bool unknown = cv_exchange_is_new(x);
    if (why != CV_GONE_NOT && !unknown) {
        x->told = 0;
        cv_exchange_warn(x, why);
    } else {
        x->told = 0;
        cv_list_remove(&x->queued);
    }
    c->x = NULL;
    x->conn = NULL;
    if (unknown)
        cv_exchange_release(x);
}

bool cv_exchange_next(struct cv_server *server, unsigned kinds, struct cv_event *ret)
{
    if (cv_list_empty(&server->events))
        return false;
    struct cv_exchange *x = CV_CONTAINER_OF(server->events.next, struct cv_exchange, queued);
    CV_ASSERT(x->told != 0);
    enum cv_event_kind kind = (enum cv_event_kind)__builtin_ctz(x->told);
    if ((kinds & 1u << kind) == 0)
        return false;
    x->told &= (uint8_t) ~(1u << kind);
    if (x->told == 0)
        cv_list_remove(&x->queued);
    *ret = (struct cv_event){kind, x};
    return true;
}

/* ---- The request ---- */

const struct cv_h1_head *cv_exchange_head(const struct cv_exchange *x)
{
    return x->head;
}

const char *cv_exchange_bytes(const struct cv_exchange *x)
{
    return x->bytes;
}

struct cv_span cv_exchange_field(const struct cv_exchange *x, struct cv_span name)
{
    for (unsigned i = 0; i < x->head->n_fields; i++) {
        const struct cv_h1_field *field = &x->head->fields[i];
        if (cv_span_ieq(cv_h1_span(x->bytes, field->name_at, field->name_len), name))
            return cv_h1_span(x->bytes, field->value_at, field->value_len);
    }
    return (struct cv_span){NULL, 0};
}

const char *cv_exchange_peer(const struct cv_exchange *x)
{
    if (x->peer_text[0] == '\0')
        cv_peer_write(&x->peer, x->peer_text);
    return x->peer_text;
}

int cv_exchange_ends(const struct cv_exchange *x, struct sockaddr_storage *ret_peer,
                     struct sockaddr_storage *ret_local)
{
    socklen_t peer_len = sizeof(*ret_peer);
    socklen_t local_len = sizeof(*ret_local);
    if (x->conn == NULL)
        return -ECONNRESET;
    *ret_peer = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    *ret_local = *ret_peer;
    if (getpeername(x->conn->fd, (struct sockaddr *)ret_peer, &peer_len) < 0 ||
        getsockname(x->conn->fd, (struct sockaddr *)ret_local, &local_len) < 0)
        return -errno;
    return 0;
}

struct cv_arena *cv_exchange_arena(struct cv_exchange *x)
{
    return &x->arena;
}

int64_t cv_exchange_started(const struct cv_exchange *x)
{
    return x->started;
}

void cv_exchange_set_host(struct cv_exchange *x, void *data)
{
    x->host = data;
}

void *cv_exchange_host(const struct cv_exchange *x)
{
    return x->host;
}

uintptr_t cv_exchange_conn(const struct cv_exchange *x)
{
    return (uintptr_t)x->conn;
}

uint32_t cv_exchange_number(const struct cv_exchange *x)
{
    return x->conn != NULL ? x->conn->served : 0;
}

void cv_exchange_keep_conn(struct cv_exchange *x)
{
    if (x->conn != NULL)
        x->conn->kept = true;
}

void cv_exchange_set_name(struct cv_exchange *x, const char *name)
{
    x->name = name;
}

void cv_exchange_set_id(struct cv_exchange *x, const char *id)
{
    x->id = id;
}

void cv_exchange_set_route(struct cv_exchange *x, size_t number)
{
    if (x->conn == NULL)
        return;
    const struct cv_metrics_config *config = &x->conn->server->metrics.config;
    x->route = number < config->n_routes ? config->routes[number]
                                         : (struct cv_metrics_route){.place = CV_METRICS_OTHER};
}

enum cv_gone cv_exchange_gone(const struct cv_exchange *x)
{
    return (enum cv_gone)x->gone;
}

/* ---- The answer ---- */

/* Whether the answer can be begun: 0, -EALREADY or -ECONNRESET. */
static int may_begin(const struct cv_exchange *x)
{
    if (x->begun)
        return -EALREADY;
    return x->conn == NULL ? -ECONNRESET : 0;
}

static bool is_final(int status)
{
    return status >= 200 && status <= 999;
}

static int answer(struct cv_exchange *x, const struct cv_answer *a, bool whole)
{
    int rc = may_begin(x);
    if (rc == 0 && !is_final(a->status))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    x->begun = true;
    rc = x->conn->protocol->answer(x, a, whole);
    x->begun = rc == 0;
    return rc;
}

int cv_exchange_answer(struct cv_exchange *x, const struct cv_answer *a)
{
    int rc = answer(x, a, true);
    if (rc < 0 && a->release != NULL)
        a->release(a->arg);
    return rc;
}

int cv_exchange_inform(struct cv_exchange *x, int status, const struct cv_answer_field *fields,
                       size_t n_fields)
{
    int rc = may_begin(x);
    if (rc == 0 && (status < 102 || status > 199))
        rc = -EINVAL;
    return rc < 0 ? rc : x->conn->protocol->inform(x, status, fields, n_fields);
}

int cv_exchange_begin(struct cv_exchange *x, const struct cv_answer *a)
{
    return answer(x, a, false);
}

ssize_t cv_exchange_write(struct cv_exchange *x, struct cv_span bytes)
{
    struct cv_conn *c = x->conn;
    if (c == NULL)
        return x->ended ? -EALREADY : -ECONNRESET;
    CV_ASSERT(x->begun);
    if (x->framing == CV_FRAMING_LENGTH && bytes.len > x->left)
        return -EMSGSIZE;
    if (x->framing != CV_FRAMING_NONE && bytes.len > 0) {
        int rc = c->protocol->write(x, bytes);
        if (rc < 0)
            return rc;
    }
    x->waits_write = c->out.unsent > CV_WRITE_HIGH;
    return (ssize_t)c->out.unsent;
}

int cv_exchange_end(struct cv_exchange *x)
{
    if (x->conn == NULL)
        return x->ended ? -EALREADY : -ECONNRESET;
    CV_ASSERT(x->begun);
    return x->conn->protocol->end(x);
}

void cv_exchange_refuse_with(struct cv_exchange *x, const struct cv_answer_fields *fields)
{
    x->refuse_with = fields;
}

bool cv_exchange_begun(const struct cv_exchange *x)
{
    return x->begun;
}

void cv_exchange_abort(struct cv_exchange *x)
{
    struct cv_conn *c = x->conn;
    if (c == NULL)
        return;
    c->cut = true;
    /* Where the end of the connection is the end of the answer, only a reset can be told from it.
     */
    c->reset = x->begun && x->framing == CV_FRAMING_CLOSE;
    cv_exchange_detach(x, CV_GONE_NOT);
    c->state = CV_CONN_HEAD;
    c->closing = true;
    cv_conn_dirty(c);
}

static void timed_out(struct cv_timer *timer)
{
    struct cv_exchange *x = CV_CONTAINER_OF(timer, struct cv_exchange, timer);
    cv_metrics_timed_out(x->conn->server, CV_DUE_RESPONSE);
    cv_server_clock(x->conn->server, cv_loop_now(x->conn->server->loop));
    cv_refuse_late(x);
}

void cv_exchange_speed(struct cv_exchange *x, int64_t timeout_ms, int64_t rate_min)
{
    x->own_request_timeout = timeout_ms;
    x->own_body_rate_min = rate_min;
}

void cv_exchange_timeout(struct cv_exchange *x, int64_t ms)
{
    if (x->conn == NULL)
        return;
    struct cv_loop *loop = x->conn->server->loop;
    x->own_timeout = ms;
    x->timed = true;
    if (ms < 0 || ms > CV_NEVER / 2 / CV_MS)
        cv_timer_stop(loop, &x->timer);
    else
        x->timed = cv_timer_set(loop, &x->timer, cv_clock_ns() + ms * CV_MS) == 0;
    cv_conn_settle(x->conn);
}
