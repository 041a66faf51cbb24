/* Starting, running and ending fibers, and what the switch preserves. */
#include "unit/loop/rig.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "loop/fiber_sanitize.h"
#include "unit/loop/machine.h"

static int log_[64];
static int logged;

static void note(int what)
{
    log_[logged++] = what;
}

static int open_rig(void **state)
{
    (void)state;
    logged = 0;
    rig_open(10000);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close();
    return 0;
}

static void note_arg(void *arg)
{
    note((int)(intptr_t)arg);
}

static void yield_once(void *arg)
{
    note((int)(intptr_t)arg);
    assert_int_equal(cv_fiber_yield(), 0);
    note((int)(intptr_t)arg + 100);
}

static void park(void *arg)
{
    (void)arg;
    assert_int_equal(cv_fiber_park(CV_NEVER), 7);
}

static void test_one_more_than_the_limit_is_refused(void **state)
{
    (void)state;
    struct cv_fibers_config config = {.max = 1};
    struct cv_fibers *few;
    struct cv_fiber *fiber;
    assert_int_equal(cv_fibers_new(rig.loop, &config, &few), 0);
    assert_int_equal(cv_fiber_start(few, park, NULL, &fiber), 0);
    assert_int_equal(cv_fiber_start(few, note_arg, NULL, NULL), -EAGAIN);
    assert_int_equal(logged, 0);
    cv_fiber_wake(fiber, 7);
    run_ready(few);
    assert_int_equal(cv_fiber_start(few, note_arg, NULL, NULL), 0);
    assert_int_equal(logged, 1);
    cv_fibers_free(few);
}

static void test_without_address_space_starting_fails_and_nothing_is_left(void **state)
{
    (void)state;
#if !defined(CV_ASAN) && !defined(CV_TSAN)
    struct cv_fibers_config config = {.max = 2, .stack_size = (size_t)1 << 47};
    struct cv_fibers *huge;
    assert_int_equal(cv_fibers_new(rig.loop, &config, &huge), 0);
    assert_int_equal(cv_fiber_start(huge, note_arg, NULL, NULL), -ENOMEM);
    assert_int_equal(cv_fiber_start(huge, note_arg, NULL, NULL), -ENOMEM);
    assert_int_equal(cv_fibers_count(huge), 0);
    cv_fibers_free(huge);
#endif
}

static void test_freeing_nothing_is_harmless(void **state)
{
    (void)state;
    cv_fibers_free(NULL);
}

static void test_started_outside_a_fiber_it_runs_at_once_until_it_waits(void **state)
{
    (void)state;
    rig_start(yield_once, (void *)1);
    note(50);
    assert_true(cv_fibers_ready(rig.fibers));
    assert_int_equal(cv_fibers_count(rig.fibers), 1);
    assert_false(run_ready(rig.fibers));
    assert_int_equal(logged, 3);
    assert_int_equal(log_[0], 1);
    assert_int_equal(log_[1], 50);
    assert_int_equal(log_[2], 101);
    assert_int_equal(cv_fibers_count(rig.fibers), 0);
}

static void start_another(void *arg)
{
    note(1);
    struct cv_fiber *other = rig_start(yield_once, (void *)2);
    assert_non_null(other);
    assert_ptr_not_equal(other, cv_fiber_self());
    note(3);
    (void)arg;
}

static void test_started_from_a_fiber_it_is_queued(void **state)
{
    (void)state;
    rig_start(start_another, NULL);
    assert_int_equal(logged, 2);
    assert_int_equal(log_[1], 3);
    assert_true(run_ready(rig.fibers));
    assert_int_equal(log_[2], 2);
    assert_false(run_ready(rig.fibers));
    assert_int_equal(log_[3], 102);
}

static struct cv_fiber *given;

static void check_self(void *arg)
{
    (void)arg;
    assert_ptr_equal(given, cv_fiber_self());
    assert_null(cv_fiber_owner(given));
    cv_fiber_set_owner(given, &logged);
    assert_ptr_equal(cv_fiber_owner(cv_fiber_self()), &logged);
    assert_false(cv_fiber_is_waiting(given));
}

static void test_handle_is_set_before_the_fiber_runs_and_is_its_self(void **state)
{
    (void)state;
    assert_null(cv_fiber_self());
    assert_int_equal(cv_fiber_start(rig.fibers, check_self, NULL, &given), 0);
    assert_null(cv_fiber_self());
}

static void test_run_resumes_only_those_ready_when_called(void **state)
{
    (void)state;
    rig_start(yield_once, (void *)1);
    rig_start(start_another, NULL);
    logged = 0;
    assert_true(run_ready(rig.fibers)); /* 101, 2; then 2's second half is new */
    assert_int_equal(logged, 2);
    assert_false(run_ready(rig.fibers));
    assert_int_equal(logged, 3);
}

static void nap(void *arg)
{
    char page[4096];
    memset(page, (int)(intptr_t)arg, sizeof page);
    assert_int_equal(cv_fiber_park(CV_NEVER), (int)(intptr_t)arg);
    for (size_t i = 0; i < sizeof page; i++)
        assert_int_equal(page[i] & 0xff, (int)(intptr_t)arg & 0xff);
    logged++;
}

static void test_ten_thousand_fibers_live_at_once(void **state)
{
    (void)state;
#ifdef CV_TSAN
    enum { N = 1000 }; /* it keeps a few hundred KiB for each */
#else
    enum { N = 10000 };
#endif
    static struct cv_fiber *all[N];
    for (int round = 0; round < 2; round++) {
        logged = 0;
        for (int i = 0; i < N; i++)
            all[i] = rig_start(nap, (void *)(intptr_t)i);
        assert_int_equal(cv_fibers_count(rig.fibers), N);
        for (int i = 0; i < N; i++)
            cv_fiber_wake(all[i], i);
        assert_false(run_ready(rig.fibers));
        assert_int_equal(cv_fibers_count(rig.fibers), 0);
        assert_int_equal(logged, N);
    }
}

static int eat(int depth);
static int (*volatile eat_more)(int depth) = eat; /* so that no compiler makes a loop of it */

static int eat(int depth)
{
    volatile char frame[1024];
    frame[depth & 1023] = (char)depth;
    return depth == 0 ? 0 : eat_more(depth - 1) + frame[depth & 1023];
}

static void overflow(void *arg)
{
    (void)arg;
    log_[0] = eat(1 << 20);
}

static void test_stack_overflow_hits_the_guard(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGSEGV, SIG_DFL);
        (void)!cv_fiber_start(rig.fibers, overflow, NULL, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

/* Not by calls: AddressSanitizer may keep their variables elsewhere. */
static void eat_100_kib(void *arg)
{
    (void)arg;
    volatile char *below = (char *)__builtin_frame_address(0) - 100 * 1024;
    *below = 1;
}

static void test_stack_use_is_measured(void **state)
{
    (void)state;
    assert_int_equal(cv_fibers_stack_used(rig.fibers), 0);
    rig_start(note_arg, NULL);
    size_t small = cv_fibers_stack_used(rig.fibers);
    assert_in_range(small, 1, 100 * 1024);
    rig_start(eat_100_kib, NULL);
    assert_in_range(cv_fibers_stack_used(rig.fibers), 100 * 1024, 256 * 1024);
}

#ifdef MACHINE_KNOWN
static void round_up(void *arg)
{
    (void)arg;
    assert_int_equal(machine_modes(), MODES);
    machine_set_modes(MODES_UP);
    int rc = cv_fiber_yield();
    uint64_t modes = machine_modes();
    machine_set_modes(MODES);
    assert_int_equal(rc, 0);
    assert_int_equal(modes, MODES_UP);
    machine_set_modes(MODES_UP);
}

static void test_rounding_mode_belongs_to_the_fiber(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* the second takes the first one's place */
        rig_start(round_up, NULL);
        assert_int_equal(machine_modes(), MODES);
        assert_false(run_ready(rig.fibers));
        assert_int_equal(machine_modes(), MODES);
    }
}

#define FILLED(register, n) register __asm__(#register) = x + (n)
#define KEPT(register, n) "+r"(register)
#define KEPT_FLOATING(register, n) "+w"(register)
#define NOW(register, n) register

/* Fills every register that a call must leave as it is, lets another fiber do the same, and
 * compares. */
static void keep_registers(void *arg)
{
    uint64_t x = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < 100; i++) {
        register uint64_t GENERAL(FILLED);
        __asm__ volatile("" : GENERAL(KEPT));
        int rc = cv_fiber_yield();
        __asm__ volatile("" : GENERAL(KEPT));
        uint64_t now[] = {GENERAL(NOW)};
        assert_int_equal(rc, 0);
        for (uint64_t n = 1; n <= sizeof now / sizeof *now; n++)
            assert_int_equal(now[n - 1], x + n);
    }
}

static void leave_traces_and_begin_anew(void *arg)
{
    struct cv_fiber *self = cv_fiber_self();
    cv_fiber_set_owner(self, arg);
    cv_fiber_wake(self, 3);
    cv_fiber_cancel(self, 1);
    assert_int_equal(cv_fiber_shield(CV_MS), 0);
    machine_set_modes(MODES_UP);
    if (!cv_fiber_can_renew()) {
        machine_set_modes(MODES);
        return; /* where one that has ended is not used again */
    }
    cv_fiber_renew(self);
    uint64_t modes = machine_modes();
    machine_set_modes(MODES);
    assert_int_equal(modes, MODES);
    assert_ptr_equal(cv_fiber_self(), self);
    assert_null(cv_fiber_owner(self));
    assert_int_equal(cv_fiber_cause(self), 0);
    assert_int_equal(cv_fiber_park(0), -ETIMEDOUT);
    assert_int_equal(cv_fiber_shield(CV_MS), 0);
    note(1);
}

static void test_nothing_is_left_of_what_was_done_to_one_that_begins_anew(void **state)
{
    (void)state;
    rig_start(leave_traces_and_begin_anew, &rig);
    rig_finish();
    assert_int_equal(logged, cv_fiber_can_renew() ? 1 : 0);
}

static void test_registers_survive_a_switch(void **state)
{
    (void)state;
    rig_start(keep_registers, (void *)(uintptr_t)1000);
    rig_start(keep_registers, (void *)(uintptr_t)2000000);
    rig_finish();
}
#endif

#ifdef FLOATING
static void keep_floating_registers(void *arg)
{
    double x = (double)(uintptr_t)arg;
    for (int i = 0; i < 100; i++) {
        register double FLOATING(FILLED);
        __asm__ volatile("" : FLOATING(KEPT_FLOATING));
        int rc = cv_fiber_yield();
        __asm__ volatile("" : FLOATING(KEPT_FLOATING));
        double now[] = {FLOATING(NOW)};
        assert_int_equal(rc, 0);
        for (int n = 1; n <= (int)(sizeof now / sizeof *now); n++)
            assert_true(now[n - 1] == x + n);
    }
}

static void test_floating_registers_survive_a_switch(void **state)
{
    (void)state;
    rig_start(keep_floating_registers, (void *)(uintptr_t)1000);
    rig_start(keep_floating_registers, (void *)(uintptr_t)2000000);
    rig_finish();
}
#endif

static void take_backtrace(void *arg)
{
    void *frames[32];
    (void)arg;
    note(backtrace(frames, 32));
}

static void test_backtrace_ends_at_the_bottom_of_the_fiber(void **state)
{
    (void)state;
    rig_start(take_backtrace, NULL);
    assert_in_range(log_[0], 2, 10);
}

static void aligned(void *arg)
{
    (void)arg;
    _Alignas(16) char block[16];
    volatile uintptr_t at = (uintptr_t)block;
    assert_int_equal(at % 16, 0);
    char text[64];
    snprintf(text, sizeof text, "%.3f", 1.5); /* libc uses aligned SSE moves for this */
    assert_string_equal(text, "1.500");
}

static void test_stack_of_a_fiber_is_aligned(void **state)
{
    (void)state;
    rig_start(aligned, NULL);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_one_more_than_the_limit_is_refused),
        WITH_RIG(test_without_address_space_starting_fails_and_nothing_is_left),
        cmocka_unit_test(test_freeing_nothing_is_harmless),
        WITH_RIG(test_started_outside_a_fiber_it_runs_at_once_until_it_waits),
        WITH_RIG(test_started_from_a_fiber_it_is_queued),
        WITH_RIG(test_handle_is_set_before_the_fiber_runs_and_is_its_self),
        WITH_RIG(test_run_resumes_only_those_ready_when_called),
        WITH_RIG(test_ten_thousand_fibers_live_at_once),
        WITH_RIG(test_stack_overflow_hits_the_guard),
        WITH_RIG(test_stack_use_is_measured),
#ifdef MACHINE_KNOWN
        WITH_RIG(test_rounding_mode_belongs_to_the_fiber),
        WITH_RIG(test_nothing_is_left_of_what_was_done_to_one_that_begins_anew),
        WITH_RIG(test_registers_survive_a_switch),
#endif
#ifdef FLOATING
        WITH_RIG(test_floating_registers_survive_a_switch),
#endif
        WITH_RIG(test_backtrace_ends_at_the_bottom_of_the_fiber),
        WITH_RIG(test_stack_of_a_fiber_is_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
