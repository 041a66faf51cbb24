/* With real cgroups, where this process may make some. */
#include "supervise/containment/cgroup.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "brood.h"

static struct cv_cgroup cgroup;
static struct cv_run run;
static char reason[512];

static void need_cgroups(void)
{
    cv_run_init(&run);
    if (cv_cgroup_open(&cgroup, &run, true, reason, sizeof(reason)) != 1)
        skip();
    assert_true(cv_cgroup_listen(&cgroup) >= 0);
}

/* A process in that cgroup that stays. */
static pid_t settle(uint32_t incarnation)
{
    int door = cv_cgroup_new(&cgroup, incarnation);
    int ready[2];
    assert_true(door >= 0);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = brood_fork();
    if (pid == 0) {
        cv_cgroup_forget(
            &cgroup); /* as every process does that is no supervisor: the lock is in it */
        (void)!write(ready[1], write(door, "0", 1) == 1 ? "y" : "n", 1);
        for (;;)
            (void)pause();
    }
    char answer = '?';
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    (void)close(ready[0]);
    (void)close(ready[1]);
    (void)close(door);
    return pid;
}

static int count(void)
{
    int fd = openat(cgroup.run, ".", O_RDONLY | O_DIRECTORY);
    DIR *list = fdopendir(fd);
    int n = 0;
    assert_non_null(list);
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
        n += entry->d_type == DT_DIR && entry->d_name[0] != '.';
    (void)closedir(list);
    return n;
}

static bool is_run_there(void)
{
    return faccessat(cgroup.own, cgroup.name, F_OK, 0) == 0;
}

static int tidy(void **state)
{
    cv_cgroup_kill(&cgroup);
    int rc = brood_end(state);
    (void)cv_cgroup_remove(&cgroup, 1000);
    if (cgroup.run >= 0)
        cv_cgroup_forget(&cgroup);
    return rc;
}

static void test_a_buried_cgroup_is_killed_and_removed(void **state)
{
    (void)state;
    need_cgroups();
    assert_int_equal(count(), 0); /* the probe has left nothing */
    (void)settle(1);
    (void)settle(2);
    assert_int_equal(count(), 2);
    cv_cgroup_bury(&cgroup, 1);
    int64_t until = cv_clock_ns() + 5 * CV_SECOND;
    while (count() != 1 && cv_clock_ns() < until) {
        struct pollfd event = {.fd = cgroup.epoll, .events = POLLIN};
        (void)poll(&event, 1, 100);
        cv_cgroup_clear(&cgroup);
    }
    assert_int_equal(count(), 1);
    cv_cgroup_clear(&cgroup);
    struct pollfd event = {.fd = cgroup.epoll, .events = POLLIN};
    assert_int_equal(poll(&event, 1, 0), 0); /* silent again */
}

static void test_one_that_is_empty_is_removed_at_once(void **state)
{
    (void)state;
    need_cgroups();
    int door = cv_cgroup_new(&cgroup, 7);
    assert_true(door >= 0);
    (void)close(door);
    cv_cgroup_bury(&cgroup, 7);
    assert_int_equal(count(), 0);
    cv_cgroup_bury(&cgroup, 7); /* and nothing more */
    cv_cgroup_bury(&cgroup, 8);
}

static void test_cgroups_within_go_too(void **state)
{
    (void)state;
    need_cgroups();
    (void)settle(1);
    assert_int_equal(mkdirat(cgroup.run, "1/inner", 0755), 0);
    assert_int_equal(mkdirat(cgroup.run, "1/inner/most", 0755), 0);
    cv_cgroup_kill(&cgroup);
    assert_true(cv_cgroup_remove(&cgroup, 5000));
    assert_false(is_run_there());
}

static void test_what_lives_keeps_its_cgroup(void **state)
{
    (void)state;
    need_cgroups();
    (void)settle(1);
    assert_false(cv_cgroup_remove(&cgroup, 20));
    assert_true(is_run_there());
}

static void test_the_next_server_clears_up_after_a_killed_one_only(void **state)
{
    (void)state;
    need_cgroups();
    struct cv_cgroup other;
    struct cv_run other_run;
    (void)settle(1);
    cv_run_init(&other_run);
    assert_int_equal(cv_cgroup_open(&other, &other_run, true, reason, sizeof(reason)), 1);
    assert_true(cv_cgroup_remove(&other, 1000));
    cv_cgroup_forget(&other);
    assert_true(is_run_there()); /* ours is locked */

    int own = fcntl(cgroup.own, F_DUPFD_CLOEXEC, 0);
    char name[sizeof(cgroup.name)];
    memcpy(name, cgroup.name, sizeof(name));
    cv_cgroup_forget(&cgroup);
    assert_int_equal(cv_cgroup_open(&other, &other_run, true, reason, sizeof(reason)), 1);
    assert_true(faccessat(own, name, F_OK, 0) < 0);
    (void)close(own);
    assert_true(cv_cgroup_remove(&other, 1000));
    cv_cgroup_forget(&other);
}

static void test_no_containment_is_no_work(void **state)
{
    (void)state;
    cv_cgroup_none(&cgroup);
    assert_int_equal(cv_cgroup_listen(&cgroup), -1);
    cv_cgroup_bury(&cgroup, 1);
    cv_cgroup_clear(&cgroup);
    cv_cgroup_kill(&cgroup);
    assert_true(cv_cgroup_remove(&cgroup, 0));
    cv_cgroup_forget(&cgroup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_buried_cgroup_is_killed_and_removed, tidy),
        cmocka_unit_test_teardown(test_one_that_is_empty_is_removed_at_once, tidy),
        cmocka_unit_test_teardown(test_cgroups_within_go_too, tidy),
        cmocka_unit_test_teardown(test_what_lives_keeps_its_cgroup, tidy),
        cmocka_unit_test_teardown(test_the_next_server_clears_up_after_a_killed_one_only, tidy),
        cmocka_unit_test_teardown(test_no_containment_is_no_work, tidy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
