#include "supervise/log/dump.h"

#include "base/exit.h"
#include "base/log.h"
#include "base/symbol.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unwind.h>

#define STACK_BYTES (128 * 1024)
#define FRAMES_MAX 48
#define DOING_BYTES 512

static void (*tell_doing)(char *to, size_t cap, const void *fault);

static void write_line(const char *text)
{
    char line[2048];
    (void)cv_log_raw(cv_log_fd(), line, cv_log_line(line, sizeof(line), text));
}

/* A signal that somebody has sent has no address. */
static const void *fault_of(int signal, const siginfo_t *info)
{
    bool is_fault = (signal == SIGSEGV || signal == SIGBUS) && info->si_code > 0;
    return is_fault ? info->si_addr : NULL;
}

/* snprintf() is not promised to be safe here, and neither is dladdr() behind cv_symbol_write().
 * Nothing better is to be had for names; a handler that gets stuck is ended by KILL as a process
 * without one would be. */
static void write_head(int signal, const siginfo_t *info)
{
    char doing[DOING_BYTES] = "";
    char text[DOING_BYTES + 128];
    if (tell_doing != NULL)
        tell_doing(doing, sizeof(doing), fault_of(signal, info));
    (void)snprintf(text, sizeof(text), "%s: signal %d (%s)%s%s; the stack:", cv_log_name(), signal,
                   sigdescr_np(signal), doing[0] != '\0' ? " in " : "", doing);
    write_line(text);
}

/* Where the signal struck; 0 where this machine's register is not known: then every frame is
 * written. */
static uintptr_t struck_at(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

struct walk {
    uintptr_t from; /* frames before it are the handler's own; 0: passed */
    int n;
};

static _Unwind_Reason_Code write_frame(struct _Unwind_Context *frame, void *arg)
{
    struct walk *walk = arg;
    int is_before_call =
        0; /* a return address lies behind its call, which may be the next function's start */
    uintptr_t at = _Unwind_GetIPInfo(frame, &is_before_call);
    if (walk->from != 0 && at != walk->from)
        return _URC_NO_REASON;
    walk->from = 0;
    if (at == 0 || walk->n == FRAMES_MAX)
        return _URC_END_OF_STACK;
    char name[256];
    char text[320];
    cv_symbol_write((const void *)(at - (is_before_call ? 0 : 1)), name, sizeof(name));
    (void)snprintf(text, sizeof(text), "    #%d %s", walk->n++, name);
    write_line(text);
    return _URC_NO_REASON;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    struct walk walk = {.from = struck_at(context)};
    write_head(signal, info);
    (void)_Unwind_Backtrace(write_frame, &walk);
    (void)raise(signal); /* SA_RESETHAND: now with its default action */
    /* The first process of a PID namespace has none. What a fault has raised comes again, and then
     * even for it. */
    if (getpid() == 1 && info->si_code <= 0)
        _exit(CV_EXIT_SIGNAL + signal);
}

static int handle(int signal)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_RESETHAND | SA_ONSTACK | SA_SIGINFO};
    (void)sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, NULL) == 0 ? 0 : -errno;
}

static int own_stack(void)
{
    void *at = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    stack_t stack = {.ss_sp = at, .ss_size = STACK_BYTES};
    return sigaltstack(&stack, NULL) == 0 ? 0 : -errno;
}

int cv_dump_install(void (*doing)(char *to, size_t cap, const void *fault))
{
    tell_doing = doing;
    int rc = own_stack();
    if (rc == 0)
        rc = handle(SIGABRT);
#if !defined(__SANITIZE_ADDRESS__) /* it has handlers of its own for these, which say more */
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; rc == 0 && i < CV_COUNT(crashes); i++)
        rc = handle(crashes[i]);
#endif
    return rc;
}
