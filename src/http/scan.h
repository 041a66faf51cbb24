/* Reading a field's value from left to right: what the small grammars of this folder share. */
#ifndef CV_HTTP_SCAN_H
#define CV_HTTP_SCAN_H

#include "base/span.h"
#include "http/chars.h"

#include <stdbool.h>

/* Each call moves `at` behind what it has taken. */
struct cv_scan {
    const char *at;
    const char *end;
};

/* OWS (RFC 9110, section 5.6.3). */
static inline void cv_scan_blanks(struct cv_scan *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t'))
        in->at++;
}

static inline bool cv_scan_take(struct cv_scan *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

/* Length 0 if there is none. */
static inline struct cv_span cv_scan_token(struct cv_scan *in)
{
    const char *from = in->at;
    in->at = cv_chars_skip(in->at, in->end, CV_CHAR_TOKEN);
    return cv_span(from, (size_t)(in->at - from));
}

/* The rest of a quoted string (section 5.6.4) whose opening quote is taken. False if it has no end,
 * or holds what it must not. */
static inline bool cv_scan_quoted(struct cv_scan *in)
{
    while (in->at < in->end) {
        char c = *in->at++;
        if (c == '"')
            return true;
        if (c == '\\' && in->at < in->end)
            c = *in->at++;
        if (!cv_chars_is(c, CV_CHAR_VALUE))
            return false;
    }
    return false;
}

#endif
