/* Fuzz target: what a worker has counted, as those who add it up read it. The input lies over and
 * over in the page, which is larger, and at its own beginning among the names. */
#include "serve/metrics_sum.h"

#include "fuzz/target.h"

#include <string.h>

static void fill(char *to, size_t n, const uint8_t *data, size_t size)
{
    for (size_t at = 0; size > 0 && at < n; at += size)
        memcpy(to + at, data, size < n - at ? size : n - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cv_metrics_page page;
    memset(&page, 0, sizeof(page));
    fill((char *)&page, sizeof(page), data, size);
    fill(page.names, sizeof(page.names), data, size);
    struct cv_sum sum = {0};
    CHECK(cv_sum_add(&sum, &page) == 0);
    uint64_t once = sum.requests[CV_METRICS_2XX];
    CHECK(cv_sum_add(&sum, &page) == 0);
    CHECK(sum.n_routes <= CV_SUM_ROUTES_MAX && sum.requests[CV_METRICS_2XX] >= once);
    for (unsigned i = 0; i < sum.n_routes; i++)
        CHECK(strlen(sum.routes[i].name) <= 3 * CV_SUM_NAME_MAX);
    CHECK(sum.latency.count <= INT64_MAX && cv_sum_quantile(&sum.latency, 0.5) >= 0);
    struct cv_metrics_places places = {.page = &page};
    unsigned place = cv_metrics_place(&places, "/a");
    CHECK(place == CV_METRICS_OTHER ||
          place == cv_metrics_place(&(struct cv_metrics_places){.page = &page}, "/a"));
    cv_sum_done(&sum);
    return 0;
}
