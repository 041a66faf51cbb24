/* Preloaded into a covey server: makes one call of one libc function fail, once, or two, one after
 * the other.
 *
 * The tester writes struct plan into the file that FAULTS_PLAN names and maps it; every process of
 * the server maps it too, counts its calls there and, where role, function and number are the
 * plan's, returns an error instead of calling. Only calls made from the code of src/supervise and
 * src/base count: the plan gives their place in libcovey.so. Roles:
 *
 *     launcher   the first process of a daemon, which waits until that serves
 *     guardian   the first process, or the launcher's fork; also when it has become a new program
 *     master     its fork; likewise
 *     birth      a vforked child until it is another program: it shares its parent's memory, so
 *                nothing here is kept that is not either the process's own or atomic
 *     worker     an exec'd one, or a fork of the master; a template too
 *     trial      a new program that is asked whether it could take over
 *
 * What a story may have in its environment:
 *
 *     FAULTS_NO_CHILDREN   /proc does not list children
 *     FAULTS_LATE          a worker starts so slowly that its master may be gone meanwhile, and is
 *                          not killed with it (as a program with file capabilities)
 *
 * Every function that src/supervise calls is here, or in NEVER_FAIL of tests/lib/faults.py.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* X(function, what it returns on failure, two errors it may give; 0: there is one) */
#define FUNCTIONS(X)                                                                               \
    X(malloc, 0, ENOMEM, 0)                                                                        \
    X(calloc, 0, ENOMEM, 0)                                                                        \
    X(realloc, 0, ENOMEM, 0)                                                                       \
    X(setenv, -1, ENOMEM, 0)                                                                       \
    X(open64, -1, EMFILE, EINTR)                                                                   \
    X(openat64, -1, EMFILE, EINTR)                                                                 \
    X(opendir, 0, EMFILE, 0)                                                                       \
    X(fdopendir, 0, ENOMEM, 0)                                                                     \
    X(readdir64, 0, EBADF, 0)                                                                      \
    X(mkdir, -1, ENOSPC, 0)                                                                        \
    X(mkdirat, -1, ENOSPC, 0)                                                                      \
    X(rmdir, -1, EBUSY, 0)                                                                         \
    X(unlink, -1, EROFS, 0)                                                                        \
    X(unlinkat, -1, EROFS, 0)                                                                      \
    X(statx, -1, ENOMEM, 0)                                                                        \
    X(fstat64, -1, ENOMEM, 0)                                                                      \
    X(access, -1, EACCES, 0)                                                                       \
    X(lstat64, -1, ENOMEM, 0)                                                                      \
    X(stat64, -1, EACCES, 0)                                                                       \
    X(fstatat64, -1, ENOMEM, 0)                                                                    \
    X(faccessat, -1, ENOMEM, 0)                                                                    \
    X(fgetxattr, -1, ENOMEM, 0)                                                                    \
    X(fchmod, -1, EROFS, 0)                                                                        \
    X(flock, -1, ENOLCK, EINTR)                                                                    \
    X(getcwd, 0, ENOENT, 0)                                                                        \
    X(readlink, -1, EACCES, 0)                                                                     \
    X(read, -1, EIO, EINTR)                                                                        \
    X(pread64, -1, EIO, EINTR)                                                                     \
    X(pwrite64, -1, ENOSPC, EINTR)                                                                 \
    X(write, -1, ENOSPC, EINTR)                                                                    \
    X(ftruncate64, -1, ENOSPC, EINTR)                                                              \
    X(fcntl64, -1, EMFILE, 0)                                                                      \
    X(pipe2, -1, EMFILE, 0)                                                                        \
    X(dup2, -1, EMFILE, EINTR)                                                                     \
    X(dup3, -1, EBUSY, EINTR)                                                                      \
    X(memfd_create, -1, EMFILE, 0)                                                                 \
    X(mmap64, -1, ENOMEM, 0)                                                                       \
    X(socket, -1, EMFILE, 0)                                                                       \
    X(socketpair, -1, EMFILE, 0)                                                                   \
    X(bind, -1, ENOMEM, 0)                                                                         \
    X(listen, -1, EADDRINUSE, 0)                                                                   \
    X(accept4, -1, EMFILE, EINTR)                                                                  \
    X(connect, -1, EAGAIN, EINTR)                                                                  \
    X(setsockopt, -1, ENOMEM, 0)                                                                   \
    X(getsockopt, -1, ENOBUFS, 0)                                                                  \
    X(getsockname, -1, ENOBUFS, 0)                                                                 \
    X(getaddrinfo, EAI_MEMORY, ENOMEM, 0)                                                          \
    X(send, -1, ENOBUFS, EINTR)                                                                    \
    X(sendto, -1, ENOBUFS, EINTR)                                                                  \
    X(recv, -1, ENOMEM, EINTR)                                                                     \
    X(sendmsg, -1, ENOBUFS, EINTR)                                                                 \
    X(recvmsg, -1, ENOMEM, EINTR)                                                                  \
    X(poll, -1, ENOMEM, EINTR)                                                                     \
    X(epoll_create1, -1, EMFILE, 0)                                                                \
    X(epoll_ctl, -1, ENOSPC, 0)                                                                    \
    X(epoll_wait, -1, EINTR, 0)                                                                    \
    X(eventfd, -1, EMFILE, 0)                                                                      \
    X(eventfd_write, -1, EINTR, 0)                                                                 \
    X(signalfd, -1, EMFILE, 0)                                                                     \
    X(sigaltstack, -1, ENOMEM, 0)                                                                  \
    X(syscall, -1, ENOMEM, 0)                                                                      \
    X(prctl, -1, EPERM, 0)                                                                         \
    X(execve, -1, ENOMEM, 0)                                                                       \
    X(setsid, -1, EPERM, 0)                                                                        \
    X(unshare, -1, EPERM, 0)                                                                       \
    X(mount, -1, EPERM, 0)                                                                         \
    X(getpwnam, 0, EMFILE, EINTR)                                                                  \
    X(getgrnam, 0, EMFILE, EINTR)                                                                  \
    X(getgrouplist, -1, ENOMEM, 0)                                                                 \
    X(setgroups, -1, ENOMEM, 0)                                                                    \
    X(setresgid, -1, EPERM, 0)                                                                     \
    X(setresuid, -1, EAGAIN, 0)                                                                    \
    X(getrlimit64, -1, EPERM, 0)                                                                   \
    X(setrlimit64, -1, EPERM, 0)                                                                   \
    X(setpgid, -1, EPERM, 0)                                                                       \
    X(getrandom, -1, ENOSYS, EINTR)                                                                \
    X(localtime_r, 0, EOVERFLOW, 0)                                                                \
    X(dladdr, 0, 0, 0)                                                                             \
    X(kill, -1, EPERM, 0)                                                                          \
    X(waitpid, -1, ECHILD, EINTR)                                                                  \
    X(nanosleep, -1, EINTR, 0)                                                                     \
    X(waitid, -1, ECHILD, EINTR)

enum function {
#define NAME(name, failure, first, second) F_##name,
    FUNCTIONS(NAME)
#undef NAME
        F_fork,
    F_vfork,
    F_COUNT
};

enum role { GUARDIAN, MASTER, BIRTH, WORKER, TRIAL, LAUNCHER, ROLES };

#define SEEN_MAX 8192 /* a power of two */

/* A call that is to fail. */
struct fault {
    uint32_t role;
    uint32_t function;
    uint32_t nth;             /* from 1; 0: none */
    uint32_t second;          /* which error */
    uint64_t at;              /* only calls from there count */
    _Atomic uint64_t struck;  /* whether it has failed */
    _Atomic uint64_t counted; /* so many calls that count there have been */
};

/* Shared by all processes of the server and the tester (tests/lib/faults.py has its layout). */
struct plan {
    struct fault fault[2];   /* the second counts from when the first has struck */
    uint64_t from[2], to[2]; /* the code that counts, in libcovey.so */
    uint32_t is_daemon;
    uint32_t pid[2]; /* of guardian and master, as they see it */
    uint32_t late;   /* the worker that is, as it sees itself */
    struct {
        _Atomic uint64_t call; /* place << 16 | role << 8 | function + 1; 0: free */
        _Atomic uint64_t times;
    } seen[SEEN_MAX];
};

typedef long any(long, long, long, long, long, long, long);
extern any __libc_malloc, __libc_calloc, __libc_realloc;

/* Whoever looks for the others needs these. */
static any *real[F_COUNT] = {
    [F_malloc] = __libc_malloc, [F_calloc] = __libc_calloc, [F_realloc] = __libc_realloc};
static struct plan *plan;
static uintptr_t base;
static pid_t own_pid;
static enum role own_role;
static int lacks_children;

static const char *const names[F_COUNT] = {
#define NAME(name, failure, first, second) #name,
    FUNCTIONS(NAME)
#undef NAME
        "fork",
    "vfork"};

/* For the tester. */
const char *faults_name(unsigned function);
const char *faults_name(unsigned function)
{
    return function < F_COUNT ? names[function] : NULL;
}

static const int errors[F_COUNT][2] = {
#define ERRORS(name, failure, first, second) [F_##name] = {first, second},
    FUNCTIONS(ERRORS)
#undef ERRORS
        [F_fork] = {EAGAIN, 0},
    [F_vfork] = {EAGAIN, 0}};

int faults_has_second(unsigned function);
int faults_has_second(unsigned function)
{
    return errors[function][1] != 0;
}

static enum role role_now(void)
{
    return getpid() == own_pid ? own_role : BIRTH;
}

static void note(uint64_t call)
{
    for (uint64_t i = call * UINT64_C(0x9e3779b97f4a7c15) >> 51, n = 0; n < SEEN_MAX; i++, n++) {
        uint64_t there = 0;
        if (!atomic_compare_exchange_strong(&plan->seen[i % SEEN_MAX].call, &there, call) &&
            there != call)
            continue;
        (void)atomic_fetch_add(&plan->seen[i % SEEN_MAX].times, 1);
        return;
    }
}

static int strikes(struct fault *fault, enum role role, enum function function, uintptr_t at)
{
    if (role != fault->role || function != fault->function || at != fault->at ||
        atomic_fetch_add(&fault->counted, 1) + 1 != fault->nth)
        return 0;
    atomic_store(&fault->struck, 1);
    errno = errors[function][fault->second];
    return 1;
}

static int is_to_fail(enum function function, const void *caller)
{
    if (plan == NULL || base == 0)
        return 0;
    uintptr_t at = (uintptr_t)caller - base;
    if ((at <= plan->from[0] || at > plan->to[0]) && (at <= plan->from[1] || at > plan->to[1]))
        return 0;
    enum role role = role_now();
    note((uint64_t)at << 16 | (uint64_t)role << 8 | (function + 1));
    int has_struck = atomic_load(&plan->fault[0].struck) != 0;
    return strikes(&plan->fault[has_struck], role, function, at);
}

/* Also before the constructor has run: others' constructors may call. */
static any *find(enum function function)
{
    if (real[function] == NULL)
        real[function] = (any *)dlsym(RTLD_NEXT, names[function]);
    return real[function];
}

/* Some kernels do not list children (CONFIG_PROC_CHILDREN). */
static int is_lacking(enum function function, long path)
{
    if (!lacks_children || function != F_open64 || strstr((const char *)path, "/children") == NULL)
        return 0;
    errno = ENOENT;
    return 1;
}

/* None of them takes more arguments than syscall(), nor a floating-point number: whatever was given
 * is passed on. */
#define DEFINE(name, failure, first, second)                                                       \
    any faulty_##name __asm__(#name);                                                              \
    long faulty_##name(long a, long b, long c, long d, long e, long f, long g)                     \
    {                                                                                              \
        if (is_to_fail(F_##name, __builtin_return_address(0)) || is_lacking(F_##name, a))          \
            return failure;                                                                        \
        return find(F_##name)(a, b, c, d, e, f, g);                                                \
    }
FUNCTIONS(DEFINE)

static enum role role_of_fork(void)
{
    switch (own_role) {
    case LAUNCHER: return GUARDIAN;
    case GUARDIAN: return MASTER;
    default: return WORKER;
    }
}

static void begin_role(enum role role)
{
    own_pid = getpid();
    own_role = role;
    if (plan != NULL && role <= MASTER)
        plan->pid[role] = (uint32_t)own_pid;
}

pid_t faulty_fork(void) __asm__("fork");
pid_t faulty_fork(void)
{
    if (is_to_fail(F_fork, __builtin_return_address(0)))
        return -1;
    pid_t pid = (pid_t)find(F_fork)(0, 0, 0, 0, 0, 0, 0);
    if (pid == 0)
        begin_role(role_of_fork());
    else if (role_now() == BIRTH)
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000},
                        NULL); /* the child is to wait for its end */
    return pid;
}

/* A vfork()'s caller must get its return address back from it alone: no function of C may stand
 * between. */
#if defined(__x86_64__)
any *faults_vfork(const void *caller);
any *faults_vfork(const void *caller)
{
    return is_to_fail(F_vfork, caller) ? NULL : find(F_vfork);
}

__asm__(".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        "    mov (%rsp), %rdi\n"
        "    sub $8, %rsp\n"
        "    call faults_vfork@PLT\n"
        "    add $8, %rsp\n"
        "    test %rax, %rax\n"
        "    je 1f\n"
        "    jmp *%rax\n"
        "1:  mov $-1, %eax\n"
        "    ret\n");
#endif

/* ---- Start ---- */

static int note_base(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    if (strstr(info->dlpi_name, "/libcovey.so") == NULL)
        return 0;
    base = info->dlpi_addr;
    return 1;
}

static enum role first_role(void)
{
    if (getenv("_COVEY_BOOT") != NULL)
        return WORKER;
    if (getenv("_COVEY_HANDOVER") != NULL)
        return plan->pid[GUARDIAN] == (uint32_t)getpid() ? GUARDIAN
               : plan->pid[MASTER] == (uint32_t)getpid() ? MASTER
                                                         : TRIAL;
    return plan->is_daemon ? LAUNCHER : GUARDIAN;
}

static void be_late(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    pid_t parent = getppid();
    (void)prctl(PR_SET_PDEATHSIG, 0);
    plan->late = (uint32_t)getpid();
    for (int ms = 0; ms < 1000 && getppid() == parent; ms++)
        (void)nanosleep(&pause, NULL);
}

__attribute__((constructor)) static void begin(void)
{
    for (int i = 0; i < F_COUNT; i++)
        (void)find((enum function)i);
    const char *path = getenv("FAULTS_PLAN");
    int fd = path != NULL ? (int)find(F_open64)((long)path, O_RDWR | O_CLOEXEC, 0, 0, 0, 0, 0) : -1;
    if (fd < 0)
        return;
    void *at =
        (void *)find(F_mmap64)(0, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, 0);
    (void)close(fd);
    if (at == MAP_FAILED)
        return;
    (void)dl_iterate_phdr(note_base, NULL);
    if (base == 0)
        return; /* a shell, a foreign program */
    plan = at;
    begin_role(first_role());
    lacks_children = getenv("FAULTS_NO_CHILDREN") != NULL;
    if (own_role == WORKER && getenv("FAULTS_LATE") != NULL)
        be_late();
}
