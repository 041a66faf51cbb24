#include "base/utf8.h"

size_t cv_utf8_len(struct cv_span text, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text.at;
    size_t len = *at < 0x80    ? 1
                 : *at >= 0xf5 ? 0
                 : *at >= 0xf0 ? 4
                 : *at >= 0xe0 ? 3
                 : *at >= 0xc2 ? 2
                               : 0;
    uint32_t point = len == 1 ? *at : *at & (0x7fu >> len);
    if (len > text.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3fu);
    }
    *ret_point = point;
    bool is_valid = len <= 1 || (point >= least[len] && point <= 0x10ffff &&
                                 (point < 0xd800 || point > 0xdfff));
    return is_valid ? len : 0;
}

static struct cv_span behind(struct cv_span text, size_t n)
{
    return cv_span(text.at + n, text.len - n);
}

size_t cv_utf8_valid(struct cv_span text)
{
    size_t valid = 0;
    uint32_t point;
    for (size_t len = 1; len > 0 && valid < text.len; valid += len)
        len = cv_utf8_len(behind(text, valid), &point);
    return valid;
}

size_t cv_utf8_repair(struct cv_span text, char *to)
{
    char *out = to;
    while (text.len > 0) {
        size_t len = cv_utf8_valid(text);
        memcpy(out, text.at, len);
        out += len;
        text = behind(text, len);
        if (text.len == 0)
            break;
        memcpy(out, "\xef\xbf\xbd", 3);
        out += 3;
        text = behind(text, 1);
    }
    return (size_t)(out - to);
}
