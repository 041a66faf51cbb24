/* Every wait there is, so that what is true of all is tested with all. */
#ifndef TESTS_UNIT_LOOP_WAITS_H
#define TESTS_UNIT_LOOP_WAITS_H

#include "unit/loop/rig.h"

#include <sys/socket.h>

static int pair[2];
static int result; /* of the wait last made by a fiber */
static int returns;
static unsigned turns_taken; /* by that wait */

static int open_rig(void **state)
{
    (void)state;
    result = 12345;
    returns = 0;
    rig_open(100);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close();
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int64_t in_ms(int64_t ms)
{
    return cv_clock_ns() + ms * CV_MS;
}

static int wait_yield(void)
{
    return cv_fiber_yield();
}

static int wait_sleep(void)
{
    return cv_fiber_sleep(3600 * CV_SECOND);
}

static int wait_no_sleep(void)
{
    return cv_fiber_sleep(0);
}

static int wait_park(void)
{
    return cv_fiber_park(CV_NEVER);
}

static int wait_park_with_limit(void)
{
    return cv_fiber_park(in_ms(3600 * 1000));
}

static int wait_fd(void)
{
    return cv_fiber_wait_fd(pair[0], CV_READ, CV_NEVER);
}

enum { YIELD, NO_SLEEP, SLEEP, PARK, PARK_WITH_LIMIT, FD, WAITS, SUSPENDING = SLEEP };

static int (*const waits[WAITS])(void) = {
    [YIELD] = wait_yield, [NO_SLEEP] = wait_no_sleep,
    [SLEEP] = wait_sleep, [PARK] = wait_park,
    [FD] = wait_fd,       [PARK_WITH_LIMIT] = wait_park_with_limit,
};

static void note(int rc)
{
    result = rc;
    returns++;
}

static void once(void *arg)
{
    unsigned before = rig.turns;
    note(waits[(intptr_t)arg]());
    turns_taken = rig.turns - before;
}

static struct cv_fiber *start_wait(int which)
{
    return rig_start(once, (void *)(intptr_t)which);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

#endif
