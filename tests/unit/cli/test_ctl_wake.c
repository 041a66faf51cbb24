#include "cli/ctl/wake.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

static void test_a_stat_is_read_whatever_the_name_holds(void **state)
{
    (void)state;
    struct cv_ctl_stat stat;
    assert_true(cv_ctl_read_stat("17 (a) T 9 9) T 4 5 6 7\n", &stat));
    assert_int_equal(stat.state, 'T');
    assert_int_equal(stat.parent, 4);
    assert_int_equal(stat.group, 5);
    assert_true(cv_ctl_read_stat("17 () S 1 2", &stat));
}

static void test_what_is_no_stat_is_refused(void **state)
{
    (void)state;
    struct cv_ctl_stat stat;
    const char *const texts[] = {"",         "17 a T 4 5", "17 (a)",
                                 "17 (a) T", "17 (a) T 4", "17 (a) T x y"};
    for (size_t i = 0; i < CV_COUNT(texts); i++)
        assert_false(cv_ctl_read_stat(texts[i], &stat));
}

/* A child that is stopped, in a group of its own or not. */
static pid_t stopped_child(bool leads)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (leads)
            (void)setpgid(0, 0);
        (void)raise(SIGSTOP);
        _exit(7);
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    return pid;
}

static void wait_for(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_a_stopped_master_is_found_and_continued(void **state)
{
    (void)state;
    const char *what = "";
    pid_t pid = stopped_child(true);
    assert_int_equal(cv_ctl_stopped(getpid(), &what), pid);
    assert_string_equal(what, "master");
    cv_ctl_continue(getpid());
    wait_for(pid);
    assert_int_equal(cv_ctl_stopped(getpid(), &what), 0);
}

static void test_a_stopped_guardian_is_found_and_continued(void **state)
{
    (void)state;
    const char *what = "";
    pid_t pid = stopped_child(false);
    assert_int_equal(cv_ctl_stopped(pid, &what), pid);
    assert_string_equal(what, "guardian");
    cv_ctl_continue(pid);
    wait_for(pid);
}

/* It was adopted, and somebody has his reasons. */
static void test_a_child_that_leads_no_group_is_no_master(void **state)
{
    (void)state;
    const char *what = "";
    pid_t pid = stopped_child(false);
    assert_int_equal(cv_ctl_stopped(getpid(), &what), 0);
    cv_ctl_continue(pid);
    wait_for(pid);
}

static void test_nobody_is_found_where_nobody_is(void **state)
{
    (void)state;
    const char *what = "";
    assert_int_equal(cv_ctl_stopped(0, &what), 0);
    assert_int_equal(cv_ctl_stopped(INT32_MAX, &what), 0);
    cv_ctl_continue(0);
    cv_ctl_continue(INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stat_is_read_whatever_the_name_holds),
        cmocka_unit_test(test_what_is_no_stat_is_refused),
        cmocka_unit_test(test_a_stopped_master_is_found_and_continued),
        cmocka_unit_test(test_a_stopped_guardian_is_found_and_continued),
        cmocka_unit_test(test_a_child_that_leads_no_group_is_no_master),
        cmocka_unit_test(test_nobody_is_found_where_nobody_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
