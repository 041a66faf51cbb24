#include "http/media_types.h"

#include "base/macros.h"
#include "http/media_types.def"

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

struct cv_span cv_media_type(const char *path)
{
    const char *extension = extension_of(path);
    size_t low = 0;
    size_t high = extension != NULL ? CV_COUNT(types) : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcasecmp(extension, types[middle].extension);
        if (order == 0)
            return types[middle].type;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return CV_SPAN("application/octet-stream");
}
