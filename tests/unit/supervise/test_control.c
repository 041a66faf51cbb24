#include "supervise/control/control.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "brood.h"

static struct cv_control control;
static struct cv_control_request request;
static struct cv_control_client *client;
static struct cv_message message;
static struct sockaddr_un address;
static socklen_t address_len;

static int start(void **state)
{
    (void)state;
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* An address without a path: the kernel gives it a name of its own. */
    if (bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 || listen(fd, 64) < 0)
        return -1;
    address_len = sizeof(address);
    (void)getsockname(fd, (struct sockaddr *)&address, &address_len);
    return cv_control_start(&control, fd);
}

static int finish(void **state)
{
    cv_control_done(&control);
    return brood_end(state);
}

static int call(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, address_len), 0);
    return fd;
}

static void ask(int fd, enum cv_control_command command)
{
    cv_control_write(&message, &(struct cv_control_request){command, 0});
    assert_int_equal(cv_channel_send(fd, &message), 0);
}

static bool next(void)
{
    return cv_control_next(&control, &request, &client);
}

static bool is_closed(int fd)
{
    return cv_channel_receive(fd, &message) == 0;
}

static unsigned clients(void)
{
    unsigned n = 0;
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++)
        n += control.client[i].fd >= 0;
    return n;
}

static void test_without_a_socket_nothing_happens(void **state)
{
    (void)state;
    struct cv_control none;
    assert_int_equal(cv_control_start(&none, -1), 0);
    assert_false(cv_control_next(&none, &request, &client));
    cv_control_done(&none);
}

static void test_nonsense_of_any_length_is_dropped(void **state)
{
    (void)state;
    static char bytes[sizeof(message) + 100];
    memset(bytes, 'x', sizeof(bytes));
    const size_t lengths[] = {0, 1, 31, 32, 33, 4096, sizeof(message), sizeof(message) + 100};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int fd = call();
        assert_int_equal(send(fd, bytes, lengths[i], 0), lengths[i]);
        while (clients() > 0 || !is_closed(fd))
            assert_false(next());
        (void)close(fd);
    }
}

static void test_client_of_another_version_is_told_so(void **state)
{
    (void)state;
    int fd = call();
    cv_control_write(&message, &(struct cv_control_request){CV_CONTROL_RELOAD, 0});
    message.word[3]++;
    assert_int_equal(cv_channel_send(fd, &message), 0);
    assert_false(next());
    assert_int_equal(cv_channel_receive(fd, &message), 1);
    assert_int_equal(message.kind, CV_CONTROL_DONE);
    assert_int_equal(message.word[0], 1);
    assert_true(is_closed(fd));
    (void)close(fd);
}

static void test_second_command_on_a_connection_ends_it(void **state)
{
    (void)state;
    int fd = call();
    ask(fd, CV_CONTROL_RELOAD);
    assert_true(next());
    client->wait.command = CV_CONTROL_RELOAD;
    ask(fd, CV_CONTROL_RELOAD);
    assert_false(next());
    assert_true(is_closed(fd));
    (void)close(fd);
}

static void test_client_that_leaves_is_forgotten(void **state)
{
    (void)state;
    int fd = call();
    ask(fd, CV_CONTROL_RELOAD);
    assert_true(next());
    client->wait.command = CV_CONTROL_RELOAD;
    (void)close(fd);
    assert_false(next());
    assert_int_equal(clients(), 0);
}

static void test_silent_clients_make_room_for_new_ones(void **state)
{
    (void)state;
    int fds[3 * CV_CONTROL_CLIENTS];
    for (size_t i = 0; i < CV_COUNT(fds); i++) {
        fds[i] = call();
        assert_false(next());
    }
    assert_int_equal(clients(), CV_CONTROL_CLIENTS);
    assert_true(is_closed(fds[0]));
    int fd = call();
    ask(fd, CV_CONTROL_STATUS);
    assert_true(next());
    assert_int_equal(request.command, CV_CONTROL_STATUS);
    (void)close(fd);
    for (size_t i = 0; i < CV_COUNT(fds); i++)
        (void)close(fds[i]);
}

static void test_clients_that_wait_keep_their_place(void **state)
{
    (void)state;
    int fds[CV_CONTROL_CLIENTS];
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
        fds[i] = call();
        ask(fds[i], CV_CONTROL_RELOAD);
        assert_true(next());
        client->wait.command = CV_CONTROL_RELOAD;
    }
    int late = call();
    assert_false(next());
    assert_int_equal(cv_channel_receive(late, &message), 1);
    assert_int_equal(message.word[0], 1);
    assert_true(is_closed(late));
    (void)close(late);
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
        assert_int_equal(cv_channel_receive(fds[i], &message), -EAGAIN);
        (void)close(fds[i]);
    }
}

static void test_client_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    int fd = call();
    ask(fd, CV_CONTROL_STATUS);
    assert_true(next());
    cv_control_write_slots(&message);
    while (cv_control_add_slot(&message, &(struct cv_control_slot){0}))
        continue;
    int sent = 0;
    while (cv_channel_send(client->fd, &message) == 0)
        sent++;
    assert_in_range(sent, 1, 1000);
    cv_control_answer(client, true, "done");
    assert_int_equal(clients(), 0);
    (void)close(fd);
}

/* As a worker that was forked meanwhile does. */
static void test_who_is_dropped_wakes_nobody_though_another_holds_the_connection(void **state)
{
    (void)state;
    int fd = call();
    ask(fd, CV_CONTROL_STATUS);
    assert_true(next());
    int held = fcntl(client->fd, F_DUPFD_CLOEXEC, 3);
    cv_control_answer(client, true, "done");
    (void)close(fd);
    struct pollfd ready = {.fd = control.epoll, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    (void)close(held);
}

static void test_answer_ends_the_connection(void **state)
{
    (void)state;
    int fd = call();
    ask(fd, CV_CONTROL_STATUS);
    assert_true(next());
    cv_control_answer(client, true, "done");
    assert_int_equal(cv_channel_receive(fd, &message), 1);
    assert_int_equal(message.word[0], 0);
    assert_memory_equal(message.body, "done", 4);
    assert_true(is_closed(fd));
    (void)close(fd);
}

static void test_many_that_call_at_once_are_all_heard(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        int fds[CV_CONTROL_CLIENTS];
        for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
            fds[i] = call();
            ask(fds[i], CV_CONTROL_STATUS);
        }
        for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
            assert_true(next());
            cv_control_answer(client, true, "");
        }
        for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
            assert_int_equal(cv_channel_receive(fds[i], &message), 1);
            (void)close(fds[i]);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_socket_nothing_happens),
        TEST(test_nonsense_of_any_length_is_dropped),
        TEST(test_client_of_another_version_is_told_so),
        TEST(test_second_command_on_a_connection_ends_it),
        TEST(test_client_that_leaves_is_forgotten),
        TEST(test_silent_clients_make_room_for_new_ones),
        TEST(test_clients_that_wait_keep_their_place),
        TEST(test_client_that_does_not_read_is_dropped),
        TEST(test_who_is_dropped_wakes_nobody_though_another_holds_the_connection),
        TEST(test_answer_ends_the_connection),
        TEST(test_many_that_call_at_once_are_all_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
