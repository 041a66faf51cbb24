/* Opening files: what is taken, what is read, and no way out of a root. */
#include "folder.h"

#include "serve/file.h"

#include <sys/socket.h>
#include <sys/un.h>

static int open_in(int root, const char *path, struct cv_file **ret)
{
    const struct cv_file_how how = {.root = root};
    return cv_file_open(&how, path, ret);
}

static int try_open(int root, const char *path)
{
    struct cv_file *file;
    int rc = open_in(root, path, &file);
    if (rc == 0)
        cv_file_unref(file);
    return rc;
}

static void test_a_small_file_is_read_and_closed(void **state)
{
    unsigned before = descriptors();
    struct cv_file *file;
    (void)state;
    write_file("a", "content");
    assert_int_equal(open_in(-1, "a", &file), 0);
    assert_int_equal(descriptors(), before);
    assert_int_equal(file->id.size, 7);
    assert_memory_equal(file->bytes, "content", 7);
    assert_string_equal(file->name, "a");
    cv_file_unref(file);
}

static void test_an_empty_file_is_one(void **state)
{
    struct cv_file *file;
    (void)state;
    write_file("a", "");
    assert_int_equal(open_in(-1, "a", &file), 0);
    assert_int_equal(file->id.size, 0);
    assert_non_null(file->bytes);
    cv_file_unref(file);
}

static void test_a_large_file_keeps_its_descriptor(void **state)
{
    unsigned before = descriptors();
    struct cv_file *file;
    (void)state;
    write_file("a", "");
    assert_int_equal(truncate("a", CV_FILE_SMALL + 1), 0);
    assert_int_equal(open_in(-1, "a", &file), 0);
    assert_null(file->bytes);
    assert_true(file->fd >= 0);
    assert_int_equal(descriptors(), before + 1);
    cv_file_ref(file);
    cv_file_unref(file);
    cv_file_unref(file);
    assert_int_equal(descriptors(), before);
    assert_int_equal(truncate("a", CV_FILE_SMALL), 0);
    assert_int_equal(open_in(-1, "a", &file), 0);
    assert_non_null(file->bytes);
    cv_file_unref(file);
}

static void test_only_regular_files_are_opened(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    unsigned before = descriptors();
    (void)state;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(mkdir("folder", 0700), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(try_open(-1, "fifo"), -ENXIO);
    assert_int_equal(try_open(-1, "folder"), -EISDIR);
    assert_int_equal(try_open(-1, "socket"), -ENXIO);
    assert_int_equal(try_open(-1, "/dev/null"), -ENXIO);
    assert_int_equal(try_open(-1, "missing"), -ENOENT);
    assert_int_equal(try_open(-1, "fifo/x"), -ENOTDIR);
    assert_int_equal(descriptors(), before);
}

static void test_nothing_leads_out_of_a_root(void **state)
{
    (void)state;
    write_file("outside", "secret");
    assert_int_equal(mkdir("root", 0700), 0);
    assert_int_equal(mkdir("root/sub", 0700), 0);
    write_file("root/a", "a");
    write_file("root/sub/b", "b");
    assert_int_equal(symlink("../outside", "root/out"), 0);
    assert_int_equal(symlink("..", "root/up"), 0);
    assert_int_equal(symlink("/etc/passwd", "root/absolute"), 0);
    assert_int_equal(symlink("/proc/self/root", "root/magic"), 0);
    assert_int_equal(symlink("loop", "root/loop"), 0);
    assert_int_equal(symlink("sub/b", "root/in"), 0);
    assert_int_equal(symlink("../a", "root/sub/in"), 0);
    int root = cv_file_root_open("root");
    assert_true(root >= 0);
    assert_int_equal(try_open(root, "a"), 0);
    assert_int_equal(try_open(root, "in"), 0);
    assert_int_equal(try_open(root, "sub/in"), 0);
    assert_int_equal(try_open(root, "sub/../a"), 0);
    assert_int_equal(try_open(root, "../outside"), -EXDEV);
    assert_int_equal(try_open(root, "sub/../../outside"), -EXDEV);
    assert_int_equal(try_open(root, "/etc/passwd"), -EXDEV);
    assert_int_equal(try_open(root, "out"), -EXDEV);
    assert_int_equal(try_open(root, "up/outside"), -EXDEV);
    assert_int_equal(try_open(root, "absolute"), -EXDEV);
    assert_int_equal(try_open(root, "magic/etc/passwd"), -EXDEV);
    assert_int_equal(try_open(root, "loop"), -ELOOP);
    assert_int_equal(close(root), 0);
    assert_int_equal(cv_file_root_open("root/a"), -ENOTDIR);
    assert_int_equal(cv_file_root_open("nowhere"), -ENOENT);
}

static void test_what_has_just_changed_is_young(void **state)
{
    struct cv_file *file;
    (void)state;
    write_file("a", "a");
    assert_int_equal(open_in(-1, "a", &file), 0);
    assert_true(file->young);
    cv_file_unref(file);
    age("a");
    assert_int_equal(open_in(-1, "a", &file), 0);
    assert_false(file->young);
    cv_file_unref(file);
}

/* What has just been written is in the page cache, and its name in the kernel's. Not where the file
 * system cannot tell. */
static void test_quick_opens_what_is_at_hand(void **state)
{
    const struct cv_file_how how = {.root = -1, .quick = true};
    struct cv_file *file;
    (void)state;
    write_file("a", "content");
    int rc = cv_file_open(&how, "a", &file);
    assert_true(rc == 0 || rc == -EAGAIN);
    if (rc == 0) {
        assert_memory_equal(file->bytes, "content", 7);
        cv_file_unref(file);
    }
    rc = cv_file_open(&how, "missing", &file);
    assert_true(rc == -ENOENT || rc == -EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_small_file_is_read_and_closed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_an_empty_file_is_one, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_large_file_keeps_its_descriptor, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_only_regular_files_are_opened, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_nothing_leads_out_of_a_root, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_what_has_just_changed_is_young, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_quick_opens_what_is_at_hand, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
