#include "supervise/process/snapshot.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];
static char reason[256];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/covey-snapshot-%d", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static void write_file(const char *text, off_t size)
{
    CV_AUTOCLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(cv_fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(ftruncate(fd, size), 0);
}

static void test_what_cannot_be_read_is_named(void **state)
{
    (void)state;
    assert_int_equal(cv_snapshot("/nowhere/at/all", reason, sizeof(reason)), -ENOENT);
    assert_string_equal(reason, "cannot read /nowhere/at/all: No such file or directory");
    assert_int_equal(cv_snapshot("/tmp", reason, sizeof(reason)), -EISDIR);
    write_file("", CV_SNAPSHOT_MAX + 1);
    assert_int_equal(cv_snapshot(path, reason, sizeof(reason)), -EFBIG);
}

static void test_copy_stays_as_the_file_was(void **state)
{
    (void)state;
    char got[16] = "";
    write_file("first", 5);
    CV_AUTOCLOSE int fd = cv_snapshot(path, reason, sizeof(reason));
    assert_true(fd >= 0);
    write_file("second", 6);
    assert_int_equal(pread(fd, got, sizeof(got), 0), 5);
    assert_string_equal(got, "first");
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void test_largest_file_is_copied_whole(void **state)
{
    (void)state;
    write_file("x", CV_SNAPSHOT_MAX);
    CV_AUTOCLOSE int fd = cv_snapshot(path, reason, sizeof(reason));
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), CV_SNAPSHOT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy_stays_as_the_file_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_largest_file_is_copied_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
