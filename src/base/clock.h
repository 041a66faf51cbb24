/* The time. Deadlines are nanoseconds of CLOCK_MONOTONIC, so that setting the clock moves none. */
#ifndef CV_BASE_CLOCK_H
#define CV_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CV_MS INT64_C(1000000)
#define CV_SECOND INT64_C(1000000000)
#define CV_NEVER INT64_MAX

static inline int64_t cv_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * CV_SECOND + now.tv_nsec;
}

/* The same as of the last tick, which may be 10 ms ago; a fourth of the cost. */
static inline int64_t cv_clock_tick_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * CV_SECOND + now.tv_nsec;
}

/* Seconds since 1970, for Date and logs. */
static inline int64_t cv_clock_wall_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (int64_t)now.tv_sec;
}

#endif
