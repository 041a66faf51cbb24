/* Borrowed bytes: a pointer and a length that somebody else owns. Not NUL-terminated. */
#ifndef CV_BASE_SPAN_H
#define CV_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct cv_span {
    const char *at;
    size_t len;
};

/* A span over a string literal. */
#define CV_SPAN(literal) ((struct cv_span){"" literal, sizeof(literal) - 1})

static inline struct cv_span cv_span(const void *at, size_t len)
{
    return (struct cv_span){at, len};
}

static inline struct cv_span cv_span_str(const char *string)
{
    return (struct cv_span){string, strlen(string)};
}

static inline bool cv_span_eq(struct cv_span a, struct cv_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* "a" for "A". Of ASCII letters only: libc's functions go by the locale that the app has set, and
 * in a Turkish one "I" is no capital "i" to them. */
static inline char cv_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters (field names, tokens). */
static inline bool cv_span_ieq(struct cv_span a, struct cv_span b)
{
    size_t i = 0;
    if (a.len != b.len)
        return false;
    while (i < a.len && (a.at[i] == b.at[i] || cv_lower(a.at[i]) == cv_lower(b.at[i])))
        i++;
    return i == a.len;
}

/* The same for strings. */
static inline bool cv_string_ieq(const char *a, const char *b)
{
    return cv_span_ieq(cv_span_str(a), cv_span_str(b));
}

#endif
