#include "base/num.h"

#include <errno.h>

int cv_num_u64(struct cv_span text, uint64_t max, uint64_t *ret)
{
    if (text.len == 0)
        return -EINVAL;
    uint64_t value = 0;
    bool wraps = false; /* go on: letters behind it matter more */
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';
        if (digit > 9)
            return -EINVAL;
        if (i < 19) { /* so many nines fit */
            value = value * 10 + digit;
            continue;
        }
        wraps |= __builtin_mul_overflow(value, 10, &value);
        wraps |= __builtin_add_overflow(value, digit, &value);
    }
    if (wraps || value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}

int cv_num_i64(struct cv_span text, int64_t *ret)
{
    bool minus = text.len > 0 && text.at[0] == '-';
    if (minus) {
        text.at++;
        text.len--;
    }
    uint64_t value;
    int rc = cv_num_u64(text, (uint64_t)INT64_MAX + (minus ? 1 : 0), &value);
    if (rc == 0)
        *ret = minus ? (int64_t)(0 - value) : (int64_t)value;
    return rc;
}

int cv_num_size(struct cv_span text, int64_t *ret)
{
    int shift = 0;
    if (text.len > 0) {
        char last = text.at[text.len - 1];
        shift = last == 'k' || last == 'K'   ? 10
                : last == 'm' || last == 'M' ? 20
                : last == 'g' || last == 'G' ? 30
                                             : 0;
        if (shift > 0)
            text.len--;
    }
    uint64_t value;
    int rc = cv_num_u64(text, (uint64_t)INT64_MAX >> shift, &value);
    if (rc == 0)
        *ret = (int64_t)(value << shift);
    return rc;
}

/* The unit at the end of `text` in milliseconds; cuts it off. */
static int64_t cut_unit(struct cv_span *text)
{
    static const struct {
        struct cv_span name;
        int64_t ms;
    } units[] = {{{"ms", 2}, 1}, {{"s", 1}, 1000}, {{"m", 1}, 60000}, {{"h", 1}, 3600000}};

    for (size_t i = 0; i < CV_COUNT(units); i++) {
        size_t len = units[i].name.len;
        if (text->len > len && memcmp(text->at + text->len - len, units[i].name.at, len) == 0) {
            text->len -= len;
            return units[i].ms;
        }
    }
    return 1000;
}

int cv_num_duration_ms(struct cv_span text, int64_t *ret)
{
    int64_t unit = cut_unit(&text);
    struct cv_span whole = text;
    const char *point = text.len > 0 ? memchr(text.at, '.', text.len) : NULL;
    uint64_t fraction = 0;
    uint64_t scale = 1;
    if (point != NULL) {
        whole.len = (size_t)(point - text.at);
        struct cv_span digits = cv_span(point + 1, text.len - whole.len - 1);
        if (digits.len > 9)
            return -EINVAL;
        for (size_t i = 0; i < digits.len; i++)
            scale *= 10;
        int rc = cv_num_u64(digits, scale, &fraction);
        if (rc < 0)
            return rc;
    }
    uint64_t value;
    int rc = cv_num_u64(whole, (uint64_t)(INT64_MAX / unit) - 1, &value);
    if (rc == 0)
        *ret = (int64_t)value * unit + (int64_t)(fraction * (uint64_t)unit / scale);
    return rc;
}

size_t cv_num_write_u64(char *at, uint64_t value)
{
    size_t n = 1;
    for (uint64_t limit = 10; n < 20 && value >= limit; limit *= 10)
        n++;
    for (size_t i = n; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return n;
}
