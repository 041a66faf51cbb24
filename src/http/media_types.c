#include "http/media_types.h"

#include "base/macros.h"
#include "http/media_types.def"
#include "http/text.h"

struct type {
    const char *extension;
    struct cv_span type;
};

static const struct type types[] = {
#define X(extension, type) {extension, {type, sizeof(type) - 1}},
    CV_MEDIA_TYPES(X)
#undef X
};

/* Behind the last dot of the last segment; NULL: none, and for names that only begin with a dot. */
static const char *extension_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot > name ? dot + 1 : NULL;
}

/* As strcmp(), with `a` in lower case. */
static int compare(const char *a, const char *b)
{
    while (*a != '\0' && cv_lower(*a) == *b) {
        a++;
        b++;
    }
    return (unsigned char)cv_lower(*a) - (unsigned char)*b;
}

struct cv_span cv_media_type(const char *path)
{
    const char *extension = extension_of(path);
    size_t low = 0;
    size_t high = extension != NULL ? CV_COUNT(types) : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(extension, types[middle].extension);
        if (order == 0)
            return types[middle].type;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return CV_SPAN("application/octet-stream");
}

/* What stands before the first `separator`. */
static struct cv_span before(struct cv_span text, char separator)
{
    const char *end = text.len > 0 ? memchr(text.at, separator, text.len) : NULL;
    return end != NULL ? cv_span(text.at, (size_t)(end - text.at)) : text;
}

/* A '*' at one of its ends stands for anything. */
static bool is_like(struct cv_span type, struct cv_span pattern)
{
    if (pattern.len > 0 && pattern.at[pattern.len - 1] == '*') {
        size_t len = pattern.len - 1;
        return type.len >= len && cv_span_ieq(cv_span(type.at, len), cv_span(pattern.at, len));
    }
    if (pattern.len > 0 && pattern.at[0] == '*') {
        size_t len = pattern.len - 1;
        return type.len >= len &&
               cv_span_ieq(cv_span(type.at + type.len - len, len), cv_span(pattern.at + 1, len));
    }
    return cv_span_ieq(type, pattern);
}

bool cv_media_type_is_listed(struct cv_span type, struct cv_span list)
{
    type = cv_trim(before(type, ';'));
    while (type.len > 0 && list.len > 0) {
        struct cv_span member = before(list, ',');
        size_t used = member.len < list.len ? member.len + 1 : member.len;
        if (is_like(type, cv_trim(member)))
            return true;
        list = cv_span(list.at + used, list.len - used);
    }
    return false;
}
