/* Dates of header fields (RFC 9110, section 5.6.7). */
#ifndef CV_HTTP_DATE_H
#define CV_HTTP_DATE_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* The IMF-fixdate of `seconds` since 1970: exactly 29 bytes, no NUL. */
#define CV_DATE_LEN 29
void cv_date_write(char *at, int64_t seconds);

/* Reads a date in any of the three forms that are or were allowed. `now` decides what century a
 * year of two digits belongs to: at most 50 years ahead. False if it is none; the name of the
 * weekday need not be the right one. */
bool cv_date_read(struct cv_span text, int64_t now, int64_t *ret_seconds);

#endif
