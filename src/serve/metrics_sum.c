#include "serve/metrics_sum.h"

#include "base/span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_SIZE 4096 /* a power of 2, far more than there are routes */
#define NAME_BYTES (3 * CV_SUM_NAME_MAX + 1)

/* ---- Words ---- */

static uint64_t take(const _Atomic uint64_t *at)
{
    uint64_t value = cv_metrics_get(at);
    return value < INT64_MAX ? value : INT64_MAX;
}

static void take_to(uint64_t *to, const _Atomic uint64_t *at)
{
    *to = cv_sum_of(*to, take(at));
}

static void take_all(uint64_t *to, const _Atomic uint64_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        take_to(&to[i], &at[i]);
}

static void take_most(uint64_t *to, const _Atomic uint64_t *at)
{
    uint64_t value = take(at);
    if (value > *to)
        *to = value;
}

static void take_histogram(struct cv_sum_histogram *to, const struct cv_histogram *from)
{
    take_to(&to->sum, &from->sum);
    for (unsigned i = 0; i < CV_HISTOGRAM_BUCKETS; i++) {
        uint64_t n = take(&from->bucket[i]);
        to->bucket[i] = cv_sum_of(to->bucket[i], n);
        to->count = cv_sum_of(to->count, n);
    }
}

/* ---- Routes ---- */

static uint32_t hash(const char *name)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
    return hash ^ hash >> 16;
}

/* The route of that name, which is made if there is none. NULL: there are too many, or no memory
 * (*rc). */
static struct cv_sum_route *find(struct cv_sum *sum, const char *name, int *rc)
{
    uint32_t at = hash(name) % INDEX_SIZE;
    for (; sum->index[at] != 0; at = (at + 1) % INDEX_SIZE)
        if (strcmp(sum->routes[sum->index[at] - 1].name, name) == 0)
            return &sum->routes[sum->index[at] - 1];
    if (sum->n_routes == CV_SUM_ROUTES_MAX)
        return NULL;
    size_t bytes = strlen(name) + 1;
    struct cv_sum_route *route = &sum->routes[sum->n_routes];
    *route = (struct cv_sum_route){.name = malloc(bytes)};
    if (route->name == NULL) {
        *rc = -ENOMEM;
        return NULL;
    }
    memcpy(route->name, name, bytes);
    sum->index[at] = (uint16_t)++sum->n_routes;
    return route;
}

/* Printable ASCII stays, everything else becomes %XX. */
static void write_name(char to[NAME_BYTES], const char *from, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    if (len > CV_SUM_NAME_MAX)
        len = CV_SUM_NAME_MAX;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)from[i];
        if (byte >= 0x20 && byte < 0x7f) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    *to = '\0';
}

/* The number of the histogram of a place; -1: it has none. */
static int histogram_of(const struct cv_metrics_page *page, unsigned place)
{
    for (int i = 0; i < CV_METRICS_HISTOGRAMS; i++)
        if (atomic_load_explicit(&page->histogram_of[i], memory_order_relaxed) == place)
            return i;
    return -1;
}

static void take_place(struct cv_sum *sum, uint64_t to[CV_METRICS_CLASSES],
                       const struct cv_metrics_page *page, unsigned place)
{
    uint64_t requests[CV_METRICS_CLASSES] = {0};
    take_all(requests, page->requests[place], CV_METRICS_CLASSES);
    for (unsigned i = 0; i < CV_METRICS_CLASSES; i++) {
        to[i] = cv_sum_of(to[i], requests[i]);
        sum->requests[i] = cv_sum_of(sum->requests[i], requests[i]);
    }
}

static int take_route(struct cv_sum *sum, const struct cv_metrics_page *page, unsigned place,
                      struct cv_span bytes)
{
    char name[NAME_BYTES];
    write_name(name, bytes.at, bytes.len);
    int rc = 0;
    struct cv_sum_route *route = find(sum, name, &rc);
    if (rc < 0)
        return rc;
    take_place(sum, route != NULL ? route->requests : sum->others[CV_METRICS_OTHER], page, place);
    int histogram = route != NULL ? histogram_of(page, place) : -1;
    if (histogram < 0)
        return 0;
    route->has_latency = true;
    take_histogram(&route->latency, &page->by_route[histogram]);
    return 0;
}

/* A copy of the names: they are looked at more than once. */
static int take_routes(struct cv_sum *sum, const struct cv_metrics_page *page)
{
    unsigned n = atomic_load_explicit(&page->n_names, memory_order_acquire);
    CV_AUTOFREE char *names = malloc(sizeof(page->names));
    if (names == NULL)
        return -ENOMEM;
    memcpy(names, page->names, sizeof(page->names));
    const char *at = names;
    const char *end = names + sizeof(page->names);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n && i < CV_SUM_ROUTES_MAX && at < end; i++) {
        size_t len = strnlen(at, (size_t)(end - at));
        rc = take_route(sum, page, CV_METRICS_FIRST_ROUTE + i, cv_span(at, len));
        at += len + 1;
    }
    return rc;
}

/* ---- All ---- */

static int prepare(struct cv_sum *sum)
{
    if (sum->routes == NULL)
        sum->routes = calloc(CV_SUM_ROUTES_MAX, sizeof(*sum->routes));
    if (sum->index == NULL)
        sum->index = calloc(INDEX_SIZE, sizeof(*sum->index));
    return sum->routes != NULL && sum->index != NULL ? 0 : -ENOMEM;
}

int cv_sum_add(struct cv_sum *sum, const struct cv_metrics_page *page)
{
    int rc = prepare(sum);
    if (rc < 0)
        return rc;
    take_all(sum->connections, page->now.connections, CV_METRICS_STATES);
    take_to(&sum->exchanges, &page->now.exchanges);
    take_to(&sum->fibers, &page->now.fibers);
    take_to(&sum->accepted, &page->accepted);
    take_to(&sum->received, &page->received);
    take_to(&sum->sent, &page->sent);
    take_most(&sum->fibers_most, &page->fibers_most);
    take_most(&sum->stack_most, &page->stack_most);
    take_all(sum->timeouts, page->timeouts, CV_METRICS_TIMEOUTS);
    take_all(sum->refused, page->refused, CV_REFUSED_COUNT);
    take_histogram(&sum->latency, &page->latency);
    take_histogram(&sum->busy, &page->busy);
    for (unsigned place = 0; place < CV_METRICS_FIRST_ROUTE; place++)
        take_place(sum, sum->others[place], page, place);
    return take_routes(sum, page);
}

void cv_sum_done(struct cv_sum *sum)
{
    for (unsigned i = 0; i < sum->n_routes; i++)
        free(sum->routes[i].name);
    free(sum->routes);
    free(sum->index);
    *sum = (struct cv_sum){0};
}

double cv_sum_quantile(const struct cv_sum_histogram *histogram, double fraction)
{
    double wanted = fraction * (double)histogram->count;
    double before = 0;
    for (unsigned i = 0; i < CV_HISTOGRAM_BUCKETS; i++) {
        double here = (double)histogram->bucket[i];
        double begin = i > 0 ? cv_sum_bucket_end(i - 1) : 0;
        if (here > 0 && before + here >= wanted) {
            if (i == CV_HISTOGRAM_BUCKETS - 1)
                return begin;
            return begin + (cv_sum_bucket_end(i) - begin) * (wanted - before) / here;
        }
        before += here;
    }
    return 0;
}

/* ---- Names ---- */

const char *cv_sum_refused_name(unsigned reason)
{
    static const char *const names[] = {
#define CV_SUM_NAME(name, word, ...) [CV_REFUSED_##name] = word,
        CV_REFUSALS(CV_SUM_NAME)
#undef CV_SUM_NAME
    };
    return names[reason];
}

const char *cv_sum_state_name(unsigned state)
{
    static const char *const names[CV_METRICS_STATES] = {
        [CV_METRICS_HANDLING] = "handling", [CV_METRICS_IDLE] = "idle",
        [CV_METRICS_READING] = "reading",   [CV_METRICS_WRITING] = "writing",
        [CV_METRICS_CLOSING] = "closing",
    };
    return names[state];
}

const char *cv_sum_timeout_name(unsigned timeout)
{
    static const char *const names[CV_METRICS_TIMEOUTS] = {
        [CV_METRICS_KEEP_ALIVE] = "keep_alive", [CV_METRICS_REQUEST] = "request",
        [CV_METRICS_RESPONSE] = "response",     [CV_METRICS_WRITE] = "write",
        [CV_METRICS_LINGER] = "linger",
    };
    return names[timeout];
}

const char *cv_sum_class_name(unsigned class)
{
    static const char *const names[CV_METRICS_CLASSES] = {
        [CV_METRICS_UNANSWERED] = "unanswered",
        [CV_METRICS_OTHER_CLASS] = "other",
        [CV_METRICS_2XX] = "2xx",
        [CV_METRICS_3XX] = "3xx",
        [CV_METRICS_4XX] = "4xx",
        [CV_METRICS_5XX] = "5xx",
    };
    return names[class];
}

const char *cv_sum_place_name(unsigned place)
{
    static const char *const names[CV_METRICS_FIRST_ROUTE] = {
        [CV_METRICS_NO_ROUTE] = "(none)",
        [CV_METRICS_OTHER] = "(other)",
        [CV_METRICS_REFUSED] = "(refused)",
    };
    return names[place];
}
