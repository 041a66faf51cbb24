#include "supervise/notify/hearing.h"

#include "brood.h"

#include "base/macros.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct cv_run run;
static int ears = -1;

static int open_ears(void **state)
{
    (void)state;
    cv_run_init(&run);
    ears = cv_hearing_open(&run);
    return ears >= 0 ? 0 : -1;
}

static int close_ears(void **state)
{
    (void)state;
    return close(ears);
}

static void send_with(const void *bytes, size_t len, int descriptor)
{
    struct cv_hearing_name name = cv_hearing_name(&run);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name.text + 1, strlen(name.text) - 1);
    CV_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name.text)),
        .msg_iov = &part,
        .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(head), &descriptor, sizeof(descriptor));
    }
    assert_int_equal(sendmsg(fd, &message, 0), len);
}

static void test_the_kernel_says_who_has_sent(void **state)
{
    (void)state;
    static struct cv_said said;
    send_with("READY=1", 7, -1);
    assert_int_equal(cv_hearing_next(ears, &said), 1);
    assert_int_equal(said.pid, getpid());
    assert_int_equal(said.uid, getuid());
    assert_int_equal(said.len, 7);
    assert_memory_equal(said.text, "READY=1", 7);
    assert_int_equal(cv_hearing_next(ears, &said), 0);
}

static void test_what_is_too_long_is_dropped(void **state)
{
    (void)state;
    static struct cv_said said;
    static char bytes[CV_HEARING_BYTES + 1];
    send_with(bytes, sizeof(bytes), -1);
    send_with(bytes, sizeof(bytes) - 1, -1);
    send_with(bytes, 0, -1);
    assert_int_equal(cv_hearing_next(ears, &said), -EMSGSIZE);
    assert_int_equal(cv_hearing_next(ears, &said), 1);
    assert_int_equal(said.len, CV_HEARING_BYTES);
    assert_int_equal(cv_hearing_next(ears, &said), 1);
    assert_int_equal(said.len, 0);
    assert_int_equal(cv_hearing_next(ears, &said), 0);
}

static void test_descriptors_that_come_along_are_closed(void **state)
{
    (void)state;
    static struct cv_said said;
    int before = dup(ears);
    (void)close(before);
    for (int i = 0; i < 3; i++) {
        send_with("FDSTORE=1", 9, ears);
        assert_int_equal(cv_hearing_next(ears, &said), 1);
    }
    int after = dup(ears);
    (void)close(after);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_kernel_says_who_has_sent, open_ears, close_ears),
        cmocka_unit_test_setup_teardown(test_what_is_too_long_is_dropped, open_ears, close_ears),
        cmocka_unit_test_setup_teardown(test_descriptors_that_come_along_are_closed, open_ears,
                                        close_ears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
