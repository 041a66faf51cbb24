/* The system below a worker in test_faults.c: calls that fail or move one byte at a time, and a
 * clock that does not wait.
 *
 * Whenever the worker would sleep in epoll_wait(), its clients are played (wrapped_play). If they
 * bring nothing, time is moved on to the worker's next deadline: time-outs take no time, and a
 * worker that has no deadline while a client waits for it is found to hang.
 */
#ifndef CV_TEST_HOST_WRAPPED_H
#define CV_TEST_HOST_WRAPPED_H

#include "unit/base/wrapped.h"

#include "base/arena.h"
#include "base/clock.h"
#include "loop/offload.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define WRAPPED_FDS 1024

static bool (*wrapped_play)(void); /* lets the clients act; true: the worker is to look at once */
/* Nothing happens for that long (CV_NEVER: ever). How long to sleep. */
static int64_t (*wrapped_idle)(int64_t left);
static bool wrapped_bytewise; /* one byte in each call */
static int wrapped_maps;      /* mappings */

static int64_t wrapped_time;          /* that has been slept */
static _Atomic int wrapped_offloaded; /* calls on threads */
static struct {
    struct epoll_event event;
    int loop;
    bool is_watched;
    bool is_held_up; /* would be ready, but was said not to be: an edge must come */
} wrapped_fds[WRAPPED_FDS];

/* Defined here, for more than to fail. */
#define WRAP_OWN(name) extern __typeof__(name) __real_##name, __wrap_##name;

/* ---- Time and readiness ---- */

WRAP_OWN(clock_gettime)
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    int rc = __real_clock_gettime(clock, ret);
    int64_t ns = ret->tv_sec * CV_SECOND + ret->tv_nsec + wrapped_time;
    *ret = (struct timespec){.tv_sec = ns / CV_SECOND, .tv_nsec = ns % CV_SECOND};
    return rc;
}

WRAP_OWN(epoll_ctl)
int __wrap_epoll_ctl(int loop, int op, int fd, struct epoll_event *event)
{
    if (op != EPOLL_CTL_DEL && WRAPPED_FAILS(ENOSPC, ENOMEM)) /* what is watched can be forgotten */
        return -1;
    wrapped_fds[fd].is_held_up = false; /* a new watch tells what is ready */
    wrapped_fds[fd].is_watched = op != EPOLL_CTL_DEL;
    wrapped_fds[fd].loop = loop;
    if (event != NULL)
        wrapped_fds[fd].event = *event;
    return __real_epoll_ctl(loop, op, fd, event);
}

/* The sockets that were said to be full or empty are no longer so. Whether there were any. */
static bool wrapped_let_go(void)
{
    bool any = false;
    for (int fd = 0; fd < WRAPPED_FDS; fd++) {
        if (!wrapped_fds[fd].is_held_up || !wrapped_fds[fd].is_watched)
            continue;
        any = true;
        wrapped_fds[fd].is_held_up = false;
        (void)__real_epoll_ctl(wrapped_fds[fd].loop, EPOLL_CTL_MOD, fd, &wrapped_fds[fd].event);
    }
    return any;
}

WRAP_OWN(epoll_wait)
static int wrapped_wait(int loop, struct epoll_event *events, int max, int timeout)
{
    if (wrapped_play())
        return 0;
    int n = __real_epoll_wait(loop, events, max, 0);
    if (n != 0 || timeout == 0)
        return n;
    if (wrapped_offloaded > 0)
        return __real_epoll_wait(loop, events, max, 1);
    if (wrapped_let_go()) {
        wrapped_time += wrapped_bytewise ? 1000 : 100 * CV_MS;
        return __real_epoll_wait(loop, events, max, 0);
    }
    wrapped_time += wrapped_idle(timeout < 0 ? CV_NEVER : timeout * CV_MS);
    return 0;
}

int __wrap_epoll_wait(int loop, struct epoll_event *events, int max, int timeout)
{
    if (WRAPPED_FAILS(EINTR))
        return -1;
    wrapped_aside = true;
    int n = wrapped_wait(loop, events, max, timeout);
    wrapped_aside = false;
    return n;
}

WRAP_OWN(cv_offload)
int __wrap_cv_offload(struct cv_offload *pool, int (*fn)(void *), void *arg)
{
    wrapped_offloaded++;
    int rc = __real_cv_offload(pool, fn, arg);
    wrapped_offloaded--;
    return rc;
}

static void (*wrapped_done)(struct cv_offload_call *, int); /* of all that is posted */

static void wrapped_finish(struct cv_offload_call *call, int result)
{
    wrapped_offloaded--;
    wrapped_done(call, result);
}

WRAP_OWN(cv_offload_post)
int __wrap_cv_offload_post(struct cv_offload *pool, struct cv_offload_call *call)
{
    wrapped_done = call->done;
    call->done = wrapped_finish;
    wrapped_offloaded++;
    int rc = __real_cv_offload_post(pool, call);
    if (rc < 0) {
        wrapped_offloaded--;
        call->done = wrapped_done;
    }
    return rc;
}

/* ---- Arenas: each block is a call that can fail, not only the first of a chunk ---- */

/* `made` is the block of a call of which no part is to fail by itself. */
#define WRAPPED_BLOCK(arena, made)                                                                 \
    bool fails = WRAPPED_FAILS(ENOMEM);                                                            \
    bool was_aside = wrapped_aside;                                                                \
    wrapped_aside = true;                                                                          \
    void *block = fails ? NULL : (made);                                                           \
    wrapped_aside = was_aside;                                                                     \
    (arena)->ran_out |= fails;                                                                     \
    (arena)->end = (arena)->at /* no room for the next */

WRAP_OWN(cv_arena_grow)
void *__wrap_cv_arena_grow(struct cv_arena *arena, size_t size)
{
    WRAPPED_BLOCK(arena, __real_cv_arena_grow(arena, size));
    return block;
}

WRAP_OWN(cv_arena_strndup)
char *__wrap_cv_arena_strndup(struct cv_arena *arena, struct cv_span bytes)
{
    WRAPPED_BLOCK(arena, __real_cv_arena_strndup(arena, bytes));
    return block;
}

WRAP_OWN(cv_arena_vprintf)
char *__wrap_cv_arena_vprintf(struct cv_arena *arena, const char *format, va_list args)
{
    WRAPPED_BLOCK(arena, __real_cv_arena_vprintf(arena, format, args));
    return block;
}

WRAP_OWN(cv_arena_printf)
char *__wrap_cv_arena_printf(struct cv_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    WRAPPED_BLOCK(arena, __real_cv_arena_vprintf(arena, format, args));
    va_end(args);
    return block;
}

/* ---- Bytes ---- */

static size_t wrapped_share(size_t n)
{
    return wrapped_bytewise && !wrapped_aside && n > 1 ? 1 : n;
}

/* A socket that has taken or given less than there was room for. */
static long wrapped_moved(int fd, bool fails, long n)
{
    bool held_up = fails ? errno == EAGAIN : wrapped_bytewise && n == 1;
    if (!wrapped_aside && held_up)
        wrapped_fds[fd].is_held_up = true;
    return n;
}

#define WRAP_BYTES(name, ...)                                                                      \
    long __real_##name(long, long, size_t, long);                                                  \
    long __wrap_##name(long fd, long at, size_t n, long d);                                        \
    long __wrap_##name(long fd, long at, size_t n, long d)                                         \
    {                                                                                              \
        if (WRAPPED_FAILS(__VA_ARGS__))                                                            \
            return wrapped_moved((int)fd, true, -1);                                               \
        return wrapped_moved((int)fd, false, __real_##name(fd, at, wrapped_share(n), d));          \
    }

WRAP_BYTES(recv, ECONNRESET, EAGAIN, EINTR)
WRAP_BYTES(send, EPIPE, EAGAIN, EINTR)
WRAP_BYTES(write, ENOSPC, EIO, EINTR)
WRAP_BYTES(read, EIO, EINTR)
WRAP_BYTES(pread64, EIO, EINTR)

WRAP_OWN(sendmsg)
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (WRAPPED_FAILS(ECONNRESET, EAGAIN, EINTR))
        return wrapped_moved(fd, true, -1);
    struct iovec first = {message->msg_iov->iov_base, 1};
    struct msghdr one = {.msg_iov = &first, .msg_iovlen = 1};
    return wrapped_moved(fd, false, __real_sendmsg(fd, wrapped_bytewise ? &one : message, flags));
}

WRAP_OWN(sendfile64)
ssize_t __wrap_sendfile64(int fd, int file, off_t *from, size_t n)
{
    if (WRAPPED_FAILS(EIO, EAGAIN, EINTR, ECONNRESET))
        return wrapped_moved(fd, true, -1);
    return __real_sendfile64(fd, file, from, wrapped_share(n));
}

WRAP_OWN(preadv64v2)
ssize_t __wrap_preadv64v2(int fd, const struct iovec *part, int n, off_t at, int flags)
{
    if (WRAPPED_FAILS(EIO, EAGAIN, EINTR))
        return -1;
    struct iovec one = {part->iov_base, wrapped_share(part->iov_len)};
    return __real_preadv64v2(fd, n == 1 ? &one : part, n, at, flags);
}

/* ---- Connections, files, memory ---- */

WRAP(setsockopt, -1, ENOMEM)

WRAP_OWN(accept4)
int __wrap_accept4(int fd, __SOCKADDR_ARG address, socklen_t *len, int flags)
{
    bool fails = WRAPPED_FAILS(EMFILE, ECONNABORTED, ENOBUFS, EINTR);
    int error = errno;
    int taken = fails && error != ECONNABORTED ? -1 : __real_accept4(fd, address, len, flags);
    if (taken >= 0 && !fails) {
        long small = 8192; /* so that answers do not fit */
        (void)__real_setsockopt(taken, SOL_SOCKET, SO_SNDBUF, (long)&small, sizeof(int), 0);
    }
    if (!fails || taken < 0)
        return taken;
    (void)close(taken); /* the peer has left before it was taken */
    errno = error;
    return -1;
}

WRAP_OWN(mmap64)
void *__wrap_mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    void *map = WRAPPED_FAILS(ENOMEM) ? MAP_FAILED : __real_mmap64(at, n, prot, flags, fd, offset);
    wrapped_maps += map != MAP_FAILED;
    return map;
}

WRAP_OWN(munmap)
int __wrap_munmap(void *at, size_t n)
{
    wrapped_maps--;
    return __real_munmap(at, n);
}

/* libc's own allocations, which are freed as all others are. */
#define WRAP_MAKER(name, error)                                                                    \
    long __real_##name(long, long);                                                                \
    long __wrap_##name(long a, long b);                                                            \
    long __wrap_##name(long a, long b)                                                             \
    {                                                                                              \
        long block = WRAPPED_FAILS(error) ? 0 : __real_##name(a, b);                               \
        wrapped_blocks += block != 0;                                                              \
        return block;                                                                              \
    }

WRAP_MAKER(strdup, ENOMEM)
WRAP_MAKER(strndup, ENOMEM)
WRAP_MAKER(getcwd, ENOENT)

/* The same in each life, so that boundaries are. */
WRAP_OWN(getrandom)
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags)
{
    (void)flags;
    memset(to, 'r', n);
    return (ssize_t)n;
}

WRAP(open64, -1, EMFILE, EOPNOTSUPP, ENOSPC)
WRAP(mkostemp64, -1, EMFILE)
WRAP(fstat64, -1, ENOMEM)
WRAP(fstatat64, -1, ENOMEM)
WRAP(fcntl64, -1, EMFILE)
WRAP(lseek64, -1, EIO)
WRAP(syscall, -1, EMFILE, ENOENT, EAGAIN, EINTR)
WRAP(ioctl, -1, ENOTTY)
WRAP(shutdown, -1, ENOTCONN)
WRAP(getpeername, -1, ENOTCONN)
WRAP(getsockname, -1, ENOBUFS)
WRAP(poll, -1, ENOMEM, EINTR)
WRAP(epoll_create1, -1, EMFILE)
WRAP(eventfd, -1, EMFILE)
WRAP(mprotect, -1, ENOMEM)
WRAP(madvise, -1, ENOMEM)
WRAP(mincore, -1, EAGAIN)
WRAP(getrlimit64, -1, EPERM)
WRAP(localtime_r, 0, EOVERFLOW)
WRAP(pthread_create, EAGAIN, EAGAIN)

#endif
