/* Names of virtual hosts. See host.h. */
#include "app/routing/host.h"

#include "http/chars.h"

struct cv_span cv_host_name(struct cv_span host)
{
    size_t len = host.len;
    while (len > 0 && cv_chars_is_digit(host.at[len - 1]))
        len--;
    if (len > 0 && host.at[len - 1] == ':') /* in "[::1]" no digit is the last character */
        return cv_span(host.at, len - 1);
    return host;
}

static bool is_host_char(char c)
{
    return cv_chars_is_lower(c) || cv_chars_is_digit(c) ||
           (c != '\0' && strchr("-._~[]:", c) != NULL);
}

size_t cv_host_write(struct cv_span host, char *to)
{
    struct cv_span name = cv_host_name(host);
    size_t dots = name.len > 0 && name.at[name.len - 1] == '.';
    if (host.len - dots > CV_HOST_MAX)
        return 0;

    size_t len = 0;
    for (size_t i = 0; i < host.len; i++) {
        if (dots && i + 1 == name.len)
            continue;
        char c = cv_lower(host.at[i]);
        if (!is_host_char(c))
            return 0;
        to[len++] = c;
    }
    return len;
}

struct cv_span cv_host_next(const char **at)
{
    static const char gap[] = " ,";
    *at += strspn(*at, gap);
    struct cv_span host = {*at, strcspn(*at, gap)};
    *at += host.len;
    return host;
}
