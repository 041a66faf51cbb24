#include "app/response/html.h"

int cv_html_write(struct cv_buf *to, const char *text)
{
    int rc = 0;
    for (; *text != '\0' && rc == 0; text++) {
        switch (*text) {
        case '&': rc = cv_buf_append(to, CV_SPAN("&amp;")); break;
        case '<': rc = cv_buf_append(to, CV_SPAN("&lt;")); break;
        case '>': rc = cv_buf_append(to, CV_SPAN("&gt;")); break;
        case '"': rc = cv_buf_append(to, CV_SPAN("&quot;")); break;
        case '\'': rc = cv_buf_append(to, CV_SPAN("&#39;")); break;
        default: rc = cv_buf_append(to, cv_span(text, 1));
        }
    }
    return rc;
}
