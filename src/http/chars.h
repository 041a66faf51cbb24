/* Classes of bytes: the one table that every grammar of this folder reads. */
#ifndef CV_HTTP_CHARS_H
#define CV_HTTP_CHARS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* ---- Scanning, sixteen bytes a step ---- */

/* A vector of GCC's and clang's: SSE2 on x86-64, NEON on aarch64, words elsewhere. A comparison
 * makes each byte of it 0xff or 0. */
typedef uint8_t cv_chars_16 __attribute__((vector_size(16)));

/* Which bytes of a comparison are 0xff: a bit each, the first the lowest. */
static inline unsigned cv_chars_bits_by_words(cv_chars_16 holds)
{
    uint64_t words[2];
    memcpy(words, &holds, sizeof(words));
    unsigned bits = 0;
    for (unsigned i = 0; i < 2; i++) {
        /* The factor moves the lowest bit of byte n to 56 + n; what else it makes never carries. */
        uint64_t lowest = le64toh(words[i]) & 0x0101010101010101;
        bits |= (unsigned)(lowest * 0x0102040810204080 >> 56) << 8 * i;
    }
    return bits;
}

static inline unsigned cv_chars_bits(cv_chars_16 holds)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)holds);
#else
    return cv_chars_bits_by_words(holds);
#endif
}

/* Bytes that are at least `low`, and less than `n` above it. */
static inline cv_chars_16 cv_chars_within(cv_chars_16 bytes, uint8_t low, uint8_t n)
{
    return (cv_chars_16)(bytes - low < n);
}

/* Letters, digits, '-' and '.': of every class, and most of what tokens and hosts consist of. */
static inline cv_chars_16 cv_chars_common(cv_chars_16 bytes)
{
    cv_chars_16 letters = cv_chars_within(bytes | 0x20, 'a', 26);
    cv_chars_16 others = cv_chars_within(bytes, '-', '9' + 1 - '-') & (cv_chars_16)(bytes != '/');
    return letters | others;
}

/* All of CV_CHAR_TARGET. */
static inline cv_chars_16 cv_chars_target(cv_chars_16 bytes)
{
    cv_chars_16 quote_or_hash = (cv_chars_16)((bytes | 1) == '#');
    cv_chars_16 less_or_greater = (cv_chars_16)((bytes | 2) == '>');
    return cv_chars_within(bytes, '!', 0x7f - '!') & ~(quote_or_hash | less_or_greater);
}

/* All of CV_CHAR_VALUE but the tab, which is rare. */
static inline cv_chars_16 cv_chars_value(cv_chars_16 bytes)
{
    cv_chars_16 control = (cv_chars_16)((bytes & 0xe0) == 0);
    return ~(control | (cv_chars_16)(bytes == 0x7f));
}

/* The first byte of [at, end) that is not of the class, or `end`. */
static inline const char *cv_chars_skip_each(const char *at, const char *end, uint8_t class)
{
    while (at < end && cv_chars_is(*at, class))
        at++;
    return at;
}

/* The same; pays from some ten bytes on. */
static inline const char *cv_chars_skip(const char *at, const char *end, uint8_t class)
{
    while (end - at >= (ptrdiff_t)sizeof(cv_chars_16)) {
        cv_chars_16 bytes;
        memcpy(&bytes, at, sizeof(bytes));
        cv_chars_16 surely = class == CV_CHAR_TARGET  ? cv_chars_target(bytes)
                             : class == CV_CHAR_VALUE ? cv_chars_value(bytes)
                                                      : cv_chars_common(bytes);
        unsigned rest = cv_chars_bits(~surely);
        if (rest == 0) {
            at += sizeof(bytes);
            continue;
        }
        at += __builtin_ctz(rest);
        if (class != CV_CHAR_TARGET && class != CV_CHAR_VALUE)
            break; /* what is not common may yet be of it */
        if (class == CV_CHAR_TARGET || *at != '\t')
            return at;
        at++;
    }
    return cv_chars_skip_each(at, end, class);
}

/* ---- Single ones, whatever the locale ---- */

static inline bool cv_chars_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool cv_chars_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline bool cv_chars_is_letter(char c)
{
    return cv_chars_is_lower((char)(c | 0x20));
}

/* The value of a hexadecimal digit, or -1. */
static inline int cv_chars_hex(char c)
{
    if (cv_chars_is_digit(c))
        return c - '0';
    int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
