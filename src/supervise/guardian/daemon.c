#include "supervise/guardian/daemon.h"

#include "base/exit.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* ---- The command ---- */

struct command {
    const char *name;
    pid_t server;
    int told;       /* the pipe from the server */
    int signals;    /* a signalfd */
    int stopped_by; /* the last signal that has come; 0 */
};

/* To the server HUP would be a reload. */
static void pass_on(struct command *command)
{
    struct signalfd_siginfo info;
    if (read(command->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    command->stopped_by = (int)info.ssi_signo;
    int number = command->stopped_by == SIGHUP ? SIGTERM : command->stopped_by;
    for (int tries = 3; tries > 0 && kill(command->server, number) < 0; tries--)
        continue;
}

/* Whether the server serves; false: it has ended. */
static bool wait_for_word(struct command *command)
{
    for (;;) {
        char byte;
        struct pollfd fds[2] = {{.fd = command->told, .events = POLLIN},
                                {.fd = command->signals, .events = POLLIN}};
        (void)poll(fds, 2, -1);
        if (fds[1].revents != 0)
            pass_on(command);
        if (fds[0].revents == 0)
            continue;
        ssize_t got = read(command->told, &byte, 1);
        if (got >= 0)
            return got == 1; /* an error says nothing: it is asked again */
    }
}

/* As a command does that was interrupted: so that a script of which it is a part ends as well. */
static _Noreturn void die_by(int number)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    _exit(CV_EXIT_SIGNAL + number);
}

/* It has said itself why, on our standard error. */
static _Noreturn void end_as(const struct command *command)
{
    siginfo_t info = {0};
    int rc;
    do
        rc = waitid(P_PID, (id_t)command->server, &info, WEXITED);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: has ended before it served, nobody knows how\n", command->name);
        _exit(CV_EXIT_INTERNAL);
    }
    bool is_exit = info.si_code == CLD_EXITED;
    if (command->stopped_by != 0 && (!is_exit || info.si_status == CV_EXIT_OK))
        die_by(command->stopped_by);
    if (is_exit && info.si_status != CV_EXIT_OK)
        _exit(info.si_status);
    if (is_exit)
        (void)fprintf(stderr, "%s: was stopped before it served\n", command->name);
    else
        (void)fprintf(stderr, "%s: was killed by signal %d (%s) before it served\n", command->name,
                      info.si_status, strsignal(info.si_status));
    _exit(is_exit ? CV_EXIT_INTERNAL : CV_EXIT_SIGNAL + info.si_status);
}

static _Noreturn void be_command(struct command *command, const sigset_t *stops)
{
    command->signals = signalfd(-1, stops, SFD_CLOEXEC);
    if (wait_for_word(command))
        _exit(CV_EXIT_OK); /* what has to be done at exit is the server's to do */
    end_as(command);
}

/* ---- Both ---- */

int cv_daemon_start(const char *name, int *ret_ready)
{
    int ends[2];
    sigset_t stops;
    sigset_t before;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    CV_AUTOCLOSE int told = ends[0];
    CV_AUTOCLOSE int ready = ends[1];
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGHUP);
    (void)sigaddset(&stops, SIGQUIT);
    (void)sigprocmask(SIG_BLOCK, &stops, &before);
    (void)signal(SIGCHLD, SIG_DFL); /* where it is ignored there are no exit codes */

    (void)fflush(NULL);
    pid_t pid = fork();
    int error = errno;
    if (pid > 0) {
        (void)close(cv_take_fd(&ready));
        be_command(&(struct command){.name = name, .server = pid, .told = told}, &stops);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0 || setsid() < 0)
        return pid < 0 ? -error : -errno;
    *ret_ready = cv_take_fd(&ready);
    return 0;
}

void cv_daemon_ready(int *ready)
{
    if (*ready < 0)
        return;
    for (int tries = 3; tries > 0 && write(*ready, "", 1) < 0; tries--)
        continue; /* without the word the command would wait for ever */
    (void)close(*ready);
    *ready = -1;
}
