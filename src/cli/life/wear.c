#include "cli/life/wear.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define JITTER_PART 10 /* up to a tenth is taken off */

static int64_t with_jitter(int64_t limit, uint64_t *random)
{
    int64_t most = limit / JITTER_PART;
    uint64_t off = cv_rand_next(random) % (uint64_t)(most > 0 ? most + 1 : 1);
    return limit > 0 ? limit - (int64_t)off : 0;
}

void cv_wear_init(struct cv_wear *wear, const struct cv_wear_limits *limits, int64_t now,
                  uint64_t random)
{
    *wear = (struct cv_wear){.limits = {.requests = with_jitter(limits->requests, &random),
                                        .age = with_jitter(limits->age, &random),
                                        .memory = with_jitter(limits->memory, &random)},
                             .spent_at = CV_NEVER};
    if (limits->age > 0)
        wear->spent_at = now + wear->limits.age;
}

int cv_wear_look(const struct cv_wear *wear, uint64_t requests, int64_t memory, int64_t now,
                 char *reason)
{
    const struct cv_wear_limits *limits = &wear->limits;
    if (limits->requests > 0 && requests >= (uint64_t)limits->requests)
        (void)snprintf(reason, CV_WEAR_REASON_BYTES, "has had %llu requests (MAX_REQUESTS)",
                       (unsigned long long)requests);
    else if (limits->age > 0 && now >= wear->spent_at)
        (void)snprintf(reason, CV_WEAR_REASON_BYTES, "is %.1f s old (MAX_AGE)",
                       (double)(now - wear->spent_at + limits->age) / 1e9);
    else if (limits->memory > 0 && memory >= limits->memory)
        (void)snprintf(reason, CV_WEAR_REASON_BYTES, "uses %.1f MiB of memory (MAX_MEMORY)",
                       (double)memory / (1 << 20));
    else
        return 0;
    return 1;
}

int64_t cv_wear_memory(void)
{
    char text[128];
    ssize_t len = cv_fd_slurp("/proc/self/statm", text, sizeof(text));
    if (len < 0)
        return len;
    char *end;
    (void)strtoll(text, &end, 10); /* the whole address space */
    long long pages = strtoll(end, NULL, 10);
    return pages * sysconf(_SC_PAGESIZE);
}
