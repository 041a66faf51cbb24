#include "supervise/control/file.h"

#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "brood.h"

static char above[64];  /* stands for $XDG_RUNTIME_DIR */
static char folder[80]; /* above/covey */
static char reason[8192];
static struct cv_control_file file;
static struct cv_control_file other;

static int start(void **state)
{
    (void)state;
    (void)snprintf(above, sizeof(above), "/tmp/covey-control-XXXXXX");
    if (mkdtemp(above) == NULL)
        return -1;
    (void)snprintf(folder, sizeof(folder), "%s/covey", above);
    (void)setenv("XDG_RUNTIME_DIR", above, 1);
    file = other = (struct cv_control_file){.fd = -1, .folder = -1};
    return 0;
}

static void let_go(struct cv_control_file *one)
{
    cv_control_close(one);
    cv_control_unlink(one);
    if (one->folder >= 0)
        (void)close(one->folder);
    one->folder = -1;
}

static int finish(void **state)
{
    let_go(&file);
    let_go(&other);
    (void)rmdir(folder);
    (void)unlink(folder);
    (void)rmdir(above);
    return brood_end(state);
}

static int open_auto(struct cv_control_file *one, const char *name)
{
    return cv_control_open(one, name, reason, sizeof(reason));
}

static const char *in_folder(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static bool is_here(const struct cv_control_file *one)
{
    return strcmp(one->folder_path, folder) == 0;
}

/* A socket file as a server that was killed leaves it. */
static void leave_stale(const char *path)
{
    assert_int_equal(cv_control_open_at(&other, path, reason, sizeof(reason)), 0);
    cv_control_close(&other);
    (void)close(other.folder);
    other.folder = -1;
    assert_true(exists(path));
}

/* ---- Folders ---- */

static void test_folders_of_a_user_and_of_root(void **state)
{
    (void)state;
    static struct cv_control_folders folders;
    cv_control_folders(&folders, 1000, "/run/user/1000");
    assert_int_equal(folders.n, 2);
    assert_string_equal(folders.path[0], "/run/user/1000/covey");
    assert_string_equal(folders.path[1], "/tmp/covey-1000");
    cv_control_folders(&folders, 0, NULL);
    assert_int_equal(folders.n, 2);
    assert_string_equal(folders.path[0], "/run/covey");
    cv_control_folders(&folders, 1000, "relative");
    assert_int_equal(folders.n, 1);
}

static void test_folder_that_others_may_enter_is_not_used(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(cv_control_open_folder(folder, geteuid()), -EPERM);
    assert_int_equal(open_auto(&file, "shop"), 0); /* the next place is */
    assert_false(is_here(&file));
}

static void test_folder_of_another_user_is_not_used(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(cv_control_open_folder(folder, geteuid() + 1), -EPERM);
}

static void test_link_in_the_place_of_the_folder_is_not_followed(void **state)
{
    (void)state;
    assert_int_equal(symlink("/tmp", folder), 0);
    assert_int_equal(cv_control_open_folder(folder, geteuid()), -ENOTDIR);
    assert_int_equal(open_auto(&file, "shop"), 0);
    assert_false(is_here(&file));
}

static void test_folder_and_socket_are_the_users_alone_and_go_again(void **state)
{
    (void)state;
    mode_t before = umask(0);
    assert_int_equal(open_auto(&file, "shop"), 0);
    (void)umask(before);
    assert_true(is_here(&file));
    struct stat st;
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(in_folder(file.name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    cv_control_unlink(&file);
    assert_false(exists(folder));
}

static void test_folder_stays_while_others_use_it(void **state)
{
    (void)state;
    assert_int_equal(open_auto(&file, "shop"), 0);
    assert_int_equal(open_auto(&other, "bank"), 0);
    cv_control_unlink(&file);
    assert_false(exists(in_folder(file.name)));
    assert_true(exists(in_folder(other.name)));
}

/* ---- Files ---- */

static void test_name_never_leads_out_of_the_folder(void **state)
{
    (void)state;
    const char *const names[] = {
        "../../etc/x", "..", ".hidden",
        "a b\n",       "",   "a name that is far longer than any name of a program should be"};
    for (size_t i = 0; i < CV_COUNT(names); i++) {
        assert_int_equal(open_auto(&file, names[i]), 0);
        assert_null(strchr(file.name, '/'));
        assert_int_not_equal(file.name[0], '.');
        assert_true(exists(in_folder(file.name)));
        let_go(&file);
    }
}

static void test_path_longer_than_an_address_will_do(void **state)
{
    (void)state;
    char deep[300];
    (void)snprintf(deep, sizeof(deep), "%s/%0150d", above, 1);
    assert_int_equal(mkdir(deep, 0700), 0);
    (void)setenv("XDG_RUNTIME_DIR", deep, 1);
    assert_int_equal(open_auto(&file, "shop"), 0);
    int fd = cv_control_connect(file.folder, file.name);
    assert_true(fd >= 0);
    (void)close(fd);
    let_go(&file);
    assert_int_equal(rmdir(deep), 0);
}

static void test_stale_sockets_are_swept_living_ones_are_not(void **state)
{
    (void)state;
    assert_int_equal(open_auto(&file, "shop"), 0);
    leave_stale(in_folder("gone-1.sock"));
    FILE *text = fopen(in_folder("text.sock"), "w");
    assert_non_null(text);
    (void)fclose(text);

    assert_int_equal(open_auto(&other, "bank"), 0);
    assert_false(exists(in_folder("gone-1.sock")));
    assert_true(exists(in_folder(file.name)));
    assert_true(exists(in_folder("text.sock")));
    (void)unlink(in_folder("text.sock"));
}

static void test_own_path_replaces_a_stale_socket_only(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder, 0755), 0); /* the user's own choice: it may be open to others */
    leave_stale(in_folder("s"));
    assert_int_equal(cv_control_open_at(&file, in_folder("s"), reason, sizeof(reason)), 0);
    assert_int_equal(cv_control_open_at(&other, in_folder("s"), reason, sizeof(reason)),
                     -EADDRINUSE);
    assert_non_null(strstr(reason, "another server listens there"));
    cv_control_unlink(&file);
    assert_true(exists(folder)); /* it is not ours */
}

static void test_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    int fd = open(in_folder("s"), O_CREAT | O_CLOEXEC | O_WRONLY, 0600);
    (void)close(fd);
    assert_int_equal(cv_control_open_at(&file, in_folder("s"), reason, sizeof(reason)),
                     -EADDRINUSE);
    assert_true(exists(in_folder("s")));
    (void)unlink(in_folder("s"));
}

static void test_file_that_took_our_name_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(open_auto(&file, "shop"), 0);
    assert_int_equal(unlink(in_folder(file.name)), 0);
    leave_stale(in_folder(file.name));
    cv_control_unlink(&file);
    assert_true(exists(in_folder(file.name)));
    (void)unlink(in_folder(file.name));
}

static void test_lock_that_somebody_holds_is_not_waited_for(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    int holder = open(folder, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(holder, LOCK_EX), 0);
    assert_int_equal(cv_control_open_at(&file, in_folder("s"), reason, sizeof(reason)),
                     -EWOULDBLOCK);
    assert_non_null(strstr(reason, "lslocks"));
    (void)close(holder);
}

static void test_no_lock_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(open_auto(&file, "shop"), 0);
    int fd = open(folder, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    (void)close(fd);
}

static void test_paths_are_split(void **state)
{
    (void)state;
    char up[PATH_MAX];
    char name[CV_CONTROL_NAME_MAX];
    assert_int_equal(cv_control_split("/run/x.sock", up, name), 0);
    assert_string_equal(up, "/run");
    assert_string_equal(name, "x.sock");
    assert_int_equal(cv_control_split("/x", up, name), 0);
    assert_string_equal(up, "/");
    assert_int_equal(cv_control_split("x", up, name), 0);
    assert_string_equal(up, ".");
    const char *const bad[] = {"", "/", "a/", "a/..", "."};
    for (size_t i = 0; i < CV_COUNT(bad); i++)
        assert_int_equal(cv_control_split(bad[i], up, name), -EINVAL);
    char longest[200];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(cv_control_split(longest, up, name), -ENAMETOOLONG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_folders_of_a_user_and_of_root),
        TEST(test_folder_that_others_may_enter_is_not_used),
        TEST(test_folder_of_another_user_is_not_used),
        TEST(test_link_in_the_place_of_the_folder_is_not_followed),
        TEST(test_folder_and_socket_are_the_users_alone_and_go_again),
        TEST(test_folder_stays_while_others_use_it),
        TEST(test_name_never_leads_out_of_the_folder),
        TEST(test_path_longer_than_an_address_will_do),
        TEST(test_stale_sockets_are_swept_living_ones_are_not),
        TEST(test_own_path_replaces_a_stale_socket_only),
        TEST(test_file_that_is_no_socket_is_left_alone),
        TEST(test_file_that_took_our_name_is_left_alone),
        TEST(test_lock_that_somebody_holds_is_not_waited_for),
        TEST(test_no_lock_is_left_behind),
        TEST(test_paths_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
