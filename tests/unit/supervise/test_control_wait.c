#include "supervise/control/wait.h"

#include "brood.h"

static char sentence[512];

static struct cv_control_facts calm(void)
{
    return (struct cv_control_facts){.wanted = 2,
                                     .ready = 2,
                                     .subject = "main",
                                     .is_subject_ready = true,
                                     .struggling = -1,
                                     .why = "because"};
}

static enum cv_control_verdict judge(struct cv_control_wait wait, struct cv_control_facts facts)
{
    sentence[0] = '\0';
    return cv_control_judge(&wait, &facts, sentence, sizeof(sentence));
}

static void assert_says(const char *what)
{
    if (strstr(sentence, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", sentence, what);
}

static void test_everything_but_a_stop_fails_once_all_stops(void **state)
{
    (void)state;
    struct cv_control_facts facts = calm();
    facts.is_stopping = true;
    for (int command = CV_CONTROL_SCALE; command <= CV_CONTROL_LOGS; command++) {
        if (command == CV_CONTROL_STOP)
            continue;
        struct cv_control_wait wait = {.command = (enum cv_control_command)command, .number = 2};
        assert_int_equal(judge(wait, facts), CV_VERDICT_FAILED);
        assert_says("stopping");
    }
    struct cv_control_wait stop = {.command = CV_CONTROL_STOP};
    assert_int_equal(judge(stop, facts), CV_VERDICT_WAIT);
    assert_int_equal(judge(stop, calm()), CV_VERDICT_WAIT);
}

static void test_scale_is_done_when_all_are_ready(void **state)
{
    (void)state;
    struct cv_control_wait wait = {.command = CV_CONTROL_SCALE, .number = 2};
    struct cv_control_facts facts = calm();
    assert_int_equal(judge(wait, facts), CV_VERDICT_DONE);
    assert_says("2 workers ready");
    facts.ready = 1;
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
    facts.ready = 3; /* one has not left yet */
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
}

static void test_restart_is_done_when_another_serves_in_its_stead(void **state)
{
    (void)state;
    struct cv_control_wait wait = {.command = CV_CONTROL_RESTART, .number = 1, .start = 1};
    struct cv_control_facts facts = calm();
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT); /* it serves on */
    facts.is_replaced = true;
    assert_int_equal(judge(wait, facts), CV_VERDICT_DONE);
    facts.ready = 1;
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
    facts.is_replaced = false;
    facts.struggling = 1;
    assert_int_equal(judge(wait, facts), CV_VERDICT_FAILED);
}

static void test_scale_fails_when_another_changes_the_number(void **state)
{
    (void)state;
    assert_int_equal(
        judge((struct cv_control_wait){.command = CV_CONTROL_SCALE, .number = 3}, calm()),
        CV_VERDICT_FAILED);
    assert_says("another request has made it 2 workers");
}

static void test_one_that_does_not_start_fails_scale_and_restart(void **state)
{
    (void)state;
    struct cv_control_facts facts = calm();
    facts.ready = 1;
    facts.struggling = 1;
    assert_int_equal(
        judge((struct cv_control_wait){.command = CV_CONTROL_SCALE, .number = 2}, facts),
        CV_VERDICT_FAILED);
    assert_says("worker 1 does not get ready");
    assert_int_equal(judge((struct cv_control_wait){.command = CV_CONTROL_RESTART}, facts),
                     CV_VERDICT_FAILED);
}

static void test_restart_of_main_waits_for_main(void **state)
{
    (void)state;
    struct cv_control_wait wait = {.command = CV_CONTROL_RESTART, .kind = CV_KIND_MAIN};
    struct cv_control_facts facts = calm();
    facts.ready = 1; /* that is another matter */
    assert_int_equal(judge(wait, facts), CV_VERDICT_DONE);
    facts.is_subject_ready = false;
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
}

static void test_restart_of_a_managed_process_is_about_that_one(void **state)
{
    (void)state;
    struct cv_control_wait wait = {
        .command = CV_CONTROL_RESTART, .number = 9, .kind = CV_KIND_MANAGED};
    struct cv_control_facts facts = calm();
    facts.subject = "queue 1";
    facts.is_subject_ready = false;
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
    facts.does_subject_struggle = true;
    assert_int_equal(judge(wait, facts), CV_VERDICT_FAILED);
    assert_says("queue 1 does not get ready");
    facts.is_subject_ready = true;
    assert_int_equal(judge(wait, facts), CV_VERDICT_DONE);
    assert_says("queue 1 is ready");
}

static void test_reload_is_done_when_its_generation_serves(void **state)
{
    (void)state;
    struct cv_control_wait wait = {.command = CV_CONTROL_RELOAD, .number = 3};
    struct cv_control_facts facts = calm();
    facts.reloaded = 2;
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
    facts.reloaded = 3;
    assert_int_equal(judge(wait, facts), CV_VERDICT_DONE);
}

static void test_reload_fails_with_its_own_generation_only(void **state)
{
    (void)state;
    struct cv_control_wait wait = {.command = CV_CONTROL_RELOAD, .number = 3};
    struct cv_control_facts facts = calm();
    facts.reload_failed = 2;
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
    facts.reload_failed = 3;
    assert_int_equal(judge(wait, facts), CV_VERDICT_FAILED);
    assert_says("because");
}

static void test_reload_fails_when_it_could_not_begin(void **state)
{
    (void)state;
    struct cv_control_wait wait = {.command = CV_CONTROL_RELOAD, .number = 2, .refusals = 4};
    struct cv_control_facts facts = calm();
    facts.refusals = 4; /* earlier ones */
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
    facts.refusals = 5;
    assert_int_equal(judge(wait, facts), CV_VERDICT_FAILED);
    assert_says("not reloaded: because");
}

static void test_logs_are_reopened_when_all_have_taken_them(void **state)
{
    (void)state;
    struct cv_control_wait wait = {.command = CV_CONTROL_LOGS, .number = 3};
    struct cv_control_facts facts = calm();
    facts.logs = 2;
    assert_int_equal(judge(wait, facts), CV_VERDICT_WAIT);
    facts.logs = 3;
    assert_int_equal(judge(wait, facts), CV_VERDICT_DONE);
    facts.logs = 4; /* another one has asked as well */
    assert_int_equal(judge(wait, facts), CV_VERDICT_DONE);
    facts.keeps_logs = "worker 7";
    assert_int_equal(judge(wait, facts), CV_VERDICT_FAILED);
    assert_says("worker 7 keeps the old log files");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_but_a_stop_fails_once_all_stops),
        cmocka_unit_test(test_scale_is_done_when_all_are_ready),
        cmocka_unit_test(test_scale_fails_when_another_changes_the_number),
        cmocka_unit_test(test_restart_is_done_when_another_serves_in_its_stead),
        cmocka_unit_test(test_one_that_does_not_start_fails_scale_and_restart),
        cmocka_unit_test(test_restart_of_main_waits_for_main),
        cmocka_unit_test(test_restart_of_a_managed_process_is_about_that_one),
        cmocka_unit_test(test_reload_is_done_when_its_generation_serves),
        cmocka_unit_test(test_reload_fails_with_its_own_generation_only),
        cmocka_unit_test(test_reload_fails_when_it_could_not_begin),
        cmocka_unit_test(test_logs_are_reopened_when_all_have_taken_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
