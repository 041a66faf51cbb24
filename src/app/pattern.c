/* Route patterns. See pattern.h. */
#include "app/pattern.h"

#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static bool is_name(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (!isalpha(c) && c != '_' && (i == 0 || !isdigit(c)))
            return false;
    }
    return text.len > 0;
}

static int parse_kind(struct cv_span text, enum cv_param_kind *ret)
{
    static const struct {
        struct cv_span name;
        enum cv_param_kind kind;
    } kinds[] = {{{"str", 3}, CV_PARAM_STR},
                 {{"int", 3}, CV_PARAM_INT},
                 {{"uuid", 4}, CV_PARAM_UUID},
                 {{"path", 4}, CV_PARAM_PATH}};

    for (size_t i = 0; i < CV_COUNT(kinds); i++) {
        if (cv_span_eq(text, kinds[i].name)) {
            *ret = kinds[i].kind;
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

/* "<name>" or "<name:kind>". */
static int parse_param(struct cv_span text, struct cv_segment *ret, char *reason, size_t cap)
{
    if (text.len < 2 || text.at[0] != '<' || text.at[text.len - 1] != '>')
        return complain(reason, cap, "a parameter must be a whole segment", text);

    struct cv_span inside = {text.at + 1, text.len - 2};
    struct cv_span kind = CV_SPAN("str");
    const char *colon = memchr(inside.at, ':', inside.len);
    if (colon != NULL) {
        kind = cv_span(colon + 1, (size_t)(inside.at + inside.len - colon - 1));
        inside.len = (size_t)(colon - inside.at);
    }
    if (!is_name(inside))
        return complain(reason, cap, "a parameter's name must be letters, digits and _", text);
    if (parse_kind(kind, &ret->kind) < 0)
        return complain(reason, cap, "a parameter's type must be str, int, uuid or path", text);
    ret->is_param = true;
    ret->text = inside;
    return 0;
}

/* Patterns are compared with decoded paths: what can never match is refused. */
static int parse_literal(struct cv_span text, struct cv_segment *ret, char *reason, size_t cap)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f)
            return complain(reason, cap, "control character", text);
        if (c == '?' || c == '#')
            return complain(reason, cap, "a pattern is a path, without ? and #", text);
        if (c == '%' && i + 2 < text.len && isxdigit((unsigned char)text.at[i + 1]) &&
            isxdigit((unsigned char)text.at[i + 2]))
            return complain(reason, cap, "a pattern is written decoded, without %XX", text);
    }
    ret->is_param = false;
    ret->text = text;
    return 0;
}

static bool has_name(const struct cv_pattern *pattern, struct cv_span name)
{
    for (size_t i = 0; i < pattern->n; i++) {
        if (pattern->segments[i].is_param && cv_span_eq(pattern->segments[i].text, name))
            return true;
    }
    return false;
}

static int parse_segment(struct cv_span text, struct cv_pattern *pattern, char *reason, size_t cap)
{
    struct cv_segment *segment = &pattern->segments[pattern->n];
    bool is_param =
        memchr(text.at, '<', text.len) != NULL || memchr(text.at, '>', text.len) != NULL;
    int rc = is_param ? parse_param(text, segment, reason, cap)
                      : parse_literal(text, segment, reason, cap);
    if (rc < 0)
        return rc;
    if (segment->is_param && has_name(pattern, segment->text))
        return complain(reason, cap, "two parameters have the same name", text);
    pattern->n++;
    return 0;
}

int cv_pattern_parse(const char *pattern, struct cv_pattern *ret, char *reason, size_t cap)
{
    if (pattern == NULL || pattern[0] != '/') {
        (void)snprintf(reason, cap, "a pattern must begin with /");
        return -EINVAL;
    }

    ret->n = 0;
    const char *at = pattern;
    while (at != NULL) {
        at++; /* the slash */
        const char *slash = strchr(at, '/');
        if (ret->n == CV_ROUTER_SEGMENTS_MAX) {
            (void)snprintf(reason, cap, "a pattern may have at most %d segments",
                           CV_ROUTER_SEGMENTS_MAX);
            return -EINVAL;
        }
        struct cv_span text = {at, slash != NULL ? (size_t)(slash - at) : strlen(at)};
        int rc = parse_segment(text, ret, reason, cap);
        if (rc < 0)
            return rc;
        const struct cv_segment *last = &ret->segments[ret->n - 1];
        if (slash != NULL && last->is_param && last->kind == CV_PARAM_PATH)
            return complain(reason, cap, "a path parameter must be the last segment", text);
        at = slash;
    }
    return 0;
}

static bool is_uuid(struct cv_span text)
{
    if (text.len != 36)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.at[i] != '-' : !isxdigit((unsigned char)text.at[i]))
            return false;
    }
    return true;
}

bool cv_pattern_fits(enum cv_param_kind kind, struct cv_span segment)
{
    int64_t number;

    switch (kind) {
    case CV_PARAM_INT: return cv_num_i64(segment, &number) == 0;
    case CV_PARAM_UUID: return is_uuid(segment);
    case CV_PARAM_STR: return segment.len > 0;
    case CV_PARAM_PATH: break;
    }
    return false;
}
