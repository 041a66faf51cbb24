#include "base/buf.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

void cv_buf_init(struct cv_buf *buf, size_t max)
{
    *buf = (struct cv_buf){.max = max};
}

void cv_buf_done(struct cv_buf *buf)
{
    free(buf->at);
    cv_buf_init(buf, buf->max);
}

int cv_buf_reserve(struct cv_buf *buf, size_t more)
{
    if (more > buf->max - buf->len)
        return -EMSGSIZE;
    size_t need = buf->len + more;
    if (need <= buf->cap)
        return 0;
    if (need == SIZE_MAX)
        return -ENOMEM;
    size_t cap = buf->cap < 256 ? 256 : buf->cap * 2;
    if (cap < need)
        cap = need;
    if (cap > buf->max)
        cap = buf->max;
    char *at = realloc(buf->at, cap + 1); /* and the NUL of vsnprintf(), which nobody counts */
    if (at == NULL)
        return -ENOMEM;
    buf->at = at;
    buf->cap = cap;
    return 0;
}

int cv_buf_append(struct cv_buf *buf, struct cv_span bytes)
{
    int rc = cv_buf_reserve(buf, bytes.len);
    if (rc < 0)
        return rc;
    if (bytes.len > 0)
        memcpy(buf->at + buf->len, bytes.at, bytes.len);
    buf->len += bytes.len;
    return 0;
}

int cv_buf_vprintf(struct cv_buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0)
        return -EINVAL;
    int rc = cv_buf_reserve(buf, (size_t)len);
    if (rc < 0 || len == 0)
        return rc;
    (void)vsnprintf(buf->at + buf->len, (size_t)len + 1, format, args);
    buf->len += (size_t)len;
    return 0;
}

int cv_buf_printf(struct cv_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = cv_buf_vprintf(buf, format, args);
    va_end(args);
    return rc;
}

void cv_buf_consume(struct cv_buf *buf, size_t n)
{
    CV_ASSERT(n <= buf->len);
    buf->len -= n;
    if (buf->len > 0 && n > 0)
        memmove(buf->at, buf->at + n, buf->len);
}
