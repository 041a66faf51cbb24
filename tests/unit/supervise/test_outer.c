#include "supervise/notify/outer.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};

static struct cv_outer outer;
static char reason[256];
static char own_pid[16];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < CV_COUNT(variables); i++)
        (void)unsetenv(variables[i]);
    (void)snprintf(own_pid, sizeof(own_pid), "%d", (int)getpid());
    return 0;
}

static int take(void)
{
    return cv_outer_take(&outer, reason, sizeof(reason));
}

static int take_one(const char *name, const char *value)
{
    (void)setenv(name, value, 1);
    return take();
}

static void assert_refused(const char *name, const char *value)
{
    assert_int_equal(take_one(name, value), -EINVAL);
    assert_non_null(strstr(reason, name));
    assert_null(getenv(name));
}

static void test_wrong_values_are_refused_by_name(void **state)
{
    (void)state;
    char longest[200];
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    assert_refused("NOTIFY_SOCKET", longest);
    assert_refused("NOTIFY_SOCKET", "vsock:2:1234");
    assert_refused("NOTIFY_SOCKET", "@");
    assert_refused("WATCHDOG_USEC", "1s");
    assert_refused("WATCHDOG_USEC", "0");
    assert_refused("WATCHDOG_USEC", "9223372036854775807");
    (void)setenv("LISTEN_PID", own_pid, 1);
    assert_refused("LISTEN_FDS", "two");
    (void)setenv("LISTEN_PID", own_pid, 1);
    assert_refused("LISTEN_FDS", "2147483647");
}

static void test_without_variables_nobody_is_told_and_nothing_passed(void **state)
{
    (void)state;
    assert_int_equal(take(), 0);
    assert_int_equal(outer.address_len, 0);
    assert_true(outer.watchdog == 0);
    assert_int_equal(outer.listen_fds, 0);
    cv_outer_tell(&outer, "READY=1");
}

static void test_empty_variables_count_as_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < CV_COUNT(variables); i++)
        (void)setenv(variables[i], "", 1);
    test_without_variables_nobody_is_told_and_nothing_passed(state);
}

static void test_what_is_meant_for_another_process_is_only_removed(void **state)
{
    (void)state;
    (void)setenv("WATCHDOG_PID", "1", 1);
    (void)setenv("WATCHDOG_USEC", "1000", 1);
    (void)setenv("LISTEN_PID", "1", 1);
    (void)setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(take(), 0);
    assert_true(outer.watchdog == 0);
    assert_int_equal(outer.listen_fds, 0);
    for (size_t i = 0; i < CV_COUNT(variables); i++)
        assert_null(getenv(variables[i]));
}

static void test_descriptors_without_a_pid_are_not_ours(void **state)
{
    (void)state;
    assert_int_equal(take_one("LISTEN_FDS", "1"), 0);
    assert_int_equal(outer.listen_fds, 0);
}

static void test_what_is_meant_for_this_process_is_taken_and_removed(void **state)
{
    (void)state;
    (void)setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    (void)setenv("WATCHDOG_PID", own_pid, 1);
    (void)setenv("WATCHDOG_USEC", "3000000", 1);
    (void)setenv("LISTEN_PID", own_pid, 1);
    (void)setenv("LISTEN_FDS", "2", 1);
    (void)setenv("LISTEN_FDNAMES", "a:b", 1);
    assert_int_equal(take(), 0);
    assert_string_equal(outer.address.sun_path, "/run/systemd/notify");
    assert_true(outer.watchdog == 3 * CV_SECOND);
    assert_int_equal(outer.listen_fds, 2);
    for (size_t i = 0; i < CV_COUNT(variables); i++)
        assert_null(getenv(variables[i]));
}

static void test_watchdog_without_a_pid_is_ours(void **state)
{
    (void)state;
    assert_int_equal(take_one("WATCHDOG_USEC", "5"), 0);
    assert_true(outer.watchdog == 5000);
}

/* ---- Telling ---- */

static int receiver(char name[40])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(name, 40, "@covey-outer-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)len);
    address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
                     0);
    return fd;
}

static void test_text_arrives_at_an_abstract_socket(void **state)
{
    (void)state;
    char name[40];
    char got[64] = "";
    CV_AUTOCLOSE int fd = receiver(name);
    assert_int_equal(take_one("NOTIFY_SOCKET", name), 0);
    cv_outer_tell(&outer, "");
    cv_outer_tell(&outer, "READY=1");
    assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), 7);
    assert_string_equal(got, "READY=1");
    assert_true(recv(fd, got, sizeof(got) - 1, 0) < 0);
}

static void test_one_who_does_not_read_is_not_waited_for(void **state)
{
    (void)state;
    char name[40];
    CV_AUTOCLOSE int fd = receiver(name);
    assert_int_equal(take_one("NOTIFY_SOCKET", name), 0);
    int64_t before = cv_clock_ns();
    CV_AUTOCLOSE int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    while (sendto(other, "x", 1, 0, (struct sockaddr *)&outer.address, outer.address_len) == 1)
        continue;
    cv_outer_tell(&outer, "READY=1");
    assert_true(cv_clock_ns() - before < 20 * CV_SECOND);
}

static void test_nobody_at_the_socket_is_no_error(void **state)
{
    (void)state;
    assert_int_equal(take_one("NOTIFY_SOCKET", "/nowhere/notify"), 0);
    cv_outer_tell(&outer, "READY=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_wrong_values_are_refused_by_name, set_up),
        cmocka_unit_test_setup(test_without_variables_nobody_is_told_and_nothing_passed, set_up),
        cmocka_unit_test_setup(test_empty_variables_count_as_none, set_up),
        cmocka_unit_test_setup(test_what_is_meant_for_another_process_is_only_removed, set_up),
        cmocka_unit_test_setup(test_descriptors_without_a_pid_are_not_ours, set_up),
        cmocka_unit_test_setup(test_what_is_meant_for_this_process_is_taken_and_removed, set_up),
        cmocka_unit_test_setup(test_watchdog_without_a_pid_is_ours, set_up),
        cmocka_unit_test_setup(test_text_arrives_at_an_abstract_socket, set_up),
        cmocka_unit_test_setup(test_one_who_does_not_read_is_not_waited_for, set_up),
        cmocka_unit_test_setup(test_nobody_at_the_socket_is_no_error, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
