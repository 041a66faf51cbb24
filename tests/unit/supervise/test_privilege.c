#include "supervise/process/privilege.h"

#include "brood.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static struct cv_privilege privilege;
static char reason[256];

static int find(const char *text)
{
    return cv_privilege_find(&privilege, text, reason, sizeof(reason));
}

static void assert_unknown(const char *text, const char *what)
{
    assert_int_equal(find(text), -EINVAL);
    if (strstr(reason, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, what);
}

static void test_unknown_names_are_refused(void **state)
{
    (void)state;
    char longest[80];
    memset(longest, 'u', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_unknown("no-such-user", "there is no user \"no-such-user\"");
    assert_unknown(":daemon", "there is no user \"\"");
    assert_unknown(longest, "there is no user");
    assert_unknown("root:no-such-group", "there is no group \"no-such-group\"");
    assert_unknown("root:", "there is no group \"\"");
}

static void test_nobody_else_is_no_change(void **state)
{
    (void)state;
    assert_int_equal(find(""), 0);
    assert_int_equal(cv_privilege_drop(&privilege), 0);
}

static void test_group_is_the_users_own_or_the_named_one(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    const struct passwd *daemon = getpwnam("daemon");
    assert_int_equal(find("daemon"), 0);
    assert_int_equal(privilege.uid, daemon->pw_uid);
    assert_int_equal(privilege.gid, daemon->pw_gid);
    assert_int_equal(find("daemon:adm"), 0);
    assert_int_equal(privilege.uid, daemon->pw_uid);
    assert_int_equal(privilege.gid, getgrnam("adm")->gr_gid);
}

/* In a child: 0, or what is wrong. */
static int become_daemon(void)
{
    gid_t groups[64];
    if (find("daemon:adm") < 0 || cv_privilege_drop(&privilege) < 0)
        return 1;
    if (getuid() != privilege.uid || geteuid() != privilege.uid || getgid() != privilege.gid ||
        getegid() != privilege.gid)
        return 2;
    if (setuid(0) == 0 || setgid(0) == 0)
        return 3;
    int n = getgroups(64, groups);
    for (int i = 0; i < n; i++)
        if (groups[i] == 0)
            return 4;
    return prctl(PR_GET_DUMPABLE) == 1 ? 0 : 5;
}

static void test_dropped_privileges_do_not_come_back(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    pid_t child = fork();
    if (child == 0)
        _exit(become_daemon());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* In a child that is not root: 0, or what is wrong. */
static int as_daemon(void)
{
    if (find("daemon") < 0 || cv_privilege_drop(&privilege) < 0)
        return 1;
    if (find("root") != -EPERM || strstr(reason, "only root can become user \"root\"") == NULL)
        return 2;
    return find("daemon") == 0 && cv_privilege_drop(&privilege) == 0 ? 0 : 3;
}

static void test_only_root_becomes_another(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    pid_t child = fork();
    if (child == 0)
        _exit(as_daemon());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_names_are_refused),
        cmocka_unit_test(test_nobody_else_is_no_change),
        cmocka_unit_test(test_group_is_the_users_own_or_the_named_one),
        cmocka_unit_test(test_dropped_privileges_do_not_come_back),
        cmocka_unit_test(test_only_root_becomes_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
