#include "supervise/process/child.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "brood.h"

static int master_end;
static struct cv_child child;
static struct cv_message message;

static int start(void **state)
{
    (void)state;
    int fds[2];
    if (cv_channel_pair(fds) < 0)
        return -1;
    master_end = fds[0];
    child = (struct cv_child){.channel = fds[1]};
    return 0;
}

static int finish(void **state)
{
    if (master_end >= 0)
        (void)close(master_end);
    (void)close(child.channel);
    return brood_end(state);
}

/* ---- What it hears ---- */

static void test_without_a_master_nobody_waits(void **state)
{
    (void)state;
    (void)close(master_end);
    master_end = -1;
    assert_int_equal(cv_child_wait_go(&child), -EPIPE);
    assert_int_equal(cv_child_hear(&child, &message), 0);
    cv_child_tell(&child, CV_MSG_READY); /* and no signal */
    cv_child_failed(&child, 3, "nobody hears it");
}

static void test_a_stop_instead_of_go_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(cv_channel_tell(master_end, CV_MSG_DRAIN, 0, 0), 0);
    assert_int_equal(cv_child_wait_go(&child), -ECANCELED);
}

static void test_what_is_not_known_yet_does_not_end_the_wait(void **state)
{
    (void)state;
    assert_int_equal(cv_channel_tell(master_end, (enum cv_message_kind)999, 0, 0), 0);
    assert_int_equal(cv_channel_tell(master_end, CV_MSG_GO, 0, 0), 0);
    assert_int_equal(cv_child_wait_go(&child), 0);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static int wait_interrupted(void)
{
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)cv_channel_tell(child.channel, CV_MSG_STATUS, 0, 0);
    return cv_child_wait_go(&child);
}

static void test_a_signal_does_not_end_the_wait(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0)
        _exit(wait_interrupted() == 0 ? 0 : 1);
    struct pollfd ready = {.fd = master_end, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 20000), 1);
    for (int i = 0; i < 20; i++) {
        brood_signal(pid, SIGUSR1);
        (void)usleep(1000);
    }
    assert_false(brood_is_over(pid, 0));
    assert_int_equal(cv_channel_tell(master_end, CV_MSG_GO, 0, 0), 0);
    assert_int_equal(brood_wait(pid), 0);
}

/* ---- What it says ---- */

static void test_a_manifest_too_long_is_not_sent(void **state)
{
    (void)state;
    static char manifest[CV_MESSAGE_BODY_MAX + 1];
    assert_int_equal(cv_child_hello(&child, 1, cv_span(manifest, sizeof(manifest))), -EMSGSIZE);
    assert_int_equal(cv_channel_receive(master_end, &message), -EAGAIN);
    assert_int_equal(cv_child_hello(&child, 1, cv_span(manifest, sizeof(manifest) - 1)), 0);
    assert_int_equal(cv_channel_receive(master_end, &message), 1);
    assert_int_equal(message.body_len, CV_MESSAGE_BODY_MAX);
}

static void test_hello_reports_versions_and_the_parent_death_signal(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(cv_child_hello(&child, 77, CV_SPAN("manifest")) == 0 ? 0 : 1);
    }
    assert_int_equal(brood_wait(pid), 0);
    assert_int_equal(cv_channel_receive(master_end, &message), 1);
    assert_int_equal(message.kind, CV_MSG_HELLO);
    assert_int_equal(message.word[0], 77);
    assert_int_equal(message.word[1], CV_BOOT_LAYOUT);
    assert_int_equal(message.word[2], SIGKILL);
    assert_memory_equal(message.body, "manifest", 8);
}

static void test_a_reason_too_long_is_cut(void **state)
{
    (void)state;
    static char reason[2 * CV_MESSAGE_BODY_MAX];
    memset(reason, 'r', sizeof(reason) - 1);
    cv_child_failed(&child, 4, reason);
    assert_int_equal(cv_channel_receive(master_end, &message), 1);
    assert_int_equal(message.kind, CV_MSG_FAILED);
    assert_int_equal(message.word[0], 4);
    assert_in_range(message.body_len, CV_MESSAGE_BODY_MAX - 1, CV_MESSAGE_BODY_MAX);
    cv_child_failed(&child, 3, "short");
    assert_int_equal(cv_channel_receive(master_end, &message), 1);
    assert_int_equal(message.body_len, 5);
    assert_memory_equal(message.body, "short", 5);
}

/* ---- Signals ---- */

static void test_a_blocked_start_ends_by_term_and_by_nothing_else(void **state)
{
    (void)state;
    static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ, SIGTTIN, SIGTTOU};
    pid_t pid = brood_fork();
    if (pid == 0) {
        cv_child_signals();
        for (size_t i = 0; i < CV_COUNT(ignored); i++)
            (void)raise(ignored[i]);
        cv_child_tell(&child, CV_MSG_STATUS);
        for (;;)
            (void)pause();
    }
    struct pollfd ready = {.fd = master_end, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 20000), 1);
    brood_signal(pid, SIGTERM);
    assert_int_equal(brood_wait(pid), 128 + SIGTERM);
}

static int catch_then_ignore(void)
{
    int fd = -1;
    eventfd_t count = 0;
    cv_child_signals();
    if (cv_child_catch_term(false, &fd) < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
        return 1;
    if (eventfd_read(fd, &count) == 0)
        return 2;
    (void)raise(SIGTERM);
    if (eventfd_read(fd, &count) < 0 || count != 1)
        return 3;
    cv_child_ignore_term();
    (void)raise(SIGTERM);
    return eventfd_read(fd, &count) < 0 ? 0 : 4;
}

static void test_a_caught_term_is_noted_until_it_is_ignored(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0)
        _exit(catch_then_ignore());
    assert_int_equal(brood_wait(pid), 0);
}

/* What the app starts must not inherit deafness. */
static void test_what_the_worker_execs_gets_the_defaults(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0) {
        cv_child_signals();
        (void)execl("/bin/sh", "sh", "-c", "kill -INT $$; sleep 20", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(brood_wait(pid), 128 + SIGINT);
}

/* ---- Joining ---- */

static int join_forked(int parent_fd, struct cv_slots *slots)
{
    struct cv_boot boot;
    struct cv_child joined;
    cv_boot_init(&boot);
    boot.parent_fd = parent_fd;
    boot.state = slots->fd;
    boot.slots = slots->count;
    boot.slot = 1;
    boot.generation = 5;
    boot.channel = child.channel;
    int rc = cv_child_forked(&joined, &boot);
    int signal = 0;
    (void)prctl(PR_GET_PDEATHSIG, &signal);
    return rc == 0 ? (signal == SIGKILL ? 0 : 1) : -rc;
}

static void test_a_forked_child_takes_its_page(void **state)
{
    (void)state;
    struct cv_slots slots;
    assert_int_equal(cv_slots_new(&slots, 2), 0);
    atomic_store(&slots.pages[1].connections, 99); /* of the one before */
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    pid_t pid = brood_fork();
    if (pid == 0)
        _exit(join_forked(self, &slots));
    int code = brood_wait(pid);
    (void)close(self);
    uint32_t seen_pid = atomic_load(&slots.pages[1].pid);
    uint32_t generation = atomic_load(&slots.pages[1].generation);
    uint32_t connections = atomic_load(&slots.pages[1].connections);
    cv_slots_done(&slots);
    assert_int_equal(code, 0);
    assert_int_equal(seen_pid, pid);
    assert_int_equal(generation, 5);
    assert_int_equal(connections, 0);
}

static void test_a_child_whose_master_has_died_does_not_join(void **state)
{
    (void)state;
    struct cv_slots slots;
    assert_int_equal(cv_slots_new(&slots, 2), 0);
    pid_t dead = brood_fork();
    if (dead == 0)
        _exit(0);
    assert_true(brood_is_over(dead, 20000));
    pid_t pid = brood_fork();
    if (pid == 0)
        _exit(join_forked(brood_pidfd(dead), &slots));
    int code = brood_wait(pid);
    cv_slots_done(&slots);
    assert_int_equal(code, ESRCH);
}

static void test_a_process_without_a_boot_is_no_child(void **state)
{
    (void)state;
    struct cv_child none;
    (void)unsetenv(CV_BOOT_VARIABLE);
    assert_int_equal(cv_child_boot(&none), 0);
}

#define child_test(test) cmocka_unit_test_setup_teardown(test, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        child_test(test_without_a_master_nobody_waits),
        child_test(test_a_stop_instead_of_go_is_told_apart),
        child_test(test_what_is_not_known_yet_does_not_end_the_wait),
        child_test(test_a_signal_does_not_end_the_wait),
        child_test(test_a_manifest_too_long_is_not_sent),
        child_test(test_hello_reports_versions_and_the_parent_death_signal),
        child_test(test_a_reason_too_long_is_cut),
        child_test(test_a_blocked_start_ends_by_term_and_by_nothing_else),
        child_test(test_a_caught_term_is_noted_until_it_is_ignored),
        child_test(test_what_the_worker_execs_gets_the_defaults),
        child_test(test_a_forked_child_takes_its_page),
        child_test(test_a_child_whose_master_has_died_does_not_join),
        child_test(test_a_process_without_a_boot_is_no_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
