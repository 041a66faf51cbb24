/* Taking connections: budgets, ceilings, shortages. */
#include "rig.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

#include "serve/conn.h"
#include "serve/inside.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

static int budget_now;
static unsigned asked;
static unsigned load_told;

static int some_budget(void *arg, unsigned open)
{
    (void)arg;
    (void)open;
    asked++;
    return budget_now;
}

static void tell_load(void *arg, unsigned open)
{
    (void)arg;
    load_told = open;
}

/* ---- Shortages ---- */

/* Leaves room for `more` descriptors; the limit as it was. */
static struct rlimit allow_descriptors(int more)
{
    struct rlimit before, after;
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    after = before;
    after.rlim_cur = (rlim_t)(next + more);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &after), 0);
    return before;
}

static void test_without_descriptors_the_idlest_connection_makes_room(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int idle = rig_connect(rig);
    say_text(idle, GET);
    hear(rig, idle, "200 OK");
    int next = rig_connect(rig);
    say_text(next, GET);
    struct rlimit before = allow_descriptors(0);
    forget(rig);
    hear(rig, next, "200 OK");
    setrlimit(RLIMIT_NOFILE, &before);
    forget(rig);
    hear(rig, idle, NULL);
    assert_int_equal(cv_server_connections(rig->server), 1);
    close(idle);
    close(next);
    rig_free(rig);
}

static void test_without_descriptors_or_idle_ones_it_pauses_and_goes_on_by_itself(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    say_text(fd, GET);
    struct rlimit before = allow_descriptors(0);
    unsigned steps = 0;
    for (int64_t end = cv_clock_ns() + 50 * CV_MS; cv_clock_ns() < end; steps++)
        assert_true(cv_loop_step(rig->loop, end) >= 0);
    assert_true(steps < 10); /* it does not spin */
    assert_int_equal(rig->requests, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    hear(rig, fd, "200 OK");
    close(fd);
    rig_free(rig);
}

static void test_a_shortage_ends_when_a_connection_closes(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int busy = rig_connect(rig);
    say_text(busy, GET);
    rig_until(rig, rig->held != NULL);
    int fd = rig_connect(rig);
    say_text(fd, GET);
    struct rlimit before = allow_descriptors(0);
    rig_settle(rig);
    assert_int_equal(rig->requests, 1);
    cv_exchange_abort(rig->held);
    cv_exchange_release(rig->held);
    rig_until(rig, rig->requests == 2);
    setrlimit(RLIMIT_NOFILE, &before);
    cv_exchange_release(rig->held);
    close(busy);
    close(fd);
    rig_free(rig);
}

/* ---- Ceilings and budgets ---- */

static void test_past_connections_max_clients_wait_in_the_queue(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.limits.connections_max = 2;
    rig_start(rig);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = rig_connect(rig);
        say_text(fds[i], GET);
    }
    rig_settle(rig);
    assert_int_equal(rig->requests, 2);
    assert_int_equal(cv_server_connections(rig->server), 2);
    close(fds[0]);
    close(fds[1]);
    forget(rig);
    hear(rig, fds[2], "200 OK");
    close(fds[2]);
    rig_free(rig);
}

static void test_past_connections_max_clients_can_be_turned_away(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.limits.connections_max = 1;
    rig->config.limits.turn_away = true;
    rig_start(rig);
    int first = rig_connect(rig);
    say_text(first, GET);
    hear(rig, first, "200 OK");
    say_and_hear_all(rig, GET GET);
    assert_got(rig, "HTTP/1.1 503 ");
    assert_got(rig, "\r\nRetry-After: 1\r\n");
    assert_got(rig, "\r\nConnection: close\r\n");
    assert_got(rig, "(CONNECTIONS_MAX)");
    assert_int_equal(count_of(rig, "HTTP/1.1"), 1);
    say_and_hear_all(rig, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_got(rig, "HTTP/1.1 503 ");
    assert_not_got(rig, "CONNECTIONS_MAX");
    assert_int_equal(rig->requests, 1); /* the host has heard of none of them */
    forget(rig);
    say_text(first, GET);
    hear(rig, first, "200 OK");
    close(first);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    say_and_hear_all(rig, "GET / HTTP/1.0\r\n\r\n");
    assert_got(rig, "200 OK");
    rig_free(rig);
}

static void test_who_is_one_too_many_and_silent_is_not_waited_for(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.limits.connections_max = 1;
    rig->config.limits.turn_away = true;
    rig->config.limits.linger_timeout = 50;
    rig_start(rig);
    int first = rig_connect(rig);
    say_text(first, GET);
    hear(rig, first, "200 OK");
    int silent = rig_connect(rig);
    forget(rig);
    hear(rig, silent, NULL);
    assert_int_equal(rig->got_len, 0);
    assert_int_equal(cv_server_connections(rig->server), 1);
    close(first);
    close(silent);
    rig_free(rig);
}

static void test_nobody_is_turned_away_whom_another_would_take(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.limits.connections_max = 1;
    rig->config.limits.turn_away = true;
    rig->config.accept_budget = some_budget;
    rig_start(rig);
    budget_now = CV_PACE_MAX;
    int first = rig_connect(rig);
    say_text(first, GET);
    hear(rig, first, "200 OK");
    budget_now = 1; /* another has fewer */
    asked = 0;
    int second = rig_connect(rig);
    say_text(second, GET);
    rig_until(rig, asked == 1);
    assert_int_equal(cv_server_connections(rig->server), 1);
    hear(rig, second, "HTTP/1.1 503 "); /* the other was not able to */
    assert_int_equal(asked, 2);
    close(first);
    close(second);
    rig_free(rig);
}

static void test_the_budget_bounds_what_one_turn_takes(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.accept_budget = some_budget;
    rig->config.load = tell_load;
    rig_start(rig);
    rig->server->accept.pace.n = CV_PACE_MAX;
    budget_now = 2;
    int fds[5];
    for (int i = 0; i < 5; i++)
        fds[i] = rig_connect(rig);
    rig_step(rig, 1000);
    assert_int_equal(cv_server_connections(rig->server), 2);
    rig_step(rig, 1000);
    assert_int_equal(cv_server_connections(rig->server), 4);
    rig_until(rig, cv_server_connections(rig->server) == 5);
    assert_int_equal(load_told, 5);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    rig_until(rig, load_told == 0);
    rig_free(rig);
}

static void test_without_a_budget_it_steps_back_but_leaves_nobody_waiting(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.accept_budget = some_budget;
    rig_start(rig);
    budget_now = 0;
    asked = 0;
    int fd = rig_connect(rig);
    say_text(fd, GET);
    rig_until(rig, asked == 1);
    assert_int_equal(cv_server_connections(rig->server), 0);
    hear(rig, fd, "200 OK");
    assert_int_equal(asked, 2);
    close(fd);
    rig_free(rig);
}

static void test_a_peer_that_has_left_the_queue_is_no_error(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_target);
    int fd = rig_connect(rig);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
    rig_settle(rig);
    assert_int_equal(cv_server_connections(rig->server), 0);
    say_and_hear_all(rig, "GET / HTTP/1.0\r\n\r\n");
    assert_got(rig, "200 OK");
    rig_free(rig);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

/* The server's side of the only connection. */
static int accepted_fd(struct rig *rig)
{
    const struct cv_link *idle = &rig->server->deadlines.lists[CV_DUE_IDLE];
    assert_false(cv_list_empty(idle));
    return CV_CONTAINER_OF(idle->next, struct cv_conn, due)->fd;
}

static void test_options_of_tcp(void **state)
{
    (void)state;
    for (int on = 0; on <= 1; on++) {
        struct rig *rig = rig_new(host_target);
        rig->config.defer_accept = on ? 1000 : -1;
        rig->config.tcp_keepalive = on ? 60500 : -1;
        rig_start(rig);
        int listener = rig->server->accept.listeners[0].fd;
        assert_int_equal(option_of(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT), on);
        int fd = rig_connect(rig);
        say_text(fd, GET);
        hear(rig, fd, "200 OK");
        rig_settle(rig);
        int accepted = accepted_fd(rig);
        assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), on);
        if (on) {
            assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 61);
            assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPINTVL), 21);
            assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPCNT), 3);
        }
        close(fd);
        rig_free(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_descriptors_the_idlest_connection_makes_room),
        cmocka_unit_test(test_without_descriptors_or_idle_ones_it_pauses_and_goes_on_by_itself),
        cmocka_unit_test(test_a_shortage_ends_when_a_connection_closes),
        cmocka_unit_test(test_past_connections_max_clients_wait_in_the_queue),
        cmocka_unit_test(test_past_connections_max_clients_can_be_turned_away),
        cmocka_unit_test(test_who_is_one_too_many_and_silent_is_not_waited_for),
        cmocka_unit_test(test_nobody_is_turned_away_whom_another_would_take),
        cmocka_unit_test(test_the_budget_bounds_what_one_turn_takes),
        cmocka_unit_test(test_without_a_budget_it_steps_back_but_leaves_nobody_waiting),
        cmocka_unit_test(test_options_of_tcp),
        cmocka_unit_test(test_a_peer_that_has_left_the_queue_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
