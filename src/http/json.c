#include "http/json.h"

#include <errno.h>

/* Behind the quote that ends the string; `at` is behind the one that begins it. */
static const char *skip_string(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at < end ? at + 1 : end;
}

int cv_json_check(struct cv_span text, const struct cv_json_limits *limits)
{
    const char *end = text.at + text.len;
    unsigned depth = 0;
    uint64_t values = 0;
    for (const char *at = text.at; at < end;) {
        char c = *at++;
        if (c == '"') {
            at = skip_string(at, end);
            continue;
        }
        bool opens = c == '[' || c == '{';
        if (opens && ++depth > limits->depth)
            return -EOVERFLOW;
        if ((opens || c == ',') && ++values > limits->values)
            return -E2BIG;
        if ((c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return 0;
}
