#include "supervise/shared/slots.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "brood.h"

#define N 5

static struct cv_slots master;
static struct cv_slots worker;

static int open_both(void **state)
{
    (void)state;
    if (cv_slots_new(&master, N) < 0)
        return -1;
    return cv_slots_join(&worker, fcntl(master.fd, F_DUPFD_CLOEXEC, 3), N, 3);
}

static int close_both(void **state)
{
    cv_slots_done(&worker);
    cv_slots_done(&master);
    return brood_end(state);
}

static void fault(int signal)
{
    (void)signal;
    _exit(42);
}

/* What becomes of a worker that writes there. */
static int write_at(volatile char *address)
{
    pid_t pid = brood_fork();
    if (pid == 0) {
        struct sigaction action = {.sa_handler = fault};
        (void)sigaction(SIGSEGV, &action, NULL);
        (void)sigaction(SIGBUS, &action, NULL);
        *address = 1;
        _exit(0);
    }
    return brood_wait(pid);
}

static void test_a_worker_cannot_write_what_is_not_its_own(void **state)
{
    (void)state;
    assert_int_equal(write_at((volatile char *)(uintptr_t)worker.seen), 42);
    assert_int_equal(write_at((volatile char *)(uintptr_t)&worker.table[0]), 42);
    assert_int_equal(write_at((volatile char *)(uintptr_t)&worker.table[3]), 42);
    assert_int_equal(write_at((volatile char *)worker.own), 0);
    assert_null(worker.head);
    assert_null(worker.pages);
}

/* A worker that could shrink the file would kill the master with SIGBUS. */
static void test_the_memory_can_be_neither_shrunk_nor_grown(void **state)
{
    (void)state;
    assert_int_equal(ftruncate(master.fd, 0), -1);
    assert_int_equal(ftruncate(master.fd, 1 << 20), -1);
    assert_int_equal(fcntl(master.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void test_joining_what_is_no_memory_fails_and_closes_it(void **state)
{
    (void)state;
    struct cv_slots slots = {.fd = -1};
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    int before = open_descriptors();
    assert_true(cv_slots_join(&slots, fds[0], N, 0) < 0);
    assert_int_equal(open_descriptors(), before - 1);
    assert_int_equal(cv_slots_join(&slots, -1, N, 0), -EBADF);
    (void)close(fds[1]);
}

static void test_neither_side_keeps_a_descriptor_behind_done(void **state)
{
    (void)state;
    int before = open_descriptors();
    struct cv_slots slots;
    struct cv_slots joined;
    assert_int_equal(cv_slots_new(&slots, 3), 0);
    assert_int_equal(cv_slots_join(&joined, fcntl(slots.fd, F_DUPFD_CLOEXEC, 3), 3, 0), 0);
    assert_int_equal(joined.fd, -1);
    assert_int_equal(open_descriptors(), before + 1);
    cv_slots_done(&joined);
    cv_slots_done(&slots);
    cv_slots_done(&slots); /* and again */
    assert_int_equal(open_descriptors(), before);
}

static void test_what_a_worker_writes_everybody_sees(void **state)
{
    (void)state;
    atomic_store(&worker.own->connections, 17);
    atomic_store(&worker.own->running_since, INT64_MAX);
    assert_int_equal(atomic_load(&master.pages[3].connections), 17);
    assert_int_equal(atomic_load(&worker.table[3].connections), 17);
    assert_true(atomic_load(&master.table[3].running_since) == INT64_MAX);
    for (unsigned i = 0; i < N; i++)
        if (i != 3)
            assert_int_equal(atomic_load(&master.pages[i].connections), 0);
    atomic_store(&master.head->slots_used, 4);
    assert_int_equal(atomic_load(&worker.seen->slots_used), 4);
}

static void test_the_last_slot_is_whole(void **state)
{
    (void)state;
    struct cv_slots last;
    assert_int_equal(cv_slots_join(&last, fcntl(master.fd, F_DUPFD_CLOEXEC, 3), N, N - 1), 0);
    ((char *)last.own)[CV_SLOT_PAGE_BYTES - 1] = 'x';
    assert_int_equal(((const char *)&master.pages[N - 1])[CV_SLOT_PAGE_BYTES - 1], 'x');
    cv_slots_done(&last);
}

static void test_new_slots_are_nobodys(void **state)
{
    (void)state;
    assert_int_equal(atomic_load(&master.seen->slots_used), 0);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(atomic_load(&master.pages[i].pid), 0);
        assert_int_equal(atomic_load(&master.pages[i].serving), 0);
    }
}

#define slots_test(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        slots_test(test_a_worker_cannot_write_what_is_not_its_own),
        slots_test(test_the_memory_can_be_neither_shrunk_nor_grown),
        slots_test(test_joining_what_is_no_memory_fails_and_closes_it),
        slots_test(test_neither_side_keeps_a_descriptor_behind_done),
        slots_test(test_what_a_worker_writes_everybody_sees),
        slots_test(test_the_last_slot_is_whole),
        slots_test(test_new_slots_are_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
