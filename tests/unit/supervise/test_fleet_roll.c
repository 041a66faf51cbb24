/* Reloading: forward, and back. */
#include "story.h"

static void test_roll_replaces_one_by_one_new_before_old(void **state)
{
    (void)state;
    struct story s = serving(2);
    reload(&s, 2);
    expect(&s, "spawn 2:2");
    gets_ready(&s, 2);
    expect(&s, "go 2, retire 1 until 15000, spawn 3:2");
    gets_ready(&s, 3);
    expect(&s, "go 3, retire 0 until 15000");
    assert_int_equal(cv_fleet_ready(s.fleet), 2);
    exits(&s, 1, 0);
    exits(&s, 0, 0);
    expect(&s, "drop :1, RELOADED 2");
    end(&s);
}

static void test_roll_is_over_only_when_the_old_ones_are_gone(void **state)
{
    (void)state;
    struct story s = serving(1);
    reload(&s, 2);
    gets_ready(&s, 1);
    expect(&s, "spawn 1:2, go 1, retire 0 until 15000");
    assert_false(cv_fleet_can_reload(s.fleet));
    exits(&s, 0, 0);
    expect(&s, "drop :1, RELOADED 2");
    assert_true(cv_fleet_can_reload(s.fleet));
    end(&s);
}

static void test_nothing_ready_yet_means_no_reload(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    assert_false(cv_fleet_can_reload(s.fleet));
    reload(&s, 2);
    expect(&s, "spawn 0:1, drop :2");
    end(&s);
}

static void test_reload_while_stopping_is_dropped(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_TERM);
    reload(&s, 2);
    expect(&s, "STOPPING 0, stop 0 until 15000, drop :2");
    end(&s);
}

static void test_failure_before_ready_keeps_the_old_generation(void **state)
{
    (void)state;
    struct story s = serving(2);
    reload(&s, 2);
    exits(&s, 2, 3);
    expect(&s, "spawn 2:2, FAILED 2 0, RELOAD_FAILED 2 2, drop :2");
    assert_int_equal(cv_fleet_ready(s.fleet), 2);
    assert_true(cv_fleet_can_reload(s.fleet));
    end(&s);
}

static void test_fork_that_fails_keeps_the_old_generation(void **state)
{
    (void)state;
    struct story s = serving(1);
    s.forks = false;
    reload(&s, 2);
    tell(&s, 1, CV_ON_SPAWN_FAILED);
    expect(&s, "spawn 1:2, NOT_STARTED 1 0, RELOAD_FAILED 1 2, drop :2");
    end(&s);
}

static void test_new_worker_that_is_late_keeps_the_old_generation(void **state)
{
    (void)state;
    struct story s = serving(1);
    reload(&s, 2);
    later(&s, 60000);
    expect(&s, "spawn 1:2, LATE 1 60000, abrt 1");
    dies(&s, 1, 9);
    expect(&s, "FAILED 1 0, RELOAD_FAILED 1 2, drop :2");
    end(&s);
}

static void test_roll_back_replaces_what_was_new_already(void **state)
{
    (void)state;
    struct story s = serving(2);
    reload(&s, 2);
    gets_ready(&s, 2);
    expect(&s, "spawn 2:2, go 2, retire 1 until 15000, spawn 3:2");
    exits(&s, 3, 4);
    expect(&s, "FAILED 3 0, RELOAD_FAILED 3 2, spawn 3:1");
    exits(&s, 1, 0);
    gets_ready(&s, 3);
    expect(&s, "go 3, retire 2 until 15000");
    assert_int_equal(cv_fleet_ready(s.fleet), 2);
    exits(&s, 2, 0);
    expect(&s, "drop :2");
    end(&s);
}

static void test_roll_back_ends_what_is_starting(void **state)
{
    (void)state;
    struct story s = serving(2);
    scale(&s, 1);
    reload(&s, 2);
    dies(&s, 2, 11); /* an old one that was starting: it comes back new */
    expect(&s, "SCALED 3, spawn 2:1, spawn 3:2, FAILED 2 0, spawn 2:2");
    exits(&s, 3, 78);
    expect(&s, "FAILED 3 0, RELOAD_FAILED 3 2, term 2, spawn 3:1");
    end(&s);
}

static void test_old_worker_that_crashes_comes_back_new(void **state)
{
    (void)state;
    struct story s = serving(2);
    reload(&s, 2);
    dies(&s, 0, 11);
    expect(&s, "spawn 2:2, FAILED 0 0, spawn 0:2");
    gets_ready(&s, 2);
    expect(&s, "go 2");
    gets_ready(&s, 0);
    expect(&s, "go 0, retire 1 until 15000");
    end(&s);
}

static void test_stop_during_a_roll_stops_both_generations(void **state)
{
    (void)state;
    struct story s = serving(1);
    reload(&s, 2);
    stop(&s, CV_STOP_TERM);
    expect(&s, "spawn 1:2, STOPPING 0, stop 0 until 15000, term 1");
    dies(&s, 1, 15);
    exits(&s, 0, 0);
    expect(&s, "exit 0");
    end(&s);
}

static struct story serving_with_main(void)
{
    struct story s = begin(.workers = 1);
    hello_with_main(&s, 0);
    gets_ready(&s, MAIN);
    tell(&s, 0, CV_ON_READY);
    s.text[0] = '\0';
    return s;
}

static void test_main_follows_the_workers(void **state)
{
    (void)state;
    struct story s = serving_with_main();
    reload(&s, 2);
    hello_with_main(&s, 1);
    expect(&s, "spawn 1:2, go 1");
    tell(&s, 1, CV_ON_READY);
    exits(&s, 0, 0);
    expect(&s, "retire 0 until 15000, retire 6 until 15000");
    exits(&s, MAIN, 0);
    expect(&s, "drop :1, RELOADED 2, spawn 6:2");
    end(&s);
}

static void test_main_goes_if_the_new_generation_has_none(void **state)
{
    (void)state;
    struct story s = serving_with_main();
    reload(&s, 2);
    gets_ready(&s, 1);
    exits(&s, 0, 0);
    exits(&s, MAIN, 0);
    expect(&s, "spawn 1:2, go 1, retire 0 until 15000, retire 6 until 15000, drop :1, RELOADED 2");
    assert_int_equal(slot_state(&s, MAIN), CV_SLOT_EMPTY);
    end(&s);
}

static void test_new_main_that_fails_keeps_the_old_generation(void **state)
{
    (void)state;
    struct story s = serving(1);
    reload(&s, 2);
    hello_with_main(&s, 1);
    expect(&s, "spawn 1:2, spawn 6:2");
    exits(&s, MAIN, 3);
    expect(&s, "FAILED 6 0, RELOAD_FAILED 6 2, term 1");
    dies(&s, 1, 15);
    expect(&s, "drop :2");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roll_replaces_one_by_one_new_before_old),
        cmocka_unit_test(test_roll_is_over_only_when_the_old_ones_are_gone),
        cmocka_unit_test(test_nothing_ready_yet_means_no_reload),
        cmocka_unit_test(test_reload_while_stopping_is_dropped),
        cmocka_unit_test(test_failure_before_ready_keeps_the_old_generation),
        cmocka_unit_test(test_fork_that_fails_keeps_the_old_generation),
        cmocka_unit_test(test_new_worker_that_is_late_keeps_the_old_generation),
        cmocka_unit_test(test_roll_back_replaces_what_was_new_already),
        cmocka_unit_test(test_roll_back_ends_what_is_starting),
        cmocka_unit_test(test_old_worker_that_crashes_comes_back_new),
        cmocka_unit_test(test_stop_during_a_roll_stops_both_generations),
        cmocka_unit_test(test_main_follows_the_workers),
        cmocka_unit_test(test_main_goes_if_the_new_generation_has_none),
        cmocka_unit_test(test_new_main_that_fails_keeps_the_old_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
