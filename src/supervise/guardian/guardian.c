/* The guardian: the process the user started. It relays and waits, and cleans up after the master.
 *
 * It runs no application code and parses nothing. While the master lives it only turns signals into
 * messages to the master, and the master's news into messages to the manager outside (systemd);
 * when the master is gone, however that came, it kills whatever it has adopted and leaves
 * with the master's code.
 */
#include "supervise/guardian/inside.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/fd.h"
#include "supervise/containment/pidns.h"
#include "supervise/guardian/daemon.h"
#include "supervise/guardian/suspend.h"
#include "supervise/master/master.h"
#include "supervise/process/title.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STRAYS_BOUND_MS 5000

/* A HUP so soon after the terminal has gone is its hang-up; a later one is somebody's who wants a
 * reload. */
#define HANGUP_ECHO (500 * CV_MS)

/* Later than this after the deadline of a wait, and this process itself has been stopped. */
#define GAP_LEAST CV_SECOND

/* ---- The master's birth ---- */

/* The soft limit there was; 0 if it stays. */
static uint64_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return 0;
    uint64_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? before : 0;
}

static int null_stdin(void)
{
    CV_AUTOCLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO ? 0 : -errno;
}

/* The /proc outside, or -1 where there is no outside. */
static int enter_namespace(const struct guardian *guardian)
{
    int outer = -1;
    char reason[256];
    if (guardian->how->containment != CV_CONTAINMENT_PIDNS)
        return -1;
    if (cv_pidns_enter(&outer, reason, sizeof(reason)) < 0) {
        cv_error("containment pidns: %s", reason);
        _exit(CV_EXIT_OS);
    }
    return outer;
}

/* In the fork. Never returns. */
static _Noreturn void be_master(struct guardian *guardian, int channel, int guardian_fd,
                                pid_t guardian_pid)
{
    (void)setpgid(0, 0);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        cv_error("prctl(PR_SET_CHILD_SUBREAPER): %s", strerror(errno));
        _exit(CV_EXIT_OS); /* what a template makes would be the guardian's */
    }
    /* A master that is stopped could not see its guardian die, and so would stay for ever. */
    (void)prctl(PR_SET_PDEATHSIG, SIGCONT);
    if (guardian->ready >= 0)
        (void)close(guardian->ready);
    (void)close(guardian->channel);
    if (guardian->terminal >= 0)
        (void)close(guardian->terminal);
    int rc = null_stdin();
    if (rc < 0) {
        cv_error("cannot open /dev/null: %s", strerror(-rc));
        _exit(CV_EXIT_OS);
    }
    struct cv_master_config config = {.how = guardian->how,
                                      .guardian = guardian_pid,
                                      .outer_proc = enter_namespace(guardian),
                                      .nofile = raise_descriptor_limit(),
                                      .run = &guardian->run,
                                      .guardian_fd = guardian_fd,
                                      .beat = guardian->overseer.page,
                                      .cgroup = &guardian->cgroup,
                                      .beat_fd = guardian->overseer.fd,
                                      .channel = channel};
    int code = cv_master_run(&config);
    _exit(code);
}

static int refused(const char *what)
{
    cv_error("%s: %s. covey needs Linux 5.10 or later; a sandbox may forbid the call", what,
             strerror(errno));
    return CV_EXIT_OS;
}

/* 0 or an exit code. */
static int contain(struct guardian *guardian)
{
    char reason[PATH_MAX + 128] = "";
    enum cv_containment wanted = guardian->how->containment;
    if (wanted == CV_CONTAINMENT_NONE)
        return 0;
    if (wanted == CV_CONTAINMENT_PIDNS) {
        if (cv_pidns_prepare(reason, sizeof(reason)) == 0)
            return 0;
        cv_error("containment pidns: %s", reason);
        return CV_EXIT_OS;
    }
    bool is_forced = wanted == CV_CONTAINMENT_CGROUP;
    int rc = cv_cgroup_open(&guardian->cgroup, &guardian->run, is_forced, reason, sizeof(reason));
    if (rc < 0)
        cv_error(
            "containment cgroup: %s. Have a cgroup delegated to covey (systemd: Delegate=yes), "
            "or use --containment auto",
            reason);
    else if (rc == 0)
        cv_debug("workers have no cgroups of their own: %s", reason);
    return rc < 0 ? CV_EXIT_OS : 0;
}

/* 0 or an exit code. */
static int start_master(struct guardian *guardian)
{
    int pair[2];
    pid_t own = getpid();
    CV_AUTOCLOSE int self = (int)syscall(SYS_pidfd_open, own, 0);
    if (self < 0)
        return refused("pidfd_open");
    if (cv_channel_pair(pair) < 0)
        return refused("socketpair");
    guardian->channel = pair[0];

    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        be_master(guardian, pair[1], self, own);
    int error = errno;
    (void)close(pair[1]);
    errno = error;
    if (pid < 0)
        return refused("fork");
    (void)setpgid(pid, pid); /* on both sides: whoever comes first */
    guardian->master = pid;
    guardian->master_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return guardian->master_fd >= 0 ? 0 : refused("pidfd_open");
}

/* ---- While it lives ---- */

/* A hang-up and `kill -HUP` may look alike (a shell passes the former on, as a process); then the
 * terminal's state decides. */
static void look_at_terminal(struct guardian *guardian)
{
    struct pollfd state = {.fd = guardian->terminal};
    if (guardian->terminal < 0)
        return;
    for (int tries = 3; tries > 0 && poll(&state, 1, 0) < 0; tries--)
        continue; /* taken for a reload, a hang-up would leave a server that nobody sees */
    if ((state.revents & (POLLHUP | POLLERR)) == 0)
        return;
    guardian->hung_up_at = cv_clock_ns();
    (void)close(guardian->terminal);
    guardian->terminal = -1;
}

/* The pid is as good: it is our child, and not reaped yet. */
static void signal_master(const struct guardian *guardian, int signal)
{
    if (syscall(SYS_pidfd_send_signal, guardian->master_fd, signal, NULL, 0) < 0)
        (void)kill(guardian->master, signal);
}

/* The master understands signals too: what cannot be told (it has been stopped, and its channel is
 * full; no memory) reaches it in that way. */
static void ask(const struct guardian *guardian, enum cv_message_kind kind, uint32_t word,
                int signal)
{
    if (cv_channel_tell(guardian->channel, kind, word, 0) < 0)
        signal_master(guardian, signal);
}

/* All that the master may take for a stop: the workers' time, that of what cannot be killed, and
 * ours to be sure. */
static int64_t longest_stop(const struct cv_fleet_config *fleet, enum cv_fleet_stop stop)
{
    int64_t workers = stop == CV_STOP_TERM
                          ? fleet->pre_drain + fleet->drain_timeout + fleet->stop_timeout
                      : stop == CV_STOP_INT ? fleet->int_timeout
                                            : fleet->quit_timeout;
    return workers + fleet->start_stop_timeout + fleet->kill_wait + STRAYS_BOUND_MS * CV_MS +
           CV_SECOND;
}

/* A master that somebody has stopped runs on: it could not hear us. */
static void ask_stop(struct guardian *guardian, enum cv_fleet_stop stop)
{
    cv_overseer_stop_asked(&guardian->overseer,
                           cv_clock_ns() + longest_stop(&guardian->how->fleet, stop));
    static const int signals[] = {
        [CV_STOP_TERM] = SIGTERM, [CV_STOP_INT] = SIGINT, [CV_STOP_QUIT] = SIGQUIT};
    ask(guardian, CV_MSG_STOP, stop, signals[stop]);
    signal_master(guardian, SIGCONT);
}

/* The kernel's own HUP is a hang-up whatever the terminal says: that of a killed shell is still
 * open to whoever looks at it, and nobody will tell of its end. */
static void on_hangup(struct guardian *guardian, bool by_user)
{
    look_at_terminal(guardian);
    if (!by_user)
        guardian->hung_up_at = cv_clock_ns();
    if (guardian->hung_up_at == 0 || cv_clock_ns() - guardian->hung_up_at > HANGUP_ECHO)
        ask(guardian, CV_MSG_RELOAD, 0, SIGHUP);
    else if (!guardian->signals.hangup_ignored)
        ask_stop(guardian, CV_STOP_TERM);
}

/* Where nobody could continue it, the server does not stop. */
static void on_tstp(struct guardian *guardian)
{
    if (guardian->terminal < 0) {
        cv_debug("signal %d (%s) is ignored: there is no terminal", SIGTSTP, strsignal(SIGTSTP));
        return;
    }
    int64_t gap = cv_suspend(guardian->master, &guardian->overseer.page->suspended);
    cv_overseer_suspended(&guardian->overseer, gap, cv_clock_ns());
}

static void on_signal(struct guardian *guardian, int signal, bool by_user)
{
    switch (signal) {
    case SIGTERM: ask_stop(guardian, CV_STOP_TERM); break;
    case SIGINT: ask_stop(guardian, CV_STOP_INT); break;
    case SIGQUIT: ask_stop(guardian, CV_STOP_QUIT); break;
    case SIGHUP: on_hangup(guardian, by_user); break;
    case SIGTTIN:
    case SIGTTOU:
        if (by_user)
            ask(guardian, CV_MSG_SCALE, signal == SIGTTIN, signal);
        break;
    case SIGTSTP: on_tstp(guardian); break;
    case SIGUSR1: ask(guardian, CV_MSG_REOPEN, 0, SIGUSR1); break;
    case SIGUSR2: ask(guardian, CV_MSG_UPGRADE, 0, SIGUSR2); break;
    default: break; /* CHLD: the loop looks itself; CONT: it has done its work */
    }
}

/* ---- To the manager outside ---- */

static void tell_outside(const struct guardian *guardian, struct cv_notify_text said)
{
    cv_outer_tell(&guardian->how->outer, said.text);
}

static void begin_telling(struct guardian *guardian)
{
    tell_outside(guardian,
                 cv_notify_begin(&guardian->notify, guardian->how->outer.watchdog, cv_clock_ns()));
}

static void take_logs(const struct guardian *guardian, const struct cv_message *message,
                      const struct cv_files *came)
{
    struct cv_log_files files;
    bool have_come = cv_logs_received(message, came, &files);
    (void)cv_logs_replace(guardian->how->logs, &files);
    struct cv_message answer = {.kind = CV_MSG_REOPENED,
                                .word = {message->word[0], have_come ? 0 : 1}};
    cv_channel_send(guardian->channel, &answer);
}

static void hear_master(struct guardian *guardian)
{
    static struct cv_message message;
    struct cv_files came;
    while (cv_channel_receive_files(guardian->channel, &message, &came) == 1) {
        if (message.kind == CV_MSG_NEWS && message.word[0] == CV_NEWS_SERVING) {
            cv_log_witness(-1);
            cv_daemon_ready(&guardian->ready);
        }
        if (message.kind == CV_MSG_NEWS && message.word[0] < CV_NEWS_COUNT)
            tell_outside(guardian, cv_notify_news(&guardian->notify, (enum cv_news)message.word[0],
                                                  message.word[1], message.time));
        else if (message.kind == CV_MSG_BEAT)
            cv_overseer_beat(&guardian->overseer, cv_clock_ns());
        else if (message.kind == CV_MSG_LOGS)
            take_logs(guardian, &message, &came);
        else if (message.kind == CV_MSG_UPGRADED)
            cv_guardian_become(guardian, (int)message.word[0] - 1);
        else if (message.kind == CV_MSG_PONG)
            tell_outside(guardian, cv_notify_answered(&guardian->notify));
    }
}

/* When the guardian has to wake up by itself: the manager outside wants a sign of life, or the
 * master is to be looked at. CV_NEVER while all is well and idle. */
static int64_t next_deadline(const struct guardian *guardian)
{
    int64_t notify =
        guardian->how->outer.address_len != 0 ? cv_notify_deadline(&guardian->notify) : CV_NEVER;
    int64_t overseer = cv_overseer_deadline(&guardian->overseer);
    return notify < overseer ? notify : overseer;
}

static int patience(int64_t deadline)
{
    if (deadline == CV_NEVER)
        return -1;
    int64_t left = (deadline - cv_clock_ns() + CV_MS - 1) / CV_MS;
    return left < 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

static void ask_master(struct guardian *guardian)
{
    if (guardian->how->outer.address_len != 0 && cv_notify_asks(&guardian->notify, cv_clock_ns()))
        (void)cv_channel_tell(guardian->channel, CV_MSG_PING, 0, 0);
}

static void end_master(const struct guardian *guardian, int signal, const char *why)
{
    cv_error("the master %s: signal %d", why, signal);
    signal_master(guardian, signal);
}

static void oversee(struct guardian *guardian)
{
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)guardian->master, &info, WSTOPPED | WCONTINUED | WNOHANG) < 0 ||
            info.si_pid == 0)
            break;
        cv_overseer_paused(&guardian->overseer, info.si_code == CLD_STOPPED, cv_clock_ns());
    }
    switch (cv_overseer_look(&guardian->overseer, cv_clock_ns())) {
    case CV_OVERSEER_WELL: break;
    case CV_OVERSEER_HUNG:
        end_master(guardian, SIGABRT, "has not come round its loop for 10 s");
        break;
    case CV_OVERSEER_SILENT:
        end_master(guardian, SIGKILL, "does not even say where it hangs");
        break;
    case CV_OVERSEER_STOPPED:
        end_master(guardian, SIGKILL, "was stopped by a signal for too long");
        break;
    case CV_OVERSEER_LATE:
        end_master(guardian, SIGKILL, "does not end although all its time is over");
        break;
    }
}

/* Reaps what is not the master: what was adopted, or was there before. */
static void reap_others(const struct guardian *guardian)
{
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
            info.si_pid == guardian->master)
            return;
        (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
    }
}

/* There is no memory for a poll(): it is tried again, for nobody else would pass the signals on. */
static void wait_for_any(struct pollfd *fds, nfds_t n, int timeout)
{
    const struct timespec pause = {.tv_nsec = 10 * CV_MS};
    if (poll(fds, n, timeout) >= 0)
        return;
    if (errno != EINTR)
        (void)nanosleep(&pause, NULL);
    for (nfds_t i = 0; i < n; i++)
        fds[i].revents = 0;
}

static void watch(struct guardian *guardian)
{
    struct pollfd fds[4] = {{.fd = guardian->signal_fd, .events = POLLIN},
                            {.fd = guardian->master_fd, .events = POLLIN},
                            {.fd = guardian->channel, .events = POLLIN}};
    for (;;) {
        fds[3] = (struct pollfd){.fd = guardian->terminal}; /* its hang-up is always reported */
        int64_t deadline = next_deadline(guardian);
        wait_for_any(fds, 4, patience(deadline));
        int64_t now = cv_clock_ns();
        if (deadline != CV_NEVER && now - deadline > GAP_LEAST)
            cv_overseer_forgive(&guardian->overseer, now);
        bool by_user;
        int signal;
        while ((signal = cv_signals_next(guardian->signal_fd, &by_user)) != 0)
            on_signal(guardian, signal, by_user);
        look_at_terminal(guardian);
        hear_master(guardian); /* also its last words */
        if ((fds[2].revents & POLLHUP) != 0)
            fds[2].fd = -1; /* it is as good as gone */
        if (fds[1].revents != 0)
            return;
        ask_master(guardian);
        oversee(guardian);
        reap_others(guardian);
    }
}

/* ---- After it ---- */

static int bury_master(const struct guardian *guardian)
{
    siginfo_t info = {0};
    int rc;
    do
        rc = waitid(P_PIDFD, (id_t)guardian->master_fd, &info, WEXITED);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return CV_EXIT_INTERNAL;
    if (info.si_code == CLD_EXITED)
        return info.si_status;
    cv_error("the master was killed by signal %d (%s): everything is stopped", info.si_status,
             strsignal(info.si_status));
    return CV_EXIT_SIGNAL + info.si_status;
}

/* False if it cannot be told whether there is one: then a hang-up would be taken for a reload. */
static bool open_terminal(struct guardian *guardian)
{
    do
        guardian->terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    while (guardian->terminal < 0 && errno == EINTR);
    return guardian->terminal >= 0 || (errno != EMFILE && errno != ENFILE && errno != ENOMEM);
}

/* 0 or an exit code. */
static int prepare(struct guardian *guardian)
{
    guardian->n_foreign = cv_strays_list(guardian->foreign, CV_GUARDIAN_FOREIGN_MAX);
    cv_run_init(&guardian->run);
    cv_signals_take(&guardian->signals);
    guardian->signal_fd = cv_signals_open();
    if (guardian->signal_fd < 0)
        return refused("signalfd");
    if (!open_terminal(guardian)) {
        cv_error("cannot open /dev/tty: %s", strerror(errno));
        return CV_EXIT_OS;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return refused("prctl(PR_SET_CHILD_SUBREAPER)");
    if (cv_overseer_init(&guardian->overseer, guardian->how->fleet.pause_timeout) < 0)
        return refused("mmap");
    int code = contain(guardian);
    return code == 0 ? start_master(guardian) : code;
}

/* What is left when the master is gone, or has never been. */
static int clean_up(struct guardian *guardian, int code)
{
    const struct cv_supervise *how = guardian->how;
    cv_cgroup_kill(&guardian->cgroup);
    /* As init of a container we have foreign orphans; only what carries our tag is ours to kill
     * there. */
    int left = cv_strays_end(guardian->foreign, guardian->n_foreign,
                             getpid() == 1 ? &guardian->run : NULL, STRAYS_BOUND_MS);
    if (!cv_cgroup_remove(&guardian->cgroup, CV_CGROUP_REMOVE_MS))
        cv_warn("the cgroup %s could not be removed: somebody lives in it", guardian->cgroup.name);
    cv_listen_unlink(how->listeners);
    cv_control_unlink(how->control);
    if (left > 0)
        cv_error("%d processes could not be ended", left);
    return left > 0 && code == 0 ? CV_EXIT_UNKILLABLE : code;
}

int cv_guardian_serve(struct guardian *guardian)
{
    watch(guardian);
    tell_outside(guardian,
                 cv_notify_news(&guardian->notify, CV_NEWS_MASTER_GONE, 0, cv_clock_ns()));
    return clean_up(guardian, bury_master(guardian));
}

int cv_supervise(const struct cv_supervise *how)
{
    struct guardian guardian = {.how = how, .ready = how->ready, .channel = -1, .master_fd = -1};
    cv_cgroup_none(&guardian.cgroup);
    int code = prepare(&guardian);
    cv_listen_close(how->listeners);
    cv_control_close(how->control);
    if (code != 0)
        return clean_up(&guardian, code);
    cv_title_set(how->name, "guardian", NULL);
    begin_telling(&guardian);
    return cv_guardian_serve(&guardian);
}
