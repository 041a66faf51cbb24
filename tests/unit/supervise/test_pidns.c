#include "supervise/containment/pidns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "brood.h"

static char reason[512];

static void test_the_pid_outside_is_told_by_a_pidfd(void **state)
{
    (void)state;
    int outer = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    assert_int_equal(cv_pidns_outer(outer, self), getpid());
    assert_int_equal(cv_pidns_outer(outer, outer), 0); /* no pidfd */
    assert_int_equal(cv_pidns_outer(outer, -1), 0);
    assert_int_equal(cv_pidns_outer(-1, self), 0);
    (void)close(self);
    (void)close(outer);
}

/* In a child: its own child is the first process of a namespace. */
static int live_inside(void)
{
    if (cv_pidns_prepare(reason, sizeof(reason)) < 0)
        return 77;
    pid_t first = fork();
    if (first == 0) {
        int outer = -1;
        struct stat inner;
        if (getpid() != 1 || getppid() != 0)
            _exit(2);
        if (cv_pidns_enter(&outer, reason, sizeof(reason)) < 0)
            _exit(77);
        int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
        _exit(stat("/proc/1/stat", &inner) == 0 && cv_pidns_outer(outer, self) > 1 ? 0 : 3);
    }
    int status = 0;
    if (first < 0 || waitpid(first, &status, 0) < 0 || !WIFEXITED(status))
        return 4;
    return WEXITSTATUS(status);
}

static void test_the_next_child_is_the_first_process(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0)
        _exit(live_inside());
    int code = brood_wait(pid);
    if (code == 77)
        skip();
    assert_int_equal(code, 0);
}

static void test_a_refusal_names_call_and_cause(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0) { /* without capabilities, and as a user who is nobody in a namespace */
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(77);
        int rc = cv_pidns_prepare(reason, sizeof(reason));
        _exit(rc == -EPERM && strstr(reason, "65534") != NULL ? 0 : 1);
    }
    int code = brood_wait(pid);
    if (code == 77)
        skip();
    assert_int_equal(code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_pid_outside_is_told_by_a_pidfd, brood_end),
        cmocka_unit_test_teardown(test_the_next_child_is_the_first_process, brood_end),
        cmocka_unit_test_teardown(test_a_refusal_names_call_and_cause, brood_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
