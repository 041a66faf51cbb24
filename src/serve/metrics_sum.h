/* What workers have counted, added up by someone who trusts none of them. Pure but for memory.
 *
 * A page may hold anything, and may change while it is read: each word is read once and cut to
 * INT64_MAX, sums end there, numbers of places and names are checked, names come out as printable
 * ASCII. Routes are told apart by their names, for every worker has places of its own.
 */
#ifndef CV_SERVE_METRICS_SUM_H
#define CV_SERVE_METRICS_SUM_H

#include "serve/metrics.h"

/* Of a route, as it is told. */
#define CV_SUM_NAME_MAX 255 /* bytes as they are; the rest is cut */
#define CV_SUM_ROUTES_MAX (CV_METRICS_ROUTES - CV_METRICS_FIRST_ROUTE)

struct cv_sum_histogram {
    uint64_t sum;   /* ns */
    uint64_t count; /* of all buckets */
    uint64_t bucket[CV_HISTOGRAM_BUCKETS];
};

struct cv_sum_route {
    char *name;
    uint64_t requests[CV_METRICS_CLASSES];
    struct cv_sum_histogram latency;
    bool has_latency;
};

struct cv_sum {
    /* Now. */
    uint64_t connections[CV_METRICS_STATES];
    uint64_t exchanges;
    uint64_t fibers;
    /* So far. */
    uint64_t accepted;
    uint64_t received;
    uint64_t sent;
    uint64_t fibers_most; /* in one worker */
    uint64_t stack_most;
    uint64_t timeouts[CV_METRICS_TIMEOUTS];
    uint64_t refused[CV_REFUSED_COUNT];
    uint64_t requests[CV_METRICS_CLASSES];                       /* all */
    uint64_t others[CV_METRICS_FIRST_ROUTE][CV_METRICS_CLASSES]; /* that are no route's */
    struct cv_sum_histogram latency;
    struct cv_sum_histogram busy;
    /* By route: the first CV_SUM_ROUTES_MAX names, others count as CV_METRICS_OTHER. */
    struct cv_sum_route *routes;
    unsigned n_routes;
    uint16_t *index; /* by name */
};

/* Adds a page to a sum, which begins as zeroes. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_sum_add(struct cv_sum *sum, const struct cv_metrics_page *page);

void cv_sum_done(struct cv_sum *sum);

/* ns that a fraction of all (0.99) did not exceed, as far as buckets tell: within one they are
 * taken to be evenly spread. 0 where there are none. */
double cv_sum_quantile(const struct cv_sum_histogram *histogram, double fraction);

/* Of two numbers; ends at INT64_MAX. */
static inline uint64_t cv_sum_of(uint64_t a, uint64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* Where a bucket ends, in ns; the last one has no end. */
static inline double cv_sum_bucket_end(unsigned i)
{
    return (double)(UINT64_C(1) << (CV_HISTOGRAM_FIRST + i));
}

/* ---- Names, for people and programs ---- */

const char *cv_sum_refused_name(unsigned reason);
const char *cv_sum_state_name(unsigned state);
const char *cv_sum_timeout_name(unsigned timeout);
const char *cv_sum_class_name(unsigned class);

/* Of a place that is no route's: no name of a route is like it. */
const char *cv_sum_place_name(unsigned place);

#endif
