#include "supervise/master/doing.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SLOW (5 * CV_SECOND)

static struct cv_doings doings;
static int n_said;
static unsigned said_slot;
static char said[256];
static int64_t said_for;

static void say(void *arg, unsigned slot, const char *what, int64_t for_ns)
{
    (void)arg;
    n_said++;
    said_slot = slot;
    said_for = for_ns;
    (void)strncpy(said, what, sizeof(said) - 1);
}

static int set_up(void **state)
{
    (void)state;
    n_said = 0;
    return cv_doings_init(&doings, 3, SLOW);
}

static int tear_down(void **state)
{
    (void)state;
    free(doings.of);
    return 0;
}

static void test_nothing_begun_is_never_looked_at(void **state)
{
    (void)state;
    assert_true(doings.next == CV_NEVER);
}

static void test_what_takes_long_is_named_at_growing_intervals(void **state)
{
    (void)state;
    cv_doings_set(&doings, 1, CV_SPAN("init (app.c:12)"), 100);
    assert_int_equal(doings.next, 100 + SLOW);
    cv_doings_look(&doings, 100 + SLOW, say, NULL);
    assert_int_equal(n_said, 1);
    assert_int_equal(said_slot, 1);
    assert_string_equal(said, "init (app.c:12)");
    assert_int_equal(said_for, SLOW);
    assert_int_equal(doings.next, 100 + 2 * SLOW);
    cv_doings_look(&doings, 100 + 2 * SLOW, say, NULL);
    assert_int_equal(doings.next, 100 + 4 * SLOW);
}

static void test_what_has_ended_is_not_named_and_looked_at_no_more(void **state)
{
    (void)state;
    cv_doings_set(&doings, 0, CV_SPAN("init"), 0);
    cv_doings_set(&doings, 0, cv_span(NULL, 0), 1);
    cv_doings_look(&doings, SLOW, say, NULL);
    assert_int_equal(n_said, 0);
    assert_true(doings.next == CV_NEVER);
}

static void test_the_earliest_of_several_decides(void **state)
{
    (void)state;
    cv_doings_set(&doings, 0, CV_SPAN("a"), 1000);
    cv_doings_set(&doings, 2, CV_SPAN("b"), 500);
    assert_int_equal(doings.next, 500 + SLOW);
    cv_doings_look(&doings, 500 + SLOW, say, NULL);
    assert_int_equal(n_said, 1);
    assert_int_equal(doings.next, 1000 + SLOW);
}

static void test_a_text_without_end_is_cut(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof(text));
    cv_doings_set(&doings, 0, cv_span(text, sizeof(text)), 0);
    cv_doings_look(&doings, SLOW, say, NULL);
    assert_int_equal(strlen(said), sizeof(doings.of[0].what) - 1);
}

static void test_never_slow_names_nobody(void **state)
{
    (void)state;
    doings.slow = CV_NEVER;
    cv_doings_set(&doings, 0, CV_SPAN("a"), 1000);
    assert_true(doings.next == CV_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_begun_is_never_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_takes_long_is_named_at_growing_intervals, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_has_ended_is_not_named_and_looked_at_no_more,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_earliest_of_several_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_text_without_end_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_never_slow_names_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
