/* What proxies say of a request that they pass on: Forwarded (RFC 7239) and the X-Forwarded fields.
 *
 * Whoever is in front of the last proxy that is trusted may have written anything: lists are read
 * from their right end, and no further than to what is trusted.
 */
#ifndef CV_HTTP_FORWARDED_H
#define CV_HTTP_FORWARDED_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_FORWARDED_PAIRS_MAX 16

struct cv_forwarded_pair {
    struct cv_span name;
    struct cv_span value; /* without quotes */
};

/* The rightmost element of a Forwarded field that says secret=SECRET or by=SECRET: its pairs, from
 * right to left. How many; 0: there is none, or what stands right of it, or in it, is malformed. */
int cv_forwarded_find(struct cv_span field, struct cv_span secret,
                      struct cv_forwarded_pair pairs[CV_FORWARDED_PAIRS_MAX]);

/* The n-th (from 1) member of a list from its right end, empty ones not counted; at == NULL: there
 * are not so many. */
struct cv_span cv_forwarded_member(struct cv_span list, uint32_t n);

/* Writes what a value is taken for to `to` (room for value.len + 1 bytes), with a NUL behind it:
 * "for" and "by" without port and brackets, "proto" (http, https, ws or wss) and "host" in lower
 * case, "path" decoded. False if it is nothing of its kind ("unknown" is not), and then it has not
 * been said at all. */
bool cv_forwarded_write(struct cv_span name, struct cv_span value, char *to);

#endif
