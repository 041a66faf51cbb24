#include "base/which.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int start(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/covey-which-XXXXXX");
    if (mkdtemp(folder) == NULL || mkdir(in_folder("covey-folder"), 0755) < 0)
        return -1;
    int tool = open(in_folder("tool"), O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    int text = open(in_folder("text"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    return tool >= 0 && text >= 0 && close(tool) == 0 && close(text) == 0 ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    (void)unlink(in_folder("tool"));
    (void)unlink(in_folder("text"));
    (void)rmdir(in_folder("covey-folder"));
    return rmdir(folder);
}

static void test_names_are_looked_for_in_path(void **state)
{
    (void)state;
    char path[PATH_MAX];
    char list[256];
    (void)snprintf(list, sizeof(list), "/nowhere:%s:/usr/bin", folder);
    assert_int_equal(setenv("PATH", list, 1), 0);
    assert_int_equal(cv_which("tool", path), 0);
    assert_string_equal(path, in_folder("tool"));
    assert_int_equal(cv_which("text", path), -EACCES);
    assert_int_equal(cv_which("covey-folder", path), -EACCES);
    assert_int_equal(cv_which("no-such-tool", path), -ENOENT);
    assert_int_equal(cv_which("", path), -ENOENT);
}

static void test_paths_are_taken_as_they_are(void **state)
{
    (void)state;
    char path[PATH_MAX];
    assert_int_equal(cv_which(in_folder("tool"), path), 0);
    assert_string_equal(path, in_folder("tool"));
    assert_int_equal(cv_which(in_folder("text"), path), -EACCES);
    assert_int_equal(cv_which(in_folder("none"), path), -ENOENT);
    char long_name[PATH_MAX + 8];
    memset(long_name, '/', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(cv_which(long_name, path), -ENAMETOOLONG);
}

static void test_without_path_there_is_a_default(void **state)
{
    (void)state;
    char path[PATH_MAX];
    assert_int_equal(unsetenv("PATH"), 0);
    assert_int_equal(cv_which("sh", path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_looked_for_in_path),
        cmocka_unit_test(test_paths_are_taken_as_they_are),
        cmocka_unit_test(test_without_path_there_is_a_default),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
