/* Route patterns. See pattern.h. */
#include "app/routing/pattern.h"

#include "app/routing/regex.h"
#include "http/chars.h"

#include <errno.h>
#include <stdio.h>

static int complain(char *reason, size_t cap, const char *what, struct cv_span text)
{
    (void)snprintf(reason, cap, "%s in \"%.*s\"", what, (int)text.len, text.at);
    return -EINVAL;
}

/* "<name>", "<name:type>" or "<name=type:ext>". */
static int parse_param(struct cv_param_types *types, struct cv_span text, struct cv_segment *ret,
                       char *reason, size_t cap)
{
    if (text.len < 2 || text.at[0] != '<' || text.at[text.len - 1] != '>')
        return complain(reason, cap, "a parameter must be a whole segment", text);

    struct cv_span name = {text.at + 1, 0};
    size_t most = text.len - 2;
    while (name.len < most && name.at[name.len] != ':' && name.at[name.len] != '=')
        name.len++;
    if (!cv_param_is_name(name))
        return complain(reason, cap, "a parameter's name must be letters, digits and _", text);
    ret->type = cv_param_type_get(types, cv_span(name.at + name.len, most - name.len), reason, cap);
    ret->text = name;
    if (ret->type == NULL)
        return -EINVAL;
    if (ret->type->kind == CV_PARAM_REGEX && !cv_regex_is_called(ret->type->regex, name))
        return complain(reason, cap, "the group must have the name of its parameter", text);
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
        if (c == '%' && i + 2 < text.len && cv_chars_hex(text.at[i + 1]) >= 0 &&
            cv_chars_hex(text.at[i + 2]) >= 0)
            return complain(reason, cap, "a pattern is written decoded, without %XX", text);
    }
    ret->type = NULL;
    ret->text = text;
    return 0;
}

static bool is_named(const struct cv_segment *segment, struct cv_span name)
{
    return segment->type != NULL &&
           (cv_span_eq(segment->text, name) ||
            (cv_param_values(segment->type) > 1 && cv_span_eq(CV_SPAN(CV_PARAM_EXT_NAME), name)));
}

/* Each value has a name of its own. */
static int check_names(const struct cv_pattern *pattern, char *reason, size_t cap)
{
    const struct cv_segment *last = &pattern->segments[pattern->n - 1];
    if (last->type == NULL)
        return 0;
    bool has_ext = cv_param_values(last->type) > 1;
    bool twice = has_ext && cv_span_eq(last->text, CV_SPAN(CV_PARAM_EXT_NAME));
    for (size_t i = 0; i + 1 < pattern->n; i++)
        twice |= is_named(&pattern->segments[i], last->text) ||
                 (has_ext && is_named(&pattern->segments[i], CV_SPAN(CV_PARAM_EXT_NAME)));
    if (twice)
        return complain(reason, cap, "two parameters have the same name", last->text);
    return 0;
}

static int parse_segment(struct cv_param_types *types, struct cv_span text,
                         struct cv_pattern *pattern, char *reason, size_t cap)
{
    struct cv_segment *segment = &pattern->segments[pattern->n++];
    bool is_param =
        memchr(text.at, '<', text.len) != NULL || memchr(text.at, '>', text.len) != NULL;
    int rc = is_param ? parse_param(types, text, segment, reason, cap)
                      : parse_literal(text, segment, reason, cap);
    return rc == 0 ? check_names(pattern, reason, cap) : rc;
}

/* Where the segment ends: a regular expression may hold slashes. */
static size_t segment_len(const char *at)
{
    if (*at == '<') {
        for (const char *end = strchr(at, '>'); end != NULL; end = strchr(end + 1, '>')) {
            if (end[1] == '/' || end[1] == '\0')
                return (size_t)(end + 1 - at);
        }
    }
    return strcspn(at, "/");
}

int cv_pattern_parse(struct cv_param_types *types, const char *pattern, struct cv_pattern *ret,
                     char *reason, size_t cap)
{
    if (pattern == NULL || pattern[0] != '/') {
        (void)snprintf(reason, cap, "a pattern must begin with /");
        return -EINVAL;
    }

    ret->n = 0;
    const char *at = pattern;
    while (*at != '\0') {
        at++; /* the slash */
        if (ret->n == CV_PATTERN_SEGMENTS_MAX) {
            (void)snprintf(reason, cap, "a pattern may have at most %d segments",
                           CV_PATTERN_SEGMENTS_MAX);
            return -EINVAL;
        }
        struct cv_span text = {at, segment_len(at)};
        int rc = parse_segment(types, text, ret, reason, cap);
        if (rc < 0)
            return rc;
        at += text.len;
        const struct cv_segment *last = &ret->segments[ret->n - 1];
        if (*at != '\0' && last->type != NULL && last->type->kind == CV_PARAM_PATH)
            return complain(reason, cap, "a path parameter must be the last segment", text);
    }
    return 0;
}

char *cv_pattern_versioned(struct cv_arena *arena, const char *prefix, const char *version,
                           const char *before, const char *path)
{
    if (version == NULL)
        return cv_arena_printf(arena, "%s%s", before, path);
    version += strspn(version, "/");
    version += *version == 'v';
    int len = (int)strcspn(version, "/");
    return cv_arena_printf(arena, "%s%.*s%s%s", prefix != NULL ? prefix : "/v", len, version,
                           before, path);
}
