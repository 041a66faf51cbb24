#include "serve/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What a server has seen of a queue. */
struct seen {
    unsigned turns;
    unsigned in_vain; /* looks into the empty queue */
};

/* One turn before a queue of `waiting`; how many it takes. */
static unsigned turn(struct cv_pace *pace, struct seen *seen, unsigned waiting)
{
    unsigned taken = waiting < pace->n ? waiting : pace->n;
    bool was_empty = waiting < pace->n;
    seen->turns++;
    seen->in_vain += was_empty;
    cv_pace_learn(pace, taken, was_empty);
    return taken;
}

/* `waves` times so many come at once, the next when they are taken. */
static struct seen serve(struct cv_pace *pace, unsigned waves, unsigned at_once)
{
    struct seen seen = {0, 0};
    for (unsigned i = 0; i < waves; i++)
        for (unsigned left = at_once; left > 0;)
            left -= turn(pace, &seen, left);
    return seen;
}

static void test_who_come_one_by_one_are_hardly_ever_looked_for_in_vain(void **state)
{
    (void)state;
    struct cv_pace pace = CV_PACE_INIT;
    struct seen seen = serve(&pace, 1000, 1);
    assert_int_equal(seen.turns, 1000);
    assert_in_range(seen.in_vain, 1, 70); /* never is a pace that cannot grow */
}

static void test_who_come_at_once_are_taken_at_once(void **state)
{
    (void)state;
    struct cv_pace pace = CV_PACE_INIT;
    (void)serve(&pace, 10, CV_PACE_MAX);
    struct seen seen = serve(&pace, 100, CV_PACE_MAX);
    assert_int_equal(seen.turns, 100);
    assert_int_equal(seen.in_vain, 0);
}

/* The end of each wave is found by a look that its connections have paid for. */
static void test_waves_of_any_size_cost_two_calls_each(void **state)
{
    (void)state;
    for (unsigned size = 32; size < CV_PACE_MAX; size++) {
        struct cv_pace pace = CV_PACE_INIT;
        (void)serve(&pace, 50, size);
        struct seen seen = serve(&pace, 100, size);
        assert_true(seen.turns + seen.in_vain <= 210);
    }
}

static void test_a_thousand_that_come_at_once_are_taken_soon(void **state)
{
    (void)state;
    struct cv_pace pace = CV_PACE_INIT;
    (void)serve(&pace, 1000, 1);
    assert_in_range(serve(&pace, 1, 1000).turns, 15, 80);
}

static void test_it_takes_one_at_least_and_never_too_many(void **state)
{
    (void)state;
    struct cv_pace pace = CV_PACE_INIT;
    struct seen seen = {0, 0};
    (void)serve(&pace, 100, 1000);
    assert_int_equal(pace.n, CV_PACE_MAX);
    for (int i = 0; i < 20; i++)
        assert_int_equal(turn(&pace, &seen, 0), 0);
    assert_int_equal(pace.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_come_one_by_one_are_hardly_ever_looked_for_in_vain),
        cmocka_unit_test(test_who_come_at_once_are_taken_at_once),
        cmocka_unit_test(test_waves_of_any_size_cost_two_calls_each),
        cmocka_unit_test(test_a_thousand_that_come_at_once_are_taken_soon),
        cmocka_unit_test(test_it_takes_one_at_least_and_never_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
