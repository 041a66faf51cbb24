/* Stopping, from every state and in every haste. */
#include "story.h"

static void test_stop_reaches_a_worker_blocked_in_its_start(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1); /* sanic#2997 */
    tell(&s, 0, CV_ON_HELLO);
    expect(&s, "spawn 0:1, go 0");
    stop(&s, CV_STOP_INT);
    expect(&s, "STOPPING 1, term 0");
    later(&s, 999);
    expect(&s, "");
    later(&s, 1);
    expect(&s, "UNSTOPPED 0 1000, kill 0");
    dies(&s, 0, 9);
    expect(&s, "exit 0");
    end(&s);
}

static void test_stop_before_hello(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    stop(&s, CV_STOP_TERM);
    dies(&s, 0, 15);
    expect(&s, "spawn 0:1, STOPPING 0, term 0, exit 0");
    end(&s);
}

static void test_stop_while_a_fork_is_under_way(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    s.text[0] = '\0';
    s.forks = false;
    dies(&s, 0, 11);
    expect(&s, "FAILED 0 0, spawn 0:1");
    stop(&s, CV_STOP_TERM);
    expect(&s, "STOPPING 0");
    tell(&s, 0, CV_ON_SPAWNED);
    expect(&s, "term 0");
    dies(&s, 0, 15);
    expect(&s, "exit 0");
    end(&s);
}

static void test_stop_during_a_back_off(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    dies(&s, 0, 11);
    dies(&s, 0, 11);
    s.text[0] = '\0';
    stop(&s, CV_STOP_TERM);
    expect(&s, "STOPPING 0, exit 0");
    end(&s);
}

static void test_term_drains_then_stops(void **state)
{
    (void)state;
    struct story s = serving(2);
    stop(&s, CV_STOP_TERM);
    expect(&s, "STOPPING 0, stop 0 until 15000, stop 1 until 15000");
    later(&s, 3000);
    tell(&s, 0, CV_ON_DRAINED);
    exits(&s, 0, 0);
    later(&s, 17000);
    expect(&s, "UNSTOPPED 1 20000, kill 1");
    dies(&s, 1, 9);
    expect(&s, "exit 0");
    end(&s);
}

static void test_stop_listeners_have_their_time_after_the_drain(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_TERM);
    later(&s, 3000);
    tell(&s, 0, CV_ON_DRAINED);
    later(&s, 5000);
    expect(&s, "STOPPING 0, stop 0 until 15000, UNSTOPPED 0 8000, kill 0");
    end(&s);
}

static void test_int_is_bounded_by_three_seconds(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_INT);
    expect(&s, "STOPPING 1, stop 0 until 2000");
    later(&s, 3000);
    expect(&s, "UNSTOPPED 0 3000, kill 0");
    end(&s);
}

static void test_int_twice_within_half_a_second_is_one(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_INT);
    later(&s, 499);
    stop(&s, CV_STOP_INT);
    expect(&s, "STOPPING 1, stop 0 until 2000");
    end(&s);
}

static void test_second_int_is_quit(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_INT);
    later(&s, 500);
    stop(&s, CV_STOP_INT);
    expect(&s, "STOPPING 1, stop 0 until 2000, STOPPING 2, stop 0 until 500");
    later(&s, 250);
    expect(&s, "UNSTOPPED 0 750, kill 0");
    end(&s);
}

static void test_weaker_stop_changes_nothing(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_INT);
    later(&s, 1000);
    stop(&s, CV_STOP_TERM);
    expect(&s, "STOPPING 1, stop 0 until 2000");
    end(&s);
}

static void test_stronger_stop_never_makes_anything_later(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_TERM);
    later(&s, 19000);
    stop(&s, CV_STOP_INT);
    expect(&s, "STOPPING 0, stop 0 until 15000, STOPPING 1, stop 0 until 15000");
    later(&s, 1000);
    expect(&s, "UNSTOPPED 0 20000, kill 0");
    end(&s);
}

static void test_lost_guardian_kills_all_at_once(void **state)
{
    (void)state;
    struct story s = serving(2);
    stop(&s, CV_STOP_NOW);
    expect(&s, "STOPPING 3, kill 0, kill 1");
    dies(&s, 0, 9);
    dies(&s, 1, 9);
    expect(&s, "exit 70");
    end(&s);
}

static void test_retired_worker_is_told_that_all_stop(void **state)
{
    (void)state;
    struct story s = serving(2);
    scale(&s, -1);
    later(&s, 10000);
    stop(&s, CV_STOP_INT);
    expect(&s,
           "SCALED 1, retire 1 until 15000, STOPPING 1, stop 0 until 12000, stop 1 until 12000");
    end(&s);
}

static void test_paused_worker_is_continued_then_killed(void **state)
{
    (void)state;
    struct story s = serving(1);
    tell(&s, 0, CV_ON_PAUSED);
    stop(&s, CV_STOP_TERM);
    expect(&s, "STOPPING 0, cont 0, stop 0 until 15000");
    later(&s, 250);
    expect(&s, "PAUSED_LONG 0 250, kill 0");
    end(&s);
}

static void test_worker_paused_while_stopping_is_continued(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_TERM);
    tell(&s, 0, CV_ON_PAUSED);
    expect(&s, "STOPPING 0, stop 0 until 15000, cont 0");
    tell(&s, 0, CV_ON_RESUMED);
    later(&s, 1000);
    end(&s);
}

static void test_unkillable_process_is_left_with_its_own_code(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_QUIT);
    later(&s, 250);
    expect(&s, "STOPPING 2, stop 0 until 0, UNSTOPPED 0 250, kill 0");
    later(&s, 5000);
    expect(&s, "UNKILLABLE 0 0, exit 74");
    end(&s);
}

static void test_main_stops_when_the_workers_are_gone(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    hello_with_main(&s, 0);
    gets_ready(&s, MAIN);
    tell(&s, 0, CV_ON_READY);
    s.text[0] = '\0';
    stop(&s, CV_STOP_TERM);
    expect(&s, "STOPPING 0, stop 0 until 15000");
    later(&s, 1000);
    exits(&s, 0, 0);
    expect(&s, "stop 6 until 15000");
    later(&s, 5000);
    expect(&s, "UNSTOPPED 6 5000, kill 6");
    dies(&s, MAIN, 9);
    expect(&s, "exit 0");
    end(&s);
}

static void test_main_stops_when_the_drain_is_over(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    hello_with_main(&s, 0);
    gets_ready(&s, MAIN);
    tell(&s, 0, CV_ON_READY);
    s.text[0] = '\0';
    stop(&s, CV_STOP_INT);
    later(&s, 2000);
    expect(&s, "STOPPING 1, stop 0 until 2000, stop 6 until 2000");
    later(&s, 1000);
    expect(&s, "UNSTOPPED 0 3000, kill 0, UNSTOPPED 6 1000, kill 6");
    end(&s);
}

static void test_main_that_dies_during_the_stop_does_not_come_back(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    hello_with_main(&s, 0);
    gets_ready(&s, MAIN);
    tell(&s, 0, CV_ON_READY);
    stop(&s, CV_STOP_TERM);
    s.text[0] = '\0';
    dies(&s, MAIN, 11);
    exits(&s, 0, 0);
    expect(&s, "exit 0");
    end(&s);
}

static void test_stop_does_not_wait_for_one_that_says_where_it_is(void **state)
{
    (void)state;
    struct story s = serving(1);
    hangs(&s, 0, 30000);
    stop(&s, CV_STOP_TERM);
    expect(&s, "HUNG 0 30000, abrt 0, STOPPING 0, kill 0");
    dies(&s, 0, 9);
    expect(&s, "exit 0");
    end(&s);
}

/* A worker drains, so main still serves. */
static struct story main_serves_while_all_stop(enum cv_fleet_stop kind)
{
    struct story s = begin(.workers = 1);
    hello_with_main(&s, 0);
    gets_ready(&s, MAIN);
    tell(&s, 0, CV_ON_READY);
    stop(&s, kind);
    s.text[0] = '\0';
    return s;
}

static void test_main_that_hangs_while_others_stop_says_where_it_is(void **state)
{
    (void)state;
    struct story s = main_serves_while_all_stop(CV_STOP_TERM);
    hangs(&s, MAIN, 30000);
    later(&s, 1000);
    exits(&s, 0, 0);
    expect(&s, "HUNG 6 30000, abrt 6");
    later(&s, 1000);
    expect(&s, "kill 6");
    dies(&s, MAIN, 9);
    expect(&s, "exit 0");
    end(&s);
}

static void test_main_that_hangs_does_not_make_the_stop_longer(void **state)
{
    (void)state;
    struct story s = main_serves_while_all_stop(CV_STOP_INT);
    later(&s, 1900);
    hangs(&s, MAIN, 30000);
    later(&s, 1100);
    expect(&s, "HUNG 6 30000, abrt 6, UNSTOPPED 0 3000, kill 0, kill 6");
    end(&s);
}

static void test_gap_does_not_prolong_a_dump_while_all_stop(void **state)
{
    (void)state;
    struct story s = main_serves_while_all_stop(CV_STOP_TERM);
    hangs(&s, MAIN, 30000);
    has_gap(&s, 5000);
    expect(&s, "HUNG 6 30000, abrt 6, kill 6");
    end(&s);
}

static void test_gap_does_not_move_a_stop(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_TERM);
    has_gap(&s, 30000);
    expect(&s, "STOPPING 0, stop 0 until 15000, UNSTOPPED 0 30000, kill 0");
    end(&s);
}

static void test_gap_does_not_give_up_a_killed_worker(void **state)
{
    (void)state;
    struct story s = serving(1);
    stop(&s, CV_STOP_NOW);
    has_gap(&s, 30000);
    expect(&s, "STOPPING 3, kill 0");
    dies(&s, 0, 9);
    expect(&s, "exit 70");
    end(&s);
}

static void test_nothing_happens_after_exit(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    stop(&s, CV_STOP_NOW);
    dies(&s, 0, 9);
    expect(&s, "spawn 0:1, STOPPING 3, kill 0, exit 70");
    scale(&s, 1);
    stop(&s, CV_STOP_TERM);
    reload(&s, 2);
    assert_true(cv_fleet_deadline(s.fleet) == CV_NEVER);
    end(&s);
}

/* ---- pre_drain ---- */

static struct story serving_on(unsigned workers)
{
    struct story s = begin(.workers = workers, .pre_drain = 5 * CV_SECOND);
    for (unsigned i = 0; i < workers; i++)
        gets_ready(&s, i);
    s.text[0] = '\0';
    stop(&s, CV_STOP_TERM);
    return s;
}

static void test_workers_serve_on_before_they_drain(void **state)
{
    (void)state;
    struct story s = serving_on(2);
    expect(&s, "STOPPING 0, SERVING_ON 5000, forewarn 0, forewarn 1");
    assert_true(cv_fleet_is_stopping(s.fleet) && cv_fleet_is_serving_on(s.fleet));
    assert_int_equal(cv_fleet_ready(s.fleet), 2);
    later(&s, 4999);
    expect(&s, "");
    later(&s, 1);
    expect(&s, "stop 0 until 20000, stop 1 until 20000");
    assert_false(cv_fleet_is_serving_on(s.fleet));
    later(&s, 20000);
    expect(&s, "UNSTOPPED 0 20000, kill 0, UNSTOPPED 1 20000, kill 1");
    end(&s);
}

static void test_nothing_is_replaced_while_they_serve_on(void **state)
{
    (void)state;
    struct story s = serving_on(2);
    dies(&s, 0, 11);
    tell(&s, 1, CV_ON_LEAVING);
    expect(&s, "STOPPING 0, SERVING_ON 5000, forewarn 0, forewarn 1, retire 1 until 15000");
    tell(&s, 1, CV_ON_DRAINED);
    exits(&s, 1, 0);
    expect(&s, "exit 0");
    end(&s);
}

static void test_faster_stop_ends_the_serving_on(void **state)
{
    (void)state;
    struct story s = serving_on(1);
    later(&s, 1000);
    stop(&s, CV_STOP_INT);
    expect(&s, "STOPPING 0, SERVING_ON 5000, forewarn 0, STOPPING 1, stop 0 until 3000");
    end(&s);
}

static void test_only_term_serves_on(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1, .pre_drain = 5 * CV_SECOND);
    stop(&s, CV_STOP_TERM); /* nobody serves yet */
    expect(&s, "spawn 0:1, STOPPING 0, term 0");
    end(&s);
    s = begin(.workers = 1, .pre_drain = 5 * CV_SECOND);
    gets_ready(&s, 0);
    s.text[0] = '\0';
    stop(&s, CV_STOP_QUIT);
    expect(&s, "STOPPING 2, stop 0 until 0");
    end(&s);
}

static void test_main_stops_after_workers_that_served_on(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1, .pre_drain = 5 * CV_SECOND);
    hello_with_main(&s, 0);
    gets_ready(&s, MAIN);
    tell(&s, 0, CV_ON_READY);
    s.text[0] = '\0';
    stop(&s, CV_STOP_TERM);
    later(&s, 5000);
    expect(&s, "STOPPING 0, SERVING_ON 5000, forewarn 0, stop 0 until 20000");
    exits(&s, 0, 0);
    expect(&s, "stop 6 until 20000");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_reaches_a_worker_blocked_in_its_start),
        cmocka_unit_test(test_stop_before_hello),
        cmocka_unit_test(test_stop_while_a_fork_is_under_way),
        cmocka_unit_test(test_stop_during_a_back_off),
        cmocka_unit_test(test_term_drains_then_stops),
        cmocka_unit_test(test_stop_listeners_have_their_time_after_the_drain),
        cmocka_unit_test(test_int_is_bounded_by_three_seconds),
        cmocka_unit_test(test_int_twice_within_half_a_second_is_one),
        cmocka_unit_test(test_second_int_is_quit),
        cmocka_unit_test(test_weaker_stop_changes_nothing),
        cmocka_unit_test(test_stronger_stop_never_makes_anything_later),
        cmocka_unit_test(test_lost_guardian_kills_all_at_once),
        cmocka_unit_test(test_retired_worker_is_told_that_all_stop),
        cmocka_unit_test(test_paused_worker_is_continued_then_killed),
        cmocka_unit_test(test_worker_paused_while_stopping_is_continued),
        cmocka_unit_test(test_unkillable_process_is_left_with_its_own_code),
        cmocka_unit_test(test_main_stops_when_the_workers_are_gone),
        cmocka_unit_test(test_main_stops_when_the_drain_is_over),
        cmocka_unit_test(test_main_that_dies_during_the_stop_does_not_come_back),
        cmocka_unit_test(test_stop_does_not_wait_for_one_that_says_where_it_is),
        cmocka_unit_test(test_main_that_hangs_while_others_stop_says_where_it_is),
        cmocka_unit_test(test_main_that_hangs_does_not_make_the_stop_longer),
        cmocka_unit_test(test_gap_does_not_prolong_a_dump_while_all_stop),
        cmocka_unit_test(test_gap_does_not_move_a_stop),
        cmocka_unit_test(test_gap_does_not_give_up_a_killed_worker),
        cmocka_unit_test(test_nothing_happens_after_exit),
        cmocka_unit_test(test_workers_serve_on_before_they_drain),
        cmocka_unit_test(test_nothing_is_replaced_while_they_serve_on),
        cmocka_unit_test(test_faster_stop_ends_the_serving_on),
        cmocka_unit_test(test_only_term_serves_on),
        cmocka_unit_test(test_main_stops_after_workers_that_served_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
