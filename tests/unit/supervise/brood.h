/* Children for the tests of src/supervise. However a test ends, every process it has started is
 * ended through its pidfd and reaped: brood_end() is the teardown of each test. Should the test
 * program itself be killed, an alarm ends what is left.
 *
 * A child asserts nothing (cmocka would jump out of it): it ends with an exit code that says what
 * was wrong.
 */
#ifndef TESTS_UNIT_SUPERVISE_BROOD_H
#define TESTS_UNIT_SUPERVISE_BROOD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BROOD_MAX 64
#define BROOD_SECONDS 30

struct brood {
    pid_t pid[BROOD_MAX];
    int pidfd[BROOD_MAX];
    int n;
};

static struct brood brood;

/* Takes care of a child that something else has started, or that has been inherited. */
static inline void brood_adopt(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 || brood.n == BROOD_MAX)
        fail_msg("process %d cannot be taken care of: %s", pid, strerror(errno));
    brood.pid[brood.n] = pid;
    brood.pidfd[brood.n++] = pidfd;
}

/* fork() with the child taken care of. In the child: 0. */
static inline pid_t brood_fork(void)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(BROOD_SECONDS);
        return 0;
    }
    brood_adopt(pid);
    return pid;
}

static inline int brood_pidfd(pid_t pid)
{
    for (int i = 0; i < brood.n; i++)
        if (brood.pid[i] == pid)
            return brood.pidfd[i];
    fail_msg("process %d is not known", pid);
    return -1;
}

/* Whether the process has ended; waits up to `ms` for it. */
static inline bool brood_is_over(pid_t pid, int ms)
{
    struct pollfd gone = {.fd = brood_pidfd(pid), .events = POLLIN};
    int n;
    do
        n = poll(&gone, 1, ms);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Reaps it: the exit code, or 128 + the signal. */
static inline int brood_wait(pid_t pid)
{
    if (!brood_is_over(pid, BROOD_SECONDS * 1000))
        fail_msg("process %d does not end", pid);
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PIDFD, (id_t)brood_pidfd(pid), &info, WEXITED), 0);
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static inline void brood_signal(pid_t pid, int signal)
{
    assert_int_equal(syscall(SYS_pidfd_send_signal, brood_pidfd(pid), signal, NULL, 0), 0);
}

/* The teardown. */
static inline int brood_end(void **state)
{
    (void)state;
    for (int i = 0; i < brood.n; i++) {
        siginfo_t info;
        (void)syscall(SYS_pidfd_send_signal, brood.pidfd[i], SIGKILL, NULL, 0);
        (void)waitid(P_PIDFD, (id_t)brood.pidfd[i], &info, WEXITED); /* ECHILD: reaped already */
        (void)close(brood.pidfd[i]);
    }
    brood.n = 0;
    return 0;
}

/* How many descriptors this process has open. */
static inline int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        if (syscall(SYS_fcntl, fd, F_GETFD) >= 0)
            n++;
    return n;
}

/* The state letter of a process ('Z': dead, not reaped), 0 if there is none. */
static inline char process_state(pid_t pid)
{
    char path[32];
    char text[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    return at != NULL ? at[2] : '\0';
}

#define brood_test(test) cmocka_unit_test_teardown(test, brood_end)

#endif
