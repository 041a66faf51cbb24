#include "cli/doctor/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define LONG_MS 20000
#define SHORT_MS 50

/* A child that waits; `is_stubborn`: TERM does nothing to it. Ready once this returns. */
static struct cv_doctor_proc child(bool is_stubborn)
{
    int fds[2];
    char byte = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)signal(SIGTERM, is_stubborn ? SIG_IGN : SIG_DFL);
        (void)alarm(60);
        (void)!write(fds[1], &byte, 1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    static char text[1024];
    char path[32];
    struct cv_doctor_proc proc = {0};
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    assert_true(cv_fd_slurp(path, text, sizeof(text)) > 0);
    assert_int_equal(cv_doctor_read_stat(text, &proc), 0);
    return proc;
}

/* Reaps the child; the signal that has ended it. */
static int signal_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_process_with_another_start_is_not_touched(void **state)
{
    (void)state;
    struct cv_doctor_proc proc = child(false);
    struct cv_doctor_proc other = proc;
    other.start++;
    assert_int_equal(cv_doctor_end(&other, LONG_MS), -ESRCH);
    other = proc;
    other.ppid++; /* adopted meanwhile, or no orphan any more */
    assert_int_equal(cv_doctor_end(&other, LONG_MS), -ESRCH);
    assert_int_equal(kill(proc.pid, 0), 0);
    assert_int_equal(kill(proc.pid, SIGUSR1), 0); /* it was alive and the first to end it is this */
    assert_int_equal(signal_of(proc.pid), SIGUSR1);
}

static void test_process_that_is_gone_is_said_to_be(void **state)
{
    (void)state;
    struct cv_doctor_proc proc = child(false);
    (void)kill(proc.pid, SIGKILL);
    (void)signal_of(proc.pid);
    assert_int_equal(cv_doctor_end(&proc, LONG_MS), -ESRCH);
}

static void test_process_ends_by_term(void **state)
{
    (void)state;
    struct cv_doctor_proc proc = child(false);
    assert_int_equal(cv_doctor_end(&proc, LONG_MS), 0);
    assert_int_equal(signal_of(proc.pid), SIGTERM);
}

static void test_stubborn_process_ends_by_kill(void **state)
{
    (void)state;
    struct cv_doctor_proc proc = child(true);
    int rc = cv_doctor_end(&proc, SHORT_MS);
    assert_true(rc == 0 || rc == -EBUSY); /* 50 ms may not be enough to see the end */
    assert_int_equal(signal_of(proc.pid), SIGKILL);
}

static void test_zombie_is_said_to_be_gone(void **state)
{
    (void)state;
    struct cv_doctor_proc proc = child(false);
    siginfo_t info;
    (void)kill(proc.pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)proc.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(cv_doctor_end(&proc, LONG_MS), -ESRCH);
    (void)signal_of(proc.pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_with_another_start_is_not_touched),
        cmocka_unit_test(test_process_that_is_gone_is_said_to_be),
        cmocka_unit_test(test_process_ends_by_term),
        cmocka_unit_test(test_stubborn_process_ends_by_kill),
        cmocka_unit_test(test_zombie_is_said_to_be_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
