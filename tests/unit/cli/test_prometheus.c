#include "cli/status/prometheus.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct cv_metrics_page *page;
static struct cv_ctl_status status;
static char *text;

static int start(void **state)
{
    (void)state;
    page = calloc(1, sizeof(*page));
    status = (struct cv_ctl_status){.fleet = {.wanted = 3, .ready = 2, .uptime_ms = 12999}};
    text = NULL;
    return page != NULL ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    cv_ctl_status_clear(&status);
    free(page);
    free(text);
    return 0;
}

static unsigned place(const char *name)
{
    struct cv_metrics_places places = {.page = page};
    return cv_metrics_place(&places, name);
}

static void write_all(void)
{
    size_t len = 0;
    assert_int_equal(cv_sum_add(&status.total, page), 0);
    FILE *to = open_memstream(&text, &len);
    cv_prometheus_write(to, &status);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(strlen(text), len);
    assert_int_equal(text[len - 1], '\n');
}

static void assert_line(const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at += len)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return;
    fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void test_numbers_stand_under_their_names(void **state)
{
    (void)state;
    cv_metrics_add(&page->requests[place("/a")][CV_METRICS_2XX], 7);
    cv_metrics_add(&page->requests[CV_METRICS_NO_ROUTE][CV_METRICS_4XX], 2);
    cv_metrics_add(&page->refused[CV_REFUSED_MALFORMED], 5);
    cv_metrics_add(&page->timeouts[CV_METRICS_KEEP_ALIVE], 6);
    cv_metrics_add(&page->now.connections[CV_METRICS_IDLE], 4);
    cv_metrics_add(&page->received, 1000);
    write_all();
    assert_line("# TYPE covey_requests_total counter");
    assert_line("covey_requests_total{route=\"/a\",class=\"2xx\"} 7");
    assert_line("covey_requests_total{route=\"(none)\",class=\"4xx\"} 2");
    assert_line("covey_refused_total{reason=\"malformed\"} 5");
    assert_line("covey_timeouts_total{kind=\"keep_alive\"} 6");
    assert_line("covey_connections{state=\"idle\"} 4");
    assert_line("covey_received_bytes_total 1000");
    assert_line("covey_workers_ready 2");
    assert_line("covey_uptime_seconds 12");
}

static void test_labels_are_escaped(void **state)
{
    (void)state;
    cv_metrics_add(&page->requests[place("/\"a\\b\"\n")][CV_METRICS_2XX], 1);
    write_all();
    assert_line("covey_requests_total{route=\"/\\\"a\\\\b\\\"%0A\",class=\"2xx\"} 1");
}

static void test_histograms_are_cumulative(void **state)
{
    (void)state;
    cv_metrics_add(&page->latency.bucket[0], 1);
    cv_metrics_add(&page->latency.bucket[2], 10);
    cv_metrics_add(&page->latency.bucket[CV_HISTOGRAM_BUCKETS - 1], 100);
    cv_metrics_add(&page->latency.sum, 12345678901);
    int own = cv_metrics_histogram(page, place("/a"));
    cv_metrics_add(&page->by_route[own].bucket[1], 2);
    write_all();
    assert_line("# TYPE covey_request_duration_seconds histogram");
    assert_line("covey_request_duration_seconds_bucket{le=\"0.000008192\"} 1");
    assert_line("covey_request_duration_seconds_bucket{le=\"0.000016384\"} 1");
    assert_line("covey_request_duration_seconds_bucket{le=\"0.000032768\"} 11");
    assert_line("covey_request_duration_seconds_bucket{le=\"34.359738368\"} 11");
    assert_line("covey_request_duration_seconds_bucket{le=\"+Inf\"} 111");
    assert_line("covey_request_duration_seconds_sum 12.345678901");
    assert_line("covey_request_duration_seconds_count 111");
    assert_line("covey_route_duration_seconds_bucket{route=\"/a\",le=\"0.000016384\"} 2");
    assert_line("covey_route_duration_seconds_count{route=\"/a\"} 2");
}

/* A worker that lies makes no histogram that falls. */
static void test_buckets_never_pass_their_count(void **state)
{
    (void)state;
    memset(page, 0xff, sizeof(*page));
    write_all();
    uint64_t before = 0;
    static const char name[] = "\ncovey_request_duration_seconds_bucket{";
    int n = 0;
    for (const char *at = text; (at = strstr(at, name)) != NULL; at += sizeof(name), n++) {
        uint64_t value = strtoull(strchr(at, '}') + 1, NULL, 10);
        assert_true(value >= before && value <= INT64_MAX);
        before = value;
    }
    assert_int_equal(n, CV_HISTOGRAM_BUCKETS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers_stand_under_their_names, start, finish),
        cmocka_unit_test_setup_teardown(test_labels_are_escaped, start, finish),
        cmocka_unit_test_setup_teardown(test_histograms_are_cumulative, start, finish),
        cmocka_unit_test_setup_teardown(test_buckets_never_pass_their_count, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
