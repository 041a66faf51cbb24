#include "cli/doctor/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/covey-doctor-XXXXXX";
static int dir = -1;

static int start(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)setenv("XDG_RUNTIME_DIR", folder, 1);
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    return dir < 0;
}

static int finish(void **state)
{
    (void)state;
    (void)close(dir);
    return rmdir(folder);
}

/* A bound socket at folder/name. */
static int bound(int type, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void remove_file(const char *name)
{
    assert_int_equal(unlinkat(dir, name, 0), 0);
}

/* The file folder/name among those that were seen; false if it was not. */
static bool look(struct cv_arena *arena, const char *name, struct cv_doctor_file *ret)
{
    char path[128];
    struct cv_buf files;
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    cv_buf_init(&files, 1U << 24);
    assert_int_equal(cv_doctor_look_at_files(arena, &files), 0);
    const struct cv_doctor_file *all = (const struct cv_doctor_file *)(void *)files.at;
    for (size_t i = 0; i < files.len / sizeof(*all); i++) {
        if (strcmp(all[i].path, path) == 0) {
            *ret = all[i];
            n++;
        }
    }
    cv_buf_done(&files);
    assert_in_range(n, 0, 1); /* /tmp and XDG_RUNTIME_DIR both lead to it */
    return n == 1;
}

static void test_bound_socket_of_each_type_is_seen_as_such(void **state)
{
    (void)state;
    const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    for (size_t i = 0; i < CV_COUNT(types); i++) {
        int fd = bound(types[i], "s");
        assert_true(cv_doctor_is_bound(dir, "s"));
        (void)close(fd);
        assert_false(cv_doctor_is_bound(dir, "s"));
        remove_file("s");
    }
    assert_true(cv_doctor_is_bound(dir, "s")); /* what cannot be told counts as used */
}

static void test_listener_does_not_notice_that_it_was_asked(void **state)
{
    (void)state;
    int fd = bound(SOCK_STREAM, "s");
    assert_int_equal(listen(fd, 4), 0);
    assert_true(cv_doctor_is_bound(dir, "s"));
    assert_int_equal(accept(fd, NULL, NULL), -1);
    (void)close(fd);
    remove_file("s");
}

static void test_left_socket_is_found_once_and_removed(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    struct cv_doctor_file file;
    (void)close(bound(SOCK_STREAM, "left"));
    assert_true(look(&arena, "left", &file));
    assert_true(file.is_socket && !file.is_used);
    assert_int_equal(file.uid, geteuid());
    assert_int_equal(cv_doctor_remove(&file), 0);
    assert_int_equal(faccessat(dir, "left", F_OK, 0), -1);
    assert_int_equal(cv_doctor_remove(&file), -ENOENT);
    cv_arena_done(&arena);
}

static void test_file_that_has_changed_is_not_removed(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    struct cv_doctor_file file;
    (void)close(bound(SOCK_STREAM, "left"));
    assert_true(look(&arena, "left", &file));
    int first = openat(dir, "left", O_PATH); /* its inode number shall not come back */
    remove_file("left");
    int fd = bound(SOCK_STREAM, "left");
    assert_int_equal(cv_doctor_remove(&file), -ENOENT);
    assert_false(look(&arena, "left", &file)); /* in use: not told at all */
    (void)close(fd);
    (void)close(first);
    remove_file("left");
    cv_arena_done(&arena);
}

static void test_socket_that_is_in_use_again_is_not_removed(void **state)
{
    (void)state;
    int fd = bound(SOCK_STREAM, "s");
    char path[128];
    struct stat about;
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    assert_int_equal(stat(path, &about), 0);
    struct cv_doctor_file file = {
        .is_socket = true, .path = path, .dev = about.st_dev, .ino = about.st_ino};
    assert_int_equal(cv_doctor_remove(&file), -EBUSY);
    (void)close(fd);
    remove_file("s");
}

static void test_links_on_the_way_are_not_followed(void **state)
{
    (void)state;
    (void)close(bound(SOCK_STREAM, "s"));
    assert_int_equal(symlinkat(folder, dir, "link"), 0);
    char path[128];
    struct stat about;
    (void)snprintf(path, sizeof(path), "%s/link/s", folder);
    assert_int_equal(stat(path, &about), 0);
    struct cv_doctor_file file = {
        .is_socket = true, .path = path, .dev = about.st_dev, .ino = about.st_ino};
    assert_int_equal(cv_doctor_remove(&file), -ELOOP);
    remove_file("link");
    remove_file("s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_socket_of_each_type_is_seen_as_such),
        cmocka_unit_test(test_listener_does_not_notice_that_it_was_asked),
        cmocka_unit_test(test_left_socket_is_found_once_and_removed),
        cmocka_unit_test(test_file_that_has_changed_is_not_removed),
        cmocka_unit_test(test_socket_that_is_in_use_again_is_not_removed),
        cmocka_unit_test(test_links_on_the_way_are_not_followed),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
