#include "http/json.h"

/* Behind the quote that ends the string; `at` is behind the one that begins it. */
static const char *skip_string(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at < end ? at + 1 : end;
}

bool cv_json_is_shallow(struct cv_span text, unsigned most)
{
    const char *end = text.at + text.len;
    unsigned depth = 0;
    for (const char *at = text.at; at < end;) {
        char c = *at++;
        if (c == '"')
            at = skip_string(at, end);
        else if ((c == '[' || c == '{') && ++depth > most)
            return false;
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return true;
}
