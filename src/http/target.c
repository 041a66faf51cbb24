/* Request targets. */
#include "http/target.h"

#include "http/chars.h"

bool cv_target_is_authority(struct cv_span text)
{
    const char *at = text.at;
    const char *end = text.at + text.len;

    if (at < end && *at == '[') {
        do
            at++;
        while (at < end && (cv_chars_hex(*at) >= 0 || *at == ':' || *at == '.'));
        if (at == end || *at != ']' || at - text.at < 3)
            return false;
        at++;
    } else {
        at = cv_chars_skip(at, end, CV_CHAR_HOST);
        if (at == text.at)
            return false;
    }
    if (at == end)
        return true;
    if (*at++ != ':' || end - at > 5)
        return false;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at == end;
}

/* The length of "http://" or "https://" at the start of the target; 0 if neither is there. */
static size_t scheme_len(struct cv_span target)
{
    const struct cv_span schemes[] = {CV_SPAN("http://"), CV_SPAN("https://")};

    for (size_t i = 0; i < CV_COUNT(schemes); i++) {
        if (target.len >= schemes[i].len &&
            cv_span_ieq(cv_span(target.at, schemes[i].len), schemes[i]))
            return schemes[i].len;
    }
    return 0;
}

/* Sets the authority of an absolute-form and where the path begins. */
static int split_absolute(struct cv_span target, struct cv_span *ret_authority, size_t *ret_path)
{
    size_t from = scheme_len(target);
    if (from == 0)
        return -400;

    size_t to = from;
    while (to < target.len && target.at[to] != '/' && target.at[to] != '?')
        to++;
    struct cv_span authority = cv_span(target.at + from, to - from);
    if (!cv_target_is_authority(authority))
        return -400;
    *ret_authority = authority;
    *ret_path = to;
    return 0;
}

int cv_target_split(struct cv_span target, enum cv_method method, struct cv_target *ret)
{
    struct cv_span authority = {target.at, 0};
    size_t path = 0;

    if (*target.at == '*') {
        if (target.len != 1 || method != CV_METHOD_OPTIONS)
            return -400;
    } else if (*target.at != '/') {
        int rc = split_absolute(target, &authority, &path);
        if (rc < 0)
            return rc;
    }

    const char *end = target.at + target.len;
    const char *mark = memchr(target.at + path, '?', target.len - path);
    const char *path_end = mark != NULL ? mark : end;
    ret->authority = authority;
    ret->path = cv_span(target.at + path, (size_t)(path_end - target.at) - path);
    ret->query = mark != NULL ? cv_span(mark + 1, (size_t)(end - mark) - 1) : cv_span(end, 0);
    if (ret->path.len == 0)
        ret->path = cv_span(authority.at - 1, 1); /* the last byte of "://" */
    return 0;
}
