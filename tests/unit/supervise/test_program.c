#include "supervise/process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char reason[512];

static int pin(const char *path, const char *object, struct cv_pinned *ret)
{
    static struct cv_program program;
    (void)snprintf(program.path, sizeof(program.path), "%s", path);
    (void)snprintf(program.object, sizeof(program.object), "%s", object);
    *ret = (struct cv_pinned){.program = -1, .object = -1};
    return cv_program_pin(&program, ret, reason, sizeof(reason));
}

/* The number the next descriptor would get. */
static int next_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)close(fd);
    return fd;
}

static void test_what_is_missing_is_named_and_nothing_stays_open(void **state)
{
    (void)state;
    struct cv_pinned pinned;
    int before = next_descriptor();
    assert_int_equal(pin("/nowhere/program", "", &pinned), -ENOENT);
    assert_non_null(strstr(reason, "/nowhere/program"));
    assert_int_equal(pin("/proc/self/exe", "/nowhere/app.so", &pinned), -ENOENT);
    assert_non_null(strstr(reason, "/nowhere/app.so"));
    assert_int_equal(pinned.program, -1);
    assert_int_equal(pinned.object, -1);
    assert_int_equal(next_descriptor(), before);
}

static void test_a_path_too_long_is_refused(void **state)
{
    (void)state;
    static char object[PATH_MAX + 10];
    struct cv_program program;
    memset(object, 'x', sizeof(object) - 1);
    assert_int_equal(cv_program_find(&program, object), -ENAMETOOLONG);
    object[0] = '/';
    assert_int_equal(cv_program_find(&program, object), -ENAMETOOLONG);
}

static void test_the_program_that_runs_is_found(void **state)
{
    (void)state;
    struct cv_program program;
    struct cv_pinned pinned;
    struct stat found;
    struct stat self;
    assert_int_equal(cv_program_find(&program, NULL), 0);
    assert_int_equal(program.path[0], '/');
    assert_string_equal(program.object, "");
    assert_int_equal(cv_program_pin(&program, &pinned, reason, sizeof(reason)), 0);
    assert_int_equal(fstat(pinned.program, &found), 0);
    assert_int_equal(stat("/proc/self/exe", &self), 0);
    assert_true(found.st_ino == self.st_ino && found.st_dev == self.st_dev);
    assert_int_equal(fcntl(pinned.program, F_GETFD), FD_CLOEXEC);
    assert_int_equal(pinned.object, -1);
    cv_program_unpin(&pinned);
    assert_int_equal(pinned.program, -1);
    cv_program_unpin(&pinned); /* again: nothing */
}

/* A `current -> release-7` deployment changes the link, not the path. */
static void test_a_relative_object_is_of_this_directory_and_links_stay(void **state)
{
    (void)state;
    struct cv_program program;
    char cwd[PATH_MAX];
    char wanted[PATH_MAX + 32];
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(cv_program_find(&program, "current/app.so"), 0);
    (void)snprintf(wanted, sizeof(wanted), "%s/current/app.so", cwd);
    assert_string_equal(program.object, wanted);
    assert_int_equal(cv_program_find(&program, "/proc/self/exe"), 0);
    assert_string_equal(program.object, "/proc/self/exe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_missing_is_named_and_nothing_stays_open),
        cmocka_unit_test(test_a_path_too_long_is_refused),
        cmocka_unit_test(test_the_program_that_runs_is_found),
        cmocka_unit_test(test_a_relative_object_is_of_this_directory_and_links_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
