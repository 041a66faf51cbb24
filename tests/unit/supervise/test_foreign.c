#include "supervise/process/foreign.h"

#include "brood.h"

#include "base/macros.h"
#include "supervise/shared/boot.h"

#include <stdlib.h>

/* A word of an argv or an environment, which are not const. */
#define WORD(text) ((char *)(uintptr_t)(text))

static const struct cv_privilege nobody_else;

/* Starts `sh -c script` with these listeners; its exit code. */
static int run_with(const char *script, const int *listeners, int n, int program, char **entries)
{
    char *const argv[] = {WORD("sh"), WORD("-c"), WORD(script), NULL};
    static char pid[32] = "LISTEN_PID=";
    char *own[8] = {pid};
    for (int i = 0; entries != NULL && entries[i] != NULL; i++)
        own[i + 1] = entries[i];
    CV_AUTOFREE char **envp = cv_foreign_environment(own);
    assert_non_null(envp);
    struct cv_foreign foreign = {.program = program,
                                 .path = "/bin/sh",
                                 .argv = argv,
                                 .envp = envp,
                                 .pid_text = pid + sizeof("LISTEN_PID=") - 1,
                                 .listeners = listeners,
                                 .n_listeners = n,
                                 .user = &nobody_else,
                                 .nofile = 123,
                                 .door = -1};
    pid_t child = cv_foreign_start(&foreign);
    if (child < 0)
        return child;
    brood_adopt(child);
    return brood_wait(child);
}

static int run_script(const char *script)
{
    return run_with(script, NULL, 0, -1, NULL);
}

static void test_it_is_told_its_own_pid(void **state)
{
    (void)state;
    assert_int_equal(run_script("test \"$LISTEN_PID\" = $$"), 0);
}

static void test_it_has_the_limit_that_the_user_has_set(void **state)
{
    (void)state;
    assert_int_equal(run_script("test $(ulimit -n) = 123"), 0);
}

static void test_listeners_come_from_descriptor_3_on_in_their_order(void **state)
{
    (void)state;
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int second = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_true(first >= 3 && second >= 3);
    const char *script = "test $(readlink /proc/$$/fd/3) = /dev/zero && test $(readlink "
                         "/proc/$$/fd/4) = /dev/null && test ! -e /proc/$$/fd/5";
    int program = open("/bin/sh", O_PATH | O_CLOEXEC);
    assert_int_equal(run_with(script, (int[]){second, first}, 2, -1, NULL), 0);
    assert_int_equal(run_with(script, (int[]){second, first}, 2, program, NULL), 0);
    assert_true((fcntl(first, F_GETFD) & FD_CLOEXEC) != 0); /* ours stay as they were */
    (void)close(first);
    (void)close(second);
    (void)close(program);
}

static void test_what_is_pinned_runs_when_the_path_is_another_file(void **state)
{
    (void)state;
    int program = open("/bin/true", O_PATH | O_CLOEXEC);
    assert_int_equal(run_with("exit 7", NULL, 0, program, NULL), 0);
    (void)close(program);
}

static void test_entries_replace_what_is_there_and_covey_stays_out(void **state)
{
    (void)state;
    assert_int_equal(setenv("SOME", "old", 1), 0);
    assert_int_equal(setenv("SOMETHING", "else", 1), 0);
    assert_int_equal(setenv(CV_BOOT_VARIABLE, "3", 1), 0);
    char *entries[] = {WORD("SOME=new"), NULL};
    int code =
        run_with("test \"$SOME\" = new && test \"$SOMETHING\" = else && test -z \"$_COVEY_BOOT\"",
                 NULL, 0, -1, entries);
    assert_int_equal(unsetenv(CV_BOOT_VARIABLE), 0);
    assert_int_equal(code, 0);
}

static void test_a_program_that_is_not_there_is_an_error(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it makes a fork of vfork, whose child has no way to tell */
#endif
    char *const argv[] = {WORD("x"), NULL};
    char *none[] = {NULL};
    struct cv_foreign foreign = {.program = -1,
                                 .path = "/no/such",
                                 .argv = argv,
                                 .envp = none,
                                 .user = &nobody_else,
                                 .door = -1};
    assert_int_equal(cv_foreign_start(&foreign), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_it_is_told_its_own_pid, brood_end),
        cmocka_unit_test_teardown(test_it_has_the_limit_that_the_user_has_set, brood_end),
        cmocka_unit_test_teardown(test_listeners_come_from_descriptor_3_on_in_their_order,
                                  brood_end),
        cmocka_unit_test_teardown(test_what_is_pinned_runs_when_the_path_is_another_file,
                                  brood_end),
        cmocka_unit_test_teardown(test_entries_replace_what_is_there_and_covey_stays_out,
                                  brood_end),
        cmocka_unit_test_teardown(test_a_program_that_is_not_there_is_an_error, brood_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
