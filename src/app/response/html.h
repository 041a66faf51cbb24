/* Text in an HTML page. */
#ifndef CV_APP_HTML_H
#define CV_APP_HTML_H

#include "base/buf.h"

/* Appends `text` so that it is neither markup nor the end of a quoted attribute. As
 * cv_buf_append(). */
CV_MUST_CHECK int cv_html_write(struct cv_buf *to, const char *text);

#endif
