/* Media types by the extension of a file's name. */
#ifndef CV_HTTP_MEDIA_TYPES_H
#define CV_HTTP_MEDIA_TYPES_H

#include "base/span.h"

/* "text/html; charset=utf-8" for "a/page.HTML"; "application/octet-stream" where the extension says
 * nothing. Text is taken for UTF-8. */
struct cv_span cv_media_type(const char *path);

/* Whether a comma-separated list, in which a '*' at an end of a member stands for anything, as in
 * "text/html, *+xml", names the type. Its parameters and the case do not matter. */
bool cv_media_type_is_listed(struct cv_span type, struct cv_span list);

#endif
