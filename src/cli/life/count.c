/* Where a worker counts what it does. See inside.h. */
#include "cli/life/inside.h"

#include "base/log.h"
#include "supervise/shared/region.h"

#include <sys/mman.h>

/* A region of another layout belongs to workers of another covey. */
static struct cv_metrics_page *map(const struct cv_boot *boot)
{
    return boot->region_layout == CV_METRICS_LAYOUT
               ? cv_region_map(boot->region, sizeof(struct cv_metrics_page), true)
               : NULL;
}

static struct cv_metrics_route place(struct life *life, struct cv_metrics_places *places, size_t i)
{
    uint16_t at = cv_metrics_place(places, cv_native_route_name(life->native, i));
    int histogram = at != CV_METRICS_OTHER && cv_native_route_has_histogram(life->native, i)
                        ? cv_metrics_histogram(places->page, at)
                        : -1;
    return (struct cv_metrics_route){.place = at, .histogram = (uint16_t)(histogram + 1)};
}

void cv_life_count(struct life *life)
{
    const struct cv_boot *boot = &life->child->boot;
    if (boot->region < 0)
        return;
    struct cv_metrics_page *page = map(boot);
    (void)close(boot->region);
    size_t n = cv_native_routes(life->native);
    if (n > CV_METRICS_ROUTES - CV_METRICS_FIRST_ROUTE)
        n = CV_METRICS_ROUTES - CV_METRICS_FIRST_ROUTE;
    life->routes = calloc(n > 0 ? n : 1, sizeof(*life->routes));
    if (page == NULL || life->routes == NULL) {
        cv_warn("what this worker counts is not seen: no memory, or another version of covey");
        if (page != NULL)
            (void)munmap(page, sizeof(*page));
        return;
    }
    struct cv_metrics_places places = {.page = page};
    for (size_t i = 0; i < n; i++)
        life->routes[i] = place(life, &places, i);
    cv_native_measure(life->native, &(struct cv_metrics_config){page, life->routes, n});
}
