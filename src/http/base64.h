/* Base64 (RFC 4648, section 4): padded, and one text for any bytes. */
#ifndef CV_HTTP_BASE64_H
#define CV_HTTP_BASE64_H

#include "base/span.h"

#include <stdint.h>

/* Decodes into `to` (room for 3 bytes per 4 of text; not the text itself). The length, or -400 for
 * what no encoder writes: other bytes, a length that 4 does not divide, bits behind the last byte.
 */
int64_t cv_base64_decode(struct cv_span text, char *to);

#endif
