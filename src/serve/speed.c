#include "serve/speed.h"

#include "base/clock.h"

static uint32_t ms_of(int64_t now)
{
    return (uint32_t)(now / CV_MS);
}

/* Also where the clock has wrapped in between. */
static bool has_passed(uint32_t since, int64_t length, int64_t now)
{
    return length >= 0 && (uint32_t)(ms_of(now) - since) >= length;
}

void cv_speed_begin(struct cv_speed *speed, int64_t now, uint32_t queued)
{
    *speed = (struct cv_speed){.ahead = queued, .since = ms_of(now), .span_at = ms_of(now)};
}

void cv_speed_excuse(struct cv_speed *speed, int64_t now)
{
    speed->span_at = ms_of(now);
    speed->in_span = 0;
}

/* Not CV_SPEED_UNKNOWN. */
#define MOST (UINT32_MAX - 1)

static uint32_t sum(uint32_t a, uint64_t b)
{
    return b < MOST - a ? a + (uint32_t)b : MOST;
}

void cv_speed_add(struct cv_speed *speed, uint64_t n)
{
    if (speed->ahead != CV_SPEED_UNKNOWN)
        speed->ahead = sum(speed->ahead, n);
}

/* What has got past the kernel since the last look. */
static uint32_t take_moved(struct cv_speed *speed, uint32_t queued)
{
    bool known = speed->ahead != CV_SPEED_UNKNOWN && speed->ahead > queued;
    uint32_t moved = known ? speed->ahead - queued : 0;
    speed->ahead = queued;
    return moved;
}

static bool is_slow(const struct cv_speed *speed, const struct cv_speed_limits *limits)
{
    if (limits->rate <= 0 || speed->in_span == MOST)
        return false;
    return (double)speed->in_span < (double)limits->rate * (double)limits->span / 1000;
}

enum cv_speed_verdict cv_speed_look(struct cv_speed *speed, const struct cv_speed_limits *limits,
                                    int64_t now, uint32_t queued)
{
    uint32_t moved = take_moved(speed, queued);
    speed->in_span = sum(speed->in_span, moved);
    if (limits->anew && moved > 0)
        speed->since = ms_of(now);
    if (has_passed(speed->since, limits->patience, now))
        return CV_SPEED_LATE;
    if (!has_passed(speed->span_at, limits->span, now))
        return CV_SPEED_FINE;
    bool slow = is_slow(speed, limits);
    cv_speed_excuse(speed, now);
    return slow ? CV_SPEED_SLOW : CV_SPEED_FINE;
}
