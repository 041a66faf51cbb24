/* Makes the n-th call of libc's functions fail in a unit test, and counts what stays allocated.
 *
 * The program is linked with --wrap for memory and for each function that a line of the folder's
 * wrapped.h names, beginning with WRAP (tests/meson.build reads it from there). Only calls from
 * what is linked statically are wrapped: the code under test and the test, not libc.
 */
#ifndef CV_TEST_WRAPPED_H
#define CV_TEST_WRAPPED_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static _Atomic unsigned wrapped_calls; /* since the last arming */
static unsigned wrapped_fail_at;       /* 0: none fails */
static bool wrapped_goes_on;           /* all from that one on */
static unsigned wrapped_variant;   /* which of its errors a call gives, the first if it has fewer */
static unsigned wrapped_variants;  /* how many that call has */
static int wrapped_error;          /* that it has given; 0: it has not come */
static _Atomic int wrapped_blocks; /* allocated by the code under test */
static _Thread_local bool wrapped_aside; /* what is called now is the test's own affair */

static int wrapped_fails(const int *errors, unsigned n)
{
    if (wrapped_fail_at == 0 || wrapped_aside)
        return 0;
    unsigned call = ++wrapped_calls;
    if (call < wrapped_fail_at || (call > wrapped_fail_at && !wrapped_goes_on))
        return 0;
    errno = errors[wrapped_variant < n ? wrapped_variant : 0];
    if (call == wrapped_fail_at) {
        wrapped_variants = n;
        wrapped_error = errno;
    }
    if (errno == EINTR && wrapped_goes_on)
        errno = errors[0]; /* interrupted for ever: nobody is */
    return errno != EINTR || !wrapped_goes_on;
}

#define WRAPPED_FAILS(...)                                                                         \
    wrapped_fails((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* A function, what it returns when it fails, and the errors it may give. All of them take at most
 * six arguments, none of them a floating-point number. */
#define WRAP(name, failure, ...)                                                                   \
    long __real_##name(long, long, long, long, long, long);                                        \
    long __wrap_##name(long a, long b, long c, long d, long e, long f);                            \
    long __wrap_##name(long a, long b, long c, long d, long e, long f)                             \
    {                                                                                              \
        return WRAPPED_FAILS(__VA_ARGS__) ? failure : __real_##name(a, b, c, d, e, f);             \
    }

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_reallocarray(void *, size_t, size_t);
void __real_free(void *);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    void *block = WRAPPED_FAILS(ENOMEM) ? NULL : __real_malloc(size);
    wrapped_blocks += block != NULL;
    return block;
}

void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    void *block = WRAPPED_FAILS(ENOMEM) ? NULL : __real_calloc(n, size);
    wrapped_blocks += block != NULL;
    return block;
}

void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    void *block = WRAPPED_FAILS(ENOMEM) ? NULL : __real_realloc(old, size);
    wrapped_blocks += block != NULL && old == NULL;
    return block;
}

void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    void *block = WRAPPED_FAILS(ENOMEM) ? NULL : __real_reallocarray(old, n, size);
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
