/* Starting, replacing, scaling, main. */
#include "story.h"

/* ---- Starting ---- */

static void test_new_refuses_numbers_that_cannot_be(void **state)
{
    (void)state;
    struct cv_fleet *fleet = NULL;
    struct cv_fleet_config config;
    cv_fleet_defaults(&config);
    config.workers = 0;
    assert_int_equal(cv_fleet_new(&config, 0, &fleet), -22);
    config.workers = config.capacity;
    assert_int_equal(cv_fleet_new(&config, 0, &fleet), -22);
    assert_null(fleet);
}

static void test_free_of_nothing_is_fine(void **state)
{
    (void)state;
    cv_fleet_free(NULL);
}

static void test_worker_starts_and_serves(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    expect(&s, "spawn 0:1");
    tell(&s, 0, CV_ON_HELLO);
    expect(&s, "go 0");
    tell(&s, 0, CV_ON_READY);
    expect(&s, "SERVING 1");
    assert_int_equal(cv_fleet_ready(s.fleet), 1);
    end(&s);
}

static void test_idle_server_waits_for_nothing(void **state)
{
    (void)state;
    struct story s = serving(3);
    assert_true(cv_fleet_deadline(s.fleet) == CV_NEVER);
    end(&s);
}

static void test_only_so_many_start_at_once(void **state)
{
    (void)state;
    struct story s = begin(.workers = 4, .starters_max = 2);
    expect(&s, "spawn 0:1, spawn 1:1");
    tell(&s, 0, CV_ON_HELLO);
    expect(&s, "go 0");
    tell(&s, 0, CV_ON_READY);
    expect(&s, "spawn 2:1");
    exits(&s, 1, 1);
    expect(&s, "FAILED 1 0, spawn 1:1");
    end(&s);
}

static void test_late_worker_says_where_it_is_and_is_tried_again(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    tell(&s, 0, CV_ON_HELLO);
    expect(&s, "spawn 0:1, go 0");
    later(&s, 59999);
    expect(&s, "");
    later(&s, 1);
    expect(&s, "LATE 0 60000, abrt 0");
    dies(&s, 0, 6);
    expect(&s, "FAILED 0 0, spawn 0:1");
    end(&s);
}

static void test_late_worker_that_is_paused_is_killed_for_that(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    later(&s, 50000);
    tell(&s, 0, CV_ON_PAUSED);
    later(&s, 10000);
    expect(&s, "spawn 0:1, PAUSED_LONG 0 10000, kill 0");
    end(&s);
}

static void test_late_worker_makes_room_for_another_start(void **state)
{
    (void)state;
    struct story s = begin(.workers = 2, .starters_max = 1);
    expect(&s, "spawn 0:1");
    later(&s, 60000);
    expect(&s, "LATE 0 60000, abrt 0, spawn 1:1");
    end(&s);
}

static void test_ready_that_crosses_our_kill_is_ignored(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    tell(&s, 0, CV_ON_HELLO);
    later(&s, 60000);
    tell(&s, 0, CV_ON_READY);
    expect(&s, "spawn 0:1, go 0, LATE 0 60000, abrt 0");
    later(&s, 2000);
    tell(&s, 0, CV_ON_READY);
    expect(&s, "kill 0");
    assert_int_equal(cv_fleet_ready(s.fleet), 0);
    end(&s);
}

static void extend(struct story *s, int64_t seconds)
{
    story_tell(s, (struct cv_fleet_event){
                      .kind = CV_FLEET_SLOT, .what = CV_ON_EXTEND, .extra = seconds * CV_SECOND});
}

static void test_extend_moves_the_deadline_but_not_for_ever(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    expect(&s, "spawn 0:1");
    for (int i = 0; i < 5; i++) {
        later(&s, 59000);
        extend(&s, i < 4 ? 60 : INT64_MAX / CV_SECOND);
    }
    later(&s, 4999);
    expect(&s, "");
    later(&s, 1);
    expect(&s, "LATE 0 300000, abrt 0");
    end(&s);
}

static void test_gap_is_given_back_to_a_starting_worker(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    expect(&s, "spawn 0:1");
    s.now += 10 * CV_SECOND;
    has_gap(&s, 90000);
    later(&s, 49999);
    expect(&s, "");
    later(&s, 1);
    expect(&s, "LATE 0 60000, abrt 0");
    end(&s);
}

/* ---- Replacing ---- */

static void test_leaving_worker_is_replaced_at_once(void **state)
{
    (void)state;
    struct story s = serving(2);
    tell(&s, 0, CV_ON_LEAVING);
    expect(&s, "LEAVING 0 0, retire 0 until 15000, spawn 2:1");
    tell(&s, 0, CV_ON_DRAINED);
    exits(&s, 0, 0);
    gets_ready(&s, 2);
    expect(&s, "go 2");
    end(&s);
}

static void test_leaving_worker_that_never_ends_is_killed(void **state)
{
    (void)state;
    struct story s = serving(1);
    tell(&s, 0, CV_ON_LEAVING);
    gets_ready(&s, 1);
    later(&s, 20000);
    expect(&s, "LEAVING 0 0, retire 0 until 15000, spawn 1:1, go 1, UNSTOPPED 0 20000, kill 0");
    dies(&s, 0, 9);
    assert_int_equal(slot_state(&s, 0), CV_SLOT_EMPTY);
    end(&s);
}

static void test_spent_worker_goes_once_another_serves(void **state)
{
    (void)state;
    struct story s = serving(2);
    tell(&s, 0, CV_ON_SPENT);
    tell(&s, 0, CV_ON_SPENT);
    expect(&s, "SPENT 0 0, spawn 2:1");
    gets_ready(&s, 2);
    expect(&s, "go 2, retire 0 until 15000");
    end(&s);
}

static void test_spent_workers_go_one_by_one(void **state)
{
    (void)state;
    struct story s = serving(2);
    tell(&s, 0, CV_ON_SPENT);
    tell(&s, 1, CV_ON_SPENT);
    expect(&s, "SPENT 0 0, spawn 2:1, SPENT 1 0");
    gets_ready(&s, 2);
    expect(&s, "go 2, retire 1 until 15000, spawn 3:1");
    gets_ready(&s, 3);
    expect(&s, "go 3, retire 0 until 15000");
    end(&s);
}

static void test_spent_worker_serves_on_while_no_other_starts(void **state)
{
    (void)state;
    struct story s = serving(1);
    tell(&s, 0, CV_ON_SPENT);
    dies(&s, 1, 11);
    dies(&s, 1, 11);
    expect(&s, "SPENT 0 0, spawn 1:1, FAILED 1 0, spawn 1:1, FAILED 1 103");
    assert_int_equal(slot_state(&s, 0), CV_SLOT_READY);
    end(&s);
}

static void test_spent_worker_that_crashes_comes_back_fresh(void **state)
{
    (void)state;
    struct story s = serving(2);
    tell(&s, 0, CV_ON_SPENT);
    gets_ready(&s, 2);
    tell(&s, 1, CV_ON_SPENT);
    dies(&s, 1, 11);
    dies(&s, 0, 11);
    expect(&s,
           "SPENT 0 0, spawn 2:1, go 2, retire 0 until 15000, SPENT 1 0, spawn 3:1, FAILED 1 0, "
           "term 3, spawn 1:1");
    gets_ready(&s, 1);
    expect(&s, "go 1");
    end(&s);
}

static void test_worker_paused_too_long_is_killed_and_replaced(void **state)
{
    (void)state;
    struct story s = serving(1);
    tell(&s, 0, CV_ON_PAUSED);
    later(&s, 29999);
    expect(&s, "");
    later(&s, 1);
    expect(&s, "PAUSED_LONG 0 30000, kill 0");
    dies(&s, 0, 9);
    expect(&s, "FAILED 0 0, spawn 0:1");
    end(&s);
}

static void test_worker_resumed_in_time_goes_on(void **state)
{
    (void)state;
    struct story s = serving(1);
    tell(&s, 0, CV_ON_PAUSED);
    later(&s, 29999);
    tell(&s, 0, CV_ON_RESUMED);
    assert_true(cv_fleet_deadline(s.fleet) == CV_NEVER);
    end(&s);
}

/* ---- Hanging ---- */

static void test_hung_worker_says_where_it_is_and_is_replaced(void **state)
{
    (void)state;
    struct story s = serving(1);
    hangs(&s, 0, 30000);
    expect(&s, "HUNG 0 30000, abrt 0");
    assert_int_equal(slot_state(&s, 0), CV_SLOT_DUMPING);
    later(&s, 100);
    dies(&s, 0, 6);
    expect(&s, "FAILED 0 0, spawn 0:1");
    end(&s);
}

static void test_hung_worker_that_does_not_die_of_abrt_is_killed(void **state)
{
    (void)state;
    struct story s = serving(1);
    hangs(&s, 0, 30000);
    later(&s, 1999);
    expect(&s, "HUNG 0 30000, abrt 0");
    later(&s, 1);
    expect(&s, "kill 0");
    dies(&s, 0, 9);
    expect(&s, "FAILED 0 0, spawn 0:1");
    end(&s);
}

static void test_hang_is_told_once(void **state)
{
    (void)state;
    struct story s = serving(1);
    hangs(&s, 0, 30000);
    hangs(&s, 0, 30500);
    tell(&s, 0, CV_ON_LEAVING);
    tell(&s, 0, CV_ON_PAUSED);
    expect(&s, "HUNG 0 30000, abrt 0");
    end(&s);
}

static void test_paused_worker_does_not_hang(void **state)
{
    (void)state;
    struct story s = serving(1);
    tell(&s, 0, CV_ON_PAUSED);
    hangs(&s, 0, 30000);
    expect(&s, "");
    later(&s, 30000);
    expect(&s, "PAUSED_LONG 0 30000, kill 0");
    end(&s);
}

static void test_worker_that_starts_or_goes_does_not_hang(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    tell(&s, 0, CV_ON_HELLO);
    hangs(&s, 0, 30000);
    expect(&s, "spawn 0:1, go 0");
    tell(&s, 0, CV_ON_READY);
    tell(&s, 0, CV_ON_LEAVING);
    s.text[0] = '\0';
    hangs(&s, 0, 30000);
    expect(&s, "");
    end(&s);
}

static void test_hung_worker_that_is_one_too_many_does_not_come_back(void **state)
{
    (void)state;
    struct story s = serving(2);
    hangs(&s, 1, 30000);
    scale(&s, -1);
    expect(&s, "HUNG 1 30000, abrt 1, SCALED 1");
    dies(&s, 1, 6);
    assert_int_equal(slot_state(&s, 1), CV_SLOT_EMPTY);
    end(&s);
}

static void test_gap_is_given_back_to_one_that_says_where_it_is(void **state)
{
    (void)state;
    struct story s = serving(1);
    hangs(&s, 0, 30000);
    later(&s, 1000);
    has_gap(&s, 60000);
    later(&s, 999);
    expect(&s, "HUNG 0 30000, abrt 0");
    later(&s, 1);
    expect(&s, "kill 0");
    end(&s);
}

static void test_unkillable_worker_is_given_up_and_replaced_elsewhere(void **state)
{
    (void)state;
    struct story s = serving(1);
    hangs(&s, 0, 30000);
    later(&s, 7000);
    expect(&s, "HUNG 0 30000, abrt 0, kill 0, UNKILLABLE 0 0, spawn 1:1");
    assert_int_equal(slot_state(&s, 0), CV_SLOT_LOST);
    dies(&s, 0, 9);
    assert_int_equal(slot_state(&s, 0), CV_SLOT_EMPTY);
    end(&s);
}

/* ---- Scaling ---- */

static void test_scale_up_starts_more(void **state)
{
    (void)state;
    struct story s = serving(2);
    scale(&s, 2);
    expect(&s, "SCALED 4, spawn 2:1, spawn 3:1");
    end(&s);
}

static void test_scale_down_retires_the_newest(void **state)
{
    (void)state;
    struct story s = serving(3);
    scale(&s, -1);
    expect(&s, "SCALED 2, retire 2 until 15000");
    end(&s);
}

static void test_scale_down_prefers_one_that_does_not_serve_yet(void **state)
{
    (void)state;
    struct story s = begin(.workers = 3);
    gets_ready(&s, 0);
    gets_ready(&s, 2);
    s.text[0] = '\0';
    scale(&s, -1);
    expect(&s, "SCALED 2, term 1, SERVING 2");
    later(&s, 1000);
    expect(&s, "UNSTOPPED 1 1000, kill 1");
    end(&s);
}

static void test_scale_is_refused_at_the_borders(void **state)
{
    (void)state;
    struct story s = serving(1);
    scale(&s, -1);
    expect(&s, "SCALE_REFUSED 1");
    scale(&s, MAIN - 1);
    expect(&s, "SCALE_REFUSED 1");
    end(&s);
}

/* ---- Main ---- */

static void test_workers_are_held_until_main_is_ready(void **state)
{
    (void)state;
    struct story s = begin(.workers = 2);
    hello_with_main(&s, 0);
    hello_with_main(&s, 1);
    expect(&s, "spawn 0:1, spawn 1:1, spawn 6:1");
    tell(&s, MAIN, CV_ON_HELLO);
    expect(&s, "go 6");
    tell(&s, MAIN, CV_ON_READY);
    expect(&s, "go 0, go 1");
    end(&s);
}

static void test_main_that_crashes_comes_back_and_workers_go_on(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    hello_with_main(&s, 0);
    gets_ready(&s, MAIN);
    tell(&s, 0, CV_ON_READY);
    expect(&s, "spawn 0:1, spawn 6:1, go 6, go 0, SERVING 1");
    dies(&s, MAIN, 11);
    expect(&s, "FAILED 6 0, spawn 6:1");
    dies(&s, 0, 11);
    hello_with_main(&s, 0);
    expect(&s, "FAILED 0 0, spawn 0:1, go 0");
    end(&s);
}

static void test_names_are_those_of_the_lists(void **state)
{
    (void)state;
    assert_string_equal(cv_slot_state_name(CV_SLOT_LOST), "LOST");
    assert_string_equal(cv_slot_event_name(CV_ON_SPAWN_FAILED), "SPAWN_FAILED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_refuses_numbers_that_cannot_be),
        cmocka_unit_test(test_free_of_nothing_is_fine),
        cmocka_unit_test(test_worker_starts_and_serves),
        cmocka_unit_test(test_idle_server_waits_for_nothing),
        cmocka_unit_test(test_only_so_many_start_at_once),
        cmocka_unit_test(test_late_worker_says_where_it_is_and_is_tried_again),
        cmocka_unit_test(test_late_worker_that_is_paused_is_killed_for_that),
        cmocka_unit_test(test_late_worker_makes_room_for_another_start),
        cmocka_unit_test(test_ready_that_crosses_our_kill_is_ignored),
        cmocka_unit_test(test_extend_moves_the_deadline_but_not_for_ever),
        cmocka_unit_test(test_gap_is_given_back_to_a_starting_worker),
        cmocka_unit_test(test_leaving_worker_is_replaced_at_once),
        cmocka_unit_test(test_leaving_worker_that_never_ends_is_killed),
        cmocka_unit_test(test_spent_worker_goes_once_another_serves),
        cmocka_unit_test(test_spent_workers_go_one_by_one),
        cmocka_unit_test(test_spent_worker_serves_on_while_no_other_starts),
        cmocka_unit_test(test_spent_worker_that_crashes_comes_back_fresh),
        cmocka_unit_test(test_worker_paused_too_long_is_killed_and_replaced),
        cmocka_unit_test(test_worker_resumed_in_time_goes_on),
        cmocka_unit_test(test_hung_worker_says_where_it_is_and_is_replaced),
        cmocka_unit_test(test_hung_worker_that_does_not_die_of_abrt_is_killed),
        cmocka_unit_test(test_hang_is_told_once),
        cmocka_unit_test(test_paused_worker_does_not_hang),
        cmocka_unit_test(test_worker_that_starts_or_goes_does_not_hang),
        cmocka_unit_test(test_hung_worker_that_is_one_too_many_does_not_come_back),
        cmocka_unit_test(test_gap_is_given_back_to_one_that_says_where_it_is),
        cmocka_unit_test(test_unkillable_worker_is_given_up_and_replaced_elsewhere),
        cmocka_unit_test(test_scale_up_starts_more),
        cmocka_unit_test(test_scale_down_retires_the_newest),
        cmocka_unit_test(test_scale_down_prefers_one_that_does_not_serve_yet),
        cmocka_unit_test(test_scale_is_refused_at_the_borders),
        cmocka_unit_test(test_workers_are_held_until_main_is_ready),
        cmocka_unit_test(test_main_that_crashes_comes_back_and_workers_go_on),
        cmocka_unit_test(test_names_are_those_of_the_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
