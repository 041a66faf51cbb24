/* The types of path parameters. See param.h. */
#include "app/routing/param.h"

#include "app/routing/regex.h"
#include "base/num.h"
#include "http/chars.h"

#include <errno.h>
#include <stdio.h>

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

size_t cv_param_values(const struct cv_param_type *type)
{
    return type->kind == CV_PARAM_EXT ? 2 : 1;
}

/* ---- Characters, whatever the locale ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* ---- What fits ---- */

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
    while (i < text.len && is_digit(text.at[i]))
        i++;
    size_t whole = i - first, part = 0;
    if (i < text.len && text.at[i] == '.') {
        i++;
        for (; i < text.len && is_digit(text.at[i]); i++)
            part++;
    }
    return i == text.len && whole + part > 0 && whole <= FLOAT_DIGITS_MAX;
}

static bool is_alpha(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_letter(text.at[i]))
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
        if (dash ? was_dash : !is_lower(text.at[i]) && !is_digit(text.at[i]))
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

/* ---- Types by their text ---- */

static struct cv_param_type *find(const struct cv_param_types *types, struct cv_span text)
{
    struct cv_param_type *type = types->first;
    while (type != NULL && !cv_span_eq(type->text, text))
        type = type->next;
    return type;
}

static struct cv_param_type *add(struct cv_param_types *types, const struct cv_param_type *what)
{
    struct cv_param_type *type = cv_arena_alloc(types->arena, sizeof(*type));
    if (type == NULL)
        return NULL;
    *type = *what;
    type->next = types->first;
    types->first = type;
    return type;
}

static int kind_of(struct cv_span name, enum cv_param_kind *ret)
{
    for (size_t i = CV_PARAM_UUID; i < CV_COUNT(names); i++) {
        if (cv_span_eq(names[i], name)) {
            *ret = (enum cv_param_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int complain(char *reason, size_t cap, const char *what, struct cv_span text)
{
    (void)snprintf(reason, cap, "%s in \"%.*s\"", what, (int)text.len, text.at);
    return -EINVAL;
}

static size_t count(struct cv_span text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.at[i] == c;
    return n;
}

/* "jpg|png", "min.js|min.css": each of as many pieces, so that it is clear where they begin. */
static int check_extensions(struct cv_param_type *type, char *reason, size_t cap)
{
    struct cv_span list = type->extensions;
    type->dots = count(cv_param_next_extension(&list), '.');
    list = type->extensions;
    do {
        bool is_last = memchr(list.at, '|', list.len) == NULL;
        struct cv_span one = cv_param_next_extension(&list);
        bool wrong = one.len == 0 || (list.len == 0 && !is_last) || one.at[0] == '.' ||
                     one.at[one.len - 1] == '.';
        for (size_t i = 0; i < one.len; i++)
            wrong |= !is_letter(one.at[i]) && !is_digit(one.at[i]) && one.at[i] != '.';
        if (wrong)
            return complain(reason, cap, "an extension must be letters, digits and dots between",
                            type->extensions);
        if (count(one, '.') != type->dots)
            return complain(reason, cap, "the extensions must have as many dots each",
                            type->extensions);
    } while (list.len > 0);
    return 0;
}

static bool is_base(enum cv_param_kind kind)
{
    return kind != CV_PARAM_EXT && kind != CV_PARAM_PATH && kind != CV_PARAM_STROREMPTY;
}

/* "[=BASE]:ext[=LIST]" */
static int read_ext(struct cv_span text, struct cv_param_type *ret, char *reason, size_t cap)
{
    const char *colon = memchr(text.at, ':', text.len);
    struct cv_span base = {text.at, colon != NULL ? (size_t)(colon - text.at) : text.len};
    struct cv_span rest = {text.at + base.len, text.len - base.len};

    ret->kind = CV_PARAM_EXT;
    ret->base = CV_PARAM_STR;
    if (base.len > 0 &&
        (kind_of(cv_span(base.at + 1, base.len - 1), &ret->base) < 0 || !is_base(ret->base)))
        return complain(reason, cap,
                        "in front of an extension must be str, int, float, alpha, slug, ymd or "
                        "uuid",
                        text);
    if (rest.len < 4 || memcmp(rest.at, ":ext", 4) != 0 || (rest.len > 4 && rest.at[4] != '='))
        return complain(reason, cap, "behind <name=TYPE must come :ext or :ext=jpg|png", text);
    if (rest.len == 4)
        return 0;
    ret->extensions = cv_span(rest.at + 5, rest.len - 5);
    if (ret->extensions.len == 0)
        return complain(reason, cap, "no extension follows ext=", text);
    return check_extensions(ret, reason, cap);
}

static bool is_ext(struct cv_span text)
{
    return text.at[0] == '=' || (text.len >= 4 && memcmp(text.at, ":ext", 4) == 0 &&
                                 (text.len == 4 || text.at[4] == '='));
}

static bool is_type_name(struct cv_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_letter(name.at[i]) && name.at[i] != '_' && (i == 0 || !is_digit(name.at[i])))
            return false;
    }
    return name.len > 0;
}

/* "int>-<y:int", which no expression begins with: of "<x:int>-<y:int>". */
static bool is_type_and_more(struct cv_span text)
{
    const char *end = memchr(text.at, '>', text.len);
    return end != NULL && is_type_name(cv_span(text.at, (size_t)(end - text.at)));
}

/* What could be a type's name and is none is a mistake; no such word needs to be an expression. */
static int read_type(struct cv_span text, struct cv_param_type *ret, char *reason, size_t cap)
{
    if (is_ext(text))
        return read_ext(text, ret, reason, cap);
    struct cv_span name = {text.at + 1, text.len - 1};
    if (kind_of(name, &ret->kind) == 0)
        return 0;
    if (is_type_and_more(name))
        return complain(reason, cap, "a parameter must be a whole segment, and there is more", text);
    if (name.len > 0 && !is_type_name(name)) {
        ret->kind = CV_PARAM_REGEX;
        ret->regex = cv_regex_new(name, reason, cap);
        return ret->regex != NULL ? 0 : -EINVAL;
    }
    return complain(reason, cap,
                    "a parameter's type must be str, strorempty, int, float, alpha, slug, path, "
                    "ymd, uuid, ext, a regular expression or a covey_pattern() before",
                    text);
}

void cv_param_types_done(struct cv_param_types *types)
{
    for (const struct cv_param_type *type = types->first; type != NULL; type = type->next)
        cv_regex_free(type->regex);
    types->first = NULL;
}

const struct cv_param_type *cv_param_type_get(struct cv_param_types *types, struct cv_span text,
                                              char *reason, size_t cap)
{
    if (text.len == 0)
        text = CV_SPAN(":str");
    if (text.len > 4 && memcmp(text.at, "=str:", 5) == 0)
        text = cv_span(text.at + 4, text.len - 4); /* the same without it */
    struct cv_param_type *type = find(types, text);
    if (type != NULL)
        return type;
    struct cv_param_type read = {.text = text};
    if (read_type(text, &read, reason, cap) < 0)
        return NULL;
    type = add(types, &read);
    if (type == NULL) {
        cv_regex_free(read.regex);
        (void)snprintf(reason, cap, "out of memory");
    }
    return type;
}

/* `name` with the ':' that stands in front of it in a pattern. */
static int add_own(struct cv_param_types *types, struct cv_span text, covey_pattern_fn *own)
{
    const struct cv_param_type type = {.text = text, .kind = CV_PARAM_OWN, .own = own};
    return add(types, &type) != NULL ? 0 : -ENOMEM;
}

int cv_param_type_add(struct cv_param_types *types, struct cv_span name, covey_pattern_fn *own,
                      char *reason, size_t cap)
{
    enum cv_param_kind kind;
    if (!is_type_name(name)) {
        (void)snprintf(reason, cap, "a pattern's name must be letters, digits and _");
        return -EINVAL;
    }
    const char *text = cv_arena_printf(types->arena, ":%.*s", (int)name.len, name.at);
    if (text == NULL) {
        (void)snprintf(reason, cap, "out of memory");
        return -ENOMEM;
    }
    if (kind_of(name, &kind) == 0 || find(types, cv_span_str(text)) != NULL) {
        (void)snprintf(reason, cap, "there is a type of this name already");
        return -EINVAL;
    }
    int rc = add_own(types, cv_span_str(text), own);
    if (rc < 0)
        (void)snprintf(reason, cap, "out of memory");
    return rc;
}
