/* Failures: the first start, back-off, the crash loop. */
#include "story.h"

/* ---- The first start ---- */

static void test_app_that_cannot_be_loaded_ends_the_start(void **state)
{
    (void)state;
    struct story s = begin(.workers = 2);
    exits(&s, 1, CV_EXIT_LOAD);
    expect(&s, "spawn 0:1, spawn 1:1, FAILED 1 0, START_FAILED 1 4, kill 0");
    dies(&s, 0, 9);
    expect(&s, "exit 4");
    end(&s);
}

static void test_wrong_config_ends_the_start(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    exits(&s, 0, CV_EXIT_CONFIG);
    expect(&s, "spawn 0:1, FAILED 0 0, START_FAILED 0 78, exit 78");
    end(&s);
}

static void test_start_ends_when_every_worker_has_failed_to_boot(void **state)
{
    (void)state;
    struct story s = begin(.workers = 2);
    exits(&s, 0, CV_EXIT_BOOT);
    expect(&s, "spawn 0:1, spawn 1:1, FAILED 0 0, spawn 0:1");
    exits(&s, 1, CV_EXIT_BOOT);
    expect(&s, "FAILED 1 0, START_FAILED 1 3, kill 0");
    dies(&s, 0, 9);
    expect(&s, "exit 3");
    end(&s);
}

static void test_one_that_got_ready_saves_the_start(void **state)
{
    (void)state;
    struct story s = begin(.workers = 2);
    gets_ready(&s, 0);
    exits(&s, 1, CV_EXIT_LOAD);
    expect(&s, "spawn 0:1, spawn 1:1, go 0, FAILED 1 0, spawn 1:1");
    end(&s);
}

static void test_main_that_fails_to_boot_ends_the_start(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    hello_with_main(&s, 0);
    exits(&s, MAIN, CV_EXIT_BOOT);
    expect(&s, "spawn 0:1, spawn 6:1, FAILED 6 0, START_FAILED 6 3, kill 0");
    end(&s);
}

/* ---- Back-off ---- */

static void test_exit_0_that_nobody_asked_is_a_failure(void **state)
{
    (void)state;
    struct story s = serving(1);
    exits(&s, 0, 0);
    expect(&s, "FAILED 0 0, spawn 0:1");
    end(&s);
}

/* The pause in ms that FAILED tells, after one more crash of worker 0. */
static int64_t crash(struct story *s)
{
    dies(s, 0, 11);
    long long ms = -1;
    assert_int_equal(sscanf(s->text, "FAILED 0 %lld", &ms), 1);
    s->text[0] = '\0';
    later(s, ms + 1);
    s->text[0] = '\0';
    return ms;
}

static void test_pauses_double_up_to_a_limit(void **state)
{
    (void)state;
    struct story s = serving(2); /* the other one keeps the fleet from giving up */
    assert_int_equal(crash(&s), 0);
    int64_t pause = 100;
    for (int i = 0; i < 10; i++) {
        assert_in_range(crash(&s), pause * 8 / 10, pause * 12 / 10);
        pause = 2 * pause < 10000 ? 2 * pause : 10000;
    }
    end(&s);
}

static void test_health_resets_the_pauses(void **state)
{
    (void)state;
    struct story s = serving(1);
    assert_int_equal(crash(&s), 0);
    assert_true(crash(&s) > 0);
    gets_ready(&s, 0);
    later(&s, 10000);
    s.text[0] = '\0';
    assert_int_equal(crash(&s), 0);
    end(&s);
}

static void test_fork_that_fails_is_tried_again_later(void **state)
{
    (void)state;
    struct story s = serving(1);
    s.forks = false;
    dies(&s, 0, 11);
    tell(&s, 0, CV_ON_SPAWN_FAILED);
    assert_int_equal(slot_state(&s, 0), CV_SLOT_WAITING);
    assert_true(cv_fleet_deadline(s.fleet) != CV_NEVER);
    s.text[0] = '\0';
    later(&s, 120);
    expect(&s, "spawn 0:1");
    end(&s);
}

static void template_fails(struct story *s, unsigned slot, int code)
{
    story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                          .slot = slot,
                                          .what = CV_ON_SPAWN_FAILED,
                                          .has_exit = true,
                                          .exit = {.code = code}});
}

static void test_template_that_cannot_load_the_app_ends_the_start(void **state)
{
    (void)state;
    struct story s = begin_waiting(2);
    template_fails(&s, 0, CV_EXIT_LOAD);
    template_fails(&s, 1, CV_EXIT_LOAD);
    expect(&s, "spawn 0:1, spawn 1:1, NOT_STARTED 0 0, START_FAILED 0 4, exit 4");
    end(&s);
}

static void test_template_that_crashes_is_tried_again(void **state)
{
    (void)state;
    struct story s = begin_waiting(1);
    template_fails(&s, 0, 1);
    expect(&s, "spawn 0:1, NOT_STARTED 0 0, spawn 0:1");
    end(&s);
}

/* ---- The crash loop ---- */

static void test_crash_loop_with_nobody_ready_ends_everything(void **state)
{
    (void)state;
    struct story s = begin(.workers = 1);
    while (!cv_fleet_is_stopping(s.fleet)) {
        s.text[0] = '\0';
        later(&s, 1);
        if (slot_state(&s, 0) == CV_SLOT_SPAWNING)
            dies(&s, 0, 11);
        assert_true(s.now < 90 * CV_SECOND);
    }
    assert_true(s.now >= 60 * CV_SECOND);
    assert_non_null(strstr(s.text, "CRASH_LOOP"));
    assert_non_null(strstr(s.text, ", exit 75"));
    s.text[0] = '\0';
    end(&s);
}

/* `count` crashes of worker 0 as fast as its pauses allow; how often DEGRADED was said. */
static unsigned degraded_in(struct story *s, int count)
{
    unsigned said = 0;
    for (int i = 0; i < count; i++) {
        while (slot_state(s, 0) == CV_SLOT_WAITING)
            later(s, 1);
        dies(s, 0, 11);
        said += strstr(s->text, "DEGRADED") != NULL;
        s->text[0] = '\0';
    }
    return said;
}

static void test_many_failures_while_some_serve_are_said_once_an_episode(void **state)
{
    (void)state;
    struct story s = serving(2);
    assert_int_equal(degraded_in(&s, 10), 0);
    assert_int_equal(degraded_in(&s, 2), 1); /* the limit is 10 */
    later(&s, 13000);
    gets_ready(&s, 0);
    later(&s, 100000);
    s.text[0] = '\0';
    assert_int_equal(degraded_in(&s, 12), 1);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_that_cannot_be_loaded_ends_the_start),
        cmocka_unit_test(test_wrong_config_ends_the_start),
        cmocka_unit_test(test_start_ends_when_every_worker_has_failed_to_boot),
        cmocka_unit_test(test_one_that_got_ready_saves_the_start),
        cmocka_unit_test(test_main_that_fails_to_boot_ends_the_start),
        cmocka_unit_test(test_exit_0_that_nobody_asked_is_a_failure),
        cmocka_unit_test(test_pauses_double_up_to_a_limit),
        cmocka_unit_test(test_health_resets_the_pauses),
        cmocka_unit_test(test_fork_that_fails_is_tried_again_later),
        cmocka_unit_test(test_template_that_cannot_load_the_app_ends_the_start),
        cmocka_unit_test(test_template_that_crashes_is_tried_again),
        cmocka_unit_test(test_crash_loop_with_nobody_ready_ends_everything),
        cmocka_unit_test(test_many_failures_while_some_serve_are_said_once_an_episode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
