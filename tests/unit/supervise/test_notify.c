#include "supervise/notify/notify.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define T0 (1000 * CV_SECOND)

static struct cv_notify notify;

static int set_up(void **state)
{
    (void)state;
    (void)cv_notify_begin(&notify, 0, T0);
    return 0;
}

static void assert_news(enum cv_news news, int64_t value, int64_t at, const char *said)
{
    assert_string_equal(cv_notify_news(&notify, news, value, at).text, said);
}

static void assert_answer(const char *said)
{
    assert_string_equal(cv_notify_answered(&notify).text, said);
}

static void become_ready(int64_t at)
{
    (void)cv_notify_news(&notify, CV_NEWS_SERVING, 2, at);
}

/* ---- What is not said ---- */

static void test_nothing_is_said_after_stopping(void **state)
{
    (void)state;
    become_ready(T0);
    assert_news(CV_NEWS_STOPPING, CV_STOP_TERM, T0, "STOPPING=1\nSTATUS=stopping: draining");
    for (int news = 0; news < CV_NEWS_COUNT; news++)
        if (news != CV_NEWS_STOPPING)
            assert_news((enum cv_news)news, 1, T0, "");
    assert_news(CV_NEWS_STOPPING, CV_STOP_QUIT, T0, "STATUS=stopping");
}

static void test_what_concerns_one_worker_is_no_news(void **state)
{
    (void)state;
    assert_int_equal(cv_news_of(CV_SAY_FAILED), CV_NEWS_NONE);
    assert_int_equal(cv_news_of(CV_SAY_UNSTOPPED), CV_NEWS_NONE);
    assert_int_equal(cv_news_of(CV_SAY_SCALE_REFUSED), CV_NEWS_NONE);
    assert_int_equal(cv_news_of((enum cv_say)1000), CV_NEWS_NONE);
    assert_int_equal(cv_news_of(CV_SAY_SERVING), CV_NEWS_SERVING);
    assert_int_equal(cv_news_of(CV_SAY_CRASH_LOOP), CV_NEWS_CRASH_LOOP);
    assert_news(CV_NEWS_NONE, 0, T0, "");
}

static void test_ready_is_said_once(void **state)
{
    (void)state;
    assert_news(CV_NEWS_SERVING, 1, T0, "READY=1\nSTATUS=serving: 1 worker");
    assert_news(CV_NEWS_SERVING, 2, T0, "STATUS=serving: 2 workers");
    assert_news(CV_NEWS_RELOADED, 3, T0, "STATUS=serving: generation 3");
}

static void test_reload_before_the_first_ready_is_part_of_the_start(void **state)
{
    (void)state;
    assert_news(CV_NEWS_RELOADING, 2, T0, "STATUS=reloading: generation 2");
    assert_news(CV_NEWS_RELOAD_FAILED, 2, T0,
                "STATUS=the reload to generation 2 has failed: the old one serves");
    assert_news(CV_NEWS_SERVING, 2, T0, "READY=1\nSTATUS=serving: 2 workers");
}

/* ---- What is ---- */

static void test_each_reload_ends_with_ready(void **state)
{
    (void)state;
    become_ready(T0);
    assert_news(CV_NEWS_RELOADING, 2, T0 + 1999,
                "RELOADING=1\nMONOTONIC_USEC=1000000001\nSTATUS=reloading: generation 2");
    assert_news(CV_NEWS_SCALED, 3, T0, "STATUS=3 workers wanted");
    assert_news(CV_NEWS_DEGRADED, 11, T0,
                "STATUS=degraded: workers have failed 11 times within a minute");
    assert_news(CV_NEWS_RELOAD_FAILED, 2, T0,
                "READY=1\nSTATUS=the reload to generation 2 has failed: the old one serves");
    assert_news(CV_NEWS_RELOADING, 3, T0,
                "RELOADING=1\nMONOTONIC_USEC=1000000000\nSTATUS=reloading: generation 3");
    assert_news(CV_NEWS_RELOADED, 3, T0, "READY=1\nSTATUS=serving: generation 3");
}

static void test_start_that_fails_is_a_stop(void **state)
{
    (void)state;
    assert_news(CV_NEWS_START_FAILED, 3, T0,
                "STOPPING=1\nSTATUS=the start has failed: exit code 3");
    set_up(NULL);
    assert_news(CV_NEWS_CRASH_LOOP, 12, T0,
                "STOPPING=1\nSTATUS=giving up: workers have failed 12 times, none is ready");
    set_up(NULL);
    assert_news(CV_NEWS_MASTER_GONE, 0, T0,
                "STOPPING=1\nSTATUS=the master is gone: all is stopped");
}

static void test_longest_text_fits(void **state)
{
    (void)state;
    become_ready(T0);
    struct cv_notify_text text =
        cv_notify_news(&notify, CV_NEWS_RELOADING, INT64_MAX, INT64_MAX - 10 * CV_SECOND);
    assert_non_null(strstr(text.text, "STATUS=reloading: generation 9223372036854775807"));
    text = cv_notify_news(&notify, CV_NEWS_RELOAD_FAILED, INT64_MIN, 0);
    assert_non_null(strstr(text.text, "808 has failed: the old one serves"));
    text = cv_notify_news(&notify, CV_NEWS_CRASH_LOOP, INT64_MIN, 0);
    assert_non_null(strstr(text.text, "times, none is ready"));
}

/* ---- Signs of life ---- */

static void test_server_that_serves_has_no_deadline(void **state)
{
    (void)state;
    assert_true(cv_notify_deadline(&notify) == T0 + CV_SECOND);
    become_ready(T0);
    assert_true(cv_notify_deadline(&notify) == CV_NEVER);
    assert_false(cv_notify_asks(&notify, T0 + 3600 * CV_SECOND));
}

static void test_more_time_is_asked_for_each_second_while_starting(void **state)
{
    (void)state;
    assert_false(cv_notify_asks(&notify, T0 + CV_SECOND - 1));
    assert_true(cv_notify_asks(&notify, T0 + CV_SECOND));
    assert_answer("EXTEND_TIMEOUT_USEC=2000000");
    assert_false(cv_notify_asks(&notify, T0 + CV_SECOND));
    assert_true(cv_notify_deadline(&notify) == T0 + 2 * CV_SECOND);
}

static void test_more_time_is_asked_for_while_reloading_and_stopping(void **state)
{
    (void)state;
    become_ready(T0);
    (void)cv_notify_news(&notify, CV_NEWS_RELOADING, 2, T0 + 500 * CV_SECOND);
    assert_true(cv_notify_deadline(&notify) == T0 + 501 * CV_SECOND);
    (void)cv_notify_news(&notify, CV_NEWS_RELOADED, 2, T0 + 502 * CV_SECOND);
    assert_true(cv_notify_deadline(&notify) == CV_NEVER);
    (void)cv_notify_news(&notify, CV_NEWS_STOPPING, CV_STOP_TERM, T0 + 600 * CV_SECOND);
    assert_true(cv_notify_deadline(&notify) == T0 + 601 * CV_SECOND);
    (void)cv_notify_news(&notify, CV_NEWS_STOPPING, CV_STOP_INT, T0 + 601 * CV_SECOND - 1);
    assert_true(cv_notify_deadline(&notify) == T0 + 601 * CV_SECOND);
}

static void test_master_that_does_not_answer_is_asked_once_and_nothing_is_said(void **state)
{
    (void)state;
    (void)cv_notify_begin(&notify, 3 * CV_SECOND, T0);
    assert_true(cv_notify_asks(&notify, T0 + CV_SECOND));
    assert_true(cv_notify_deadline(&notify) == CV_NEVER);
    assert_false(cv_notify_asks(&notify, T0 + 100 * CV_SECOND));
    assert_answer("WATCHDOG=1\nEXTEND_TIMEOUT_USEC=2000000");
    assert_true(cv_notify_asks(&notify, T0 + 100 * CV_SECOND));
}

static void test_watchdog_is_fed_at_a_third_of_its_time(void **state)
{
    (void)state;
    (void)cv_notify_begin(&notify, 9 * CV_SECOND, T0);
    become_ready(T0);
    for (int i = 1; i < 5; i++) {
        assert_true(cv_notify_deadline(&notify) == T0 + 3 * i * CV_SECOND);
        assert_true(cv_notify_asks(&notify, T0 + 3 * i * CV_SECOND));
        assert_answer("WATCHDOG=1");
    }
}

static void test_each_sign_has_its_own_time(void **state)
{
    (void)state;
    (void)cv_notify_begin(&notify, 9 * CV_SECOND, T0);
    assert_true(cv_notify_asks(&notify, T0 + CV_SECOND));
    assert_answer("EXTEND_TIMEOUT_USEC=2000000");
    assert_true(cv_notify_asks(&notify, T0 + 2 * CV_SECOND));
    assert_answer("EXTEND_TIMEOUT_USEC=2000000");
    assert_true(cv_notify_asks(&notify, T0 + 3 * CV_SECOND));
    assert_answer("WATCHDOG=1\nEXTEND_TIMEOUT_USEC=2000000");
}

static void test_more_time_is_not_asked_for_when_the_start_ended_meanwhile(void **state)
{
    (void)state;
    assert_true(cv_notify_asks(&notify, T0 + CV_SECOND));
    become_ready(T0 + CV_SECOND);
    assert_answer("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_is_said_after_stopping, set_up),
        cmocka_unit_test_setup(test_what_concerns_one_worker_is_no_news, set_up),
        cmocka_unit_test_setup(test_ready_is_said_once, set_up),
        cmocka_unit_test_setup(test_reload_before_the_first_ready_is_part_of_the_start, set_up),
        cmocka_unit_test_setup(test_each_reload_ends_with_ready, set_up),
        cmocka_unit_test_setup(test_start_that_fails_is_a_stop, set_up),
        cmocka_unit_test_setup(test_longest_text_fits, set_up),
        cmocka_unit_test_setup(test_server_that_serves_has_no_deadline, set_up),
        cmocka_unit_test_setup(test_more_time_is_asked_for_each_second_while_starting, set_up),
        cmocka_unit_test_setup(test_more_time_is_asked_for_while_reloading_and_stopping, set_up),
        cmocka_unit_test_setup(test_master_that_does_not_answer_is_asked_once_and_nothing_is_said,
                               set_up),
        cmocka_unit_test_setup(test_watchdog_is_fed_at_a_third_of_its_time, set_up),
        cmocka_unit_test_setup(test_each_sign_has_its_own_time, set_up),
        cmocka_unit_test_setup(test_more_time_is_not_asked_for_when_the_start_ended_meanwhile,
                               set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
