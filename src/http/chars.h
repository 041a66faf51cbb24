/* Classes of bytes: the one table that every grammar of this folder reads. */
#ifndef CV_HTTP_CHARS_H
#define CV_HTTP_CHARS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum {
    CV_CHAR_TOKEN = 1,  /* tchar: methods, field names, list members (RFC 9110, section 5.6.2) */
    CV_CHAR_VALUE = 2,  /* inside field values: visible, blank, tab, obs-text (section 5.5) */
    CV_CHAR_TARGET = 4, /* inside a request target: RFC 3986 without '#', and \ ^ ` { | }, which
                         * browsers do not escape in queries */
    CV_CHAR_HOST = 8,   /* reg-name without percent-coding, which no resolver takes */
};

extern const uint8_t cv_chars[256];

static inline int cv_chars_is(char c, uint8_t class)
{
    return (cv_chars[(uint8_t)c] & class) != 0;
}

/* The first byte of [at, end) that is not of the class, or `end`. Four a step: half the cost. */
static inline const char *cv_chars_skip(const char *at, const char *end, uint8_t class)
{
    for (; end - at >= 4; at += 4) {
        if (!cv_chars_is(at[0], class))
            return at;
        if (!cv_chars_is(at[1], class))
            return at + 1;
        if (!cv_chars_is(at[2], class))
            return at + 2;
        if (!cv_chars_is(at[3], class))
            return at + 3;
    }
    while (at < end && cv_chars_is(*at, class))
        at++;
    return at;
}

/* The same for CV_CHAR_VALUE, eight bytes a step: values are most of a head. */
static inline const char *cv_chars_skip_value(const char *at, const char *end)
{
    const uint64_t each = 0x0101010101010101; /* times a byte: that byte eight times */

    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        word = le64toh(word);

        /* The top bit of each byte below 0x20 or equal to 0x7f. A borrow can only mark bytes behind
         * one that is rightly marked, and only the first counts. */
        uint64_t below = word - each * 0x20;
        uint64_t equal = (word ^ each * 0x7f) - each;
        uint64_t stop = (below | equal) & ~word & each * 0x80;
        if (stop == 0) {
            at += 8;
            continue;
        }
        at += __builtin_ctzll(stop) / 8;
        if (*at != '\t')
            return at;
        at++;
    }
    return cv_chars_skip(at, end, CV_CHAR_VALUE);
}

/* The value of a hexadecimal digit, or -1. */
static inline int cv_chars_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
