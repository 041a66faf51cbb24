#include "supervise/sockets/adopt.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* Descriptors as a manager leaves them: from here on, without a gap. */
#define FIRST 200
#define MANY 3

static struct cv_listeners listeners;
static char reason[256];

static int set_up(void **state)
{
    (void)state;
    listeners = (struct cv_listeners){0};
    reason[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++)
        (void)close(FIRST + i);
    return 0;
}

static void pass(int number, int family, int type, bool listens)
{
    int fd = socket(family, type, 0);
    assert_true(fd >= 0);
    if (listens) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (family == AF_INET)
            assert_int_equal(bind(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
        assert_int_equal(listen(fd, 8), 0);
    }
    assert_int_equal(dup2(fd, FIRST + number), FIRST + number);
    (void)close(fd);
}

/* A Unix socket at an abstract name of the kernel's choice, or at `path`. */
static void pass_unix(int number, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (path != NULL)
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&address, path != NULL ? sizeof(address) : sizeof(sa_family_t)),
        0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(dup2(fd, FIRST + number), FIRST + number);
    (void)close(fd);
}

static int adopt(int n)
{
    return cv_adopt(&listeners, FIRST, n, reason, sizeof(reason));
}

static void assert_refused(int n, int error, const char *why)
{
    assert_int_equal(adopt(n), error);
    assert_non_null(strstr(reason, why));
    assert_int_equal(listeners.n, 0);
}

static void test_what_is_no_listening_stream_socket_is_refused(void **state)
{
    (void)state;
    pass(0, AF_INET, SOCK_STREAM, true);
    assert_refused(2, -EBADF, "descriptor 201 is not open");
    pass(1, AF_INET, SOCK_STREAM, false);
    assert_refused(2, -EINVAL, "descriptor 201 is no listening stream socket");
    pass(1, AF_INET, SOCK_DGRAM, false);
    assert_refused(2, -EINVAL, "descriptor 201 is no listening");
    pass(1, AF_UNIX, SOCK_SEQPACKET, false);
    assert_refused(2, -EINVAL, "descriptor 201 is no listening");
    CV_AUTOCLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup2(null, FIRST + 1), FIRST + 1);
    assert_refused(2, -EINVAL, "descriptor 201 is no listening");
    assert_refused(CV_LISTEN_MAX + 1, -E2BIG, "65 sockets");
}

static void test_sockets_are_taken_as_they_are(void **state)
{
    (void)state;
    pass(0, AF_INET, SOCK_STREAM, true);
    assert_int_equal(adopt(1), 0);
    assert_int_equal(listeners.n, 1);
    assert_int_equal(listeners.item[0].fd, FIRST);
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    assert_int_equal(getsockname(FIRST, (struct sockaddr *)&address, &len), 0);
    char text[64];
    (void)snprintf(text, sizeof(text), "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_string_equal(listeners.item[0].text, text);
    int value = -1;
    len = sizeof(value);
    assert_int_equal(getsockopt(FIRST, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_equal(value, 0);
}

static void test_descriptors_become_close_on_exec_and_non_blocking(void **state)
{
    (void)state;
    pass(0, AF_INET, SOCK_STREAM, true);
    assert_int_equal(adopt(1), 0);
    assert_int_equal(fcntl(FIRST, F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(FIRST, F_GETFL) & O_NONBLOCK) != 0);
}

static void test_file_of_a_unix_socket_is_left(void **state)
{
    (void)state;
    char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/covey-adopt-%d", (int)getpid());
    pass_unix(0, path);
    pass_unix(1, NULL);
    assert_int_equal(adopt(2), 0);
    char text[80];
    (void)snprintf(text, sizeof(text), "unix:%s", path);
    assert_string_equal(listeners.item[0].text, text);
    assert_int_equal(strncmp(listeners.item[1].text, "unix:@", 6), 0);
    assert_int_equal(strlen(listeners.item[1].text), strlen("unix:@") + 5);
    cv_listen_unlink(&listeners);
    assert_int_equal(access(path, F_OK), 0);
    (void)unlink(path);
}

static void test_longest_path_fits(void **state)
{
    (void)state;
    char path[108];
    int len = snprintf(path, sizeof(path), "/tmp/covey-adopt-%d-", (int)getpid());
    memset(path + len, 'x', sizeof(path) - 1 - (size_t)len);
    path[sizeof(path) - 1] = '\0';
    pass_unix(0, path);
    assert_int_equal(adopt(1), 0);
    assert_string_equal(listeners.item[0].text + 5, path);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_no_listening_stream_socket_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_sockets_are_taken_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors_become_close_on_exec_and_non_blocking,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_of_a_unix_socket_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_longest_path_fits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
