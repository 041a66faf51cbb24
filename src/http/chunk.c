/* Chunked coding.
 *
 *     SIZE -> (extensions) -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                                     -> LINE, when the size is 0
 *     LINE -> NAME -> VALUE -> VALUE_LF -> LINE     trailers
 *     LINE -> END_LF -> END
 *
 * Extensions begin behind a ';', with blanks around each part (RFC 9112, section 7.1.1):
 *
 *     EXT -> EXT_NAME -> (EXT_NAME_BLANK) -> EXT_EQUALS -> EXT_TOKEN -> (EXT_BLANK) -> EXT
 *                                                       -> QUOTED -> QUOTED_END -> (EXT_BLANK) ->
 * EXT
 */
#include "http/chunk.h"

#include "base/assert.h"
#include "http/chars.h"

#define DIGITS_MAX 16

enum state {
    SIZE,
    EXT_BLANK, /* behind a size or an extension: another one must follow */
    EXT,       /* in front of a name */
    EXT_NAME,
    EXT_NAME_BLANK,
    EXT_EQUALS, /* in front of a value */
    EXT_TOKEN,
    QUOTED,
    QUOTED_PAIR,
    QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LINE,
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    END,
};

void cv_chunk_init(struct cv_chunk *decoder)
{
    *decoder = (struct cv_chunk){.state = SIZE};
}

static int go(struct cv_chunk *decoder, enum state state)
{
    decoder->state = (uint8_t)state;
    return 0;
}

static int expect(struct cv_chunk *decoder, char c, char wanted, enum state next)
{
    return c == wanted ? go(decoder, next) : -400;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Behind a size, an extension's name or its value. */
static int end_part(struct cv_chunk *decoder, char c)
{
    if (c == '\r')
        return go(decoder, SIZE_LF);
    if (c == ';')
        return go(decoder, EXT);
    return is_blank(c) ? go(decoder, EXT_BLANK) : -400;
}

static int read_size(struct cv_chunk *decoder, char c)
{
    int digit = cv_chars_hex(c);

    if (digit >= 0) {
        /* Kept inside int64_t, so that lengths may be added and compared as signed ones. */
        if (decoder->digits++ == DIGITS_MAX || decoder->left > INT64_MAX >> 4)
            return -400;
        decoder->left = decoder->left << 4 | (uint64_t)digit;
        return 0;
    }
    if (decoder->digits == 0)
        return -400;
    return end_part(decoder, c);
}

/* Blanks in front of what must follow. */
static int read_blanks(struct cv_chunk *decoder, char c, char wanted, enum state next)
{
    return is_blank(c) ? 0 : expect(decoder, c, wanted, next);
}

static int read_ext(struct cv_chunk *decoder, char c)
{
    if (is_blank(c))
        return 0;
    return cv_chars_is(c, CV_CHAR_TOKEN) ? go(decoder, EXT_NAME) : -400;
}

static int read_ext_name(struct cv_chunk *decoder, char c)
{
    if (cv_chars_is(c, CV_CHAR_TOKEN))
        return 0;
    if (c == '=')
        return go(decoder, EXT_EQUALS);
    return is_blank(c) ? go(decoder, EXT_NAME_BLANK) : end_part(decoder, c);
}

static int read_ext_name_blank(struct cv_chunk *decoder, char c)
{
    return c == '=' ? go(decoder, EXT_EQUALS) : read_blanks(decoder, c, ';', EXT);
}

static int read_ext_equals(struct cv_chunk *decoder, char c)
{
    if (cv_chars_is(c, CV_CHAR_TOKEN))
        return go(decoder, EXT_TOKEN);
    return read_blanks(decoder, c, '"', QUOTED);
}

static int read_ext_token(struct cv_chunk *decoder, char c)
{
    return cv_chars_is(c, CV_CHAR_TOKEN) ? 0 : end_part(decoder, c);
}

static int read_quoted(struct cv_chunk *decoder, char c)
{
    if (!cv_chars_is(c, CV_CHAR_VALUE))
        return -400;
    if (c == '"')
        return go(decoder, QUOTED_END);
    return c == '\\' ? go(decoder, QUOTED_PAIR) : 0;
}

static int read_quoted_pair(struct cv_chunk *decoder, char c)
{
    return cv_chars_is(c, CV_CHAR_VALUE) ? go(decoder, QUOTED) : -400;
}

static int read_size_lf(struct cv_chunk *decoder, char c)
{
    decoder->digits = 0;
    return expect(decoder, c, '\n', decoder->left > 0 ? DATA : LINE);
}

/* The first byte of a trailer, or of the end. */
static int read_line(struct cv_chunk *decoder, char c)
{
    if (c == '\r')
        return go(decoder, END_LF);
    return cv_chars_is(c, CV_CHAR_TOKEN) ? go(decoder, NAME) : -400;
}

static int read_name(struct cv_chunk *decoder, char c)
{
    if (cv_chars_is(c, CV_CHAR_TOKEN))
        return 0;
    return expect(decoder, c, ':', VALUE);
}

static int read_value(struct cv_chunk *decoder, char c)
{
    return cv_chars_is(c, CV_CHAR_VALUE) ? 0 : expect(decoder, c, '\r', VALUE_LF);
}

/* One byte that is not data. */
static int step(struct cv_chunk *decoder, char c)
{
    switch ((enum state)decoder->state) {
    case SIZE: return read_size(decoder, c);
    case EXT_BLANK: return read_blanks(decoder, c, ';', EXT);
    case EXT: return read_ext(decoder, c);
    case EXT_NAME: return read_ext_name(decoder, c);
    case EXT_NAME_BLANK: return read_ext_name_blank(decoder, c);
    case EXT_EQUALS: return read_ext_equals(decoder, c);
    case EXT_TOKEN: return read_ext_token(decoder, c);
    case QUOTED: return read_quoted(decoder, c);
    case QUOTED_PAIR: return read_quoted_pair(decoder, c);
    case QUOTED_END: return end_part(decoder, c);
    case SIZE_LF: return read_size_lf(decoder, c);
    case DATA_CR: return expect(decoder, c, '\r', DATA_LF);
    case DATA_LF: return expect(decoder, c, '\n', SIZE);
    case LINE: return read_line(decoder, c);
    case NAME: return read_name(decoder, c);
    case VALUE: return read_value(decoder, c);
    case VALUE_LF: return expect(decoder, c, '\n', LINE);
    case END_LF: return expect(decoder, c, '\n', END);
    case DATA:
    case END: break;
    }
    return -400;
}

/* Whether the bytes of this state are counted against CV_CHUNK_EXTRA_MAX. */
static bool is_extra(enum state state)
{
    return (state >= EXT_BLANK && state <= QUOTED_END) || state == NAME || state == VALUE;
}

static struct cv_span take_data(struct cv_chunk *decoder, struct cv_span rest)
{
    size_t len = rest.len < decoder->left ? rest.len : (size_t)decoder->left;

    decoder->left -= len;
    if (decoder->left == 0)
        decoder->state = DATA_CR;
    return cv_span(rest.at, len);
}

int cv_chunk_decode(struct cv_chunk *decoder, struct cv_span bytes, size_t *ret_used,
                    struct cv_span *ret_data)
{
    size_t used = 0;
    int rc = CV_CHUNK_MORE;

    while (rc == CV_CHUNK_MORE && used < bytes.len) {
        if (decoder->state == DATA) {
            *ret_data = take_data(decoder, cv_span(bytes.at + used, bytes.len - used));
            used += ret_data->len;
            rc = CV_CHUNK_DATA;
            break;
        }
        rc = step(decoder, bytes.at[used++]);
        if (is_extra(decoder->state) && ++decoder->extra > CV_CHUNK_EXTRA_MAX)
            rc = -400;
        if (rc == 0 && decoder->state == END)
            rc = CV_CHUNK_END;
    }
    *ret_used = used;
    return rc;
}

size_t cv_chunk_open(char *at, uint64_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    CV_ASSERT(len > 0); /* an empty chunk would end the body */
    for (int shift = (63 - __builtin_clzll(len)) / 4 * 4; shift >= 0; shift -= 4)
        at[n++] = digits[len >> shift & 15];
    at[n++] = '\r';
    at[n++] = '\n';
    return n;
}
