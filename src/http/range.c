#include "http/range.h"

#include "http/scan.h"

/* Digits; a number too large for 64 bits is the largest. False, and nothing changes, if there is
 * none. */
static bool take_number(struct cv_scan *in, uint64_t *ret)
{
    const char *from = in->at;
    uint64_t value = 0;
    bool is_huge = false;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++)
        is_huge |= __builtin_mul_overflow(value, 10, &value) ||
                   __builtin_add_overflow(value, (uint64_t)(*in->at - '0'), &value);
    if (in->at == from)
        return false;
    *ret = is_huge ? UINT64_MAX : value;
    return true;
}

/* "5-9", "5-" or "-5". False if it is none of them; len 0: nothing of it is there. */
static bool take_range(struct cv_scan *in, uint64_t size, struct cv_range *ret)
{
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    ret->len = 0;
    if (cv_scan_take(in, '-')) {
        if (!take_number(in, &last))
            return false;
        ret->len = last < size ? last : size;
        ret->first = size - ret->len;
        return true;
    }
    if (!take_number(in, &first) || !cv_scan_take(in, '-'))
        return false;
    if (take_number(in, &last) && last < first)
        return false;
    ret->first = first;
    if (first < size)
        ret->len = (last < size ? last + 1 : size) - first;
    return true;
}

int cv_range_read(struct cv_span field, uint64_t size, struct cv_range ret[CV_RANGES_MAX])
{
    struct cv_scan in = {field.at, field.at + field.len};
    struct cv_span unit = cv_scan_token(&in);
    if (unit.len == 0 || !cv_scan_take(&in, '='))
        return -416;
    if (!cv_span_ieq(unit, CV_SPAN("bytes")))
        return 0;
    bool any = false;
    bool too_many = false;
    int n = 0;
    uint64_t left = size;
    for (;;) {
        cv_scan_blanks(&in);
        if (cv_scan_take(&in, ','))
            continue; /* empty members are allowed */
        if (in.at == in.end)
            break;
        struct cv_range range;
        if (!take_range(&in, size, &range))
            return -416;
        any = true;
        cv_scan_blanks(&in);
        if (in.at < in.end && *in.at != ',')
            return -416;
        if (range.len == 0)
            continue;
        too_many |= n == CV_RANGES_MAX || range.len > left;
        if (too_many)
            continue;
        left -= range.len;
        ret[n++] = range;
    }
    if (too_many || (any && size == 0))
        return 0;
    return n > 0 ? n : -416;
}
