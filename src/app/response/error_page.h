/* What a client gets to see of an error, as HTML, JSON (Sanic's shape, or RFC 9457's) or text.
 * Writes only: what may be seen is error.c's to decide. */
#ifndef CV_APP_ERROR_PAGE_H
#define CV_APP_ERROR_PAGE_H

#include "base/buf.h"
#include "http/text.h"

/* A call on the stack; what is not known is NULL, or 0. */
struct cv_frame {
    const char *symbol; /* "handler (app+0x11a9)" */
    const char *file;
    int line;
    const char *source; /* lines of the file around it, each with its end */
    int source_line;    /* the number of the first of them */
};

struct cv_error_page {
    int status;
    const char *text; /* NULL: the status says it all */
    /* With DEBUG only; NULL: none of it is shown. */
    const char *request; /* "GET /hello/you" */
    const char *route;   /* its pattern; NULL: none has matched */
    const char *route_file;
    int route_line;
    const struct cv_frame *frames;
    size_t n_frames;
};

/* 0, -ENOMEM or -EMSGSIZE. *ret_type is the page's media type, a literal. */
CV_MUST_CHECK int cv_error_page_write(struct cv_buf *to, enum cv_format format,
                                      const struct cv_error_page *page, struct cv_span *ret_type);

#endif
