/* UTF-8 (RFC 3629). */
#ifndef CV_BASE_UTF8_H
#define CV_BASE_UTF8_H

#include "base/span.h"

#include <stdint.h>

/* How many bytes the character has that the text, which is not empty, begins with, and which one it
 * is; 0: it begins with none. */
size_t cv_utf8_len(struct cv_span text, uint32_t *ret_point);

/* How many bytes at the beginning of the text are UTF-8. */
size_t cv_utf8_valid(struct cv_span text);

/* Writes the text to `to` (room for three times its length), each byte that is none of a
 * character's as U+FFFD. The length. */
size_t cv_utf8_repair(struct cv_span text, char *to);

#endif
