#include "supervise/shared/overseer.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define PAUSE (30 * CV_SECOND)
#define RUN (10 * CV_SECOND)

static struct cv_overseer overseer;

static int set_up(void **state)
{
    (void)state;
    return cv_overseer_init(&overseer, PAUSE);
}

static int tear_down(void **state)
{
    (void)state;
    return munmap(overseer.page, sizeof(*overseer.page));
}

static void runs_since(int64_t at)
{
    if (cv_beat_write(&overseer.page->running_since, &overseer.page->looking, at))
        cv_overseer_beat(&overseer, at);
}

static enum cv_overseer_verdict look(int64_t now)
{
    return cv_overseer_look(&overseer, now);
}

static void test_an_idle_master_is_not_looked_at(void **state)
{
    (void)state;
    assert_true(cv_overseer_deadline(&overseer) == CV_NEVER);
    assert_int_equal(look(1000 * CV_SECOND), CV_OVERSEER_WELL);
}

static void test_a_master_that_does_not_come_round_is_asked_and_then_killed(void **state)
{
    (void)state;
    runs_since(100);
    assert_int_equal(cv_overseer_deadline(&overseer), 100 + RUN);
    assert_int_equal(look(99 + RUN), CV_OVERSEER_WELL);
    assert_int_equal(look(100 + RUN), CV_OVERSEER_HUNG);
    assert_int_equal(cv_overseer_deadline(&overseer), 100 + RUN + CV_SECOND);
    assert_int_equal(look(100 + RUN + CV_SECOND - 1), CV_OVERSEER_WELL);
    assert_int_equal(look(100 + RUN + CV_SECOND), CV_OVERSEER_SILENT);
}

static void test_a_master_that_waits_again_is_well_and_forgotten(void **state)
{
    (void)state;
    runs_since(100);
    runs_since(0);
    assert_int_equal(look(100 + RUN), CV_OVERSEER_WELL);
    assert_true(cv_overseer_deadline(&overseer) == CV_NEVER);
}

static void test_a_stopped_master_is_killed_when_it_stays_so(void **state)
{
    (void)state;
    cv_overseer_paused(&overseer, true, 50);
    assert_int_equal(cv_overseer_deadline(&overseer), 50 + PAUSE);
    assert_int_equal(look(49 + PAUSE), CV_OVERSEER_WELL);
    assert_int_equal(look(50 + PAUSE), CV_OVERSEER_STOPPED);
}

static void test_a_master_that_was_stopped_while_it_ran_has_its_time_anew(void **state)
{
    (void)state;
    runs_since(100);
    cv_overseer_paused(&overseer, true, 200);
    assert_int_equal(look(100 + RUN), CV_OVERSEER_WELL);
    int64_t resumed = 200 + 2 * RUN;
    cv_overseer_paused(&overseer, false, resumed);
    assert_int_equal(look(resumed + 1), CV_OVERSEER_WELL);
    assert_int_equal(look(resumed + RUN), CV_OVERSEER_HUNG);
}

static void test_a_master_that_does_not_end_is_killed(void **state)
{
    (void)state;
    cv_overseer_stop_asked(&overseer, 1000);
    cv_overseer_stop_asked(&overseer, 2000); /* a weaker wish moves nothing */
    assert_int_equal(cv_overseer_deadline(&overseer), 1000);
    assert_int_equal(look(999), CV_OVERSEER_WELL);
    assert_int_equal(look(1000), CV_OVERSEER_LATE);
    assert_int_equal(look(1001), CV_OVERSEER_WELL);
}

static void test_time_in_which_the_guardian_did_not_run_is_forgiven(void **state)
{
    (void)state;
    runs_since(100);
    cv_overseer_paused(&overseer, true, 200);
    cv_overseer_forgive(&overseer, 100 * CV_SECOND);
    assert_int_equal(look(100 * CV_SECOND + 1), CV_OVERSEER_WELL);
    assert_int_equal(look(100 * CV_SECOND + PAUSE), CV_OVERSEER_STOPPED);
}

static void test_time_in_which_all_was_suspended_is_given_back(void **state)
{
    (void)state;
    cv_overseer_stop_asked(&overseer, 1000);
    runs_since(100);
    cv_overseer_suspended(&overseer, 5000, 5500);
    assert_int_equal(look(5999), CV_OVERSEER_WELL);
    assert_int_equal(look(6000), CV_OVERSEER_LATE);
    assert_int_equal(look(5499 + RUN), CV_OVERSEER_WELL);
    assert_int_equal(look(5500 + RUN), CV_OVERSEER_HUNG);
    cv_overseer_suspended(&overseer, 5000, 10500 + RUN);
    assert_int_equal(look(5500 + RUN + CV_SECOND + 4999), CV_OVERSEER_WELL);
    assert_int_equal(look(5500 + RUN + CV_SECOND + 5000), CV_OVERSEER_SILENT);
}

int main(void)
{
#define OVERSEER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OVERSEER_TEST(test_an_idle_master_is_not_looked_at),
        OVERSEER_TEST(test_a_master_that_does_not_come_round_is_asked_and_then_killed),
        OVERSEER_TEST(test_a_master_that_waits_again_is_well_and_forgotten),
        OVERSEER_TEST(test_a_stopped_master_is_killed_when_it_stays_so),
        OVERSEER_TEST(test_a_master_that_was_stopped_while_it_ran_has_its_time_anew),
        OVERSEER_TEST(test_a_master_that_does_not_end_is_killed),
        OVERSEER_TEST(test_time_in_which_the_guardian_did_not_run_is_forgiven),
        OVERSEER_TEST(test_time_in_which_all_was_suspended_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
