/* This program is a subreaper: what its children leave behind becomes its own. */
#include "supervise/containment/strays.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "brood.h"
#include "supervise/process/title.h"

#define BOUND_MS 20000

static struct cv_run run;

static int start(void **state)
{
    (void)state;
    cv_run_init(&run);
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void variable_of(uint32_t incarnation, char ret[64])
{
    char tag[CV_TAG_BYTES];
    cv_run_tag(&run, incarnation, tag);
    (void)snprintf(ret, 64, CV_TAG_VARIABLE "=%s", tag);
}

/* What a stray does: it says that it is there, ignores what can be ignored, and stays. */
static void be_stray(int fd)
{
    (void)alarm(BROOD_SECONDS);
    (void)signal(SIGTERM, SIG_IGN);
    pid_t self = getpid();
    (void)!write(fd, &self, sizeof(self));
    for (;;)
        (void)pause();
}

/* In a child: becomes this program anew, with this variable in its environment. */
static void exec_stray(int fd, char *variable)
{
    char number[16];
    char name[] = "stray";
    char *argv[] = {name, number, NULL};
    char other[] = "OTHER=1";
    char *envp[] = {other, variable, NULL};
    (void)snprintf(number, sizeof(number), "%d", fd);
    (void)fcntl(fd, F_SETFD, 0);
    (void)execve("/proc/self/exe", argv, envp);
    _exit(127);
}

static pid_t adopted(const int fds[2])
{
    pid_t stray = 0;
    ssize_t got = read(fds[0], &stray, sizeof(stray));
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(got, sizeof(stray));
    brood_adopt(stray);
    return stray;
}

/* A process whose parent has died: exec'd with `variable` (or NULL). */
static pid_t leave_stray(char *variable)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t worker = brood_fork();
    if (worker == 0) {
        if (fork() == 0)
            exec_stray(fds[1], variable);
        _exit(0);
    }
    assert_int_equal(brood_wait(worker), 0);
    return adopted(fds);
}

static bool is_alive(pid_t pid)
{
    return !brood_is_over(pid, 0);
}

/* ---- Who is whose ---- */

static void test_a_process_without_our_tag_is_nobodys(void **state)
{
    (void)state;
    struct cv_run other;
    char tag[CV_TAG_BYTES];
    char variable[96];
    assert_int_equal(cv_strays_incarnation(&run, leave_stray(NULL)), 0);

    cv_run_init(&other);
    cv_run_tag(&other, 7, tag);
    (void)snprintf(variable, sizeof(variable), CV_TAG_VARIABLE "=%s", tag);
    assert_int_equal(cv_strays_incarnation(&run, leave_stray(variable)), 0);

    variable_of(7, variable);
    variable[1] = 'X'; /* another variable of the same value */
    assert_int_equal(cv_strays_incarnation(&run, leave_stray(variable)), 0);
    assert_int_equal(cv_strays_incarnation(&run, 1), 0);
    assert_int_equal(cv_strays_incarnation(&run, 0), 0);
    assert_int_equal(cv_strays_incarnation(&run, -1), 0);
}

static void test_a_tagged_process_says_its_incarnation(void **state)
{
    (void)state;
    static const uint32_t incarnations[] = {1, 9, 10, 0x2a, UINT32_MAX};
    for (size_t i = 0; i < CV_COUNT(incarnations); i++) {
        char variable[64];
        variable_of(incarnations[i], variable);
        assert_int_equal(cv_strays_incarnation(&run, leave_stray(variable)), incarnations[i]);
    }
}

/* A worker made by fork is never exec'd: its title carries the tag, and what it forks inherits the
 * sight of it. */
static void test_the_fork_of_a_titled_worker_is_found(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t worker = brood_fork();
    if (worker == 0) {
        char variable[64];
        variable_of(0x51, variable);
        cv_title_set("hello", "worker 0", variable);
        if (fork() == 0)
            be_stray(fds[1]);
        _exit(0);
    }
    assert_int_equal(brood_wait(worker), 0);
    pid_t stray = adopted(fds);
    assert_int_equal(cv_strays_incarnation(&run, stray), 0x51);
    assert_int_equal(cv_strays_end(NULL, 0, &run, BOUND_MS), 0);
    assert_false(is_alive(stray));
}

static void test_a_dead_process_is_nobodys(void **state)
{
    (void)state;
    char variable[64];
    variable_of(3, variable);
    pid_t stray = leave_stray(variable);
    brood_signal(stray, SIGKILL);
    assert_true(brood_is_over(stray, BOUND_MS));
    assert_int_equal(cv_strays_incarnation(&run, stray), 0); /* not reaped yet */
}

static void test_tags_are_of_one_run_and_fit(void **state)
{
    (void)state;
    struct cv_run other;
    char tag[CV_TAG_BYTES];
    cv_run_init(&other);
    assert_string_not_equal(run.id, other.id);
    assert_int_equal(strlen(run.id), 16);
    cv_run_tag(&run, UINT32_MAX, tag);
    assert_int_equal(strlen(tag), 16 + 1 + 8);
    assert_memory_equal(tag, run.id, 16);
}

/* ---- The list ---- */

static bool lists(pid_t pid)
{
    static pid_t children[4096];
    int n = cv_strays_list(children, 4096);
    for (int i = 0; i < n; i++)
        if (children[i] == pid)
            return true;
    return false;
}

static void test_the_list_has_children_dead_ones_and_adopted_ones(void **state)
{
    (void)state;
    pid_t stray = leave_stray(NULL);
    pid_t dead = brood_fork();
    if (dead == 0)
        _exit(0);
    assert_true(brood_is_over(dead, BOUND_MS));
    assert_true(lists(stray));
    assert_true(lists(dead));
    assert_false(lists(1));
    assert_false(lists(getpid()));
    assert_int_equal(brood_wait(dead), 0);
    assert_false(lists(dead));
}

static void test_the_list_ends_where_its_room_does(void **state)
{
    (void)state;
    pid_t children[3] = {0, 0, -7};
    for (int i = 0; i < 4; i++)
        (void)leave_stray(NULL);
    assert_int_equal(cv_strays_list(children, 2), 2);
    assert_int_equal(children[2], -7);
    assert_int_equal(cv_strays_list(children, 0), 0);
}

/* ---- One end ---- */

static void test_what_is_no_child_of_ours_is_never_hit(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t parent = brood_fork();
    if (parent == 0) {
        pid_t child = fork();
        if (child == 0)
            be_stray(fds[1]);
        siginfo_t info = {0};
        (void)waitid(P_PID, (id_t)child, &info, WEXITED);
        _exit(0);
    }
    pid_t grandchild = adopted(fds); /* known here, but still its parent's */
    assert_int_equal(cv_strays_kill(grandchild), -ESRCH);
    assert_int_equal(cv_strays_kill(getpid()), -ESRCH);
    assert_int_equal(cv_strays_kill(getppid()), -ESRCH);
    assert_true(cv_strays_kill(0) < 0);
    assert_true(cv_strays_kill(-1) < 0);
    assert_true(is_alive(grandchild));
    assert_true(is_alive(parent));
}

static void test_a_process_that_is_gone_is_no_error_worth_noting(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(brood_wait(pid), 0);
    assert_int_equal(cv_strays_kill(pid), -ESRCH);
}

static void test_looking_leaves_no_descriptor_open(void **state)
{
    (void)state;
    pid_t children[16];
    pid_t stray = leave_stray(NULL);
    int before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(cv_strays_list(children, 16), 1);
        assert_int_equal(cv_strays_incarnation(&run, stray), 0);
        assert_int_equal(cv_strays_kill(getpid()), -ESRCH);
    }
    assert_int_equal(cv_strays_end(NULL, 0, NULL, BOUND_MS), 0);
    assert_int_equal(open_descriptors(), before);
}

/* ---- The end of all ---- */

static void test_only_tagged_ones_end_where_a_run_is_given(void **state)
{
    (void)state;
    char variable[64];
    variable_of(1, variable);
    pid_t ours = leave_stray(variable);
    pid_t foreign = leave_stray(NULL);
    assert_int_equal(cv_strays_end(NULL, 0, &run, BOUND_MS), 0);
    assert_false(is_alive(ours));
    assert_true(is_alive(foreign));
}

static void test_those_that_were_there_before_are_kept(void **state)
{
    (void)state;
    char variable[64];
    variable_of(1, variable);
    pid_t kept[] = {leave_stray(NULL), leave_stray(variable)};
    pid_t ours = leave_stray(NULL);
    assert_int_equal(cv_strays_end(kept, 2, NULL, BOUND_MS), 0);
    assert_false(is_alive(ours));
    assert_true(is_alive(kept[0]));
    assert_true(is_alive(kept[1]));
}

/* Each dead one leaves the next to us: a chain, stopped ones too. */
static void test_whole_families_end_stopped_ones_too(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t root = brood_fork();
    if (root == 0) {
        for (int depth = 0; depth < 10; depth++)
            if (fork() != 0) {
                (void)signal(SIGTERM, SIG_IGN);
                (void)alarm(BROOD_SECONDS);
                if (depth % 2 == 0)
                    (void)raise(SIGSTOP);
                for (;;)
                    (void)pause();
            }
        be_stray(fds[1]);
    }
    pid_t last = 0;
    ssize_t got = read(fds[0], &last, sizeof(last));
    (void)close(fds[0]);
    (void)close(fds[1]);
    int left = cv_strays_end(NULL, 0, NULL, BOUND_MS);
    assert_int_equal(got, sizeof(last));
    assert_int_equal(left, 0);
    assert_int_equal(process_state(last), 0);
    assert_int_equal(process_state(root), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), -1); /* nobody is left */
}

static void test_nobody_there_is_an_end_at_once(void **state)
{
    (void)state;
    assert_int_equal(cv_strays_end(NULL, 0, NULL, BOUND_MS), 0);
    assert_int_equal(cv_strays_end(NULL, 0, &run, 0), 0);
}

/* Without a descriptor to look with, nobody may claim that nobody is left. */
static void test_children_that_cannot_be_listed_are_not_forgotten(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0) {
        pid_t stray = fork();
        if (stray == 0) {
            (void)alarm(BROOD_SECONDS);
            for (;;)
                (void)pause();
        }
        struct rlimit limit;
        struct rlimit none = {.rlim_cur = 0};
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        none.rlim_max = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &none);
        int blind = cv_strays_end(NULL, 0, NULL, 20);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        int seeing = cv_strays_end(NULL, 0, NULL, BOUND_MS);
        (void)kill(stray, SIGKILL);
        _exit(blind != 1 ? 1 : seeing != 0 ? 2 : 0);
    }
    assert_int_equal(brood_wait(pid), 0);
}

#define strays_test(test) cmocka_unit_test_setup_teardown(test, start, brood_end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        strays_test(test_a_process_without_our_tag_is_nobodys),
        strays_test(test_a_tagged_process_says_its_incarnation),
        strays_test(test_the_fork_of_a_titled_worker_is_found),
        strays_test(test_a_dead_process_is_nobodys),
        strays_test(test_tags_are_of_one_run_and_fit),
        strays_test(test_the_list_has_children_dead_ones_and_adopted_ones),
        strays_test(test_the_list_ends_where_its_room_does),
        strays_test(test_what_is_no_child_of_ours_is_never_hit),
        strays_test(test_a_process_that_is_gone_is_no_error_worth_noting),
        strays_test(test_looking_leaves_no_descriptor_open),
        strays_test(test_only_tagged_ones_end_where_a_run_is_given),
        strays_test(test_those_that_were_there_before_are_kept),
        strays_test(test_whole_families_end_stopped_ones_too),
        strays_test(test_nobody_there_is_an_end_at_once),
        strays_test(test_children_that_cannot_be_listed_are_not_forgotten),
    };
    if (argc == 2)
        be_stray((int)strtol(argv[1], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
