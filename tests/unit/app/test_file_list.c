/* What is in a directory: only what lies in the root, and what a client could have. */
#include "unit/serve/folder.h"

#include "app/files/file_list.h"
#include "serve/file.h"

#include <sys/resource.h>

/* "sub/ a b" for what is in `path` below the folder root. */
static const char *names_in(const char *path, bool hidden)
{
    static char text[4096];
    struct cv_file_list list;
    int root = cv_file_root_open("root");
    assert_true(root >= 0);
    int rc = cv_file_list_read(root, path, hidden, &list);
    (void)close(root);
    (void)snprintf(text, sizeof(text), "%s", rc < 0 ? strerrorname_np(-rc) : "");
    for (size_t i = 0; i < list.n; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s", i > 0 ? " " : "",
                       list.at[i].name, list.at[i].is_directory ? "/" : "");
    cv_file_list_done(&list);
    return text;
}

static void make_tree(void)
{
    assert_int_equal(mkdir("root", 0700), 0);
    assert_int_equal(mkdir("root/sub", 0700), 0);
    assert_int_equal(mkdir("outside", 0700), 0);
    write_file("outside/secret", "secret");
    write_file("root/b", "12345");
    write_file("root/a", "");
    write_file("root/.env", "hidden");
    write_file("root/sub/c", "");
}

static void test_what_is_no_directory_of_the_root(void **state)
{
    (void)state;
    make_tree();
    assert_int_equal(symlink("../outside", "root/out"), 0);
    assert_string_equal(names_in("nothing/", false), "ENOENT");
    assert_string_equal(names_in("a/", false), "ENOTDIR");
    assert_string_equal(names_in("../outside/", false), "EXDEV");
    assert_string_equal(names_in("out/", false), "EXDEV");
    assert_string_equal(names_in("/etc/", false), "EXDEV");
}

static void test_directories_come_first(void **state)
{
    (void)state;
    unsigned before = descriptors();
    make_tree();
    assert_string_equal(names_in("", false), "sub/ a b");
    assert_string_equal(names_in("", true), "sub/ .env a b");
    assert_string_equal(names_in("sub/", false), "c");
    assert_int_equal(descriptors(), before);
}

static void test_only_what_a_client_could_have(void **state)
{
    (void)state;
    make_tree();
    assert_int_equal(symlink("../outside/secret", "root/out"), 0);
    assert_int_equal(symlink("/etc", "root/etc"), 0);
    assert_int_equal(symlink("nothing", "root/dangling"), 0);
    assert_int_equal(symlink("../b", "root/sub/in"), 0);
    assert_int_equal(mkfifo("root/fifo", 0600), 0);
    write_file("root/a\nb", "");
    write_file("root/a\\b", "");
    write_file("root/.\x7f", "");
    assert_string_equal(names_in("", false), "sub/ a b");
    assert_string_equal(names_in("", true), "sub/ .env a b");
    assert_string_equal(names_in("sub/", false), "c in");
}

static void test_what_is_told_of_them(void **state)
{
    (void)state;
    struct cv_file_list list;
    make_tree();
    int root = cv_file_root_open("root");
    assert_int_equal(cv_file_list_read(root, "", false, &list), 0);
    assert_int_equal(list.n, 3);
    assert_int_equal(list.at[0].size, 0);
    assert_int_equal(list.at[2].size, 5);
    assert_true(list.at[2].modified > 1000000000);
    assert_false(list.is_cut);
    cv_file_list_done(&list);
    (void)close(root);
}

static void test_a_very_long_one_is_cut(void **state)
{
    (void)state;
    struct cv_file_list list;
    char name[32];
    assert_int_equal(mkdir("root", 0700), 0);
    write_file("root/first", "");
    for (int i = 0; i < CV_FILE_LIST_MAX; i++) {
        (void)snprintf(name, sizeof(name), "root/%d", i);
        assert_int_equal(link("root/first", name), 0);
    }
    int root = cv_file_root_open("root");
    assert_int_equal(cv_file_list_read(root, "", false, &list), 0);
    assert_int_equal(list.n, CV_FILE_LIST_MAX);
    assert_true(list.is_cut);
    cv_file_list_done(&list);
    (void)close(root);
}

/* A page without some of the files would be taken for one of all. */
static void test_without_descriptors_there_is_no_list(void **state)
{
    (void)state;
    struct rlimit before;
    struct cv_file_list list;
    make_tree();
    int root = cv_file_root_open("root");
    int next = dup(root);
    (void)close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit one_more = {(rlim_t)next + 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &one_more), 0);
    int rc = cv_file_list_read(root, "", false, &list);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, -EMFILE);
    cv_file_list_done(&list);
    (void)close(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_no_directory_of_the_root),
        TEST(test_directories_come_first),
        TEST(test_only_what_a_client_could_have),
        TEST(test_what_is_told_of_them),
        TEST(test_a_very_long_one_is_cut),
        TEST(test_without_descriptors_there_is_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
