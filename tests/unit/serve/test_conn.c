/* What a connection costs: system calls, memory. */
#include "rig.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include "serve/conn.h"
#include "serve/inside.h"

/* Stand in front of libc's, to count. */
static unsigned controls;
static unsigned receives;
static unsigned calls; /* all that a connection of one request may make */

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    controls++;
    calls++;
    return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    calls++;
    return (int)syscall(SYS_epoll_wait, epoll, events, max, timeout);
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *len, int flags)
{
    calls++;
    return (int)syscall(SYS_accept4, fd, address.__sockaddr__, len, flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    calls++;
    return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

int close(int fd)
{
    calls++;
    return (int)syscall(SYS_close, fd);
}

ssize_t recv(int fd, void *to, size_t cap, int flags)
{
    receives += (flags & MSG_DONTWAIT) == 0; /* the clients' own do not count */
    calls++;
    return syscall(SYS_recvfrom, fd, to, cap, flags, NULL, NULL);
}

#define GET(fields) "GET / HTTP/1.1\r\nHost: x\r\n" fields "\r\n"

static void test_a_connection_of_one_request_is_read_once_and_never_registered(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    say_text(fd, GET("Connection: close\r\n"));
    controls = receives = 0;
    hear(rig, fd, NULL);
    assert_got(rig, "200 OK");
    assert_int_equal(controls, 0);
    assert_int_equal(receives, 1);
    close(fd);
    rig_free(rig);
}

#define AT_HAND 64

/* So many clients come at once; the calls that they cost the server. */
static unsigned serve_many(struct rig *rig)
{
    int fds[AT_HAND];
    unsigned before = rig->requests;
    for (int i = 0; i < AT_HAND; i++) {
        fds[i] = rig_connect(rig);
        say_text(fds[i], GET("Connection: close\r\n"));
    }
    calls = 0;
    rig_until(rig, rig->requests == before + AT_HAND);
    unsigned cost = calls;
    for (int i = 0; i < AT_HAND; i++) {
        forget(rig);
        hear(rig, fds[i], NULL);
        assert_got(rig, "200 OK");
        close(fds[i]);
    }
    return cost;
}

static void test_connections_of_one_request_cost_four_calls_each(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    for (int i = 0; i < 10; i++)
        (void)serve_many(rig); /* the pace is learnt */
    controls = 0;
    unsigned cost = serve_many(rig);
    assert_true(cost * 10 <= AT_HAND * 41);
    assert_int_equal(controls, 0);
    rig_free(rig);
}

/* As hosts do in a long batch. */
static void host_target_and_flush(struct rig *rig, const struct cv_event *event)
{
    host_target(rig, event);
    cv_server_flush(rig->server);
}

static void test_a_flush_within_a_batch_registers_nobody_who_waits_for_the_host(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target_and_flush);
    for (int i = 0; i < 10; i++)
        (void)serve_many(rig);
    controls = 0;
    (void)serve_many(rig);
    assert_int_equal(controls, 0);
    rig_free(rig);
}

static void test_a_kept_connection_is_registered_once_and_read_once_per_request(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    controls = receives = 0;
    for (unsigned i = 1; i <= 4; i++) {
        forget(rig);
        say_text(fd, GET(""));
        hear(rig, fd, "\r\n\r\n/");
        rig_settle(rig);
        assert_int_equal(receives, i);
    }
    assert_int_equal(controls, 1);
    close(fd);
    rig_free(rig);
}

static void test_bytes_that_are_not_wanted_yet_cost_no_call(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, GET(""));
    rig_until(rig, rig->held != NULL);
    rig_settle(rig);
    controls = receives = 0;
    for (int i = 0; i < 5; i++) {
        say_text(fd, GET(""));
        rig_settle(rig);
    }
    assert_int_equal(receives, 0);
    assert_int_equal(controls, 0);
    rig->host = host_target;
    answer_text(rig->held, "first");
    cv_exchange_release(rig->held);
    rig_until(rig, rig->requests == 6);
    fetch(rig, fd);
    assert_int_equal(count_of(rig, "200 OK"), 6);
    close(fd);
    rig_free(rig);
}

static void test_an_idle_connection_owns_no_buffer(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    say_text(fd, "GET / HTT");
    rig_settle(rig);
    say_text(fd, "P/1.1\r\nHost: x\r\n\r\n" GET(""));
    rig_until(rig, rig->requests == 2);
    rig_settle(rig);
    struct cv_link *idle = &rig->server->deadlines.lists[CV_DUE_IDLE];
    assert_false(cv_list_empty(idle));
    const struct cv_conn *c = CV_CONTAINER_OF(idle->next, struct cv_conn, due);
    assert_null(c->in.at);
    assert_null(c->out.first);
    assert_null(c->torn);
    assert_null(c->x);
    close(fd);
    rig_free(rig);
}

static void test_the_kernel_keeps_little_for_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    static char body[8 << 20];
    int fd = rig_connect(rig);
    say_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_until(rig, rig->held != NULL);
    struct cv_answer answer = {.status = 200, .length = sizeof(body)};
    assert_int_equal(cv_exchange_begin(rig->held, &answer), 0);
    assert_true(cv_exchange_write(rig->held, cv_span(body, sizeof(body))) > 0);
    rig_settle(rig);
    ssize_t unsent = cv_exchange_write(rig->held, cv_span(NULL, 0));
    assert_true(unsent >
                (ssize_t)sizeof(body) - (1 << 20)); /* what the client's side holds is in it */
    cv_exchange_abort(rig->held);
    cv_exchange_release(rig->held);
    close(fd);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_of_one_request_is_read_once_and_never_registered),
        cmocka_unit_test(test_connections_of_one_request_cost_four_calls_each),
        cmocka_unit_test(test_a_flush_within_a_batch_registers_nobody_who_waits_for_the_host),
        cmocka_unit_test(test_a_kept_connection_is_registered_once_and_read_once_per_request),
        cmocka_unit_test(test_bytes_that_are_not_wanted_yet_cost_no_call),
        cmocka_unit_test(test_an_idle_connection_owns_no_buffer),
        cmocka_unit_test(test_the_kernel_keeps_little_for_a_client_that_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
