/* Writing JSON (RFC 8259) without memory and without the C library's formats: also in a signal
 * handler. */
#ifndef CV_BASE_JSON_LINE_H
#define CV_BASE_JSON_LINE_H

#include "base/span.h"

#include <stdint.h>
#include <time.h>

#define CV_JSON_CHAR_MAX 6

/* Writes the first character of *text, which is not empty, as it stands inside a string, and moves
 * *text behind it; the length. What is no UTF-8 becomes U+FFFD, a byte at a time; control
 * characters are escaped, those of terminals (DEL, U+0080 to U+009F) too. */
size_t cv_json_char(struct cv_span *text, char to[CV_JSON_CHAR_MAX]);

/* An object on one line. Whatever is written, it ends well within `cap` bytes: members are cut, or
 * left out. */
struct cv_json_line {
    char *to;
    size_t cap;
    size_t len;
};

/* `cap` is 4 at least. */
void cv_json_open(struct cv_json_line *line, char *to, size_t cap);

/* A string of at most `most` bytes, cut between two characters. at NULL: null. */
void cv_json_text(struct cv_json_line *line, const char *name, struct cv_span text, size_t most);

/* A number as it is written. */
void cv_json_number(struct cv_json_line *line, const char *name, struct cv_span number);

/* A time in UTC with milliseconds (RFC 3339): "2026-11-28T23:10:02.412Z". */
void cv_json_time(struct cv_json_line *line, const char *name, const struct timespec *at);

/* Ends object and line; the length of all. */
size_t cv_json_close(struct cv_json_line *line);

#endif
