#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cmocka.h>

#define BULK (1 << 20)

static int memfd_with(const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* ---- Files without a name ---- */

static void test_an_unnamed_file_is_written_and_read(void **state)
{
    struct stat st;
    char text[5] = "";

    (void)state;
    int fd = cv_fd_unnamed("/tmp");
    assert_true(fd >= 0);
    assert_int_equal(cv_fd_write_all(fd, "text", 4), 0);
    assert_int_equal(cv_fd_pread_all(fd, text, 4), 0);
    assert_string_equal(text, "text");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    (void)close(fd);
    assert_int_equal(cv_fd_unnamed("/nowhere"), -ENOENT);
}

/* ---- Standard input, output, error ---- */

static bool is_null(int fd)
{
    struct stat st;
    struct stat null;
    return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev &&
           S_ISCHR(st.st_mode);
}

/* Closes those of 0, 1, 2 that are in `mask`, calls it, notes which are /dev/null then, puts all
 * back. */
static unsigned ensured(unsigned mask, int *ret_rc)
{
    int saved[3];
    for (int fd = 0; fd < 3; fd++)
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    for (int fd = 0; fd < 3; fd++)
        if ((mask & 1u << fd) != 0)
            (void)close(fd);
    *ret_rc = cv_fd_ensure_stdio();
    unsigned null = 0;
    for (int fd = 0; fd < 3; fd++) {
        if ((mask & 1u << fd) != 0 && is_null(fd))
            null |= 1u << fd;
        if (saved[fd] < 0)
            continue;
        (void)dup2(saved[fd], fd);
        (void)close(saved[fd]);
    }
    return null;
}

static void test_closed_standard_descriptors_become_dev_null(void **state)
{
    (void)state;
    for (unsigned mask = 0; mask < 8; mask++) {
        int rc;
        unsigned null = ensured(mask, &rc);
        assert_int_equal(rc, 0);
        assert_int_equal(null, mask);
    }
}

/* ---- Flags ---- */

static void test_flags_of_a_closed_descriptor_are_an_error(void **state)
{
    (void)state;
    assert_int_equal(cv_fd_set_cloexec(-1, 1), -EBADF);
    assert_int_equal(cv_fd_set_nonblock(-1, 1), -EBADF);
}

static void test_flags_go_on_and_off_and_leave_others_alone(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(cv_fd_set_cloexec(fd, 0), 0);
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    assert_int_equal(cv_fd_set_cloexec(fd, 1), 0);
    assert_int_equal(cv_fd_set_cloexec(fd, 1), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    int before = fcntl(fd, F_GETFL);
    assert_int_equal(cv_fd_set_nonblock(fd, 1), 0);
    assert_int_equal(fcntl(fd, F_GETFL), before | O_NONBLOCK);
    assert_int_equal(cv_fd_set_nonblock(fd, 0), 0);
    assert_int_equal(fcntl(fd, F_GETFL), before);
    (void)close(fd);
}

/* ---- Reading ---- */

static void test_a_file_that_is_too_short_is_an_error(void **state)
{
    (void)state;
    int fd = memfd_with("abc");
    char bytes[8];
    assert_int_equal(cv_fd_pread_all(fd, bytes, 4), -EIO);
    assert_int_equal(cv_fd_pread_all(fd, bytes, 3), 0);
    assert_memory_equal(bytes, "abc", 3);
    assert_int_equal(cv_fd_pread_all(fd, bytes, 0), 0);
    (void)close(fd);
    assert_int_equal(cv_fd_pread_all(-1, bytes, 1), -EBADF);
}

static void test_pread_all_begins_at_the_beginning(void **state)
{
    (void)state;
    int fd = memfd_with("abc"); /* its position is at the end */
    char bytes[3];
    assert_int_equal(cv_fd_pread_all(fd, bytes, 3), 0);
    assert_int_equal(cv_fd_pread_all(fd, bytes, 3), 0);
    assert_memory_equal(bytes, "abc", 3);
    (void)close(fd);
}

static void test_slurp_tells_why_it_cannot(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(cv_fd_slurp("/proc/self/there-is-no-such-file", text, sizeof(text)), -ENOENT);
    assert_int_equal(cv_fd_slurp("/proc", text, sizeof(text)), -EISDIR);
}

static void test_slurp_cuts_at_its_room_and_ends_with_a_nul(void **state)
{
    (void)state;
    int fd = memfd_with("0123456789");
    char path[32];
    char text[12];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(cv_fd_slurp(path, text, sizeof(text)), 10);
    assert_string_equal(text, "0123456789");
    assert_int_equal(cv_fd_slurp(path, text, 11), 10);
    assert_string_equal(text, "0123456789");
    assert_int_equal(cv_fd_slurp(path, text, 10), 9);
    assert_string_equal(text, "012345678");
    assert_int_equal(cv_fd_slurp(path, text, 1), 0);
    assert_string_equal(text, "");
    (void)close(fd);
}

/* ---- Writing ---- */

static void test_write_all_reports_what_stops_it(void **state)
{
    (void)state;
    static char bytes[BULK];
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(cv_fd_write_all(fds[1], bytes, sizeof(bytes)), -EAGAIN);
    (void)close(fds[0]);
    assert_int_equal(cv_fd_write_all(fds[1], bytes, 1), -EPIPE);
    (void)close(fds[1]);
    assert_int_equal(cv_fd_write_all(-1, bytes, 1), -EBADF);
    assert_int_equal(cv_fd_write_all(-1, bytes, 0), 0);
}

static void *drain(void *arg)
{
    const int *fd = arg;
    char bytes[3000];
    uintptr_t sum = 0;
    ssize_t got;
    for (;;) {
        got = read(*fd, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (void *)sum;
        sum += (uintptr_t)got;
        (void)usleep(50);
    }
}

static void interrupt(int signal)
{
    (void)signal;
}

/* A blocking pipe, a slow reader, and a signal every 200 us that restarts nothing. */
static void test_write_all_survives_interruptions(void **state)
{
    (void)state;
    static char bytes[BULK];
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct sigaction action = {.sa_handler = interrupt};
    struct sigaction before;
    (void)sigaction(SIGALRM, &action, &before);
    struct itimerval often = {{0, 200}, {0, 200}};
    (void)setitimer(ITIMER_REAL, &often, NULL);

    pthread_t reader;
    void *sum = NULL;
    int started = pthread_create(&reader, NULL, drain, &fds[0]);
    int rc = started == 0 ? cv_fd_write_all(fds[1], bytes, sizeof(bytes)) : -1;
    (void)close(fds[1]);
    if (started == 0)
        (void)pthread_join(reader, &sum);
    (void)setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    (void)sigaction(SIGALRM, &before, NULL);
    (void)close(fds[0]);
    assert_int_equal(rc, 0);
    assert_int_equal((uintptr_t)sum, BULK);
}

/* ---- The clean-up helpers ---- */

static void test_a_taken_descriptor_is_not_closed(void **state)
{
    (void)state;
    int taken;
    {
        CV_AUTOCLOSE int fd = memfd_with("x");
        taken = cv_take_fd(&fd);
        assert_int_equal(fd, -1);
    }
    assert_int_equal(close(taken), 0);
    int left;
    {
        CV_AUTOCLOSE int fd = memfd_with("x");
        left = fd;
    }
    assert_int_equal(fcntl(left, F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unnamed_file_is_written_and_read),
        cmocka_unit_test(test_closed_standard_descriptors_become_dev_null),
        cmocka_unit_test(test_flags_of_a_closed_descriptor_are_an_error),
        cmocka_unit_test(test_flags_go_on_and_off_and_leave_others_alone),
        cmocka_unit_test(test_a_file_that_is_too_short_is_an_error),
        cmocka_unit_test(test_pread_all_begins_at_the_beginning),
        cmocka_unit_test(test_slurp_tells_why_it_cannot),
        cmocka_unit_test(test_slurp_cuts_at_its_room_and_ends_with_a_nul),
        cmocka_unit_test(test_write_all_reports_what_stops_it),
        cmocka_unit_test(test_write_all_survives_interruptions),
        cmocka_unit_test(test_a_taken_descriptor_is_not_closed),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
