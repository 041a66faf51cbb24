#include "supervise/sockets/seating.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

#include "brood.h"

#define CAPACITY 8

static struct cv_listeners listeners;
static struct cv_seating seating;
static char reason[512];

static int start(void **state)
{
    (void)state;
    listeners = (struct cv_listeners){0};
    char unix_path[64];
    (void)snprintf(unix_path, sizeof(unix_path), "unix:/tmp/covey-seating-%d", getpid());
    if (cv_listen_parse(&listeners, "127.0.0.1:0", reason, sizeof(reason)) < 0 ||
        cv_listen_parse(&listeners, unix_path, reason, sizeof(reason)) < 0 ||
        cv_listen_open(&listeners, 16, reason, sizeof(reason)) < 0)
        return -1;
    return cv_seating_init(&seating, &listeners, CAPACITY, 3);
}

static int finish(void **state)
{
    cv_seating_close(&seating, NULL, 0);
    cv_listen_close(&listeners);
    cv_listen_unlink(&listeners);
    free(seating.fds);
    cv_seats_done(&seating.seats);
    return brood_end(state);
}

static unsigned port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return 0;
    return ntohs(address.sin_port);
}

static void test_each_seat_has_a_socket_on_the_same_port(void **state)
{
    (void)state;
    int32_t fds[4][CV_LISTEN_MAX];
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(cv_seating_take(&seating, i, -1, fds[i]), 2);
    assert_true(port_of(fds[0][0]) != 0);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(port_of(fds[i][0]), port_of(fds[0][0]));
        assert_int_not_equal(fds[i][0], fds[i - 1][0]);
        assert_int_equal(fds[i][1], listeners.item[1].fd); /* a Unix socket is shared */
    }
}

static void test_a_listener_with_an_owner_is_nobodys_seat(void **state)
{
    (void)state;
    (void)snprintf(listeners.item[1].owner, sizeof(listeners.item[1].owner), "inspector");
    int32_t fds[CV_LISTEN_MAX] = {-1, -1};
    assert_string_equal(cv_listen_owner(&listeners), "inspector");
    assert_int_equal(cv_seating_take(&seating, 0, -1, fds), 1);
    assert_int_equal(fds[0], listeners.item[0].fd);
    assert_int_equal(fds[1], -1);
}

static void test_another_user_of_the_port_is_refused(void **state)
{
    (void)state;
    struct cv_listeners other = {.n = 1, .item[0] = listeners.item[0]};
    assert_int_equal(cv_listen_open(&other, 16, reason, sizeof(reason)), -EADDRINUSE);
}

static void test_it_shrinks_and_grows(void **state)
{
    (void)state;
    int32_t fds[CV_LISTEN_MAX];
    for (unsigned i = 0; i < 3; i++)
        (void)cv_seating_take(&seating, i, -1, fds);
    cv_seating_shrink(&seating, 2);
    assert_true(port_of(fds[0]) != 0); /* somebody stays */
    cv_seats_going(&seating.seats, 2);
    cv_seating_shrink(&seating, 2);
    assert_int_equal(port_of(fds[0]), 0);
    cv_seating_open(&seating, 5);
    assert_int_equal(seating.seats.n_open, 5);
}

static void test_the_first_seat_may_be_the_one_that_closes(void **state)
{
    (void)state;
    int32_t fds[CV_LISTEN_MAX];
    for (unsigned i = 0; i < 3; i++)
        (void)cv_seating_take(&seating, i, -1, fds);
    cv_seats_going(&seating.seats, 0);
    cv_seating_shrink(&seating, 2);
    assert_int_equal(listeners.item[0].fd, -1);
    assert_true(listeners.item[1].fd >= 0);
    cv_seating_open(&seating, 3);
    assert_int_equal(port_of(listeners.item[0].fd), port_of(fds[0]));
}

static void test_a_forked_worker_keeps_its_own(void **state)
{
    (void)state;
    int32_t fds[2][CV_LISTEN_MAX];
    for (unsigned i = 0; i < 2; i++)
        (void)cv_seating_take(&seating, i, -1, fds[i]);
    cv_seating_close(&seating, fds[1], 2);
    assert_int_equal(port_of(fds[0][0]), 0);
    assert_true(port_of(fds[1][0]) != 0);
    assert_true(listeners.item[1].fd >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_seat_has_a_socket_on_the_same_port, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_a_listener_with_an_owner_is_nobodys_seat, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_another_user_of_the_port_is_refused, start, finish),
        cmocka_unit_test_setup_teardown(test_it_shrinks_and_grows, start, finish),
        cmocka_unit_test_setup_teardown(test_the_first_seat_may_be_the_one_that_closes, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_a_forked_worker_keeps_its_own, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
