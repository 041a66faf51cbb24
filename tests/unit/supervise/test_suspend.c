/* A guardian in a process group of its own (so that it can be stopped as a shell's job is), with a
 * master that leads another group, and a worker in that. */
#include "supervise/guardian/suspend.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "brood.h"

#define PAUSE_MS 50

struct shared {
    _Atomic int64_t suspended;
    _Atomic int64_t returned;
    _Atomic int master;
    _Atomic int worker;
};

static struct shared *shared;

static int set_up(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
    brood_end(state);
    return munmap(shared, sizeof(*shared));
}

static void block(int signal)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, signal);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static _Noreturn void idle(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(BROOD_SECONDS);
    for (;;)
        (void)pause();
}

static pid_t fork_into(pid_t group)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)setpgid(0, group);
        idle();
    }
    (void)setpgid(pid, group == 0 ? pid : group);
    return pid;
}

static char state_of(pid_t pid)
{
    char path[32];
    char text[256] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return '-';
    const char *at = fgets(text, sizeof(text), file) != NULL ? strrchr(text, ')') : NULL;
    (void)fclose(file);
    return at != NULL ? at[2] : '-';
}

static bool becomes(pid_t pid, char state)
{
    for (int ms = 0; ms < 5000; ms++) {
        if (state_of(pid) == state)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

/* The guardian: 0 if all went on. `early`: somebody has continued it before it has stopped. */
static int suspend_all(bool early)
{
    block(SIGTSTP);
    block(SIGCONT);
    shared->master = fork_into(0);
    shared->worker = fork_into(shared->master);
    if (early)
        (void)raise(SIGCONT);
    shared->returned = cv_suspend(shared->master, &shared->suspended);
    if (!becomes(shared->master, 'S') || !becomes(shared->worker, 'S'))
        return 1;
    (void)kill(-shared->master, SIGKILL);
    return 0;
}

static pid_t start_guardian(bool early)
{
    pid_t pid = brood_fork();
    if (pid == 0) {
        (void)setpgid(0, 0);
        _exit(suspend_all(early));
    }
    (void)setpgid(pid, pid);
    return pid;
}

static void test_all_stop_and_all_go_on(void **state)
{
    (void)state;
    pid_t guardian = start_guardian(false);
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)guardian, &info, WSTOPPED), 0);
    assert_int_equal(info.si_status, SIGTSTP); /* what a shell expects of Ctrl+Z */
    assert_true(becomes(shared->master, 'T'));
    assert_true(becomes(shared->worker, 'T'));
    assert_true(shared->suspended == 0);
    (void)poll(NULL, 0, PAUSE_MS);
    assert_int_equal(kill(guardian, SIGCONT), 0);
    assert_int_equal(brood_wait(guardian), 0);
    assert_true(shared->suspended >= PAUSE_MS * CV_MS);
    assert_true(shared->suspended == shared->returned);
}

static void test_who_is_continued_already_does_not_stop(void **state)
{
    (void)state;
    pid_t guardian = start_guardian(true);
    assert_int_equal(brood_wait(guardian), 0);
    assert_true(shared->suspended == shared->returned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_stop_and_all_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_continued_already_does_not_stop, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
