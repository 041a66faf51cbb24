/* Reading a field's value from left to right: what the small grammars of this folder share. */
#ifndef CV_HTTP_SCAN_H
#define CV_HTTP_SCAN_H

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

#endif
