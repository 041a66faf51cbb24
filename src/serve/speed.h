/* Whether a transfer moves as it must: a time for all of it or for each pause, and a least rate.
 *
 * Pure: whoever keeps it brings clock and numbers, and looks now and then; nothing happens between
 * two looks. The rate is that of whole spans, so that pauses within one are nobody's fault.
 */
#ifndef CV_SERVE_SPEED_H
#define CV_SERVE_SPEED_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* A plain value, small because each connection has one. Times are ms of a clock that wraps; numbers
 * of bytes stop at the highest. */
struct cv_speed {
    uint32_t ahead;   /* moved since the last look, or only into the kernel by then */
    uint32_t in_span; /* moved for good, up to the last look */
    uint32_t since;   /* when the patience began */
    uint32_t span_at; /* when the span began */
};

/* Milliseconds; < 0: off. */
struct cv_speed_limits {
    int64_t patience;
    bool anew;    /* the patience begins anew with each byte */
    int64_t rate; /* bytes a second at least; <= 0: any */
    int64_t span;
};

enum cv_speed_verdict {
    CV_SPEED_FINE,
    CV_SPEED_LATE, /* the patience is over */
    CV_SPEED_SLOW  /* the last span had too few bytes */
};

/* From now on, with so many bytes in the kernel; CV_SPEED_UNKNOWN: the first look will tell. */
#define CV_SPEED_UNKNOWN UINT32_MAX
void cv_speed_begin(struct cv_speed *speed, int64_t now, uint32_t queued);

/* So many bytes have moved. */
void cv_speed_add(struct cv_speed *speed, uint64_t n);

/* Judges what has moved since the last look. `queued`: how much of it still is in the kernel; where
 * that is unknown nothing has moved. */
enum cv_speed_verdict cv_speed_look(struct cv_speed *speed, const struct cv_speed_limits *limits,
                                    int64_t now, uint32_t queued);

/* The peer could not do more until now: the span begins anew. */
void cv_speed_excuse(struct cv_speed *speed, int64_t now);

#endif
