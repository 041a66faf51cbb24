#include "supervise/guardian/pidfile.h"

#include "base/fd.h"
#include "brood.h"

#include <stdlib.h>
#include <sys/file.h>

static char folder[64];
static char path[96];
static char reason[512];
static struct cv_pidfile pidfile;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/covey-pidfile-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/app.pid", folder);
    return 0;
}

static int tear_down(void **state)
{
    if (pidfile.fd >= 0)
        (void)close(pidfile.fd);
    (void)unlink(path);
    (void)rmdir(path);
    (void)rmdir(folder);
    return brood_end(state);
}

static int take(void)
{
    return cv_pidfile_take(&pidfile, path, reason, sizeof(reason));
}

static void write_text(const char *text)
{
    CV_AUTOCLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(cv_fd_write_all(fd, text, strlen(text)), 0);
}

static void assert_holds(const char *text)
{
    char got[128];
    assert_true(cv_fd_slurp(path, got, sizeof(got)) >= 0);
    assert_string_equal(got, text);
}

static void assert_holds_own_pid(void)
{
    char own[32];
    (void)snprintf(own, sizeof(own), "%d\n", (int)getpid());
    assert_holds(own);
}

static void assert_says(const char *what)
{
    if (strstr(reason, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, what);
}

/* ---- What is refused ---- */

static void test_file_of_something_else_is_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"root:x:0:0\n",
                                        "\n",
                                        "-1\n",
                                        "12 13\n",
                                        "99999999999\n",
                                        "1\n2\n",
                                        "11111111111111111111111111111111111111111\n"};
    for (size_t i = 0; i < CV_COUNT(texts); i++) {
        write_text(texts[i]);
        assert_int_equal(take(), -EBADMSG);
        assert_says("what is there is no pid file");
        assert_holds(texts[i]);
    }
}

static void test_what_is_no_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(take(), -EISDIR);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(take(), -ELOOP);
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(take(), -EBADMSG);
    assert_int_equal(cv_pidfile_take(&pidfile, "/nowhere/at/all.pid", reason, sizeof(reason)),
                     -ENOENT);
    assert_says("cannot write the pid file /nowhere/at/all.pid: No such file");
}

static void test_file_of_one_who_lives_is_refused_and_left(void **state)
{
    (void)state;
    write_text("4711\n");
    CV_AUTOCLOSE int holder = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(holder, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(take(), -EAGAIN);
    assert_says("another instance runs, as process 4711: it holds /tmp/");
    assert_holds("4711\n");
    write_text("");
    assert_int_equal(take(), -EAGAIN);
    assert_says("another instance runs: it holds");
}

/* ---- What is taken ---- */

static void test_none_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(cv_pidfile_take(&pidfile, "", reason, sizeof(reason)), 0);
    cv_pidfile_remove(&pidfile);
}

static void test_new_file_holds_the_pid_until_it_is_removed(void **state)
{
    (void)state;
    assert_int_equal(take(), 0);
    assert_holds_own_pid();
    cv_pidfile_remove(&pidfile);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_stale_and_empty_files_are_taken_over(void **state)
{
    (void)state;
    write_text("2147483647\n");
    assert_int_equal(take(), 0);
    assert_holds_own_pid();
    (void)close(pidfile.fd);
    write_text("123"); /* as others write it */
    assert_int_equal(take(), 0);
    assert_holds_own_pid();
    (void)close(pidfile.fd);
    write_text("");
    assert_int_equal(take(), 0);
    assert_holds_own_pid();
}

static void test_file_of_a_successor_is_not_removed(void **state)
{
    (void)state;
    assert_int_equal(take(), 0);
    assert_int_equal(unlink(path), 0);
    write_text("4711\n");
    cv_pidfile_remove(&pidfile);
    assert_holds("4711\n");
}

static void test_child_that_lives_on_keeps_it_taken(void **state)
{
    (void)state;
    struct cv_pidfile other;
    assert_int_equal(take(), 0);
    int gate[2];
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        (void)close(gate[1]);
        (void)!read(gate[0], &byte, 1);
        _exit(0);
    }
    (void)close(gate[0]);
    (void)close(pidfile.fd);
    pidfile.fd = -1;
    int rc = cv_pidfile_take(&other, path, reason, sizeof(reason));
    (void)close(gate[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(rc, -EAGAIN);
    assert_int_equal(take(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_of_something_else_is_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_of_one_who_lives_is_refused_and_left, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_none_is_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_new_file_holds_the_pid_until_it_is_removed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_stale_and_empty_files_are_taken_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_file_of_a_successor_is_not_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_child_that_lives_on_keeps_it_taken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
