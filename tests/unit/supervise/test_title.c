#include "supervise/process/title.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "brood.h"

extern char **environ;

static char **own_argv;

struct seen {
    char cmdline[4096];
    ssize_t cmdline_len;
    char name[32];
    char environ[1 << 16];
    ssize_t environ_len;
};

/* What others see of a process. */
static struct seen look_at(pid_t pid)
{
    static struct seen seen;
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    seen.cmdline_len = cv_fd_slurp(path, seen.cmdline, sizeof(seen.cmdline));
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    assert_true(cv_fd_slurp(path, seen.name, sizeof(seen.name)) > 0);
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    seen.environ_len = cv_fd_slurp(path, seen.environ, sizeof(seen.environ));
    return seen;
}

/* A child that calls `fn` and then stays, so that it can be looked at. */
static struct seen look_after(void (*fn)(void))
{
    int fds[2];
    char byte = 'x';
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = brood_fork();
    if (pid == 0) {
        fn();
        (void)!write(fds[1], "y", 1);
        for (;;)
            (void)pause();
    }
    ssize_t got = read(fds[0], &byte, 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(got, 1);
    assert_int_equal(byte, 'y');
    return look_at(pid);
}

static bool shows_variable(const struct seen *seen, const char *entry)
{
    for (const char *at = seen->environ; at < seen->environ + seen->environ_len;
         at += strlen(at) + 1)
        if (strcmp(at, entry) == 0)
            return true;
    return false;
}

static void set_plain(void)
{
    cv_title_set("hello", "worker 2", NULL);
}

static void test_a_title_is_what_ps_shows(void **state)
{
    (void)state;
    struct seen seen = look_after(set_plain);
    assert_string_equal(seen.cmdline, "hello: worker 2");
    assert_int_equal(seen.cmdline_len, sizeof("hello: worker 2"));
    assert_string_equal(seen.name, "hello\n");
    assert_true(shows_variable(&seen, "COVEY_TEST_VARIABLE=seen")); /* as before */
}

static void set_long(void)
{
    static char what[2000];
    memset(what, 'w', sizeof(what) - 1);
    cv_title_set("a-name-that-is-longer-than-the-kernel-keeps", what, NULL);
}

static void test_a_long_title_is_cut(void **state)
{
    (void)state;
    struct seen seen = look_after(set_long);
    assert_int_equal(strlen(seen.cmdline), 255);
    assert_memory_equal(seen.cmdline, "a-name-that-is-longer-than-the-kernel-keeps: www", 48);
    assert_string_equal(seen.name, "a-name-that-is-\n");
}

static void set_often(void)
{
    cv_title_set("hello", "guardian", NULL);
    cv_title_set("hello", "master, with a longer title than before", NULL);
    cv_title_set("hello", "w", "TAG=1");
    cv_title_set("hello", "again", "TAG=2");
}

static void test_the_last_title_counts(void **state)
{
    (void)state;
    struct seen seen = look_after(set_often);
    assert_string_equal(seen.cmdline, "hello: again");
    assert_true(shows_variable(&seen, "TAG=2"));
    assert_false(shows_variable(&seen, "TAG=1"));
}

static void set_with_variable(void)
{
    cv_title_set("hello", "worker 0", "TAG=0123456789abcdef-1");
    if (getenv("TAG") != NULL || getenv("COVEY_TEST_VARIABLE") == NULL)
        _exit(1);
}

static void test_a_variable_is_added_to_what_others_see_only(void **state)
{
    (void)state;
    struct seen seen = look_after(set_with_variable);
    assert_true(shows_variable(&seen, "TAG=0123456789abcdef-1"));
    for (char **entry = environ; *entry != NULL; entry++)
        assert_true(shows_variable(&seen, *entry));
}

static void set_without_environment(void)
{
    (void)clearenv();
    cv_title_set("hello", "worker 0", "TAG=1");
}

static void test_an_empty_environment_shows_the_variable_alone(void **state)
{
    (void)state;
    struct seen seen = look_after(set_without_environment);
    assert_int_equal(seen.environ_len, sizeof("TAG=1"));
    assert_string_equal(seen.environ, "TAG=1");
}

/* What follows "--" on the command line is the app's to read, whenever it likes. */
static void set_and_check_argv(void)
{
    cv_title_set("hello", "a title that is much longer than any name of this program could be",
                 NULL);
    if (strcmp(own_argv[1], "--") != 0 || strcmp(own_argv[2], "the-apps-own") != 0)
        _exit(1);
}

static void test_argv_itself_is_not_touched(void **state)
{
    (void)state;
    (void)look_after(set_and_check_argv);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        brood_test(test_a_title_is_what_ps_shows),
        brood_test(test_a_long_title_is_cut),
        brood_test(test_the_last_title_counts),
        brood_test(test_a_variable_is_added_to_what_others_see_only),
        brood_test(test_an_empty_environment_shows_the_variable_alone),
        brood_test(test_argv_itself_is_not_touched),
    };
    if (argc == 1) { /* once more, with arguments and a variable that the kernel has seen */
        char dashes[] = "--";
        char rest[] = "the-apps-own";
        char *again[] = {argv[0], dashes, rest, NULL};
        (void)setenv("COVEY_TEST_VARIABLE", "seen", 1);
        (void)execv("/proc/self/exe", again);
        return 1;
    }
    own_argv = argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
