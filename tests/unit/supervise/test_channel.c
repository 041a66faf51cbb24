#include "supervise/shared/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/rand.h"
#include "brood.h"

#define HEAD_BYTES offsetof(struct cv_message, body)

static struct cv_message sent;
static struct cv_message got;

struct pair {
    int a;
    int b;
};

static int pair_open(void **state)
{
    static struct pair pair;
    int fds[2];
    if (cv_channel_pair(fds) < 0)
        return -1;
    pair = (struct pair){fds[0], fds[1]};
    *state = &pair;
    memset(&sent, 0, sizeof(sent));
    memset(&got, 0xa5, sizeof(got));
    return 0;
}

static int pair_close(void **state)
{
    const struct pair *pair = *state;
    (void)close(pair->a);
    if (pair->b >= 0)
        (void)close(pair->b);
    return 0;
}

static void close_b(struct pair *pair)
{
    (void)close(pair->b);
    pair->b = -1;
}

/* ---- What is wrong ---- */

static void test_a_datagram_shorter_than_a_head_is_bad(void **state)
{
    const struct pair *pair = *state;
    for (size_t len = 1; len < HEAD_BYTES; len++) {
        assert_int_equal(send(pair->b, &sent, len, 0), len);
        assert_int_equal(cv_channel_receive(pair->a, &got), -EBADMSG);
    }
}

static void test_a_length_that_is_not_the_datagrams_is_bad(void **state)
{
    const struct pair *pair = *state;
    static const uint32_t lies[] = {
        0, 9, 11, CV_MESSAGE_BODY_MAX, CV_MESSAGE_BODY_MAX + 1, UINT32_MAX, UINT32_MAX - 31};
    for (size_t i = 0; i < CV_COUNT(lies); i++) {
        sent.body_len = lies[i];
        assert_int_equal(send(pair->b, &sent, HEAD_BYTES + 10, 0), HEAD_BYTES + 10);
        assert_int_equal(cv_channel_receive(pair->a, &got), -EBADMSG);
    }
}

static void test_a_datagram_longer_than_a_message_is_bad(void **state)
{
    const struct pair *pair = *state;
    static char bytes[sizeof(struct cv_message) + 100];
    const uint32_t claims[] = {sizeof(bytes) - HEAD_BYTES,
                               CV_MESSAGE_BODY_MAX}; /* true; what fits */
    for (size_t i = 0; i < CV_COUNT(claims); i++) {
        memcpy(bytes + sizeof(uint32_t), &claims[i], sizeof(claims[i]));
        assert_int_equal(send(pair->b, bytes, sizeof(bytes), 0), sizeof(bytes));
        assert_int_equal(cv_channel_receive(pair->a, &got), -EBADMSG);
    }
}

static void test_after_a_bad_message_the_next_is_whole(void **state)
{
    const struct pair *pair = *state;
    assert_int_equal(send(pair->b, &sent, 5, 0), 5);
    assert_int_equal(cv_channel_tell(pair->b, CV_MSG_READY, 1, 2), 0);
    assert_int_equal(cv_channel_receive(pair->a, &got), -EBADMSG);
    assert_int_equal(cv_channel_receive(pair->a, &got), 1);
    assert_int_equal(got.kind, CV_MSG_READY);
}

static void test_random_datagrams_are_bad_or_hold_what_they_say(void **state)
{
    const struct pair *pair = *state;
    static unsigned char bytes[512];
    uint64_t random = 11;
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)(cv_rand_next(&random) % sizeof(bytes)) + 1;
        for (size_t i = 0; i < 40; i++)
            bytes[i] = (unsigned char)cv_rand_next(&random);
        if (round % 3 == 0 && len >= HEAD_BYTES) {
            uint32_t truth = (uint32_t)(len - HEAD_BYTES);
            memcpy(bytes + sizeof(uint32_t), &truth, sizeof(truth));
        }
        assert_int_equal(send(pair->b, bytes, len, 0), len);
        int rc = cv_channel_receive(pair->a, &got);
        if (rc == 1)
            assert_int_equal(HEAD_BYTES + got.body_len, len);
        else
            assert_int_equal(rc, -EBADMSG);
    }
}

/* Descriptors that a worker sends along must not pile up in the master. */
static void test_descriptors_sent_along_are_not_taken(void **state)
{
    const struct pair *pair = *state;
    int before = open_descriptors();
    for (int i = 0; i < 50; i++) {
        char control[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec bytes = {&sent, HEAD_BYTES};
        struct msghdr message = {.msg_iov = &bytes,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control)};
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &pair->a, sizeof(int));
        assert_int_equal(sendmsg(pair->b, &message, 0), HEAD_BYTES);
        assert_int_equal(cv_channel_receive(pair->a, &got), 1);
    }
    assert_int_equal(open_descriptors(), before);
}

/* ---- Descriptors that are wanted ---- */

static void test_files_arrive_in_order_and_close_on_exec(void **state)
{
    const struct pair *pair = *state;
    int null = open("/dev/null", O_RDONLY);
    int zero = open("/dev/zero", O_RDONLY);
    int before = open_descriptors();
    struct cv_files files = {2, {null, zero}};
    sent.kind = CV_MSG_LOGS;
    assert_int_equal(cv_channel_send_files(pair->a, &sent, &files), 0);
    struct cv_files came;
    assert_int_equal(cv_channel_receive_files(pair->b, &got, &came), 1);
    assert_int_equal(got.kind, CV_MSG_LOGS);
    assert_int_equal(came.n, 2);
    char byte = 'x';
    assert_int_equal(read(came.fd[0], &byte, 1), 0);
    assert_int_equal(read(came.fd[1], &byte, 1), 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fcntl(came.fd[i], F_GETFD), FD_CLOEXEC);
        (void)close(came.fd[i]);
    }
    assert_int_equal(open_descriptors(), before);
    (void)close(null);
    (void)close(zero);
}

static void test_a_message_without_files_has_none(void **state)
{
    const struct pair *pair = *state;
    struct cv_files came;
    struct cv_files none = {0, {0}};
    assert_int_equal(cv_channel_receive_files(pair->b, &got, &came), -EAGAIN);
    assert_int_equal(cv_channel_tell(pair->a, CV_MSG_GO, 7, 8), 0);
    assert_int_equal(cv_channel_receive_files(pair->b, &got, &came), 1);
    assert_int_equal(got.word[0], 7);
    assert_int_equal(came.n, 0);
    assert_int_equal(cv_channel_send_files(pair->a, &sent, &none), 0);
    assert_int_equal(cv_channel_receive_files(pair->b, &got, &came), 1);
    assert_int_equal(came.n, 0);
    assert_int_equal(send(pair->a, &sent, 5, 0), 5);
    assert_int_equal(cv_channel_receive_files(pair->b, &got, &came), -EBADMSG);
}

/* ---- Ends ---- */

static void test_nothing_there_is_not_the_end(void **state)
{
    const struct pair *pair = *state;
    assert_int_equal(cv_channel_receive(pair->a, &got), -EAGAIN);
}

static void test_what_was_sent_before_the_close_is_still_read(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(cv_channel_tell(pair->b, CV_MSG_DRAINED, 0, 0), 0);
    close_b(pair);
    assert_int_equal(cv_channel_receive(pair->a, &got), 1);
    assert_int_equal(got.kind, CV_MSG_DRAINED);
    assert_int_equal(cv_channel_receive(pair->a, &got), 0);
    assert_int_equal(cv_channel_receive(pair->a, &got), 0);
}

/* The other side dies with something unread: the kernel calls that a reset. */
static void test_a_reset_is_an_end_too(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(cv_channel_tell(pair->a, CV_MSG_GO, 0, 0), 0);
    close_b(pair);
    assert_int_equal(cv_channel_receive(pair->a, &got), 0);
}

static void test_what_was_said_is_read_although_not_all_was_heard(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(cv_channel_tell(pair->b, CV_MSG_READY, 7, 0), 0);
    assert_int_equal(cv_channel_tell(pair->a, CV_MSG_GO, 0, 0), 0);
    close_b(pair);
    assert_int_equal(cv_channel_receive(pair->a, &got), 1);
    assert_int_equal(got.word[0], 7);
    assert_int_equal(cv_channel_receive(pair->a, &got), 0);
}

static void test_sending_to_nobody_is_an_error_and_no_signal(void **state)
{
    struct pair *pair = *state;
    close_b(pair);
    assert_int_equal(cv_channel_tell(pair->a, CV_MSG_GO, 0, 0), -EPIPE);
}

static void test_who_does_not_read_blocks_nobody(void **state)
{
    const struct pair *pair = *state;
    int rc = 0;
    sent.body_len = CV_MESSAGE_BODY_MAX;
    int n = 0;
    while (rc == 0 && n++ < 100000)
        rc = cv_channel_send(pair->a, &sent);
    assert_int_equal(rc, -EAGAIN);
    assert_true(n > 1);
    while ((rc = cv_channel_receive(pair->b, &got)) == 1)
        assert_int_equal(got.body_len, CV_MESSAGE_BODY_MAX);
    assert_int_equal(rc, -EAGAIN);
}

/* ---- What is right ---- */

static void test_messages_arrive_whole_and_in_order(void **state)
{
    const struct pair *pair = *state;
    for (uint32_t len = 0; len <= CV_MESSAGE_BODY_MAX; len += 4096) {
        sent.kind = CV_MSG_HELLO + len / 4096;
        sent.word[3] = len + 1;
        sent.time = INT64_MAX - len;
        sent.body_len = len;
        memset(sent.body, (int)(len / 4096), len);
        assert_int_equal(cv_channel_send(pair->a, &sent), 0);
        assert_int_equal(cv_channel_receive(pair->b, &got), 1);
        assert_memory_equal(&got, &sent, HEAD_BYTES + len);
    }
}

static void test_a_pair_is_close_on_exec_and_never_blocks(void **state)
{
    const struct pair *pair = *state;
    assert_int_equal(fcntl(pair->a, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(pair->b, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(pair->a, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(pair->b, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

#define pair_test(test) cmocka_unit_test_setup_teardown(test, pair_open, pair_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        pair_test(test_a_datagram_shorter_than_a_head_is_bad),
        pair_test(test_a_length_that_is_not_the_datagrams_is_bad),
        pair_test(test_a_datagram_longer_than_a_message_is_bad),
        pair_test(test_after_a_bad_message_the_next_is_whole),
        pair_test(test_random_datagrams_are_bad_or_hold_what_they_say),
        pair_test(test_descriptors_sent_along_are_not_taken),
        pair_test(test_files_arrive_in_order_and_close_on_exec),
        pair_test(test_a_message_without_files_has_none),
        pair_test(test_nothing_there_is_not_the_end),
        pair_test(test_what_was_sent_before_the_close_is_still_read),
        pair_test(test_a_reset_is_an_end_too),
        pair_test(test_what_was_said_is_read_although_not_all_was_heard),
        pair_test(test_sending_to_nobody_is_an_error_and_no_signal),
        pair_test(test_who_does_not_read_blocks_nobody),
        pair_test(test_messages_arrive_whole_and_in_order),
        pair_test(test_a_pair_is_close_on_exec_and_never_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
