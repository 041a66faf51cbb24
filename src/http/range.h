/* Range requests for bytes (RFC 9110, section 14). */
#ifndef CV_HTTP_RANGE_H
#define CV_HTTP_RANGE_H

#include "base/span.h"

#include <stdint.h>

/* More ranges than this are not answered one by one. */
#define CV_RANGES_MAX 16

/* len > 0. */
struct cv_range {
    uint64_t first;
    uint64_t len;
};

/* Reads a Range field for a representation of `size` bytes: how many ranges can be satisfied, in
 * the order asked for; 0: the field is to be ignored (another unit, more than CV_RANGES_MAX,
 * together more bytes than there are, or of an empty representation); -416: malformed, as
 * section 14.2 lets us refuse it, or nothing of it is there. */
int cv_range_read(struct cv_span field, uint64_t size, struct cv_range ret[CV_RANGES_MAX]);

#endif
