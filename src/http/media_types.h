/* Media types by the extension of a file's name. */
#ifndef CV_HTTP_MEDIA_TYPES_H
#define CV_HTTP_MEDIA_TYPES_H

#include "base/span.h"

/* "text/html; charset=utf-8" for "a/page.HTML"; "application/octet-stream" where the extension says
 * nothing. Text is taken for UTF-8. */
struct cv_span cv_media_type(const char *path);

#endif
