/* The cache: what it keeps, for how long, and what it notices. */
#include "folder.h"

#include "serve/file_cache.h"

#include <sys/resource.h>

#define VALID CV_SECOND

static struct cv_file_cache *cache_with(size_t files, size_t memory)
{
    const struct cv_file_cache_config config = {files, memory, VALID};
    struct cv_file_cache *cache;
    assert_int_equal(cv_file_cache_new(&config, &cache), 0);
    return cache;
}

/* Opens and keeps. */
static void keep(struct cv_file_cache *cache, struct cv_file_root *root, const char *path,
                 int64_t now)
{
    const struct cv_file_how how = {.root = cv_file_root_fd(root)};
    struct cv_file *file;
    assert_int_equal(cv_file_open(&how, path, &file), 0);
    cv_file_cache_keep(cache, root, path, now, file);
    cv_file_unref(file);
}

/* What find() says; the content's first byte if it is a small file. */
static int find(struct cv_file_cache *cache, struct cv_file_root *root, const char *path,
                int64_t now)
{
    struct cv_file *file;
    int rc = cv_file_cache_find(cache, root, path, now, &file);
    if (rc < 0)
        return rc;
    rc = file->bytes != NULL && file->id.size > 0 ? file->bytes[0] : 0;
    cv_file_unref(file);
    return rc;
}

static void old_file(const char *path, const char *text)
{
    write_file(path, text);
    age(path);
}

static void test_it_keeps_what_it_was_given(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    (void)state;
    old_file("a", "a");
    assert_int_equal(find(cache, NULL, "a", 0), -EAGAIN);
    keep(cache, NULL, "a", 0);
    assert_int_equal(find(cache, NULL, "a", VALID - 1), 'a');
    assert_int_equal(find(cache, NULL, "a", 100 * VALID), 'a');
    assert_int_equal(find(cache, NULL, "b", 0), -EAGAIN);
    cv_file_cache_free(cache);
}

static void test_a_change_is_noticed_at_the_next_look(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    (void)state;
    old_file("a", "a");
    keep(cache, NULL, "a", 0);
    write_file("a", "b");
    assert_int_equal(find(cache, NULL, "a", VALID - 1), 'a');
    assert_int_equal(find(cache, NULL, "a", VALID), -EAGAIN);
    cv_file_cache_free(cache);
}

static void test_a_replaced_file_is_noticed(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    struct stat st;
    (void)state;
    old_file("a", "a");
    keep(cache, NULL, "a", 0);
    write_file("new", "b");
    assert_int_equal(stat("a", &st), 0);
    const struct timespec times[2] = {st.st_mtim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, "new", times, 0), 0);
    assert_int_equal(rename("new", "a"), 0);
    assert_int_equal(find(cache, NULL, "a", VALID), -EAGAIN);
    cv_file_cache_free(cache);
}

static void test_a_deleted_file_is_noticed(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    (void)state;
    old_file("a", "a");
    keep(cache, NULL, "a", 0);
    assert_int_equal(unlink("a"), 0);
    assert_int_equal(find(cache, NULL, "a", VALID - 1), 'a');
    assert_int_equal(find(cache, NULL, "a", VALID), -EAGAIN);
    cv_file_cache_free(cache);
}

static void test_a_young_file_is_read_again(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    (void)state;
    write_file("a", "a");
    keep(cache, NULL, "a", 0);
    assert_int_equal(find(cache, NULL, "a", VALID - 1), 'a');
    assert_int_equal(find(cache, NULL, "a", VALID), -EAGAIN);
    cv_file_cache_free(cache);
}

static void test_the_least_recently_used_goes(void **state)
{
    struct cv_file_cache *cache = cache_with(2, 1000);
    (void)state;
    old_file("a", "a");
    old_file("b", "b");
    old_file("c", "c");
    keep(cache, NULL, "a", 0);
    keep(cache, NULL, "b", 0);
    assert_int_equal(find(cache, NULL, "a", 0), 'a');
    keep(cache, NULL, "c", 0);
    assert_int_equal(find(cache, NULL, "b", 0), -EAGAIN);
    assert_int_equal(find(cache, NULL, "a", 0), 'a');
    assert_int_equal(find(cache, NULL, "c", 0), 'c');
    cv_file_cache_free(cache);
}

static void test_memory_is_bounded(void **state)
{
    struct cv_file_cache *cache = cache_with(100, 8);
    (void)state;
    old_file("a", "aaaa");
    old_file("b", "bbbb");
    old_file("c", "ccccc");
    old_file("d", "ddddddddd");
    keep(cache, NULL, "a", 0);
    keep(cache, NULL, "b", 0);
    assert_int_equal(find(cache, NULL, "a", 0), 'a');
    keep(cache, NULL, "c", 0);
    assert_int_equal(find(cache, NULL, "a", 0), -EAGAIN);
    assert_int_equal(find(cache, NULL, "b", 0), -EAGAIN);
    keep(cache, NULL, "d", 0); /* more than all there is */
    assert_int_equal(find(cache, NULL, "d", 0), -EAGAIN);
    assert_int_equal(find(cache, NULL, "c", 0), 'c');
    cv_file_cache_free(cache);
}

static void test_descriptors_take_a_quarter_at_most(void **state)
{
    struct rlimit before;
    unsigned open_before = descriptors();
    char path[16];
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {64, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct cv_file_cache *cache = cache_with(100, 1000);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(path, sizeof(path), "%d", i);
        old_file(path, "");
        assert_int_equal(truncate(path, CV_FILE_SMALL + 1), 0);
        keep(cache, NULL, path, 0);
    }
    assert_int_equal(descriptors(), open_before + 16);
    cv_file_cache_shed(cache);
    assert_int_equal(descriptors(), open_before);
    cv_file_cache_free(cache);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_a_file_in_use_outlives_the_cache(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    struct cv_file *file;
    (void)state;
    old_file("a", "a");
    keep(cache, NULL, "a", 0);
    assert_int_equal(cv_file_cache_find(cache, NULL, "a", 0, &file), 0);
    cv_file_cache_free(cache);
    assert_int_equal(file->bytes[0], 'a');
    cv_file_unref(file);
}

static void test_without_room_nothing_is_kept(void **state)
{
    struct cv_file_cache *cache = cache_with(0, 1000);
    (void)state;
    old_file("a", "a");
    keep(cache, NULL, "a", 0);
    cv_file_cache_keep(cache, NULL, "b", 0, NULL);
    assert_int_equal(find(cache, NULL, "a", 0), -EAGAIN);
    assert_int_equal(find(cache, NULL, "b", 0), -EAGAIN);
    cv_file_cache_free(cache);
}

static void test_what_is_missing_is_remembered_as_long(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    (void)state;
    cv_file_cache_keep(cache, NULL, "a", 0, NULL);
    assert_int_equal(find(cache, NULL, "a", VALID - 1), -ENOENT);
    assert_int_equal(find(cache, NULL, "a", VALID), -EAGAIN);
    cv_file_cache_free(cache);
}

static void test_roots_do_not_share_names(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    struct cv_file_root *one, *two, *again;
    (void)state;
    assert_int_equal(mkdir("one", 0700), 0);
    assert_int_equal(mkdir("two", 0700), 0);
    old_file("one/a", "1");
    old_file("two/a", "2");
    assert_int_equal(cv_file_cache_root(cache, "one", 0, &one), 0);
    assert_int_equal(cv_file_cache_root(cache, "two", 0, &two), 0);
    assert_int_equal(cv_file_cache_root(cache, "one", 0, &again), 0);
    assert_ptr_equal(one, again);
    keep(cache, one, "a", 0);
    assert_int_equal(find(cache, two, "a", 0), -EAGAIN);
    keep(cache, two, "a", 0);
    assert_int_equal(find(cache, one, "a", 0), '1');
    assert_int_equal(find(cache, two, "a", 0), '2');
    assert_int_equal(find(cache, NULL, "a", 0), -EAGAIN);
    assert_int_equal(cv_file_cache_root(cache, "three", 0, &again), -ENOENT);
    cv_file_cache_free(cache);
}

/* A deployment: the link that is the root points to another directory. */
static void test_a_replaced_root_is_noticed(void **state)
{
    struct cv_file_cache *cache = cache_with(10, 1000);
    struct cv_file_root *root;
    (void)state;
    assert_int_equal(mkdir("one", 0700), 0);
    assert_int_equal(mkdir("two", 0700), 0);
    old_file("one/a", "1");
    old_file("two/a", "2");
    assert_int_equal(symlink("one", "current"), 0);
    assert_int_equal(cv_file_cache_root(cache, "current", 0, &root), 0);
    keep(cache, root, "a", 0);
    assert_int_equal(symlink("two", "next"), 0);
    assert_int_equal(rename("next", "current"), 0);
    assert_int_equal(cv_file_cache_root(cache, "current", VALID - 1, &root), 0);
    assert_int_equal(find(cache, root, "a", VALID - 1), '1');
    assert_int_equal(cv_file_cache_root(cache, "current", VALID, &root), 0);
    assert_int_equal(find(cache, root, "a", VALID), -EAGAIN);
    keep(cache, root, "a", VALID);
    assert_int_equal(find(cache, root, "a", VALID), '2');
    assert_int_equal(unlink("current"), 0);
    assert_int_equal(cv_file_cache_root(cache, "current", 2 * VALID, &root), -ENOENT);
    cv_file_cache_free(cache);
}

static void test_many_files_are_all_found(void **state)
{
    struct cv_file_cache *cache = cache_with(1000, 100000);
    char path[16];
    (void)state;
    for (int i = 0; i < 500; i++) {
        (void)snprintf(path, sizeof(path), "%d", i);
        old_file(path, path);
        keep(cache, NULL, path, 0);
    }
    for (int i = 0; i < 500; i++) {
        (void)snprintf(path, sizeof(path), "%d", i);
        assert_int_equal(find(cache, NULL, path, 0), path[0]);
    }
    cv_file_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_keeps_what_it_was_given, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_change_is_noticed_at_the_next_look, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_replaced_file_is_noticed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_deleted_file_is_noticed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_young_file_is_read_again, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_the_least_recently_used_goes, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_descriptors_take_a_quarter_at_most, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_file_in_use_outlives_the_cache, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_without_room_nothing_is_kept, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_what_is_missing_is_remembered_as_long, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_roots_do_not_share_names, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_replaced_root_is_noticed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_many_files_are_all_found, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
