#include "supervise/shared/boot.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "brood.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* What a child makes of the variable: cv_boot_read() as an exit code. */
enum { READ_NOT = 10, READ_WORKER, READ_PROTO, READ_GONE, READ_OTHER, READ_VARIABLE_STAYS };

static int as_code(int rc)
{
    if (getenv(CV_BOOT_VARIABLE) != NULL)
        return READ_VARIABLE_STAYS;
    return rc == 0         ? READ_NOT
           : rc == 1       ? READ_WORKER
           : rc == -EPROTO ? READ_PROTO
           : rc == -ESRCH  ? READ_GONE
                           : READ_OTHER;
}

/* A child of this process reads the variable with this text. */
static int read_text(const char *text)
{
    pid_t pid = brood_fork();
    if (pid == 0) {
        struct cv_boot boot;
        (void)setenv(CV_BOOT_VARIABLE, text, 1);
        _exit(as_code(cv_boot_read(&boot)));
    }
    return brood_wait(pid);
}

static int read_fd(int fd)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%d", fd);
    return read_text(text);
}

static struct cv_boot boot_of(pid_t parent)
{
    struct cv_boot boot;
    cv_boot_init(&boot);
    boot.parent = parent;
    boot.parent_fd = (int)syscall(SYS_pidfd_open, parent, 0);
    return boot;
}

/* A memfd with any bytes and seals. */
static int memfd_of(const void *bytes, size_t len, unsigned flags, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (fd < 0)
        return -1;
    assert_int_equal(write(fd, bytes, len), len);
    if (seals != 0)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* The same, read by a child and closed. */
static int read_bytes(const void *bytes, size_t len, int seals)
{
    int fd = memfd_of(bytes, len, 0, seals);
    int code = read_fd(fd);
    (void)close(fd);
    return code;
}

static void test_without_the_variable_this_is_no_worker(void **state)
{
    (void)state;
    struct cv_boot boot;
    (void)unsetenv(CV_BOOT_VARIABLE);
    assert_int_equal(cv_boot_read(&boot), 0);
}

static void test_a_variable_that_names_no_descriptor_is_not_believed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "x", "-1", "1x", " 3", "999", "99999999999999999999", "2147483648"};
    for (size_t i = 0; i < CV_COUNT(texts); i++)
        assert_int_equal(read_text(texts[i]), READ_NOT);
}

static void test_a_descriptor_that_is_no_memfd_is_not_believed_and_stays_open(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = brood_fork();
    if (pid == 0) {
        struct cv_boot boot;
        char text[16];
        (void)snprintf(text, sizeof(text), "%d", fds[0]);
        (void)setenv(CV_BOOT_VARIABLE, text, 1);
        int code = as_code(cv_boot_read(&boot));
        _exit(fcntl(fds[0], F_GETFD) >= 0 ? code : 1);
    }
    assert_int_equal(brood_wait(pid), READ_NOT);
    (void)close(fds[0]);
    (void)close(fds[1]);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read_fd(file), READ_NOT);
    (void)close(file);
}

static void test_a_memfd_without_all_seals_is_not_believed(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    static const int one[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE};
    assert_int_equal(read_bytes(&boot, sizeof(boot), 0), READ_NOT);
    for (size_t i = 0; i < CV_COUNT(one); i++)
        assert_int_equal(read_bytes(&boot, sizeof(boot), SEALS & ~one[i]), READ_NOT);
    assert_int_equal(read_bytes(&boot, sizeof(boot), SEALS), READ_WORKER);
    (void)close(boot.parent_fd);
}

static void test_another_magic_is_not_believed(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    boot.magic[3] ^= 1;
    assert_int_equal(read_bytes(&boot, sizeof(boot), SEALS), READ_NOT);
    (void)close(boot.parent_fd);
}

static void test_every_length_short_of_a_head_is_not_believed(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    for (size_t len = 0; len < 16; len++)
        assert_int_equal(read_bytes(&boot, len, SEALS), READ_NOT);
    (void)close(boot.parent_fd);
}

static void test_another_layout_or_size_is_another_version(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    char longer[sizeof(boot) + 8] = {0};
    memcpy(longer, &boot, sizeof(boot));
    assert_int_equal(read_bytes(longer, sizeof(longer), SEALS), READ_PROTO);
    assert_int_equal(read_bytes(&boot, sizeof(boot) - 1, SEALS), READ_PROTO);
    assert_int_equal(read_bytes(&boot, 16, SEALS), READ_PROTO);
    boot.layout++;
    assert_int_equal(read_bytes(&boot, sizeof(boot), SEALS), READ_PROTO);
    boot.layout--;
    boot.size++;
    assert_int_equal(read_bytes(&boot, sizeof(boot), SEALS), READ_PROTO);
    (void)close(boot.parent_fd);
}

static void test_more_listeners_than_there_is_room_for_are_not_believed(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    boot.n_listeners = CV_BOOT_LISTENERS_MAX + 1;
    assert_int_equal(read_bytes(&boot, sizeof(boot), SEALS), READ_NOT);
    boot.n_listeners = UINT32_MAX;
    assert_int_equal(read_bytes(&boot, sizeof(boot), SEALS), READ_NOT);
    (void)close(boot.parent_fd);
}

/* An app started from a handler, or from code before covey_main(), is no worker. */
static void test_the_child_of_a_worker_is_no_worker(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    int fd = cv_boot_seal(&boot);
    assert_true(fd >= 0);
    pid_t pid = brood_fork();
    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            char text[16];
            (void)alarm(BROOD_SECONDS);
            (void)snprintf(text, sizeof(text), "%d", fd);
            (void)setenv(CV_BOOT_VARIABLE, text, 1);
            _exit(as_code(cv_boot_read(&boot)));
        }
        siginfo_t info = {0};
        (void)waitid(P_PID, (id_t)grandchild, &info, WEXITED);
        _exit(info.si_status);
    }
    assert_int_equal(brood_wait(pid), READ_NOT);
    (void)close(fd);
    (void)close(boot.parent_fd);
}

/* Its master died between fork and here, and no parent-death signal came: it must not take itself
 * for the first process of a server of its own. */
static void test_a_worker_whose_master_is_gone_knows_it(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    int told[2];
    int go[2];
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    pid_t master = brood_fork();
    if (master == 0) {
        struct cv_boot boot = boot_of(getpid());
        int fd = cv_boot_seal(&boot);
        pid_t worker = fork();
        if (worker == 0) {
            char text[16];
            (void)alarm(BROOD_SECONDS);
            (void)!read(go[0], text, 1);
            (void)snprintf(text, sizeof(text), "%d", fd);
            (void)setenv(CV_BOOT_VARIABLE, text, 1);
            _exit(as_code(cv_boot_read(&boot)));
        }
        (void)!write(told[1], &worker, sizeof(worker));
        _exit(0);
    }
    pid_t worker = 0;
    ssize_t got = read(told[0], &worker, sizeof(worker));
    assert_int_equal(brood_wait(master), 0);
    assert_int_equal(got, sizeof(worker));
    brood_adopt(worker);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(brood_wait(worker), READ_GONE);
    for (int i = 0; i < 2; i++) {
        (void)close(told[i]);
        (void)close(go[i]);
    }
}

/* vm.memfd_noexec=1 adds a seal of its own. */
static void test_further_seals_do_no_harm(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    int fd = memfd_of(&boot, sizeof(boot), MFD_NOEXEC_SEAL, SEALS);
    int code = fd >= 0 ? read_fd(fd) : READ_WORKER; /* before Linux 6.3 there is none */
    if (fd >= 0)
        (void)close(fd);
    (void)close(boot.parent_fd);
    assert_int_equal(code, READ_WORKER);
}

static void test_what_was_sealed_is_read_back(void **state)
{
    (void)state;
    struct cv_boot boot = boot_of(getpid());
    boot.slot = 7;
    boot.generation = 3;
    boot.n_listeners = CV_BOOT_LISTENERS_MAX;
    boot.listeners[CV_BOOT_LISTENERS_MAX - 1] = 99;
    (void)snprintf(boot.tag, sizeof(boot.tag), "0123456789abcdef-2a");
    int fd = cv_boot_seal(&boot);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    pid_t pid = brood_fork();
    if (pid == 0) {
        struct cv_boot read;
        char text[16];
        (void)snprintf(text, sizeof(text), "%d", fd);
        (void)setenv(CV_BOOT_VARIABLE, text, 1);
        if (cv_boot_read(&read) != 1 || memcmp(&read, &boot, sizeof(boot)) != 0)
            _exit(1);
        _exit(fcntl(fd, F_GETFD) < 0 ? 0 : 2); /* it has served */
    }
    assert_int_equal(brood_wait(pid), 0);
    (void)close(fd);
    (void)close(boot.parent_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        brood_test(test_without_the_variable_this_is_no_worker),
        brood_test(test_a_variable_that_names_no_descriptor_is_not_believed),
        brood_test(test_a_descriptor_that_is_no_memfd_is_not_believed_and_stays_open),
        brood_test(test_a_memfd_without_all_seals_is_not_believed),
        brood_test(test_another_magic_is_not_believed),
        brood_test(test_every_length_short_of_a_head_is_not_believed),
        brood_test(test_another_layout_or_size_is_another_version),
        brood_test(test_more_listeners_than_there_is_room_for_are_not_believed),
        brood_test(test_the_child_of_a_worker_is_no_worker),
        brood_test(test_a_worker_whose_master_is_gone_knows_it),
        brood_test(test_further_seals_do_no_harm),
        brood_test(test_what_was_sealed_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
