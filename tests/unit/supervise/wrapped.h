/* Makes the n-th call of libc's functions fail in a unit test, and counts what stays allocated.
 *
 * The program is linked with --wrap for each function of this list (tests/meson.build reads it from
 * here). Only calls from the code under test are wrapped, not those within libc.
 */
#ifndef CV_TEST_WRAPPED_H
#define CV_TEST_WRAPPED_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static unsigned wrapped_calls;   /* since the last arming */
static unsigned wrapped_fail_at; /* 0: none fails */
static int wrapped_blocks;       /* allocated by the code under test */

static int wrapped_fails(int error)
{
    if (wrapped_fail_at == 0 || ++wrapped_calls != wrapped_fail_at)
        return 0;
    errno = error;
    return 1;
}

/* All of them take at most six arguments, none of them a floating-point number. */
#define WRAP(name, failure, error)                                                                 \
    long __real_##name(long, long, long, long, long, long);                                        \
    long __wrap_##name(long a, long b, long c, long d, long e, long f);                            \
    long __wrap_##name(long a, long b, long c, long d, long e, long f)                             \
    {                                                                                              \
        return wrapped_fails(error) ? failure : __real_##name(a, b, c, d, e, f);                   \
    }

WRAP(open64, -1, EMFILE)
WRAP(openat64, -1, EMFILE)
WRAP(fdopendir, 0, ENOMEM)
WRAP(mkdir, -1, ENOSPC)
WRAP(statx, -1, ENOMEM)
WRAP(fstat64, -1, ENOMEM)
WRAP(fchmod, -1, EROFS)
WRAP(flock, -1, ENOLCK)
WRAP(read, -1, EIO)
WRAP(pread64, -1, EIO)
WRAP(write, -1, ENOSPC)
WRAP(ftruncate64, -1, ENOSPC)
WRAP(fcntl64, -1, EMFILE)
WRAP(memfd_create, -1, EMFILE)
WRAP(mmap64, -1, ENOMEM)
WRAP(socket, -1, EMFILE)
WRAP(socketpair, -1, EMFILE)
WRAP(bind, -1, ENOMEM)
WRAP(listen, -1, EOPNOTSUPP)
WRAP(setsockopt, -1, ENOMEM)
WRAP(epoll_create1, -1, EMFILE)
WRAP(epoll_ctl, -1, ENOSPC)
WRAP(syscall, -1, ENOMEM)
WRAP(prctl, -1, EPERM)

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    void *block = wrapped_fails(ENOMEM) ? NULL : __real_malloc(size);
    wrapped_blocks += block != NULL;
    return block;
}

void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    void *block = wrapped_fails(ENOMEM) ? NULL : __real_calloc(n, size);
    wrapped_blocks += block != NULL;
    return block;
}

void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    void *block = wrapped_fails(ENOMEM) ? NULL : __real_realloc(old, size);
    wrapped_blocks += block != NULL && old == NULL;
    return block;
}

void __wrap_free(void *block);
void __wrap_free(void *block)
{
    wrapped_blocks -= block != NULL;
    __real_free(block);
}

#endif
