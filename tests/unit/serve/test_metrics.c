/* What a server counts: once each, in the right place, and going on where another has ended. */
#include "rig.h"

#include <string.h>
#include <sys/mman.h>

static struct cv_metrics_page *page_new(void)
{
    void *page = mmap(NULL, sizeof(struct cv_metrics_page), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    return page;
}

static void page_free(struct cv_metrics_page *page)
{
    munmap(page, sizeof(*page));
}

/* The first route has a place and a histogram, the second a place, the third nothing. */
static const struct cv_metrics_route routes[] = {{.place = 7, .histogram = 1}, {.place = 8}};

/* Targets "/0", "/1" ... are routes of that number, others are none. */
static void host_routes(struct rig *rig, const struct cv_event *event)
{
    (void)rig;
    if (event->kind != CV_EV_REQUEST)
        return;
    struct cv_exchange *x = event->exchange;
    const struct cv_h1_head *head = cv_exchange_head(x);
    struct cv_span target = cv_h1_span(cv_exchange_bytes(x), head->target_at, head->target_len);
    struct cv_answer answer = text_answer("hello");
    if (target.at[1] >= '0' && target.at[1] <= '9')
        cv_exchange_set_route(x, (size_t)(target.at[1] - '0'));
    else
        answer.status = 404;
    if (target.len > 2)
        answer.status = target.at[2] == 'e' ? 500 : 304;
    (void)cv_exchange_answer(x, &answer);
    cv_exchange_release(x);
}

static struct rig *rig_counting(struct cv_metrics_page *page,
                                void (*host)(struct rig *, const struct cv_event *))
{
    struct rig *rig = rig_new(host);
    rig->config.metrics =
        (struct cv_metrics_config){.page = page, .routes = routes, .n_routes = CV_COUNT(routes)};
    rig_start(rig);
    return rig;
}

static uint64_t requests(const struct cv_metrics_page *page, unsigned place,
                         enum cv_metrics_class class)
{
    return cv_metrics_get(&page->requests[place][class]);
}

static uint64_t all_requests(const struct cv_metrics_page *page)
{
    uint64_t n = 0;
    for (unsigned place = 0; place < CV_METRICS_ROUTES; place++)
        for (unsigned class = 0; class < 8; class ++)
            n += cv_metrics_get(&page->requests[place][class]);
    return n;
}

static uint64_t observations(const struct cv_histogram *histogram)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < CV_HISTOGRAM_BUCKETS; i++)
        n += cv_metrics_get(&histogram->bucket[i]);
    return n;
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"
#define LAST(target) "GET " target " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_each_request_is_counted_once_by_route_and_class(void **state)
{
    (void)state;
    struct cv_metrics_page *page = page_new();
    struct rig *rig = rig_counting(page, host_routes);
    const char *all = GET("/0") GET("/0") GET("/1n") GET("/1e") GET("/9") LAST("/n");
    say_and_hear_all(rig, all);
    assert_int_equal(requests(page, 7, CV_METRICS_2XX), 2);
    assert_int_equal(requests(page, 8, CV_METRICS_3XX), 1);
    assert_int_equal(requests(page, 8, CV_METRICS_5XX), 1);
    assert_int_equal(requests(page, CV_METRICS_OTHER, CV_METRICS_2XX), 1);
    assert_int_equal(requests(page, CV_METRICS_NO_ROUTE, CV_METRICS_4XX), 1);
    assert_int_equal(all_requests(page), 6);
    assert_int_equal(observations(&page->latency), 6);
    assert_int_equal(observations(&page->by_route[0]), 2);
    assert_true(cv_metrics_get(&page->latency.sum) > 0);
    assert_int_equal(cv_metrics_get(&page->accepted), 1);
    assert_int_equal(cv_metrics_get(&page->received), strlen(all));
    assert_int_equal(cv_metrics_get(&page->sent), rig->got_len);
    rig_free(rig);
    page_free(page);
}

static void test_what_is_refused_is_counted_with_its_reason(void **state)
{
    (void)state;
    struct cv_metrics_page *page = page_new();
    struct rig *rig = rig_counting(page, host_routes);
    say_and_hear_all(rig, "nonsense\r\n\r\n");
    say_and_hear_all(rig, "GET / HTTP/2.5\r\n\r\n");
    assert_int_equal(cv_metrics_get(&page->refused[CV_REFUSED_MALFORMED]), 1);
    assert_int_equal(cv_metrics_get(&page->refused[CV_REFUSED_VERSION]), 1);
    assert_int_equal(requests(page, CV_METRICS_REFUSED, CV_METRICS_4XX), 1);
    assert_int_equal(requests(page, CV_METRICS_REFUSED, CV_METRICS_5XX), 1);
    assert_int_equal(all_requests(page), 2);
    assert_int_equal(observations(&page->latency), 0); /* of requests only */
    rig_free(rig);
    page_free(page);
}

static void test_a_client_that_leaves_before_its_answer_is_told_apart(void **state)
{
    (void)state;
    struct cv_metrics_page *page = page_new();
    struct rig *rig = rig_counting(page, host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET("/"));
    rig_until(rig, rig->held != NULL);
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
    rig_until(rig, rig->gones == 1);
    cv_exchange_release(rig->held);
    assert_int_equal(requests(page, CV_METRICS_NO_ROUTE, CV_METRICS_UNANSWERED), 1);
    assert_int_equal(all_requests(page), 1);
    assert_int_equal(observations(&page->latency), 0);
    rig_free(rig);
    page_free(page);
}

static void test_connections_are_counted_by_what_they_wait_for(void **state)
{
    (void)state;
    struct cv_metrics_page *page = page_new();
    struct rig *rig = rig_counting(page, host_hold);
    int reading = rig_connect(rig);
    int handling = rig_connect(rig);
    say_text(reading, "GET / HT");
    say_text(handling, GET("/"));
    rig_until(rig, rig->held != NULL && cv_server_connections(rig->server) == 2);
    rig_settle(rig);
    cv_metrics_on_wait(rig->server, true, cv_clock_ns());
    cv_metrics_on_wait(rig->server, false, cv_loop_now(rig->loop));
    assert_int_equal(cv_metrics_get(&page->now.connections[CV_METRICS_READING]), 1);
    assert_int_equal(cv_metrics_get(&page->now.connections[CV_METRICS_HANDLING]), 1);
    assert_int_equal(cv_metrics_get(&page->now.connections[CV_METRICS_IDLE]), 0);
    assert_int_equal(cv_metrics_get(&page->now.exchanges), 1);
    assert_int_equal(observations(&page->busy), 1);
    answer_text(rig->held, "x");
    cv_exchange_release(rig->held);
    rig_settle(rig);
    close(reading);
    rig_until(rig, cv_server_connections(rig->server) == 1);
    cv_metrics_on_wait(rig->server, true, cv_clock_ns());
    cv_metrics_on_wait(rig->server, true, cv_clock_ns()); /* after a wait that did not block */
    assert_int_equal(cv_metrics_get(&page->now.connections[CV_METRICS_IDLE]), 1);
    assert_int_equal(cv_metrics_get(&page->now.exchanges), 0);
    assert_int_equal(observations(&page->busy), 2);
    close(handling);
    rig_free(rig);
    page_free(page);
}

static void test_the_next_one_counts_on(void **state)
{
    (void)state;
    struct cv_metrics_page *page = page_new();
    for (unsigned i = 1; i <= 3; i++) {
        struct rig *rig = rig_counting(page, host_routes);
        say_and_hear_all(rig, LAST("/0"));
        assert_int_equal(requests(page, 7, CV_METRICS_2XX), i);
        assert_int_equal(cv_metrics_get(&page->accepted), i);
        rig_free(rig);
    }
    page_free(page);
}

static void test_histograms_hold_what_their_bounds_say(void **state)
{
    (void)state;
    assert_int_equal(cv_histogram_bucket(0), 0);
    assert_int_equal(cv_histogram_bucket(INT64_MAX), CV_HISTOGRAM_BUCKETS - 1);
    for (unsigned i = 0; i + 1 < CV_HISTOGRAM_BUCKETS; i++) {
        int64_t bound = INT64_C(1) << (CV_HISTOGRAM_FIRST + i);
        assert_int_equal(cv_histogram_bucket(bound - 1), i);
        assert_int_equal(cv_histogram_bucket(bound), i);
        assert_int_equal(cv_histogram_bucket(bound + 1), i + 1);
    }
}

static void test_a_place_keeps_its_histogram(void **state)
{
    (void)state;
    struct cv_metrics_page *page = page_new();
    for (unsigned place = 3; place < 3 + CV_METRICS_HISTOGRAMS; place++)
        assert_int_equal(cv_metrics_histogram(page, place), place - 3);
    assert_int_equal(cv_metrics_histogram(page, 1000), -1);
    assert_int_equal(cv_metrics_histogram(page, 5), 2);
    page_free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_request_is_counted_once_by_route_and_class),
        cmocka_unit_test(test_what_is_refused_is_counted_with_its_reason),
        cmocka_unit_test(test_a_client_that_leaves_before_its_answer_is_told_apart),
        cmocka_unit_test(test_connections_are_counted_by_what_they_wait_for),
        cmocka_unit_test(test_the_next_one_counts_on),
        cmocka_unit_test(test_histograms_hold_what_their_bounds_say),
        cmocka_unit_test(test_a_place_keeps_its_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
