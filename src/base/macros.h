/* Compiler attributes and clean-up helpers, so that no error path needs a ladder of labels. */
#ifndef CV_BASE_MACROS_H
#define CV_BASE_MACROS_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define CV_MUST_CHECK __attribute__((warn_unused_result))
#define CV_PRINTF(text, args) __attribute__((format(printf, text, args)))
#define CV_LIKELY(x) __builtin_expect(!!(x), 1)
#define CV_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CV_FLATTEN __attribute__((flatten))     /* whatever it calls becomes a part of it */
#define CV_COLD __attribute__((cold, noinline)) /* it becomes a part of nothing that is hot */
#define CV_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Initial-exec: a load instead of a call, also in a shared library. */
#define CV_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

/* The struct that `member` is embedded in. */
#define CV_CONTAINER_OF(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void cv_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void cv_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

/* A descriptor that is closed, or heap memory that is freed, when its variable leaves scope. */
#define CV_AUTOCLOSE __attribute__((cleanup(cv_cleanup_close)))
#define CV_AUTOFREE __attribute__((cleanup(cv_cleanup_free)))

/* Hands a CV_AUTOCLOSE descriptor on: the caller owns the result, the variable closes nothing. */
static inline int cv_take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
