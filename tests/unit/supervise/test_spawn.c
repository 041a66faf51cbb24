/* The program that is spawned is this one: with the boot variable it is a child that reports. */
#include "supervise/process/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "brood.h"
#include "supervise/process/signals.h"
#include "supervise/shared/channel.h"

extern char **environ;

/* ---- The child ---- */

static int check_signals(void)
{
    sigset_t blocked;
    (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        (void)sigaction(number, NULL, &action);
        bool is_sanitizers = number == SIGSEGV || number == SIGBUS || number == SIGFPE;
        if (sigismember(&blocked, number) == 1 || (action.sa_handler != SIG_DFL && !is_sanitizers))
            return 20;
    }
    return 0;
}

/* 0-2 and those of the boot; the one of the boot itself is closed by now. */
static int check_descriptors(const struct cv_boot *boot)
{
    int wanted = 3 + 3 + (int)boot->n_listeners + (boot->object >= 0);
    struct stat st;
    if (fstat(boot->channel, &st) < 0 || !S_ISSOCK(st.st_mode))
        return 30;
    return open_descriptors() == wanted ? 0 : 31;
}

static int check_environment(const struct cv_boot *boot)
{
    int n_tags = 0;
    for (char **entry = environ; *entry != NULL; entry++)
        n_tags += strncmp(*entry, CV_TAG_VARIABLE "=", sizeof(CV_TAG_VARIABLE)) == 0;
    const char *tag = getenv(CV_TAG_VARIABLE);
    if (n_tags != 1 || tag == NULL || strcmp(tag, boot->tag) != 0)
        return 40;
    const char *kept = getenv("KEPT");
    return kept != NULL && strcmp(kept, "as it was") == 0 ? 0 : 41;
}

static int check_parent_death(void)
{
    int signal = 0;
    (void)prctl(PR_GET_PDEATHSIG, &signal);
    return signal == SIGKILL ? 0 : 50;
}

static int be_child(int argc, char **argv)
{
    struct cv_boot boot;
    (void)alarm(BROOD_SECONDS);
    if (cv_boot_read(&boot) != 1)
        return 10;
    if (argc == 2 && strcmp(argv[1], "stay") == 0) {
        (void)cv_channel_tell(boot.channel, CV_MSG_READY, (uint32_t)getpid(), 0);
        for (;;)
            (void)pause();
    }
    if (argc != 3 || strcmp(argv[1], "with space") != 0 || argv[2][0] != '\0')
        return 11;
    int code = check_signals();
    if (code == 0)
        code = check_descriptors(&boot);
    if (code == 0)
        code = check_environment(&boot);
    if (code == 0)
        code = check_parent_death();
    return code;
}

/* ---- The parent ---- */

struct nest {
    struct cv_program program;
    struct cv_pinned pinned;
    struct cv_boot boot;
    int channel[2];
    int listener;
};

static struct nest nest;
static char name[] = "worker";
static char stay[] = "stay";
static char space[] = "with space";
static char empty[] = "";

static void nest_close(struct nest *it)
{
    const int fds[] = {it->channel[0], it->channel[1], it->listener, it->boot.state,
                       it->boot.parent_fd};
    for (size_t i = 0; i < CV_COUNT(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    cv_program_unpin(&it->pinned);
}

static int nest_fill(struct nest *it)
{
    char reason[512];
    *it = (struct nest){.pinned = {-1, -1}, .channel = {-1, -1}, .listener = -1};
    cv_boot_init(&it->boot);
    it->boot.parent = getpid();
    it->boot.parent_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    it->boot.state = open("/dev/null", O_RDWR | O_CLOEXEC);
    it->boot.object = -1;
    it->listener = open("/dev/null", O_RDWR | O_CLOEXEC);
    it->boot.listeners[0] = it->listener;
    it->boot.n_listeners = 1;
    (void)snprintf(it->boot.tag, sizeof(it->boot.tag), "0123456789abcdef-1");
    if (cv_channel_pair(it->channel) < 0 || cv_program_find(&it->program, NULL) < 0 ||
        cv_program_pin(&it->program, &it->pinned, reason, sizeof(reason)) < 0)
        return -1;
    it->boot.channel = it->channel[1];
    return 0;
}

static int nest_open(void **state)
{
    (void)state;
    (void)setenv("KEPT", "as it was", 1);
    (void)unsetenv(CV_TAG_VARIABLE);
    return nest_fill(&nest);
}

static int nest_done(void **state)
{
    nest_close(&nest);
    return brood_end(state);
}

static void assert_descriptors_close_on_exec(void)
{
    const int fds[] = {nest.channel[0], nest.channel[1], nest.listener, nest.boot.state,
                       nest.boot.parent_fd};
    for (size_t i = 0; i < CV_COUNT(fds); i++)
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
}

static void test_what_cannot_be_executed_is_an_error_and_a_child_to_reap(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it makes a fork of vfork, whose child has no way to tell */
#endif
    char *argv[] = {name, NULL};
    int before = open_descriptors();
    struct cv_pinned null = {.program = open("/dev/null", O_PATH | O_CLOEXEC), .object = -1};
    assert_int_equal(cv_spawn_exec(&null, &nest.boot, argv, -1), -EACCES);
    (void)close(null.program);
    siginfo_t info = {0};
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED), 0);
    assert_int_equal(info.si_status, 127);
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), -1);
    assert_int_equal(open_descriptors(), before);
    assert_descriptors_close_on_exec();
    const struct cv_pinned nothing = {.program = -1, .object = -1};
    assert_true(cv_spawn_exec(&nothing, &nest.boot, argv, -1) < 0);
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED), 0);
}

/* All that the child checks: signals, descriptors, environment, parent-death signal, arguments. */
static void test_a_worker_gets_what_it_is_promised_and_nothing_else(void **state)
{
    (void)state;
    char *argv[] = {name, space, empty, NULL};
    int extra = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t pid = brood_fork(); /* the master: with its own signals */
    if (pid == 0) {
        struct cv_signals signals;
        nest.boot.parent = getpid();
        cv_signals_take(&signals);
        (void)signal(SIGALRM, SIG_IGN);
        (void)setenv(CV_TAG_VARIABLE, "of-an-outer-server", 1);
        pid_t worker = cv_spawn_exec(&nest.pinned, &nest.boot, argv, -1);
        siginfo_t info = {0};
        if (worker < 0 || waitid(P_PID, (id_t)worker, &info, WEXITED) < 0)
            _exit(1);
        _exit(info.si_code == CLD_EXITED ? info.si_status : 2);
    }
    assert_int_equal(brood_wait(pid), 0);
    (void)close(extra);
}

static void test_the_parent_is_as_before(void **state)
{
    (void)state;
    char *argv[] = {name, stay, NULL};
    char **before_environ = environ;
    int before = open_descriptors();
    (void)setenv(CV_TAG_VARIABLE, "of-an-outer-server", 1);
    struct sigaction was;
    struct sigaction is;
    (void)signal(SIGUSR1, SIG_IGN);
    (void)sigaction(SIGUSR1, NULL, &was);
    pid_t pid = cv_spawn_exec(&nest.pinned, &nest.boot, argv, -1);
    assert_true(pid > 0);
    brood_adopt(pid);
    (void)sigaction(SIGUSR1, NULL, &is);
    (void)signal(SIGUSR1, SIG_DFL);
    assert_true(was.sa_handler == is.sa_handler);
    assert_int_equal(open_descriptors(), before + 1); /* brood's pidfd */
    assert_string_equal(getenv(CV_TAG_VARIABLE), "of-an-outer-server");
    assert_null(getenv(CV_BOOT_VARIABLE));
    assert_non_null(before_environ);
    assert_descriptors_close_on_exec();
}

static void test_an_empty_environment_is_no_obstacle(void **state)
{
    (void)state;
    char *argv[] = {name, stay, NULL};
    char **kept = environ;
    environ = NULL;
    pid_t pid = cv_spawn_exec(&nest.pinned, &nest.boot, argv, -1);
    environ = kept;
    assert_true(pid > 0);
    brood_adopt(pid);
    static struct cv_message message;
    struct pollfd ready = {.fd = nest.channel[0], .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 20000), 1);
    assert_int_equal(cv_channel_receive(nest.channel[0], &message), 1);
    assert_int_equal(message.word[0], pid);
}

static void test_a_worker_dies_with_its_master(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    char *argv[] = {name, stay, NULL};
    pid_t master = brood_fork();
    if (master == 0) {
        nest.boot.parent = getpid();
        if (cv_spawn_exec(&nest.pinned, &nest.boot, argv, -1) < 0)
            _exit(1);
        for (;;)
            (void)pause();
    }
    static struct cv_message message;
    struct pollfd ready = {.fd = nest.channel[0], .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 20000), 1);
    assert_int_equal(cv_channel_receive(nest.channel[0], &message), 1);
    pid_t worker = (pid_t)message.word[0];
    brood_signal(master, SIGKILL);
    assert_int_equal(brood_wait(master), 128 + SIGKILL);
    brood_adopt(worker);
    assert_int_equal(brood_wait(worker), 128 + SIGKILL);
}

/* A file that is replaced on the disk is not picked up before somebody pins it anew. */
static void test_what_was_pinned_is_what_runs(void **state)
{
    (void)state;
    char path[] = "/tmp/covey-spawn-XXXXXX";
    int to = mkstemp(path);
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    static char bytes[1 << 16];
    ssize_t got;
    int rc = 0;
    while (rc == 0 && (got = read(from, bytes, sizeof(bytes))) > 0)
        rc = cv_fd_write_all(to, bytes, (size_t)got);
    (void)fchmod(to, 0700);
    (void)close(from);
    (void)close(to);

    char reason[256];
    struct cv_pinned pinned;
    (void)snprintf(nest.program.path, sizeof(nest.program.path), "%s", path);
    int pin = cv_program_pin(&nest.program, &pinned, reason, sizeof(reason));
    (void)unlink(path); /* and what is put there now is no program */
    (void)close(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
    char *argv[] = {name, stay, NULL};
    pid_t pid = pin == 0 ? cv_spawn_exec(&pinned, &nest.boot, argv, -1) : -1;
    (void)unlink(path);
    assert_int_equal(rc, 0);
    assert_int_equal(pin, 0);
    cv_program_unpin(&pinned);
    assert_true(pid > 0);
    brood_adopt(pid);
    struct pollfd ready = {.fd = nest.channel[0], .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 20000), 1);
}

static void test_a_forked_worker_starts_like_an_execd_one(void **state)
{
    (void)state;
    pid_t master = brood_fork();
    if (master == 0) {
        struct cv_signals signals;
        cv_signals_take(&signals);
        pid_t worker = cv_spawn_fork(-1);
        if (worker == 0) {
            int code = check_signals();
            _exit(code != 0 ? code : check_parent_death());
        }
        siginfo_t info = {0};
        (void)waitid(P_PID, (id_t)worker, &info, WEXITED);
        _exit(info.si_code == CLD_EXITED ? info.si_status : 2);
    }
    assert_int_equal(brood_wait(master), 0);
}

#define nest_test(test) cmocka_unit_test_setup_teardown(test, nest_open, nest_done)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        nest_test(test_what_cannot_be_executed_is_an_error_and_a_child_to_reap),
        nest_test(test_a_worker_gets_what_it_is_promised_and_nothing_else),
        nest_test(test_the_parent_is_as_before),
        nest_test(test_an_empty_environment_is_no_obstacle),
        nest_test(test_a_worker_dies_with_its_master),
        nest_test(test_what_was_pinned_is_what_runs),
        nest_test(test_a_forked_worker_starts_like_an_execd_one),
    };
    if (getenv(CV_BOOT_VARIABLE) != NULL)
        return be_child(argc, argv);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* whatever this program was given */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
