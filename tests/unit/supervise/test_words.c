#include "supervise/log/words.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static struct cv_listeners listeners;

/* What is written for one action. */
static const char *said(struct cv_action action, struct cv_fleet_exit last)
{
    static char text[4096];
    int fds[2];
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    (void)dup2(fds[1], STDERR_FILENO);
    (void)close(fds[1]);
    cv_log_open("test", CV_LOG_INFO);
    action.kind = CV_ACT_SAY;
    cv_words_say(&action, cv_words_who(action.slot, 4).text, last, &listeners);
    (void)dup2(saved, STDERR_FILENO);
    cv_log_open("test", CV_LOG_INFO);
    (void)close(saved);
    ssize_t len = read(fds[0], text, sizeof(text) - 1);
    (void)close(fds[0]);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text != NULL ? text : "", part);
}

static void test_ends_are_told_with_what_they_mean(void **state)
{
    (void)state;
    struct cv_fleet_exit crash = {.signaled = true, .core = true, .code = SIGSEGV};
    assert_string_equal(cv_words_exit(crash).text, "signal 11 (Segmentation fault), core dumped");
    assert_string_equal(cv_words_exit((struct cv_fleet_exit){.code = 3}).text,
                        "exit code 3 (a start listener failed)");
    assert_string_equal(cv_words_exit((struct cv_fleet_exit){.code = 200}).text, "exit code 200");
    assert_string_equal(cv_words_exit((struct cv_fleet_exit){.code = 3, .foreign = true}).text,
                        "exit code 3");
    for (int code = 0; code < 300; code++) {
        assert_has(cv_words_exit((struct cv_fleet_exit){.code = code}).text, "exit code");
        assert_has(cv_words_exit((struct cv_fleet_exit){.signaled = true, .code = code}).text,
                   "signal");
    }
}

static void test_a_kill_names_its_sender_as_far_as_it_is_known(void **state)
{
    (void)state;
    struct cv_fleet_exit end = {.signaled = true, .code = SIGKILL};
    assert_string_equal(cv_words_exit(end).text,
                        "signal 9 (Killed), not sent by covey: out of memory? see dmesg");
    end.oom = CV_OOM_NO;
    assert_string_equal(cv_words_exit(end).text,
                        "signal 9 (Killed), not sent by covey and not by the OOM killer");
    end.oom = CV_OOM_YES;
    assert_string_equal(cv_words_exit(end).text,
                        "signal 9 (Killed), killed by the kernel: out of memory");
    end.oom = CV_OOM_LIKELY;
    assert_string_equal(cv_words_exit(end).text,
                        "signal 9 (Killed), killed by the kernel, most likely: out of memory");
    end.by_us = true;
    assert_string_equal(cv_words_exit(end).text, "signal 9 (Killed), sent by covey");
    end.code = SIGABRT;
    end.core = true;
    assert_string_equal(cv_words_exit(end).text, "signal 6 (Aborted), sent by covey, core dumped");
    end.by_us = false; /* the app's own abort() */
    assert_string_equal(cv_words_exit(end).text, "signal 6 (Aborted), core dumped");
}

static void test_the_slot_behind_the_workers_is_main(void **state)
{
    (void)state;
    assert_string_equal(cv_words_who(0, 4).text, "worker 0");
    assert_string_equal(cv_words_who(3, 4).text, "worker 3");
    assert_string_equal(cv_words_who(4, 4).text, "main");
    assert_string_equal(cv_words_who(UINT32_MAX - 1, UINT32_MAX).text, "worker 4294967294");
}

static void test_a_managed_process_that_is_done_is_named(void **state)
{
    (void)state;
    assert_string_equal(cv_words_managed("queue", 1).text, "queue 1");
    struct cv_action action = {.say = CV_SAY_DONE, .slot = 2};
    const char *text = said(action, (struct cv_fleet_exit){.code = 7, .foreign = true});
    assert_has(text, "ended with exit code 7 and is not started again");
}

static void test_a_failure_says_who_how_and_when_next(void **state)
{
    (void)state;
    struct cv_action action = {.say = CV_SAY_FAILED, .slot = 2, .value = 400};
    const char *text = said(action, (struct cv_fleet_exit){.code = 4});
    assert_has(text, "worker 2 ended with exit code 4 (the app could not be loaded");
    assert_has(text, "next try in 400 ms");
    action.value = 0;
    assert_has(said(action, (struct cv_fleet_exit){.signaled = true, .code = SIGKILL}),
               "signal 9 (Killed)");
}

static void test_each_address_is_told_once_it_serves(void **state)
{
    (void)state;
    char reason[128];
    listeners = (struct cv_listeners){0};
    assert_int_equal(cv_listen_parse(&listeners, "127.0.0.1:80,unix:/s", reason, sizeof(reason)),
                     0);
    const char *text =
        said((struct cv_action){.say = CV_SAY_SERVING, .value = 3}, (struct cv_fleet_exit){0});
    assert_has(text, "listening on http://127.0.0.1:80 (3 workers)\n");
    assert_has(text, "listening on unix:/s (3 workers)\n");
    text = said((struct cv_action){.say = CV_SAY_SERVING, .value = 1}, (struct cv_fleet_exit){0});
    assert_has(text, "(1 worker)\n");
}

static void test_there_is_a_sentence_for_everything_the_fleet_says(void **state)
{
    (void)state;
    for (int say = CV_SAY_SERVING; say <= CV_SAY_STOPPING; say++) {
        struct cv_action action = {.say = (enum cv_say)say, .slot = 1, .value = 1};
        assert_has(said(action, (struct cv_fleet_exit){0}), " test: ");
    }
    for (int stop = CV_STOP_TERM; stop <= CV_STOP_NOW; stop++)
        assert_has(said((struct cv_action){.say = CV_SAY_STOPPING, .value = stop},
                        (struct cv_fleet_exit){0}),
                   "ing");
    assert_has(
        said((struct cv_action){.say = CV_SAY_LATE, .value = 60000}, (struct cv_fleet_exit){0}),
        "was not ready after 60.0 s (START_TIMEOUT): it is to say where it is, and is then killed");
    assert_has(
        said((struct cv_action){.say = CV_SAY_HUNG, .slot = 2, .value = 30000},
             (struct cv_fleet_exit){0}),
        "worker 2 has not come round its loop for 30.0 s (HANG_TIMEOUT): it is to say where it is, "
        "and is then killed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_are_told_with_what_they_mean),
        cmocka_unit_test(test_a_kill_names_its_sender_as_far_as_it_is_known),
        cmocka_unit_test(test_the_slot_behind_the_workers_is_main),
        cmocka_unit_test(test_a_managed_process_that_is_done_is_named),
        cmocka_unit_test(test_a_failure_says_who_how_and_when_next),
        cmocka_unit_test(test_each_address_is_told_once_it_serves),
        cmocka_unit_test(test_there_is_a_sentence_for_everything_the_fleet_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
