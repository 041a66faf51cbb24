#include "supervise/guardian/suspend.h"

#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* A leader that is not stopped by then is in the middle of a long system call: the others do not
 * wait for it. */
#define LEADER_BOUND_MS 100

/* Before the others, so that it does not see them stop and draws no conclusions from it. */
static void stop_leader(pid_t leader)
{
    siginfo_t info;
    (void)kill(leader, SIGSTOP);
    for (int ms = 0; ms < LEADER_BOUND_MS; ms++) {
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)leader, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT) < 0 ||
            info.si_pid != 0)
            return;
        (void)poll(NULL, 0, 1);
    }
}

/* One that has come since the TSTP was read: a new TSTP would make the kernel forget it. */
static bool is_continued_already(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1;
}

static void stop_self(void)
{
    sigset_t tstp;
    (void)sigemptyset(&tstp);
    (void)sigaddset(&tstp, SIGTSTP);
    (void)kill(getpid(), SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &tstp, NULL); /* here it is stopped, and here it goes on */
    (void)sigprocmask(SIG_BLOCK, &tstp, NULL);
}

int64_t cv_suspend(pid_t group, _Atomic int64_t *suspended)
{
    int64_t since = cv_clock_ns();
    stop_leader(group);
    (void)kill(-group, SIGSTOP);
    if (!is_continued_already())
        stop_self();
    int64_t gap = cv_clock_ns() - since;
    atomic_fetch_add(suspended, gap);
    if (kill(-group, SIGCONT) < 0)
        (void)kill(group, SIGCONT); /* it sees who else is stopped */
    return gap;
}
