#include "supervise/process/signals.h"

#include <errno.h>
#include <sys/signalfd.h>

static const int handled[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,  SIGCHLD, SIGTTIN,
                              SIGTTOU, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2};

static void handled_set(sigset_t *set)
{
    (void)sigemptyset(set);
    for (size_t i = 0; i < CV_COUNT(handled); i++)
        (void)sigaddset(set, handled[i]);
}

static void all_default(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigemptyset(&action.sa_mask);
    for (int signal = 1; signal < NSIG; signal++)
        (void)sigaction(signal, &action, NULL); /* KILL, STOP and libc's own are refused */
}

void cv_signals_take(struct cv_signals *ret)
{
    struct sigaction hangup = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGHUP, NULL, &hangup);
    ret->hangup_ignored = hangup.sa_handler == SIG_IGN;

    sigset_t set;
    handled_set(&set);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    all_default();
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* a log that `ulimit -f` ends is dropped */
}

int cv_signals_open(void)
{
    sigset_t set;
    handled_set(&set);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

void cv_signals_reset(void)
{
    all_default();
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int cv_signals_next(int fd, bool *ret_by_user)
{
    struct signalfd_siginfo info;
    ssize_t got;
    do
        got = read(fd, &info, sizeof(info));
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(info))
        return 0;
    *ret_by_user =
        info.ssi_code <= 0; /* SI_USER, SI_QUEUE, SI_TKILL; the kernel's own are positive */
    return (int)info.ssi_signo;
}
