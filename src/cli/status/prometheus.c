#include "cli/status/prometheus.h"

#define NS_PER_S 1000000000ULL

/* ---- The format ---- */

static void head(FILE *to, const char *name, const char *type, const char *help)
{
    (void)fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The value of a label. */
static void put_quoted(FILE *to, const char *text)
{
    (void)fputc('"', to);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', to);
        if (*text == '\n')
            (void)fputs("\\n", to);
        else
            (void)fputc(*text, to);
    }
    (void)fputc('"', to);
}

static void put_number(FILE *to, uint64_t value)
{
    (void)fprintf(to, " %llu\n", (unsigned long long)value);
}

/* Without floating point: the app may have chosen a locale with a comma. */
static void put_seconds(FILE *to, uint64_t ns)
{
    (void)fprintf(to, "%llu.%09llu", ns / NS_PER_S, ns % NS_PER_S);
}

/* One without labels. */
static void put_one(FILE *to, const char *name, const char *type, const char *help, uint64_t value)
{
    head(to, name, type, help);
    (void)fputs(name, to);
    put_number(to, value);
}

/* One for each name, which is the value of the label. */
static void put_each(FILE *to, const char *name, const char *label, const uint64_t *value,
                     unsigned n, const char *(*value_name)(unsigned i))
{
    for (unsigned i = 0; i < n; i++) {
        (void)fprintf(to, "%s{%s=", name, label);
        put_quoted(to, value_name(i));
        (void)fputc('}', to);
        put_number(to, value[i]);
    }
}

/* ---- Histograms ---- */

static void put_route(FILE *to, const char *route, const char *before, const char *behind)
{
    if (route == NULL)
        return;
    (void)fprintf(to, "%sroute=", before);
    put_quoted(to, route);
    (void)fputs(behind, to);
}

static void put_bucket(FILE *to, const char *name, const char *route, unsigned i, uint64_t count)
{
    (void)fprintf(to, "%s_bucket{", name);
    put_route(to, route, "", ",");
    (void)fputs("le=\"", to);
    if (i < CV_HISTOGRAM_BUCKETS - 1)
        put_seconds(to, UINT64_C(1) << (CV_HISTOGRAM_FIRST + i));
    else
        (void)fputs("+Inf", to);
    (void)fputs("\"}", to);
    put_number(to, count);
}

/* Of a route, or of all (NULL). */
static void put_histogram(FILE *to, const char *name, const char *route,
                          const struct cv_sum_histogram *from)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < CV_HISTOGRAM_BUCKETS; i++) {
        bool is_last = i == CV_HISTOGRAM_BUCKETS - 1;
        count = is_last || from->bucket[i] > from->count - count ? from->count
                                                                 : count + from->bucket[i];
        put_bucket(to, name, route, i, count);
    }
    (void)fprintf(to, "%s_sum", name);
    put_route(to, route, "{", "}");
    (void)fputc(' ', to);
    put_seconds(to, from->sum);
    (void)fprintf(to, "\n%s_count", name);
    put_route(to, route, "{", "}");
    put_number(to, from->count);
}

/* ---- What there is ---- */

static void put_fleet(FILE *to, const struct cv_control_fleet *fleet)
{
    put_one(to, "covey_workers_wanted", "gauge", "Worker processes that there should be.",
            fleet->wanted);
    put_one(to, "covey_workers_ready", "gauge", "Worker processes that serve.", fleet->ready);
    put_one(to, "covey_generation", "gauge", "Of the workers: one more with each reload.",
            fleet->generation);
    put_one(to, "covey_upgrades_total", "counter", "Upgrades of covey itself.", fleet->upgrades);
    put_one(to, "covey_uptime_seconds", "gauge", "Since the server was started.",
            fleet->uptime_ms > 0 ? (uint64_t)fleet->uptime_ms / 1000 : 0);
}

static void put_requests_of(FILE *to, const char *route, const uint64_t *requests)
{
    for (unsigned i = 0; i < CV_METRICS_CLASSES; i++) {
        (void)fputs("covey_requests_total{", to);
        put_route(to, route, "", ",class=");
        put_quoted(to, cv_sum_class_name(i));
        (void)fputc('}', to);
        put_number(to, requests[i]);
    }
}

static void put_requests(FILE *to, const struct cv_sum *sum)
{
    head(to, "covey_requests_total", "counter",
         "Requests that have ended, by route and class of the answer.");
    for (unsigned i = 0; i < sum->n_routes; i++)
        put_requests_of(to, sum->routes[i].name, sum->routes[i].requests);
    for (unsigned i = 0; i < CV_METRICS_FIRST_ROUTE; i++)
        put_requests_of(to, cv_sum_place_name(i), sum->others[i]);
    put_one(to, "covey_requests_in_flight", "gauge", "Requests that are being answered.",
            sum->exchanges);
}

static void put_times(FILE *to, const struct cv_sum *sum)
{
    head(to, "covey_request_duration_seconds", "histogram",
         "From the read to the send handed over.");
    put_histogram(to, "covey_request_duration_seconds", NULL, &sum->latency);
    head(to, "covey_route_duration_seconds", "histogram",
         "The same, of routes with a histogram of their own.");
    for (unsigned i = 0; i < sum->n_routes; i++)
        if (sum->routes[i].has_latency)
            put_histogram(to, "covey_route_duration_seconds", sum->routes[i].name,
                          &sum->routes[i].latency);
    head(to, "covey_loop_turn_seconds", "histogram",
         "Turns of the event loops, from the end of a wait to the next.");
    put_histogram(to, "covey_loop_turn_seconds", NULL, &sum->busy);
}

static void put_connections(FILE *to, const struct cv_sum *sum)
{
    head(to, "covey_connections", "gauge", "Open connections, by what they wait for.");
    put_each(to, "covey_connections", "state", sum->connections, CV_METRICS_STATES,
             cv_sum_state_name);
    put_one(to, "covey_connections_accepted_total", "counter", "Connections accepted.",
            sum->accepted);
    put_one(to, "covey_received_bytes_total", "counter", "Bytes read from sockets.", sum->received);
    put_one(to, "covey_sent_bytes_total", "counter", "Bytes written to sockets.", sum->sent);
}

static void put_rest(FILE *to, const struct cv_sum *sum)
{
    head(to, "covey_refused_total", "counter", "What was not done for a client, by reason.");
    put_each(to, "covey_refused_total", "reason", sum->refused, CV_REFUSED_COUNT,
             cv_sum_refused_name);
    head(to, "covey_timeouts_total", "counter", "Deadlines that have passed, by kind.");
    put_each(to, "covey_timeouts_total", "kind", sum->timeouts, CV_METRICS_TIMEOUTS,
             cv_sum_timeout_name);
    put_one(to, "covey_fibers", "gauge", "Handlers that run or wait.", sum->fibers);
    put_one(to, "covey_fibers_most", "gauge", "Most of them at once in one worker.",
            sum->fibers_most);
    put_one(to, "covey_fiber_stack_most_bytes", "gauge", "The deepest stack that was seen.",
            sum->stack_most);
}

static void put_slots(FILE *to, const struct cv_ctl_status *status)
{
    head(to, "covey_slot_requests_total", "counter", "Requests that have ended, by slot.");
    for (size_t i = 0; i < status->n_counts; i++) {
        uint64_t n = 0;
        for (unsigned class = 0; class < CV_METRICS_CLASSES; class ++)
            n = cv_sum_of(n, status->counts[i].sum.requests[class]);
        (void)fprintf(to, "covey_slot_requests_total{slot=\"%u\"}", status->counts[i].slot);
        put_number(to, n);
    }
}

void cv_prometheus_write(FILE *to, const struct cv_ctl_status *status)
{
    put_fleet(to, &status->fleet);
    put_requests(to, &status->total);
    put_times(to, &status->total);
    put_connections(to, &status->total);
    put_rest(to, &status->total);
    put_slots(to, status);
}
