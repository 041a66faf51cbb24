/* The managed processes, as stories: slots 7 and up. */
#include "story.h"

#define QUEUE (MAIN + 1)

static struct cv_managed_list list_of(struct cv_managed_spec spec)
{
    if (spec.processes == 0)
        spec.processes = 1;
    memcpy(spec.name, "queue", sizeof("queue"));
    return (struct cv_managed_list){.n = 1, .item = {spec}};
}

#define declare(...) list_of((struct cv_managed_spec){__VA_ARGS__})

/* A worker and a managed process, which declares itself so. */
static struct story with(const struct cv_managed_list *list)
{
    struct story s = begin(.workers = 1);
    hello_with(&s, 0, list);
    tell(&s, 0, CV_ON_READY);
    tell(&s, QUEUE, CV_ON_HELLO);
    tell(&s, QUEUE, CV_ON_READY);
    expect(&s, "spawn 0:1, go 0, spawn 7:1, SERVING 1, go 7");
    return s;
}

static void test_they_start_once_they_are_declared(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    expect(&s, "spawn 0:1");
    struct cv_managed_list list = declare(.processes = 2);
    hello_with(&s, 0, &list);
    expect(&s, "go 0, spawn 7:1, spawn 8:1");
    unsigned index;
    assert_string_equal(cv_fleet_managed_name(s.fleet, 8, &index), "queue");
    assert_int_equal(index, 1);
    assert_null(cv_fleet_managed_name(s.fleet, 9, &index));
    end(&s);
}

static void test_they_wait_for_main_as_workers_do(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    struct cv_managed_list list = declare(.processes = 1);
    story_tell(&s,
               (struct cv_fleet_event){
                   .kind = CV_FLEET_SLOT, .what = CV_ON_HELLO, .has_main = true, .managed = &list});
    tell(&s, MAIN, CV_ON_HELLO);
    expect(&s, "spawn 0:1, spawn 6:1, go 6");
    tell(&s, MAIN, CV_ON_READY);
    expect(&s, "go 0, spawn 7:1");
    end(&s);
}

static void test_only_the_first_manifest_of_a_generation_counts(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.processes = 2);
    struct story s = begin(.workers = 2);
    tell(&s, 0, CV_ON_HELLO);
    expect(&s, "spawn 0:1, spawn 1:1, go 0");
    hello_with(&s, 1, &list);
    expect(&s, "go 1");
    end(&s);
}

static void test_one_that_ends_is_started_again(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.processes = 1);
    struct story s = with(&list);
    exits(&s, QUEUE, 0);
    expect(&s, "FAILED 7 0, spawn 7:1");
    end(&s);
}

static void test_on_failure_exit_0_is_the_end(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.restart = CV_RESTART_ON_FAILURE);
    struct story s = with(&list);
    dies(&s, QUEUE, 11);
    expect(&s, "FAILED 7 0, spawn 7:1");
    gets_ready(&s, QUEUE);
    exits(&s, QUEUE, 0);
    expect(&s, "go 7, DONE 7 0");
    later(&s, 100000);
    end(&s);
}

static void test_never_means_any_end(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.restart = CV_RESTART_NEVER);
    struct story s = with(&list);
    dies(&s, QUEUE, 9);
    expect(&s, "DONE 7 0");
    later(&s, 100000);
    end(&s);
}

static void test_one_that_was_asked_to_go_comes_back(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.restart = CV_RESTART_NEVER);
    struct story s = with(&list);
    tell(&s, QUEUE, CV_ON_LEAVING);
    exits(&s, QUEUE, 0);
    expect(&s, "LEAVING 7 0, retire 7 until 15000, spawn 7:1");
    end(&s);
}

static void test_its_failures_take_nothing_from_the_server(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.processes = 1);
    struct story s = with(&list);
    for (int i = 0; i < 40; i++) {
        later(&s, 20000);
        exits(&s, QUEUE, 3);
        tell(&s, QUEUE, CV_ON_HELLO);
    }
    assert_null(strstr(s.text, "DEGRADED"));
    assert_false(cv_fleet_is_stopping(s.fleet));
    s.text[0] = '\0';
    end(&s);
}

static void test_one_that_cannot_be_loaded_ends_the_first_start(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.processes = 1);
    struct story s = begin(.workers = 1);
    hello_with(&s, 0, &list);
    expect(&s, "spawn 0:1, go 0, spawn 7:1");
    exits(&s, QUEUE, CV_EXIT_LOAD);
    expect(&s, "FAILED 7 0, START_FAILED 7 4, kill 0");
    dies(&s, 0, 9);
    expect(&s, "exit 4");
    end(&s);
}

/* The worker of generation 2 takes over. */
static void roll(struct story *s, const struct cv_managed_list *list)
{
    reload(s, 2);
    hello_with(s, 1, list);
    tell(s, 1, CV_ON_READY);
    expect(s, "spawn 1:2, go 1, retire 0 until 15000");
    exits(s, 0, 0);
}

static void test_a_durable_one_survives_a_reload(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.processes = 1);
    struct story s = with(&list);
    roll(&s, &list);
    expect(&s, "drop :1, RELOADED 2");
    assert_int_equal(cv_fleet_slot_generation(s.fleet, QUEUE), 1);
    dies(&s, QUEUE, 9);
    expect(&s, "FAILED 7 0, spawn 7:2"); /* there is no other code to start */
    end(&s);
}

static void test_a_transient_one_is_replaced_when_the_workers_are_through(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.is_transient = true);
    struct story s = with(&list);
    roll(&s, &list);
    expect(&s, "retire 7 until 15000");
    exits(&s, QUEUE, 0);
    expect(&s, "drop :1, RELOADED 2, spawn 7:2");
    end(&s);
}

static void test_one_that_is_not_declared_any_more_is_retired(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.processes = 1);
    struct cv_managed_list other = {.n = 1, .item = {{.name = "other", .processes = 1}}};
    struct story s = with(&list);
    roll(&s, &other);
    expect(&s, "retire 7 until 15000, spawn 8:2");
    exits(&s, QUEUE, 0);
    expect(&s, "drop :1, RELOADED 2");
    unsigned index;
    assert_null(cv_fleet_managed_name(s.fleet, QUEUE, &index));
    end(&s);
}

static void test_a_reload_that_fails_changes_nothing(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.is_transient = true);
    struct story s = with(&list);
    reload(&s, 2);
    hello_with(&s, 1, NULL);
    exits(&s, 1, 3);
    expect(&s, "spawn 1:2, go 1, FAILED 1 0, RELOAD_FAILED 1 2, drop :2");
    assert_int_equal(slot_state(&s, QUEUE), CV_SLOT_READY);
    dies(&s, QUEUE, 9);
    expect(&s, "FAILED 7 0, spawn 7:1");
    end(&s);
}

static void test_a_done_one_is_run_again_by_a_reload_if_it_is_transient(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.restart = CV_RESTART_NEVER, .is_transient = true);
    struct story s = with(&list);
    exits(&s, QUEUE, 0);
    expect(&s, "DONE 7 0");
    roll(&s, &list);
    expect(&s, "drop :1, RELOADED 2, spawn 7:2");
    end(&s);
}

static void test_a_stop_takes_them_with_the_workers(void **state)
{
    (void)state;
    struct cv_managed_list list = declare(.processes = 1);
    struct story s = with(&list);
    stop(&s, CV_STOP_TERM);
    expect(&s, "STOPPING 0, stop 0 until 15000, stop 7 until 15000");
    exits(&s, 0, 0);
    later(&s, 20000);
    expect(&s, "UNSTOPPED 7 20000, kill 7");
    dies(&s, QUEUE, 9);
    expect(&s, "exit 0");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_start_once_they_are_declared),
        cmocka_unit_test(test_they_wait_for_main_as_workers_do),
        cmocka_unit_test(test_only_the_first_manifest_of_a_generation_counts),
        cmocka_unit_test(test_one_that_ends_is_started_again),
        cmocka_unit_test(test_on_failure_exit_0_is_the_end),
        cmocka_unit_test(test_never_means_any_end),
        cmocka_unit_test(test_one_that_was_asked_to_go_comes_back),
        cmocka_unit_test(test_its_failures_take_nothing_from_the_server),
        cmocka_unit_test(test_one_that_cannot_be_loaded_ends_the_first_start),
        cmocka_unit_test(test_a_durable_one_survives_a_reload),
        cmocka_unit_test(test_a_transient_one_is_replaced_when_the_workers_are_through),
        cmocka_unit_test(test_one_that_is_not_declared_any_more_is_retired),
        cmocka_unit_test(test_a_reload_that_fails_changes_nothing),
        cmocka_unit_test(test_a_done_one_is_run_again_by_a_reload_if_it_is_transient),
        cmocka_unit_test(test_a_stop_takes_them_with_the_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
