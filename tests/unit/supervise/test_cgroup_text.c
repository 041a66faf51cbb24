#include "supervise/containment/cgroup_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define UNIFIED "35 24 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID                                                                                     \
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"                                   \
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"                  \
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"                            \
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
#define CGROUPS "4:memory:/box/7\n2:cpu,cpuacct:/\n1:name=systemd:/\n0::/user.slice/a b\n"

static const char *place(const char *mountinfo, const char *cgroups, const char *controller)
{
    static char text[256];
    int rc = cv_cgroup_text_place(mountinfo, cgroups, controller, text, sizeof(text));
    if (rc == 0)
        return text;
    return rc == -ENOENT ? "ENOENT" : rc == -EXDEV ? "EXDEV" : "?";
}

static void test_a_cgroup_is_found_below_its_mount(void **state)
{
    (void)state;
    assert_string_equal(place(UNIFIED, "0::/\n", NULL), "/sys/fs/cgroup");
    assert_string_equal(place(UNIFIED, "0::/system.slice/shop.service\n", NULL),
                        "/sys/fs/cgroup/system.slice/shop.service");
    assert_string_equal(place(HYBRID, CGROUPS, NULL), "/sys/fs/cgroup/unified/user.slice/a b");
    assert_string_equal(place(HYBRID, CGROUPS, "memory"), "/sys/fs/cgroup/memory/box/7");
    assert_string_equal(place(HYBRID, CGROUPS, "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct");
    assert_string_equal(place(HYBRID, "0::/x", NULL), "/sys/fs/cgroup/unified/x");
}

static void test_a_mount_may_show_a_part_only(void **state)
{
    (void)state;
    static const char mounts[] =
        "9 8 0:5 /docker/c1 /mnt/a rw - cgroup2 none rw\n"
        "10 8 0:5 /docker/c2 /mnt/b\\040c\\134 rw master:1 - cgroup2 none rw\n";
    assert_string_equal(place(mounts, "0::/docker/c2/sub\n", NULL), "/mnt/b c\\/sub");
    assert_string_equal(place(mounts, "0::/docker/c1\n", NULL), "/mnt/a");
    assert_string_equal(place(mounts, "0::/docker/c10\n", NULL), "EXDEV");
    assert_string_equal(place(mounts, "0::/\n", NULL), "EXDEV");
    assert_string_equal(place(UNIFIED, "0::/../../other\n", NULL), "EXDEV");
}

static void test_what_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_string_equal(place(HYBRID, CGROUPS, "pids"), "ENOENT");
    assert_string_equal(place(HYBRID, "4:memory:/\n", NULL), "ENOENT");
    assert_string_equal(place("", CGROUPS, NULL), "ENOENT");
    assert_string_equal(place("nonsense\n\n - - -\n", CGROUPS, NULL), "ENOENT");
    assert_string_equal(place("31 23 0:28 / /sys - tmpfs cgroup2 cgroup2\n", CGROUPS, NULL),
                        "ENOENT");
    assert_string_equal(place(UNIFIED, "", NULL), "ENOENT");
    assert_string_equal(place(UNIFIED, ":::::\n0\n0:\n", NULL), "ENOENT");
}

static void test_what_is_too_long_is_refused(void **state)
{
    (void)state;
    char small[8];
    assert_int_equal(cv_cgroup_text_path("0::/12345678\n", NULL, small, sizeof(small)),
                     -ENAMETOOLONG);
    assert_int_equal(cv_cgroup_text_place(UNIFIED, "0::/\n", NULL, small, sizeof(small)),
                     -ENAMETOOLONG);
    assert_int_equal(cv_cgroup_text_path("0::/123456\n", NULL, small, sizeof(small)), 0);
    assert_string_equal(small, "/123456");
}

static void test_fields_have_a_key_and_a_number(void **state)
{
    (void)state;
    static const char events[] = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
    uint64_t value;
    assert_int_equal(cv_cgroup_text_field(events, "oom_kill", &value), 0);
    assert_int_equal(value, 2);
    assert_int_equal(cv_cgroup_text_field(events, "oom_group_kill", &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(cv_cgroup_text_field(events, "kill", &value), -ENOENT);
    assert_int_equal(cv_cgroup_text_field("oom_kill x\n", "oom_kill", &value), -ENOENT);
    assert_int_equal(cv_cgroup_text_field("oom_kill", "oom_kill", &value), -ENOENT);
    assert_int_equal(cv_cgroup_text_field("", "oom_kill", &value), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cgroup_is_found_below_its_mount),
        cmocka_unit_test(test_a_mount_may_show_a_part_only),
        cmocka_unit_test(test_what_is_not_there_is_not_found),
        cmocka_unit_test(test_what_is_too_long_is_refused),
        cmocka_unit_test(test_fields_have_a_key_and_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
