#include "serve/metrics.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "serve/exchange.h"
#include "serve/inside.h"

/* ---- Life ---- */

int cv_metrics_init(struct cv_server *server, const struct cv_metrics_config *config)
{
    struct cv_metrics *metrics = &server->metrics;
    metrics->config = *config;
    metrics->page = config->page;
    if (metrics->page != NULL)
        return 0;
    void *own = mmap(NULL, sizeof(*metrics->page), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED)
        return -errno;
    metrics->page = own;
    return 0;
}

void cv_metrics_done(struct cv_server *server)
{
    struct cv_metrics *metrics = &server->metrics;
    if (metrics->page != NULL && metrics->config.page == NULL)
        (void)munmap(metrics->page, sizeof(*metrics->page));
    metrics->page = NULL;
}

/* Bytes of the name at `at` with its NUL; 0: there is none. The one who wrote it may have been of
 * unsound mind. */
static size_t name_bytes(const struct cv_metrics_page *page, size_t at)
{
    size_t rest = sizeof(page->names) - at;
    const char *end = memchr(page->names + at, '\0', rest);
    return end != NULL ? (size_t)(end - (page->names + at)) + 1 : 0;
}

static bool is_at(const struct cv_metrics_places *places, unsigned known, const char *name)
{
    const char *at = places->page->names + places->at;
    size_t rest = sizeof(places->page->names) - places->at;
    return places->n < known && strnlen(at, rest) < rest && strcmp(at, name) == 0;
}

static bool is_more(struct cv_metrics_places *places, unsigned known)
{
    size_t bytes = places->n < known ? name_bytes(places->page, places->at) : 0;
    places->at += bytes;
    places->n += bytes > 0;
    return bytes > 0;
}

/* Where there is none: the end of all. False if there is no room. */
static bool append(struct cv_metrics_places *places, const char *name)
{
    size_t bytes = strlen(name) + 1;
    if (places->n >= CV_METRICS_ROUTES - CV_METRICS_FIRST_ROUTE ||
        bytes > sizeof(places->page->names) - places->at)
        return false;
    memcpy(places->page->names + places->at, name, bytes);
    atomic_store_explicit(&places->page->n_names, places->n + 1, memory_order_release);
    return true;
}

uint16_t cv_metrics_place(struct cv_metrics_places *places, const char *name)
{
    unsigned known = atomic_load_explicit(&places->page->n_names, memory_order_relaxed);
    if (known > CV_METRICS_ROUTES - CV_METRICS_FIRST_ROUTE)
        known = CV_METRICS_ROUTES - CV_METRICS_FIRST_ROUTE;
    if (!is_at(places, known, name)) {
        places->at = places->n = 0;
        while (!is_at(places, known, name) && is_more(places, known))
            ;
        if (!is_at(places, known, name) && !append(places, name))
            return CV_METRICS_OTHER;
    }
    places->at += strlen(name) + 1;
    return (uint16_t)(CV_METRICS_FIRST_ROUTE + places->n++);
}

int cv_metrics_histogram(struct cv_metrics_page *page, unsigned place)
{
    for (int i = 0; i < CV_METRICS_HISTOGRAMS; i++) {
        uint32_t of = atomic_load_explicit(&page->histogram_of[i], memory_order_relaxed);
        if (of == 0)
            atomic_store_explicit(&page->histogram_of[i], place, memory_order_relaxed);
        if (of == 0 || of == place)
            return i;
    }
    return -1;
}

/* ---- Requests ---- */

static void observe(struct cv_histogram *histogram, int64_t ns, uint64_t n)
{
    if (ns < 0)
        ns = 0;
    cv_metrics_add(&histogram->sum, (uint64_t)ns * n);
    cv_metrics_add(&histogram->bucket[cv_histogram_bucket(ns)], n);
}

static void settle(struct cv_metrics *metrics)
{
    metrics->clock = cv_clock_ns();
    for (unsigned i = 0; i < metrics->n_answers; i++) {
        const struct cv_metrics_answers *answers = &metrics->answers[i];
        int64_t ns = metrics->clock - answers->started;
        observe(&metrics->page->latency, ns, answers->n);
        if (answers->histogram > 0)
            observe(&metrics->page->by_route[answers->histogram - 1], ns, answers->n);
    }
    metrics->n_answers = 0;
}

void cv_metrics_sent(struct cv_server *server)
{
    if (server->metrics.n_answers > 0)
        settle(&server->metrics);
}

/* The requests of a turn have begun at the same time, by the server's clock. */
static void note_answer(struct cv_metrics *metrics, int64_t started, uint32_t histogram)
{
    if (metrics->n_answers > 0) {
        struct cv_metrics_answers *last = &metrics->answers[metrics->n_answers - 1];
        if (last->started == started && last->histogram == histogram) {
            last->n++;
            return;
        }
    }
    if (metrics->n_answers == CV_METRICS_ANSWERS_MAX)
        settle(metrics);
    metrics->answers[metrics->n_answers++] =
        (struct cv_metrics_answers){.started = started, .n = 1, .histogram = histogram};
}

static enum cv_metrics_class class_of(int status)
{
    unsigned hundreds = (unsigned)status / 100;
    if (hundreds - 2 <= 3)
        return (enum cv_metrics_class)(CV_METRICS_2XX + (hundreds - 2));
    return status == 0 ? CV_METRICS_UNANSWERED : CV_METRICS_OTHER_CLASS;
}

void cv_metrics_ended(struct cv_server *server, const struct cv_exchange *x)
{
    struct cv_metrics *metrics = &server->metrics;
    cv_metrics_add(&metrics->page->requests[x->route.place][class_of(x->status)], 1);
    if (x->status != 0)
        note_answer(metrics, x->started, x->route.histogram);
}

/* ---- What is not done ---- */

void cv_metrics_refused(struct cv_server *server, enum cv_refused reason)
{
    cv_metrics_add(&server->metrics.page->refused[reason], 1);
}

void cv_metrics_timed_out(struct cv_server *server, unsigned due)
{
    static const uint8_t places[CV_DUE_COUNT] = {
        [CV_DUE_IDLE] = CV_METRICS_KEEP_ALIVE, [CV_DUE_HEAD] = CV_METRICS_REQUEST,
        [CV_DUE_BODY] = CV_METRICS_REQUEST,    [CV_DUE_RESPONSE] = CV_METRICS_RESPONSE,
        [CV_DUE_WRITE] = CV_METRICS_WRITE,     [CV_DUE_LINGER] = CV_METRICS_LINGER,
    };
    cv_metrics_add(&server->metrics.page->timeouts[places[due]], 1);
}

void cv_metrics_head_refused(struct cv_server *server, int status)
{
    cv_metrics_add(&server->metrics.page->requests[CV_METRICS_REFUSED][class_of(status)], 1);
}

/* ---- Turns ---- */

static void show_now(struct cv_server *server)
{
    struct cv_metrics_now *now = &server->metrics.page->now;
    const unsigned *counts = server->deadlines.counts;
    cv_metrics_set(&now->connections[CV_METRICS_HANDLING],
                   counts[CV_DUE_NONE] + counts[CV_DUE_RESPONSE]);
    cv_metrics_set(&now->connections[CV_METRICS_IDLE], counts[CV_DUE_IDLE]);
    cv_metrics_set(&now->connections[CV_METRICS_READING],
                   counts[CV_DUE_HEAD] + counts[CV_DUE_BODY]);
    cv_metrics_set(&now->connections[CV_METRICS_WRITING], counts[CV_DUE_WRITE]);
    cv_metrics_set(&now->connections[CV_METRICS_CLOSING], counts[CV_DUE_LINGER]);
    cv_metrics_set(&now->exchanges, server->running);
}

/* A wait that did not block is told of only when it is over: then the turn ends there, too. */
void cv_metrics_on_wait(struct cv_server *server, bool running, int64_t now)
{
    struct cv_metrics *metrics = &server->metrics;
    if (!metrics->is_on)
        return;
    if (metrics->turn_at != 0) {
        int64_t end = running ? now : metrics->clock > now ? metrics->clock : cv_clock_ns();
        observe(&metrics->page->busy, end - metrics->turn_at, 1);
        show_now(server);
    }
    metrics->turn_at = running ? now : 0;
}

void cv_metrics_fibers(struct cv_server *server, size_t now, size_t most, size_t stack_most)
{
    struct cv_metrics_page *page = server->metrics.page;
    cv_metrics_set(&page->now.fibers, now);
    if (most > cv_metrics_get(&page->fibers_most))
        cv_metrics_set(&page->fibers_most, most);
    if (stack_most > cv_metrics_get(&page->stack_most))
        cv_metrics_set(&page->stack_most, stack_most);
}
