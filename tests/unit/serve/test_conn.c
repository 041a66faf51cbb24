/* What a connection costs: system calls, memory. */
#include "rig.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include "serve/conn.h"
#include "serve/inside.h"

/* Stand in front of libc's, to count. */
static unsigned controls;
static unsigned receives;

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    controls++;
    return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

ssize_t recv(int fd, void *to, size_t cap, int flags)
{
    receives += (flags & MSG_DONTWAIT) == 0; /* the clients' own do not count */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_of_one_request_is_read_once_and_never_registered),
        cmocka_unit_test(test_a_kept_connection_is_registered_once_and_read_once_per_request),
        cmocka_unit_test(test_bytes_that_are_not_wanted_yet_cost_no_call),
        cmocka_unit_test(test_an_idle_connection_owns_no_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
