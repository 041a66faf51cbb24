#include "cli/status/metrics_json.h"

/* A failed allocation is seen at the end: what is NULL makes everything around it NULL. */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* ns, in the unit that people read. */
static json_t *microseconds(double ns)
{
    return json_real(ns / 1e3);
}

static json_t *histogram(const struct cv_sum_histogram *from)
{
    json_t *buckets = json_array();
    for (unsigned i = 0; i < CV_HISTOGRAM_BUCKETS; i++) {
        bool is_last = i == CV_HISTOGRAM_BUCKETS - 1;
        json_t *end = is_last ? json_null() : microseconds(cv_sum_bucket_end(i));
        json_t *bucket = json_pack("{s:o, s:o}", "up_to_us", end, "n", number(from->bucket[i]));
        if (json_array_append_new(buckets, bucket) < 0) {
            json_decref(buckets);
            return NULL;
        }
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "n", number(from->count), "sum_us",
                     microseconds((double)from->sum), "p50_us",
                     microseconds(cv_sum_quantile(from, 0.5)), "p90_us",
                     microseconds(cv_sum_quantile(from, 0.9)), "p99_us",
                     microseconds(cv_sum_quantile(from, 0.99)), "buckets", buckets);
}

/* One number for each name. */
static json_t *table(const uint64_t *value, unsigned n, const char *(*name)(unsigned i))
{
    json_t *all = json_object();
    for (unsigned i = 0; i < n; i++)
        if (json_object_set_new(all, name(i), number(value[i])) < 0) {
            json_decref(all);
            return NULL;
        }
    return all;
}

static json_t *classes(const uint64_t *requests)
{
    return table(requests, CV_METRICS_CLASSES, cv_sum_class_name);
}

static int add_route(json_t *list, const char *name, const uint64_t *requests,
                     const struct cv_sum_histogram *latency)
{
    json_t *route = json_pack("{s:s, s:o}", "route", name, "requests", classes(requests));
    int rc = route != NULL ? 0 : -1;
    if (rc == 0 && latency != NULL)
        rc = json_object_set_new(route, "latency", histogram(latency));
    if (rc == 0)
        return json_array_append_new(list, route);
    json_decref(route);
    return rc;
}

/* Those that are no route's have names in brackets. */
static json_t *routes(const struct cv_sum *sum)
{
    json_t *list = json_array();
    int rc = list != NULL ? 0 : -1;
    for (unsigned i = 0; rc == 0 && i < sum->n_routes; i++) {
        const struct cv_sum_route *route = &sum->routes[i];
        rc = add_route(list, route->name, route->requests,
                       route->has_latency ? &route->latency : NULL);
    }
    for (unsigned i = 0; rc == 0 && i < CV_METRICS_FIRST_ROUTE; i++)
        rc = add_route(list, cv_sum_place_name(i), sum->others[i], NULL);
    if (rc == 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *sum_to_json(const struct cv_sum *sum)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o}",
        "requests", classes(sum->requests), "routes", routes(sum), "latency",
        histogram(&sum->latency), "loop", histogram(&sum->busy), "bytes", "received",
        number(sum->received), "sent", number(sum->sent), "connections",
        table(sum->connections, CV_METRICS_STATES, cv_sum_state_name), "accepted",
        number(sum->accepted), "in_flight", number(sum->exchanges), "fibers", "now",
        number(sum->fibers), "most", number(sum->fibers_most), "stack_most_bytes",
        number(sum->stack_most), "refused",
        table(sum->refused, CV_REFUSED_COUNT, cv_sum_refused_name), "timeouts",
        table(sum->timeouts, CV_METRICS_TIMEOUTS, cv_sum_timeout_name));
}

json_t *cv_metrics_json(const struct cv_ctl_status *status)
{
    json_t *slots = json_array();
    json_t *all = json_pack("{s:o, s:o}", "total", sum_to_json(&status->total), "slots", slots);
    for (size_t i = 0; all != NULL && i < status->n_counts; i++) {
        json_t *slot = sum_to_json(&status->counts[i].sum);
        if (slot == NULL || json_object_set_new(slot, "slot", number(status->counts[i].slot)) < 0 ||
            json_array_append_new(slots, slot) < 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}
