/* Growable bytes with one owner and a ceiling.
 *
 * Past `max` every append fails with -EMSGSIZE, so that no peer decides how much we allocate.
 */
#ifndef CV_BASE_BUF_H
#define CV_BASE_BUF_H

#include "base/macros.h"
#include "base/span.h"

#include <stdarg.h>

struct cv_buf {
    char *at;
    size_t len;
    size_t cap;
    size_t max;
};

/* An empty buffer; allocates nothing yet. */
void cv_buf_init(struct cv_buf *buf, size_t max);

/* Frees the bytes. Fine on a zeroed or already finished buffer. */
void cv_buf_done(struct cv_buf *buf);

/* Room for `more` bytes behind `len`. 0, -ENOMEM or -EMSGSIZE; on error `buf` is unchanged. */
CV_MUST_CHECK int cv_buf_reserve(struct cv_buf *buf, size_t more);

/* Appends a copy of `bytes`. Errors as cv_buf_reserve(). */
CV_MUST_CHECK int cv_buf_append(struct cv_buf *buf, struct cv_span bytes);

/* Appends formatted text (no NUL is counted). Errors as cv_buf_reserve(). */
CV_MUST_CHECK int cv_buf_printf(struct cv_buf *buf, const char *format, ...) CV_PRINTF(2, 3);
CV_MUST_CHECK int cv_buf_vprintf(struct cv_buf *buf, const char *format, va_list args)
    CV_PRINTF(2, 0);

/* Drops the first `n` bytes (n <= len). */
void cv_buf_consume(struct cv_buf *buf, size_t n);

static inline struct cv_span cv_buf_span(const struct cv_buf *buf)
{
    return (struct cv_span){buf->at, buf->len};
}

#endif
