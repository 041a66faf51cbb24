#include "http/cookie.h"

#include "http/scan.h"
#include "http/text.h"

/* Without blanks around it. */
static struct cv_span trim(const char *from, const char *to)
{
    struct cv_scan in = {from, to};
    cv_scan_blanks(&in);
    while (in.end > in.at && (in.end[-1] == ' ' || in.end[-1] == '\t'))
        in.end--;
    return cv_span(in.at, (size_t)(in.end - in.at));
}

/* The next piece up to ';', without blanks around it; moves *at. False at the end. */
static bool next_piece(struct cv_span field, size_t *at, struct cv_span *ret)
{
    if (*at >= field.len)
        return false;
    const char *from = field.at + *at;
    const char *end = memchr(from, ';', field.len - *at);
    if (end == NULL)
        end = field.at + field.len;
    *at = (size_t)(end - field.at) + 1;
    *ret = trim(from, end);
    return true;
}

bool cv_cookie_is_field(struct cv_span field)
{
    struct cv_span piece;
    for (size_t at = 0; next_piece(field, &at, &piece);) {
        bool is_last = at > field.len;
        if (piece.len > 0 ? piece.at[0] == '=' : !is_last)
            return false;
    }
    return true;
}

bool cv_cookie_next(struct cv_span field, size_t *at, struct cv_span *ret_name,
                    struct cv_span *ret_value)
{
    struct cv_span piece;
    while (next_piece(field, at, &piece)) {
        const char *end = piece.at + piece.len;
        const char *equals = memchr(piece.at, '=', piece.len);
        *ret_name = equals != NULL ? trim(piece.at, equals) : cv_span(piece.at, 0);
        *ret_value = equals != NULL ? trim(equals + 1, end) : piece;
        if (ret_name->len > 0 ? cv_is_token(*ret_name) : ret_value->len > 0)
            return true;
    }
    return false;
}

static bool is_octal(const char *at, const char *end)
{
    return end - at >= 3 && at[0] >= '0' && at[0] <= '3' && at[1] >= '0' && at[1] <= '7' &&
           at[2] >= '0' && at[2] <= '7';
}

/* Takes one byte, escaped or not. */
static char take_byte(const char **at, const char *end)
{
    if (**at != '\\' || end - *at < 2)
        return *(*at)++;
    const char *digits = *at + 1;
    if (!is_octal(digits, end)) {
        *at += 2;
        return *digits;
    }
    *at += 4;
    return (char)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0'));
}

size_t cv_cookie_unquote(struct cv_span value, char *to)
{
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"') {
        const char *at = value.at + 1;
        const char *end = value.at + value.len - 1;
        size_t n = 0;
        while (at < end)
            to[n++] = take_byte(&at, end);
        if (memchr(to, '\0', n) == NULL)
            return n;
    }
    if (value.len > 0)
        memcpy(to, value.at, value.len);
    return value.len;
}
