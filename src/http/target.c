/* Request targets. */
#include "http/target.h"

#include "base/num.h"
#include "http/chars.h"

#include <arpa/inet.h>

/* inet_pton reads RFC 4291's text forms, which are those of RFC 3986; no zone. */
static bool is_ipv6(struct cv_span text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;

    if (text.len >= sizeof(address))
        return false;
    memcpy(address, text.at, text.len);
    address[text.len] = '\0';
    return strlen(address) == text.len && inet_pton(AF_INET6, address, &parsed) == 1;
}

/* Empty, or a number that a port can be. */
static bool is_port(struct cv_span text)
{
    uint64_t port;

    return text.len == 0 || (text.len <= 5 && cv_num_u64(text, UINT16_MAX, &port) == 0);
}

bool cv_target_is_authority(struct cv_span text)
{
    const char *end = text.at + text.len;
    const char *at;

    if (text.len > 0 && *text.at == '[') {
        at = memchr(text.at, ']', text.len);
        if (at == NULL || !is_ipv6(cv_span(text.at + 1, (size_t)(at - text.at) - 1)))
            return false;
        at++;
    } else {
        at = cv_chars_skip(text.at, end, CV_CHAR_HOST);
        if (at == text.at)
            return false;
    }
    if (at == end)
        return true;
    return *at == ':' && is_port(cv_span(at + 1, (size_t)(end - at) - 1));
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
