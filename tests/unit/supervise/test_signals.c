/* Everything happens in children, so that this program keeps its own signals. */
#include "supervise/process/signals.h"

#include <sys/signalfd.h>

#include "brood.h"

static const int handled[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,  SIGCHLD, SIGTTIN,
                              SIGTTOU, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2};

static int in_child(int (*fn)(void))
{
    pid_t pid = brood_fork();
    if (pid == 0)
        _exit(fn());
    return brood_wait(pid);
}

static void on_signal(int signal)
{
    (void)signal;
}

static bool is_blocked(int signal)
{
    sigset_t set;
    (void)sigprocmask(SIG_SETMASK, NULL, &set);
    return sigismember(&set, signal) == 1;
}

static bool is_default(int signal)
{
    struct sigaction action;
    (void)sigaction(signal, NULL, &action);
    return action.sa_handler == SIG_DFL;
}

/* Between the blocking and the opening (there is a fork in between) nothing may be lost. */
static int signal_before_open(void)
{
    struct cv_signals signals;
    bool by_user = false;
    cv_signals_take(&signals);
    (void)kill(getpid(), SIGTERM);
    int fd = cv_signals_open();
    if (fd < 0)
        return 1;
    if (cv_signals_next(fd, &by_user) != SIGTERM || !by_user)
        return 2;
    return cv_signals_next(fd, &by_user) == 0 ? 0 : 3;
}

static void test_a_signal_before_the_opening_is_not_lost(void **state)
{
    (void)state;
    assert_int_equal(in_child(signal_before_open), 0);
}

static int every_signal(void)
{
    struct cv_signals signals;
    bool by_user;
    cv_signals_take(&signals);
    int fd = cv_signals_open();
    for (size_t i = 0; i < CV_COUNT(handled); i++) {
        (void)kill(getpid(), handled[i]);
        if (cv_signals_next(fd, &by_user) != handled[i] || !by_user)
            return (int)i + 1;
        if (cv_signals_next(fd, &by_user) != 0)
            return (int)i + 101;
    }
    return 0;
}

static void test_every_handled_signal_is_read_once(void **state)
{
    (void)state;
    assert_int_equal(in_child(every_signal), 0);
}

static int child_dies(void)
{
    struct cv_signals signals;
    bool by_user = true;
    cv_signals_take(&signals);
    int fd = cv_signals_open();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    (void)poll(&ready, 1, 20000);
    int signal = cv_signals_next(fd, &by_user);
    siginfo_t info = {0};
    (void)waitid(P_PID, (id_t)child, &info, WEXITED);
    return signal == SIGCHLD && !by_user ? 0 : 1;
}

static void test_the_kernels_own_signals_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(in_child(child_dies), 0);
}

static int taken(void)
{
    struct cv_signals signals;
    for (size_t i = 0; i < CV_COUNT(handled); i++)
        (void)signal(handled[i], i % 2 == 0 ? on_signal : SIG_IGN);
    (void)signal(SIGALRM, on_signal);
    sigset_t more;
    (void)sigemptyset(&more);
    (void)sigaddset(&more, SIGALRM);
    (void)sigprocmask(SIG_BLOCK, &more, NULL);
    cv_signals_take(&signals);
    for (size_t i = 0; i < CV_COUNT(handled); i++)
        if (!is_blocked(handled[i]) || !is_default(handled[i]))
            return (int)i + 1;
    if (is_blocked(SIGALRM) || !is_default(SIGALRM))
        return 50;
    static const int ignored[] = {SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < CV_COUNT(ignored); i++) {
        if (is_blocked(ignored[i]) || is_default(ignored[i]))
            return 51;
        (void)raise(ignored[i]);
    }
    return 0;
}

static void test_what_the_program_had_set_is_set_back(void **state)
{
    (void)state;
    assert_int_equal(in_child(taken), 0);
}

static int reset(void)
{
    struct cv_signals signals;
    cv_signals_take(&signals);
    cv_signals_reset();
    for (int number = 1; number < SIGRTMIN; number++)
        if (number < 32 && (is_blocked(number) || !is_default(number)))
            return number;
    return is_blocked(SIGRTMAX) || !is_default(SIGRTMAX) ? 100 : 0;
}

static void test_a_child_starts_with_defaults_and_nothing_blocked(void **state)
{
    (void)state;
    assert_int_equal(in_child(reset), 0);
}

static int reset_with_pending(void)
{
    struct cv_signals signals;
    cv_signals_take(&signals);
    (void)kill(getpid(), SIGTERM);
    cv_signals_reset();
    return 0;
}

static void test_a_signal_that_was_pending_acts_after_the_reset(void **state)
{
    (void)state;
    assert_int_equal(in_child(reset_with_pending), 128 + SIGTERM);
}

static int hangup_ignored(void)
{
    struct cv_signals signals;
    (void)signal(SIGHUP, SIG_IGN);
    cv_signals_take(&signals);
    return signals.hangup_ignored ? 0 : 1;
}

static int hangup_not_ignored(void)
{
    struct cv_signals signals;
    (void)signal(SIGHUP, SIG_DFL);
    cv_signals_take(&signals);
    if (signals.hangup_ignored)
        return 1;
    (void)signal(SIGHUP, on_signal);
    cv_signals_take(&signals);
    return signals.hangup_ignored ? 2 : 0;
}

static void test_nohup_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(in_child(hangup_ignored), 0);
    assert_int_equal(in_child(hangup_not_ignored), 0);
}

static int flags(void)
{
    int fd = cv_signals_open();
    bool by_user;
    if (fcntl(fd, F_GETFD) != FD_CLOEXEC || (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0)
        return 1;
    return cv_signals_next(fd, &by_user) == 0 && cv_signals_next(-1, &by_user) == 0 ? 0 : 2;
}

static void test_reading_never_blocks_and_never_fails_loudly(void **state)
{
    (void)state;
    assert_int_equal(in_child(flags), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        brood_test(test_a_signal_before_the_opening_is_not_lost),
        brood_test(test_every_handled_signal_is_read_once),
        brood_test(test_the_kernels_own_signals_are_told_apart),
        brood_test(test_what_the_program_had_set_is_set_back),
        brood_test(test_a_child_starts_with_defaults_and_nothing_blocked),
        brood_test(test_a_signal_that_was_pending_acts_after_the_reset),
        brood_test(test_nohup_is_noticed),
        brood_test(test_reading_never_blocks_and_never_fails_loudly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
