/* The types of path parameters. See param.h. */
#include "app/routing/param.h"

#include "app/routing/regex.h"
#include "base/num.h"
#include "http/chars.h"

#include <errno.h>

#define FLOAT_DIGITS_MAX 300 /* before the point: more would not be finite */

static const struct cv_span names[] = {
    [CV_PARAM_REGEX] = {NULL, 0},
    [CV_PARAM_OWN] = {NULL, 0},
    [CV_PARAM_UUID] = {"uuid", 4},
    [CV_PARAM_YMD] = {"ymd", 3},
    [CV_PARAM_INT] = {"int", 3},
    [CV_PARAM_FLOAT] = {"float", 5},
    [CV_PARAM_ALPHA] = {"alpha", 5},
    [CV_PARAM_SLUG] = {"slug", 4},
    [CV_PARAM_EXT] = {"ext", 3},
    [CV_PARAM_STR] = {"str", 3},
    [CV_PARAM_STROREMPTY] = {"strorempty", 10},
    [CV_PARAM_PATH] = {"path", 4},
};

const char *cv_param_kind_name(enum cv_param_kind kind)
{
    return names[kind].at;
}

int cv_param_kind_of(struct cv_span name, enum cv_param_kind *ret)
{
    for (size_t i = CV_PARAM_UUID; i < CV_COUNT(names); i++) {
        if (cv_span_eq(names[i], name)) {
            *ret = (enum cv_param_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

bool cv_param_is_name(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (!cv_chars_is_letter(c) && c != '_' && (i == 0 || !cv_chars_is_digit(c)))
            return false;
    }
    return text.len > 0;
}

size_t cv_param_values(const struct cv_param_type *type)
{
    return type->kind == CV_PARAM_EXT ? 2 : 1;
}

bool cv_param_is_uuid(struct cv_span text)
{
    if (text.len != 36)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.at[i] != '-' : cv_chars_hex(text.at[i]) < 0)
            return false;
    }
    return true;
}

static int days_in(int year, int month)
{
    static const signed char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool cv_param_ymd(struct cv_span text, int *ret_year, int *ret_month, int *ret_day)
{
    uint64_t year, month, day;
    if (text.len != 10 || text.at[4] != '-' || text.at[7] != '-' ||
        cv_num_u64(cv_span(text.at, 4), 9999, &year) < 0 ||
        cv_num_u64(cv_span(text.at + 5, 2), 12, &month) < 0 ||
        cv_num_u64(cv_span(text.at + 8, 2), 31, &day) < 0 || year == 0 || month == 0 || day == 0)
        return false;
    *ret_year = (int)year;
    *ret_month = (int)month;
    *ret_day = (int)day;
    return (int)day <= days_in((int)year, (int)month);
}

/* "7", "-1.5", "1.", ".5": Sanic's, without exponents, infinities and NaN. */
static bool is_float(struct cv_span text)
{
    size_t i = text.len > 0 && text.at[0] == '-';
    size_t first = i;
    while (i < text.len && cv_chars_is_digit(text.at[i]))
        i++;
    size_t whole = i - first, part = 0;
    if (i < text.len && text.at[i] == '.') {
        i++;
        for (; i < text.len && cv_chars_is_digit(text.at[i]); i++)
            part++;
    }
    return i == text.len && whole + part > 0 && whole <= FLOAT_DIGITS_MAX;
}

static bool is_alpha(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!cv_chars_is_letter(text.at[i]))
            return false;
    }
    return text.len > 0;
}

/* Small letters and digits, in groups with one '-' between two. */
static bool is_slug(struct cv_span text)
{
    bool was_dash = true;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = text.at[i] == '-';
        if (dash ? was_dash : !cv_chars_is_lower(text.at[i]) && !cv_chars_is_digit(text.at[i]))
            return false;
        was_dash = dash;
    }
    return !was_dash;
}

/* What needs no more than the kind to be known. */
static bool fits_kind(enum cv_param_kind kind, struct cv_span text)
{
    int64_t number;
    int year, month, day;

    switch (kind) {
    case CV_PARAM_UUID: return cv_param_is_uuid(text);
    case CV_PARAM_YMD: return cv_param_ymd(text, &year, &month, &day);
    case CV_PARAM_INT: return cv_num_i64(text, &number) == 0;
    case CV_PARAM_FLOAT: return is_float(text);
    case CV_PARAM_ALPHA: return is_alpha(text);
    case CV_PARAM_SLUG: return is_slug(text);
    case CV_PARAM_STR: return text.len > 0;
    case CV_PARAM_PATH: return text.len > 0 && text.at[0] != '/';
    case CV_PARAM_STROREMPTY: return true;
    case CV_PARAM_REGEX:
    case CV_PARAM_OWN:
    case CV_PARAM_EXT: break;
    }
    return false;
}

struct cv_span cv_param_next_extension(struct cv_span *list)
{
    const char *bar = list->len > 0 ? memchr(list->at, '|', list->len) : NULL;
    struct cv_span one = {list->at, bar != NULL ? (size_t)(bar - list->at) : list->len};
    size_t taken = one.len + (bar != NULL);
    *list = cv_span(taken > 0 ? list->at + taken : list->at, list->len - taken);
    return one;
}

static bool has_extension(struct cv_span list, struct cv_span extension)
{
    while (list.len > 0) {
        if (cv_span_eq(cv_param_next_extension(&list), extension))
            return true;
    }
    return false;
}

/* Pieces with a dot between two, none empty; the last ones are the extension. */
static bool fits_ext(const struct cv_param_type *type, struct cv_span text, struct cv_span *ret)
{
    size_t left = type->dots + 1;
    size_t cut = text.len;
    for (size_t i = text.len; i-- > 0;) {
        if (text.at[i] != '.')
            continue;
        if (i + 1 == text.len || text.at[i + 1] == '.')
            return false;
        if (left > 0 && --left == 0)
            cut = i;
    }
    if (left > 0 || text.len == 0 || text.at[0] == '.')
        return false;
    ret[0] = cv_span(text.at, cut);
    ret[1] = cv_span(text.at + cut + 1, text.len - cut - 1);
    return fits_kind(type->base, ret[0]) &&
           (type->extensions.len == 0 || has_extension(type->extensions, ret[1]));
}

int cv_param_fits(const struct cv_param_type *type, struct cv_span segment, struct cv_span *ret)
{
    if (type->kind == CV_PARAM_EXT)
        return fits_ext(type, segment, ret);
    ret[0] = segment;
    if (type->kind == CV_PARAM_REGEX)
        return cv_regex_match(type->regex, segment, ret);
    if (type->kind == CV_PARAM_OWN)
        return type->own(segment.at, segment.len);
    return fits_kind(type->kind, segment);
}

#define MANY "~/~/~/~/~/~/~/~/~/~/"

const char *cv_param_sample(enum cv_param_kind kind, size_t n)
{
    static const char *const samples[][CV_PARAM_SAMPLES] = {
        [CV_PARAM_REGEX] = {NULL, NULL, NULL},
        [CV_PARAM_OWN] = {NULL, NULL, NULL},
        [CV_PARAM_UUID] = {"123e4567-e89b-12d3-a456-426614174000",
                           "00000000-0000-0000-0000-000000000000",
                           "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"},
        [CV_PARAM_YMD] = {"2024-02-29", "1999-12-31", "0001-01-01"},
        [CV_PARAM_INT] = {"7", "-42", "9001"},
        [CV_PARAM_FLOAT] = {"0.5", "-3.25", "17.125"},
        [CV_PARAM_ALPHA] = {"Q", "zQx", "ABCDEFGH"},
        [CV_PARAM_SLUG] = {"a-0", "0-z-9", "b1-c"},
        [CV_PARAM_EXT] = {NULL, NULL, NULL},
        [CV_PARAM_STR] = {"~", "a b", "(_9;)"},
        [CV_PARAM_STROREMPTY] = {"", "~", "a b"},
        /* more segments than a pattern can have */
        [CV_PARAM_PATH] = {"~", MANY MANY MANY MANY "~", "a b/c"},
    };
    return samples[kind][n];
}

bool cv_param_precedes(const struct cv_param_type *a, const struct cv_param_type *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind;
    if (a->kind != CV_PARAM_EXT)
        return false;
    if (a->base != b->base)
        return a->base < b->base;
    return a->extensions.len > 0 && b->extensions.len == 0;
}
