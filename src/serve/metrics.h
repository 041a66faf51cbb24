/* What a worker counts: plain words in memory that others may read while it serves.
 *
 * One writer each, so that counting costs a load and a store. Whoever serves next in its place
 * counts on where it ended, only `now` begins anew. The memory is the owner's: a worker's is shared
 * with whoever wants to know (supervise/shared/region.h); without one the server counts for itself.
 * For a reader all of it is hostile data (metrics_sum.h).
 */
#ifndef CV_SERVE_METRICS_H
#define CV_SERVE_METRICS_H

#include "base/macros.h"
#include "serve/refusals.def"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cv_server;
struct cv_exchange;

/* Changes with struct cv_metrics_page, and with what its words mean. */
#define CV_METRICS_LAYOUT 2

/* ---- What is counted ---- */

/* Why something was not done for a client: the lines of refusals.def. */
#define CV_METRICS_REFUSED_MAX 32

enum cv_refused {
#define CV_METRICS_NAME(name, ...) CV_REFUSED_##name,
    CV_REFUSALS(CV_METRICS_NAME)
#undef CV_METRICS_NAME
        CV_REFUSED_COUNT
};

/* Connections, by what they are waiting for: as in deadline.h. */
enum cv_metrics_state {
    CV_METRICS_HANDLING, /* the app, or the sending of its answer */
    CV_METRICS_IDLE,     /* the next request */
    CV_METRICS_READING,  /* the rest of a request */
    CV_METRICS_WRITING,  /* the peer to take what is unsent */
    CV_METRICS_CLOSING,  /* the peer to close */
    CV_METRICS_STATES
};

/* Time-outs that have passed; of the first request on a connection, too, if none ever came. */
enum cv_metrics_timeout {
    CV_METRICS_KEEP_ALIVE,
    CV_METRICS_REQUEST,
    CV_METRICS_RESPONSE,
    CV_METRICS_WRITE,
    CV_METRICS_LINGER,
    CV_METRICS_TIMEOUTS
};

/* How requests have ended. */
enum cv_metrics_class {
    CV_METRICS_UNANSWERED, /* the client had left, or was cut off, before anything was sent */
    CV_METRICS_OTHER_CLASS,
    CV_METRICS_2XX,
    CV_METRICS_3XX,
    CV_METRICS_4XX,
    CV_METRICS_5XX,
    CV_METRICS_CLASSES
};

/* Places that are no route's. */
enum {
    CV_METRICS_NO_ROUTE, /* none was found: 404, 405 */
    CV_METRICS_OTHER,    /* routes that there is no place for */
    CV_METRICS_REFUSED,  /* heads that the server has answered itself, before there was a request */
    CV_METRICS_FIRST_ROUTE
};

#define CV_METRICS_ROUTES (CV_METRICS_FIRST_ROUTE + 1024)
#define CV_METRICS_HISTOGRAMS 64
#define CV_METRICS_NAMES_BYTES 32768

/* ---- Histograms ---- */

/* Bucket i holds what is at most 2^(CV_HISTOGRAM_FIRST + i) ns: 8 us, 16 us ... 34 s; the last
 * holds the rest. */
#define CV_HISTOGRAM_FIRST 13
#define CV_HISTOGRAM_BUCKETS 24

struct cv_histogram {
    _Atomic uint64_t sum; /* ns */
    _Atomic uint64_t bucket[CV_HISTOGRAM_BUCKETS];
    uint64_t unused[7];
};

static inline unsigned cv_histogram_bucket(int64_t ns)
{
    if (ns <= INT64_C(1) << CV_HISTOGRAM_FIRST)
        return 0;
    unsigned bits = 64U - (unsigned)__builtin_clzll((uint64_t)ns - 1);
    unsigned i = bits - CV_HISTOGRAM_FIRST;
    return i < CV_HISTOGRAM_BUCKETS ? i : CV_HISTOGRAM_BUCKETS - 1;
}

/* ---- The page ---- */

/* Cleared when its writer is gone. */
struct cv_metrics_now {
    _Atomic uint64_t connections[CV_METRICS_STATES];
    _Atomic uint64_t exchanges; /* requests that are being answered */
    _Atomic uint64_t fibers;
    uint64_t unused[25];
};

struct cv_metrics_page {
    struct cv_metrics_now now;

    _Atomic uint64_t accepted;
    _Atomic uint64_t received; /* bytes */
    _Atomic uint64_t sent;
    _Atomic uint64_t fibers_most; /* at once */
    _Atomic uint64_t stack_most;  /* bytes that a fiber is known to have used */
    uint64_t unused[3];
    _Atomic uint64_t timeouts[8];
    _Atomic uint64_t refused[CV_METRICS_REFUSED_MAX];

    struct cv_histogram latency; /* from the read to the send handed over */
    struct cv_histogram busy;    /* of the loop's turns: from a wait's end to the next wait */

    _Atomic uint64_t requests[CV_METRICS_ROUTES][8]; /* by place and class */

    _Atomic uint32_t histogram_of[CV_METRICS_HISTOGRAMS]; /* a place; 0: free */
    struct cv_histogram by_route[CV_METRICS_HISTOGRAMS];  /* as `latency` */

    _Atomic uint32_t n_names;           /* routes that have a place, for ever */
    char names[CV_METRICS_NAMES_BYTES]; /* theirs, in order, each with its NUL */
};
_Static_assert(sizeof(struct cv_metrics_now) == 256, "what begins anew has a size of its own");
_Static_assert(CV_REFUSED_COUNT <= CV_METRICS_REFUSED_MAX, "each reason has a word");

/* Only for the writer. */
static inline void cv_metrics_add(_Atomic uint64_t *at, uint64_t n)
{
    atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void cv_metrics_set(_Atomic uint64_t *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static inline uint64_t cv_metrics_get(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

/* ---- For the owner ---- */

/* Where a route of the app is counted. */
struct cv_metrics_route {
    uint16_t place;     /* < CV_METRICS_ROUTES */
    uint16_t histogram; /* 1 + its number; 0: none */
};

struct cv_metrics_config {
    struct cv_metrics_page *page; /* NULL: the server takes one of its own, which nobody reads */
    const struct cv_metrics_route *routes; /* by number; outlives the server */
    size_t n_routes;                       /* the others are CV_METRICS_OTHER */
};

/* Gives the routes of an app their places, one after another: those that they have already, or else
 * the next that is free. */
struct cv_metrics_places {
    struct cv_metrics_page *page;
    size_t at;  /* behind the name found last: most apps have the same routes as before */
    unsigned n; /* names before it */
};

/* CV_METRICS_OTHER: there is no room for one more. */
uint16_t cv_metrics_place(struct cv_metrics_places *places, const char *name);

/* The number of the histogram of a place, which is taken if it has none. -1: all are taken. */
int cv_metrics_histogram(struct cv_metrics_page *page, unsigned place);

/* To be called as cv_loop_on_wait() calls, once the server accepts. */
void cv_metrics_on_wait(struct cv_server *server, bool running, int64_t now);

/* For hosts: what their fibers are doing. */
void cv_metrics_fibers(struct cv_server *server, size_t now, size_t most, size_t stack_most);

/* Something was not done for a client, and why. Mostly called by cv_refused(), which logs it. */
void cv_metrics_refused(struct cv_server *server, enum cv_refused reason);

/* ---- Within serve ---- */

/* Requests that are answered, and whose answers leave with the next flush. */
struct cv_metrics_answers {
    int64_t started;
    uint32_t n;
    uint32_t histogram;
};

#define CV_METRICS_ANSWERS_MAX 64

struct cv_metrics {
    struct cv_metrics_page *page;
    struct cv_metrics_config config;
    bool is_on;      /* it accepts */
    int64_t clock;   /* as last read here */
    int64_t turn_at; /* when the turn began; 0: it waits */
    unsigned n_answers;
    struct cv_metrics_answers answers[CV_METRICS_ANSWERS_MAX];
};

/* 0 or -errno. */
CV_MUST_CHECK int cv_metrics_init(struct cv_server *server, const struct cv_metrics_config *config);
void cv_metrics_done(struct cv_server *server);

/* A deadline of this kind (enum cv_due) has passed. */
void cv_metrics_timed_out(struct cv_server *server, unsigned due);

/* A head was answered with this status before there was a request. */
void cv_metrics_head_refused(struct cv_server *server, int status);

/* An exchange has ended, in whatever way. */
void cv_metrics_ended(struct cv_server *server, const struct cv_exchange *x);

/* What has been answered is sent. */
void cv_metrics_sent(struct cv_server *server);

#endif
