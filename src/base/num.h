/* Numbers from text, strictly: the whole span or nothing, overflow is an error. */
#ifndef CV_BASE_NUM_H
#define CV_BASE_NUM_H

#include "base/macros.h"
#include "base/span.h"

#include <stdint.h>

/* Decimal digits only (no sign, no blank). 0, -EINVAL, or -ERANGE past `max`. */
CV_MUST_CHECK int cv_num_u64(struct cv_span text, uint64_t max, uint64_t *ret);

/* As above with an optional leading minus. */
CV_MUST_CHECK int cv_num_i64(struct cv_span text, int64_t *ret);

/* "64", "64k", "1M", "2g" (powers of 1024) as bytes. 0, -EINVAL or -ERANGE. */
CV_MUST_CHECK int cv_num_size(struct cv_span text, int64_t *ret);

/* "1.5", "90s", "250ms", "2m", "1h" as milliseconds; a plain number is seconds, as in Sanic. */
CV_MUST_CHECK int cv_num_duration_ms(struct cv_span text, int64_t *ret);

/* Writes `value` in decimal to `at` (room for 20 bytes) and returns the number of bytes. */
size_t cv_num_write_u64(char *at, uint64_t value);

#endif
