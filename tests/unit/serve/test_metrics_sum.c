#include "serve/metrics_sum.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

static struct cv_metrics_page *page;
static struct cv_sum sum;

static int start(void **state)
{
    (void)state;
    page = calloc(1, sizeof(*page));
    sum = (struct cv_sum){0};
    return page != NULL ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    cv_sum_done(&sum);
    free(page);
    return 0;
}

static unsigned place(const char *name)
{
    struct cv_metrics_places places = {.page = page};
    return cv_metrics_place(&places, name);
}

static void count(const char *name, enum cv_metrics_class class, uint64_t n)
{
    cv_metrics_add(&page->requests[place(name)][class], n);
}

static const struct cv_sum_route *route(const char *name)
{
    for (unsigned i = 0; i < sum.n_routes; i++)
        if (strcmp(sum.routes[i].name, name) == 0)
            return &sum.routes[i];
    return NULL;
}

/* ---- Places ---- */

static void test_names_keep_their_places(void **state)
{
    (void)state;
    struct cv_metrics_places places = {.page = page};
    assert_int_equal(cv_metrics_place(&places, "/a"), CV_METRICS_FIRST_ROUTE);
    assert_int_equal(cv_metrics_place(&places, ""), CV_METRICS_FIRST_ROUTE + 1);
    assert_int_equal(cv_metrics_place(&places, "/b"), CV_METRICS_FIRST_ROUTE + 2);
    struct cv_metrics_places next = {.page = page}; /* the next incarnation, with other routes */
    assert_int_equal(cv_metrics_place(&next, "/b"), CV_METRICS_FIRST_ROUTE + 2);
    assert_int_equal(cv_metrics_place(&next, "/c"), CV_METRICS_FIRST_ROUTE + 3);
    assert_int_equal(cv_metrics_place(&next, "/a"), CV_METRICS_FIRST_ROUTE);
    assert_int_equal(cv_metrics_place(&next, ""), CV_METRICS_FIRST_ROUTE + 1);
    assert_int_equal(page->n_names, 4);
}

static void test_routes_past_the_last_place_are_others(void **state)
{
    (void)state;
    struct cv_metrics_places places = {.page = page};
    char name[16];
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(name, sizeof(name), "/%u", i);
        unsigned expected = i < 1024 ? CV_METRICS_FIRST_ROUTE + i : CV_METRICS_OTHER;
        assert_int_equal(cv_metrics_place(&places, name), expected);
    }
    assert_int_equal(place("/1023"), CV_METRICS_ROUTES - 1);
}

static void test_names_that_are_too_long_are_others(void **state)
{
    (void)state;
    static char name[CV_METRICS_NAMES_BYTES];
    memset(name, 'x', sizeof(name) - 4);
    assert_int_equal(place(name), CV_METRICS_FIRST_ROUTE);
    assert_int_equal(place("/a"), CV_METRICS_FIRST_ROUTE + 1);
    assert_int_equal(place("/"), CV_METRICS_OTHER);
}

/* What the one before has left may be anything. */
static void test_places_are_found_in_any_memory(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof(page->names); i++)
            page->names[i] = (char)(cv_rand_next(&random) % (round % 7 == 0 ? 256 : 2));
        page->n_names = (uint32_t)cv_rand_next(&random) >> (round % 32);
        struct cv_metrics_places places = {.page = page};
        for (int i = 0; i < 20; i++) {
            char name[8];
            (void)snprintf(name, sizeof(name), "%.*s", i % 4, "\1\1\1\1");
            unsigned at = cv_metrics_place(&places, name);
            assert_true(at == CV_METRICS_OTHER ||
                        (at >= CV_METRICS_FIRST_ROUTE && at < CV_METRICS_ROUTES));
        }
    }
}

/* ---- Sums ---- */

static void test_routes_of_workers_are_added_by_name(void **state)
{
    (void)state;
    count("/a", CV_METRICS_2XX, 3);
    count("/b", CV_METRICS_4XX, 1);
    cv_metrics_add(&page->requests[CV_METRICS_NO_ROUTE][CV_METRICS_4XX], 9);
    assert_int_equal(cv_sum_add(&sum, page), 0);
    memset(page, 0, sizeof(*page));
    count("/b", CV_METRICS_4XX, 10); /* in another place */
    count("/a", CV_METRICS_2XX, 30);
    assert_int_equal(cv_sum_add(&sum, page), 0);
    assert_int_equal(sum.n_routes, 2);
    assert_int_equal(route("/a")->requests[CV_METRICS_2XX], 33);
    assert_int_equal(route("/b")->requests[CV_METRICS_4XX], 11);
    assert_int_equal(sum.requests[CV_METRICS_2XX], 33);
    assert_int_equal(sum.requests[CV_METRICS_4XX], 20);
    assert_int_equal(sum.others[CV_METRICS_NO_ROUTE][CV_METRICS_4XX], 9);
}

static void test_a_route_has_the_histogram_of_its_place(void **state)
{
    (void)state;
    count("/a", CV_METRICS_2XX, 1);
    unsigned b = place("/b");
    int histogram = cv_metrics_histogram(page, b);
    assert_int_equal(histogram, 0);
    cv_metrics_add(&page->by_route[histogram].bucket[4], 5);
    assert_int_equal(cv_sum_add(&sum, page), 0);
    assert_false(route("/a")->has_latency);
    assert_true(route("/b")->has_latency);
    assert_int_equal(route("/b")->latency.count, 5);
    assert_int_equal(route("/b")->latency.bucket[4], 5);
}

static void test_what_is_most_is_not_added(void **state)
{
    (void)state;
    cv_metrics_set(&page->fibers_most, 7);
    cv_metrics_set(&page->now.fibers, 2);
    assert_int_equal(cv_sum_add(&sum, page), 0);
    cv_metrics_set(&page->fibers_most, 5);
    assert_int_equal(cv_sum_add(&sum, page), 0);
    assert_int_equal(sum.fibers_most, 7);
    assert_int_equal(sum.fibers, 4);
}

static void test_sums_end_where_json_does(void **state)
{
    (void)state;
    memset(page, 0xff, sizeof(*page));
    for (int i = 0; i < 3; i++)
        assert_int_equal(cv_sum_add(&sum, page), 0);
    assert_true(sum.accepted == INT64_MAX && sum.latency.count == INT64_MAX &&
                sum.requests[CV_METRICS_5XX] == INT64_MAX && sum.stack_most == INT64_MAX);
    assert_int_equal(sum.n_routes, 1); /* one endless name */
}

static void test_names_come_out_printable_and_bounded(void **state)
{
    (void)state;
    static char name[2000];
    memset(name, '\xe4', sizeof(name) - 1);
    (void)place(name);
    (void)place("/a\n\"b\\ \x7f\xc3\xa4");
    assert_int_equal(cv_sum_add(&sum, page), 0);
    assert_int_equal(strlen(sum.routes[0].name), 3 * CV_SUM_NAME_MAX);
    assert_string_equal(sum.routes[1].name, "/a%0A\"b\\ %7F%C3%A4");
}

static void test_too_many_names_count_as_others(void **state)
{
    (void)state;
    char name[16];
    for (unsigned i = 0; i < 3000; i++) {
        if (i % 1000 == 0)
            memset(page, 0, sizeof(*page));
        (void)snprintf(name, sizeof(name), "/%u", i);
        count(name, CV_METRICS_2XX, 1);
        if (i % 1000 == 999)
            assert_int_equal(cv_sum_add(&sum, page), 0);
    }
    assert_int_equal(sum.n_routes, CV_SUM_ROUTES_MAX);
    assert_int_equal(sum.others[CV_METRICS_OTHER][CV_METRICS_2XX], 3000 - CV_SUM_ROUTES_MAX);
    assert_int_equal(sum.requests[CV_METRICS_2XX], 3000);
}

static void check_bounds(void)
{
    assert_true(sum.n_routes <= CV_SUM_ROUTES_MAX);
    uint64_t all = 0;
    for (unsigned class = 0; class < CV_METRICS_CLASSES; class ++)
        all |= sum.requests[class];
    assert_true(all <= INT64_MAX && sum.latency.count <= INT64_MAX);
    double p50 = cv_sum_quantile(&sum.latency, 0.5);
    double p99 = cv_sum_quantile(&sum.latency, 0.99);
    assert_true(p50 >= 0 && p50 <= p99 && p99 <= cv_sum_bucket_end(CV_HISTOGRAM_BUCKETS - 2));
    for (unsigned i = 0; i < sum.n_routes; i++)
        for (const char *at = sum.routes[i].name; *at != '\0'; at++)
            assert_in_range(*at, 0x20, 0x7e);
}

static void test_any_page_can_be_added(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int round = 0; round < 40; round++) {
        uint64_t *word = (uint64_t *)(void *)page;
        for (size_t i = 0; i < sizeof(*page) / sizeof(*word); i++)
            word[i] = cv_rand_next(&random) >> (round % 4 * 16);
        assert_int_equal(cv_sum_add(&sum, page), 0);
        check_bounds();
    }
}

/* ---- Quantiles ---- */

static void test_quantiles_are_where_the_buckets_say(void **state)
{
    (void)state;
    struct cv_sum_histogram histogram = {0};
    assert_true(cv_sum_quantile(&histogram, 0.99) == 0);
    histogram.bucket[3] = 90; /* 32768 to 65536 ns */
    histogram.bucket[5] = 10;
    histogram.count = 100;
    assert_true(cv_sum_quantile(&histogram, 0.45) == 32768 + 32768 / 2);
    assert_true(cv_sum_quantile(&histogram, 0.9) == 65536);
    assert_true(cv_sum_quantile(&histogram, 0.95) == 131072 + 131072 / 2);
    histogram.bucket[CV_HISTOGRAM_BUCKETS - 1] = 900;
    histogram.count = 1000;
    assert_true(cv_sum_quantile(&histogram, 0.99) == cv_sum_bucket_end(CV_HISTOGRAM_BUCKETS - 2));
}

static void test_everything_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CV_REFUSED_COUNT; i++)
        assert_non_null(cv_sum_refused_name(i));
    for (unsigned i = 0; i < CV_METRICS_STATES; i++)
        assert_non_null(cv_sum_state_name(i));
    for (unsigned i = 0; i < CV_METRICS_TIMEOUTS; i++)
        assert_non_null(cv_sum_timeout_name(i));
    for (unsigned i = 0; i < CV_METRICS_CLASSES; i++)
        assert_non_null(cv_sum_class_name(i));
    for (unsigned i = 0; i < CV_METRICS_FIRST_ROUTE; i++)
        assert_int_not_equal(cv_sum_place_name(i)[0], '/');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_keep_their_places, start, finish),
        cmocka_unit_test_setup_teardown(test_routes_past_the_last_place_are_others, start, finish),
        cmocka_unit_test_setup_teardown(test_names_that_are_too_long_are_others, start, finish),
        cmocka_unit_test_setup_teardown(test_places_are_found_in_any_memory, start, finish),
        cmocka_unit_test_setup_teardown(test_routes_of_workers_are_added_by_name, start, finish),
        cmocka_unit_test_setup_teardown(test_a_route_has_the_histogram_of_its_place, start, finish),
        cmocka_unit_test_setup_teardown(test_what_is_most_is_not_added, start, finish),
        cmocka_unit_test_setup_teardown(test_sums_end_where_json_does, start, finish),
        cmocka_unit_test_setup_teardown(test_names_come_out_printable_and_bounded, start, finish),
        cmocka_unit_test_setup_teardown(test_too_many_names_count_as_others, start, finish),
        cmocka_unit_test_setup_teardown(test_any_page_can_be_added, start, finish),
        cmocka_unit_test(test_quantiles_are_where_the_buckets_say),
        cmocka_unit_test(test_everything_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
