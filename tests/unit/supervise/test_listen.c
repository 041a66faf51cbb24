#include "supervise/sockets/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/un.h>

#include "base/clock.h"
#include "brood.h"

static struct cv_listeners listeners;
static char reason[512];
static char folder[64];
static char path[80];  /* of a socket in the folder */
static char where[96]; /* "unix:" and the path */

static int start(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/covey-listen-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    (void)snprintf(where, sizeof(where), "unix:%s", path);
    listeners = (struct cv_listeners){0};
    reason[0] = '\0';
    return 0;
}

static int finish(void **state)
{
    cv_listen_close(&listeners);
    (void)unlink(path);
    (void)rmdir(folder);
    return brood_end(state);
}

static int parse(const char *list)
{
    return cv_listen_parse(&listeners, list, reason, sizeof(reason));
}

static int open_all(void)
{
    return cv_listen_open(&listeners, 128, reason, sizeof(reason));
}

static int listen_on(const char *list)
{
    int rc = parse(list);
    return rc < 0 ? rc : open_all();
}

static void assert_says(const char *what)
{
    if (strstr(reason, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, what);
}

static bool exists(const char *file)
{
    struct stat st;
    return lstat(file, &st) == 0;
}

static int connect_to(const struct cv_listener *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    assert_int_equal(getsockname(listener->fd, (struct sockaddr *)&address, &len), 0);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (struct sockaddr *)&address, len);
    (void)close(fd);
    return rc;
}

/* A socket file as a server that was killed leaves it. */
static void leave_stale(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
}

/* ---- Bad texts ---- */

static void test_texts_that_are_no_address_are_refused_with_the_forms_there_are(void **state)
{
    (void)state;
    static const char *const texts[] = {"x",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:-1",
                                        "127.0.0.1:65536",
                                        "h:80x",
                                        "h: 80",
                                        "[::1]",
                                        "[::1]:",
                                        "127.0.0.1:99999999999999999999",
                                        "http://h",
                                        "http://h:80/",
                                        "127.0.0.1:http",
                                        "/run/a.sock",
                                        ":"};
    for (size_t i = 0; i < CV_COUNT(texts); i++) {
        reason[0] = '\0';
        assert_int_equal(parse(texts[i]), -EINVAL);
        assert_says("give host:port");
        assert_says(texts[i]);
        assert_int_equal(listeners.n, 0);
    }
}

/* A server that listens nowhere would start, and nobody would know why nothing answers. */
static void test_a_list_without_an_address_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse(","), -EINVAL);
    assert_says("give host:port");
    assert_int_equal(parse(""), -EINVAL);
    assert_int_equal(parse(",,"), -EINVAL);
}

static void test_hosts_without_an_address_are_named(void **state)
{
    (void)state;
    static const char *const hosts[] = {"no-such-host.invalid", "[::1", "1.2.3.4.5", "[]", "[x]"};
    for (size_t i = 0; i < CV_COUNT(hosts); i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%s:80", hosts[i]);
        if (parse(text) != -EINVAL)
            fail_msg("%s is taken for %s", text, listeners.item[0].text);
        assert_says("no address is known");
    }
}

static void test_a_host_name_too_long_is_refused(void **state)
{
    (void)state;
    char text[1024];
    memset(text, 'h', sizeof(text));
    (void)snprintf(text + 900, sizeof(text) - 900, ":80");
    assert_int_equal(parse(text), -EINVAL);
    assert_says("too long");
}

static void test_unix_paths_have_their_ends(void **state)
{
    (void)state;
    char text[256] = "unix:";
    assert_int_equal(parse(text), -EINVAL);
    assert_says("1 to 107 bytes");
    memset(text + 5, 'p', 108);
    assert_int_equal(parse(text), -EINVAL);
    assert_says("108");
    text[5 + 107] = '\0';
    assert_int_equal(parse(text), 0);
    assert_string_equal(listeners.item[0].text, text);
}

static void test_more_addresses_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    char list[CV_LISTEN_MAX * 16] = "";
    size_t len = 0;
    for (int i = 0; i < CV_LISTEN_MAX; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "127.0.0.1:0,");
    assert_int_equal(parse(list), 0);
    assert_int_equal(listeners.n, CV_LISTEN_MAX);
    assert_int_equal(parse("127.0.0.1:0"), -EINVAL);
    assert_says("64");
    assert_int_equal(listeners.n, CV_LISTEN_MAX);
}

static void test_a_list_ends_at_its_first_bad_address(void **state)
{
    (void)state;
    assert_int_equal(parse("127.0.0.1:1,oops,127.0.0.1:2"), -EINVAL);
    assert_says("\"oops\"");
    cv_listen_close(&listeners); /* none is open: nothing happens */
}

/* ---- Addresses that are taken ---- */

static void test_an_address_in_use_is_tried_for_a_second_then_named(void **state)
{
    (void)state;
    assert_int_equal(listen_on("127.0.0.1:0"), 0);
    struct cv_listeners second = {0};
    int before = open_descriptors();
    char text[256];
    (void)snprintf(text, sizeof(text), "127.0.0.1:0,%.200s",
                   listeners.item[0].text + strlen("http://"));
    assert_int_equal(cv_listen_parse(&second, text, reason, sizeof(reason)), 0);
    int64_t began = cv_clock_ns();
    assert_int_equal(cv_listen_open(&second, 16, reason, sizeof(reason)), -EADDRINUSE);
    assert_true(cv_clock_ns() - began >= CV_SECOND);
    assert_says(listeners.item[0].text);
    assert_says("ss -ltnp");
    assert_int_equal(second.item[0].fd, -1);
    assert_int_equal(open_descriptors(), before);
}

static void test_an_address_that_becomes_free_meanwhile_is_taken(void **state)
{
    (void)state;
    struct cv_listeners first = {0};
    assert_int_equal(cv_listen_parse(&first, "127.0.0.1:0", reason, sizeof(reason)), 0);
    assert_int_equal(cv_listen_open(&first, 16, reason, sizeof(reason)), 0);
    pid_t pid = brood_fork(); /* it holds the socket for another 200 ms */
    if (pid == 0) {
        (void)usleep(200000);
        _exit(0);
    }
    cv_listen_close(&first);
    assert_int_equal(listen_on(first.item[0].text + strlen("http://")), 0);
    assert_int_equal(brood_wait(pid), 0);
}

static void test_an_address_of_no_interface_says_so(void **state)
{
    (void)state;
    assert_int_equal(listen_on("203.0.113.7:0"), -EADDRNOTAVAIL);
    assert_says("cannot listen on http://203.0.113.7:0");
    assert_says("ip addr");
}

/* ---- Unix sockets ---- */

static void test_a_stale_socket_file_is_replaced(void **state)
{
    (void)state;
    leave_stale();
    assert_int_equal(listen_on(where), 0);
    assert_int_equal(connect_to(&listeners.item[0]), 0);
    cv_listen_close(&listeners);
    cv_listen_unlink(&listeners);
    assert_false(exists(path));
}

static void test_a_live_socket_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(listen_on(where), 0);
    struct cv_listeners second = {0};
    assert_int_equal(cv_listen_parse(&second, where, reason, sizeof(reason)), 0);
    assert_int_equal(cv_listen_open(&second, 16, reason, sizeof(reason)), -EADDRINUSE);
    assert_says("another server");
    assert_true(exists(path));
    assert_int_equal(connect_to(&listeners.item[0]), 0);
}

/* What it holds may be somebody's work. */
static void test_a_file_that_is_no_socket_is_never_removed(void **state)
{
    (void)state;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(listen_on(where), -EADDRINUSE);
    assert_says("no socket");
    assert_true(exists(path));
}

static void test_a_link_to_a_stale_socket_is_not_followed(void **state)
{
    (void)state;
    char target[112];
    leave_stale();
    (void)snprintf(target, sizeof(target), "%s-target", path);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    int rc = listen_on(where);
    bool both = exists(path) && exists(target);
    (void)unlink(target);
    assert_int_equal(rc, -EADDRINUSE);
    assert_true(both);
}

/* Two servers, one file: who was replaced must not take the other's file away. On most file systems
 * the new file gets the number of the old one. */
static void test_the_file_of_another_instance_is_not_removed(void **state)
{
    (void)state;
    struct cv_listeners old = {0};
    for (int round = 0; round < 3; round++) {
        assert_int_equal(cv_listen_parse(&old, where, reason, sizeof(reason)), 0);
        assert_int_equal(cv_listen_open(&old, 16, reason, sizeof(reason)), 0);
        cv_listen_close(&old); /* it drains */
        (void)usleep(10000);   /* file systems count time by the tick */
        listeners = (struct cv_listeners){0};
        assert_int_equal(listen_on(where), 0);
        cv_listen_unlink(&old);
        assert_true(exists(path));
        cv_listen_close(&listeners);
        cv_listen_unlink(&listeners);
        assert_false(exists(path));
        old = (struct cv_listeners){0};
    }
}

static void test_our_own_file_is_removed_whatever_its_mode_has_become(void **state)
{
    (void)state;
    assert_int_equal(listen_on(where), 0);
    assert_int_equal(chmod(path, 0777), 0);
    cv_listen_close(&listeners);
    cv_listen_unlink(&listeners);
    assert_false(exists(path));
    cv_listen_unlink(&listeners); /* and nothing when it is gone */
}

static void test_a_failed_start_leaves_no_file_and_no_descriptor(void **state)
{
    (void)state;
    char list[160];
    int before = open_descriptors();
    (void)snprintf(list, sizeof(list), "%s,203.0.113.7:0", where);
    assert_int_equal(listen_on(list), -EADDRNOTAVAIL);
    assert_false(exists(path));
    assert_int_equal(listeners.item[0].fd, -1);
    assert_int_equal(open_descriptors(), before);
}

static void test_a_folder_that_does_not_exist_is_named(void **state)
{
    (void)state;
    char text[128];
    (void)snprintf(text, sizeof(text), "unix:%s/missing/s", folder);
    assert_int_equal(listen_on(text), -ENOENT);
    assert_says("/missing/s");
    assert_says("folder");
}

/* Anybody may lock /tmp: a start must not hang for it. */
static void test_a_locked_folder_delays_but_does_not_hang(void **state)
{
    (void)state;
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    int rc = listen_on(where);
    (void)close(lock);
    assert_true(rc < 0);
    assert_says("lock");
    listeners = (struct cv_listeners){0};
    assert_int_equal(listen_on(where), 0);
}

static void test_two_that_start_at_once_do_not_both_win(void **state)
{
    (void)state;
    leave_stale();
    int go[2];
    int hold[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    pid_t pids[6];
    for (size_t i = 0; i < CV_COUNT(pids); i++) {
        pids[i] = brood_fork();
        if (pids[i] == 0) {
            char byte;
            (void)close(go[1]);
            (void)close(hold[1]);
            (void)!read(go[0], &byte, 1);
            int rc = listen_on(where);
            (void)!read(hold[0], &byte, 1); /* a winner serves until all have tried */
            _exit(rc == 0 ? 0 : 1);         /* in use, or locked by another one that tries */
        }
    }
    (void)close(go[1]);
    (void)usleep(1500000); /* all have found out within a second; nothing is asserted by time */
    (void)close(hold[1]);
    int won = 0;
    int lost = 0;
    for (size_t i = 0; i < CV_COUNT(pids); i++) {
        int code = brood_wait(pids[i]);
        won += code == 0;
        lost += code == 1;
    }
    (void)close(go[0]);
    (void)close(hold[0]);
    assert_int_equal(won, 1);
    assert_int_equal(lost, CV_COUNT(pids) - 1);
}

/* ---- What is right ---- */

static void test_port_0_becomes_a_number(void **state)
{
    (void)state;
    assert_int_equal(listen_on("127.0.0.1:0,127.0.0.1:0"), 0);
    unsigned first;
    unsigned second;
    assert_int_equal(sscanf(listeners.item[0].text, "http://127.0.0.1:%u", &first), 1);
    assert_int_equal(sscanf(listeners.item[1].text, "http://127.0.0.1:%u", &second), 1);
    assert_in_range(first, 1, 65535);
    assert_in_range(second, 1, 65535);
    assert_int_not_equal(first, second);
    assert_int_equal(connect_to(&listeners.item[0]), 0);
}

static void test_ipv6_is_written_in_brackets(void **state)
{
    (void)state;
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_v6 = probe >= 0 && bind(probe, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;
    if (probe >= 0)
        (void)close(probe);
    assert_int_equal(parse("[::1]:0"), 0);
    assert_string_equal(listeners.item[0].text, "http://[::1]:0");
    if (!has_v6)
        skip();
    assert_int_equal(open_all(), 0);
    unsigned port;
    assert_int_equal(sscanf(listeners.item[0].text, "http://[::1]:%u", &port), 1);
    assert_in_range(port, 1, 65535);
    assert_int_equal(connect_to(&listeners.item[0]), 0);
}

/* "[::]" and "0.0.0.0" on one port do not get in each other's way. */
/* Whether somebody can listen on every IPv4 address at the port that the listener has. */
static int open_ipv4_beside(void)
{
    char text[64];
    unsigned port;
    assert_int_equal(sscanf(listeners.item[0].text, "http://[::]:%u", &port), 1);
    (void)snprintf(text, sizeof(text), "0.0.0.0:%u", port);
    struct cv_listeners v4 = {0};
    assert_int_equal(cv_listen_parse(&v4, text, reason, sizeof(reason)), 0);
    int rc = cv_listen_open(&v4, 16, reason, sizeof(reason));
    cv_listen_close(&v4);
    return rc;
}

/* Another test may have that very port by chance; not five times. */
static void test_ipv6_does_not_take_ipv4_along(void **state)
{
    (void)state;
    int rc = -1;
    for (int i = 0; rc < 0 && i < 5; i++) {
        if (listen_on("[::]:0") < 0)
            skip();
        rc = open_ipv4_beside();
        cv_listen_close(&listeners);
    }
    assert_int_equal(rc, 0);
}

static void test_no_host_is_every_interface(void **state)
{
    (void)state;
    assert_int_equal(parse(":0,*:0"), 0);
    assert_string_equal(listeners.item[0].text, "http://0.0.0.0:0");
    assert_string_equal(listeners.item[1].text, "http://0.0.0.0:0");
}

static void test_listeners_are_close_on_exec_and_never_block(void **state)
{
    (void)state;
    char list[160];
    (void)snprintf(list, sizeof(list), "127.0.0.1:0,%.200s", where);
    assert_int_equal(listen_on(list), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fcntl(listeners.item[i].fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(listeners.item[i].fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
    int nodelay = 0;
    socklen_t len = sizeof(nodelay);
    assert_int_equal(getsockopt(listeners.item[0].fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
    assert_int_equal(nodelay, 1);
    cv_listen_close(&listeners);
    cv_listen_close(&listeners); /* again: nothing */
    cv_listen_unlink(&listeners);
}

#define listen_test(test) cmocka_unit_test_setup_teardown(test, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        listen_test(test_texts_that_are_no_address_are_refused_with_the_forms_there_are),
        listen_test(test_a_list_without_an_address_is_refused),
        listen_test(test_hosts_without_an_address_are_named),
        listen_test(test_a_host_name_too_long_is_refused),
        listen_test(test_unix_paths_have_their_ends),
        listen_test(test_more_addresses_than_there_is_room_for_are_refused),
        listen_test(test_a_list_ends_at_its_first_bad_address),
        listen_test(test_an_address_in_use_is_tried_for_a_second_then_named),
        listen_test(test_an_address_that_becomes_free_meanwhile_is_taken),
        listen_test(test_an_address_of_no_interface_says_so),
        listen_test(test_a_stale_socket_file_is_replaced),
        listen_test(test_a_live_socket_is_left_alone),
        listen_test(test_a_file_that_is_no_socket_is_never_removed),
        listen_test(test_a_link_to_a_stale_socket_is_not_followed),
        listen_test(test_the_file_of_another_instance_is_not_removed),
        listen_test(test_our_own_file_is_removed_whatever_its_mode_has_become),
        listen_test(test_a_failed_start_leaves_no_file_and_no_descriptor),
        listen_test(test_a_folder_that_does_not_exist_is_named),
        listen_test(test_a_locked_folder_delays_but_does_not_hang),
        listen_test(test_two_that_start_at_once_do_not_both_win),
        listen_test(test_port_0_becomes_a_number),
        listen_test(test_ipv6_is_written_in_brackets),
        listen_test(test_ipv6_does_not_take_ipv4_along),
        listen_test(test_no_host_is_every_interface),
        listen_test(test_listeners_are_close_on_exec_and_never_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
