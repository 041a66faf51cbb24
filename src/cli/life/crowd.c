#include "cli/life/crowd.h"

#include "base/clock.h"

/* A worker that has not come round its loop for so long does not count among those able to accept.
 */
#define ABSENT_AFTER (20 * CV_MS)

struct cv_share_load cv_crowd_load(const struct cv_slots *slots, unsigned own, int64_t now)
{
    struct cv_share_load load = {.workers = 1, .least = own, .total = own};
    uint32_t self = atomic_load_explicit(&slots->own->pid, memory_order_relaxed);
    unsigned used = atomic_load_explicit(&slots->seen->slots_used, memory_order_relaxed);
    for (unsigned i = 0; i < used && i < slots->count; i++) {
        const struct cv_slot_page *page = &slots->table[i];
        int64_t running = atomic_load_explicit(&page->running_since, memory_order_relaxed);
        uint32_t pid = atomic_load_explicit(&page->pid, memory_order_relaxed);
        if (atomic_load_explicit(&page->serving, memory_order_relaxed) == 0 || pid == self ||
            (running != 0 && now - running > ABSENT_AFTER))
            continue;
        unsigned open = atomic_load_explicit(&page->connections, memory_order_relaxed);
        load.workers++;
        load.total += open;
        if (open < load.least)
            load.least = open;
    }
    return load;
}
