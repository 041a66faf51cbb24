/* A simulated crew before one listener: the kernel wakes whoever has watched it for longest, and
 * who pauses watches anew afterwards. */
#include "cli/life/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rand.h"

#define WORKERS_MAX 32
#define PAUSE_MS 10

struct worker {
    unsigned open;
    bool left_alone;
    bool is_stuck;        /* in a handler that blocks: takes nothing, looks idle */
    int64_t paused_until; /* -1: it watches */
};

struct crew {
    struct worker workers[WORKERS_MAX];
    unsigned order[WORKERS_MAX]; /* who watches, the longest first */
    unsigned n_order;
    unsigned n;
    unsigned waiting; /* connections */
    int64_t now;      /* ms */
    uint64_t random;
};

static void crew_open(struct crew *crew, unsigned n, uint64_t seed)
{
    *crew = (struct crew){.n = n, .n_order = n, .random = seed};
    for (unsigned i = 0; i < n; i++) {
        crew->order[i] = i;
        crew->workers[i].paused_until = -1;
    }
}

static unsigned below(struct crew *crew, unsigned limit)
{
    return (unsigned)(cv_rand_next(&crew->random) % limit);
}

static struct cv_share_load load_of(const struct crew *crew)
{
    struct cv_share_load load = {.workers = crew->n, .least = UINT32_MAX};
    for (unsigned i = 0; i < crew->n; i++) {
        load.total += crew->workers[i].open;
        if (crew->workers[i].open < load.least)
            load.least = crew->workers[i].open;
    }
    return load;
}

static void pause_worker(struct crew *crew, unsigned place)
{
    crew->workers[crew->order[place]].paused_until = crew->now + PAUSE_MS;
    for (unsigned i = place + 1; i < crew->n_order; i++)
        crew->order[i - 1] = crew->order[i];
    crew->n_order--;
}

static void end_pauses(struct crew *crew)
{
    for (unsigned i = 0; i < crew->n; i++) {
        struct worker *worker = &crew->workers[i];
        if (worker->paused_until < 0 || worker->paused_until > crew->now)
            continue;
        worker->paused_until = -1;
        crew->order[crew->n_order++] = i;
    }
}

/* One wake-up: the first that is able to takes its budget, or pauses. */
static bool wake_one(struct crew *crew)
{
    for (unsigned place = 0; place < crew->n_order; place++) {
        struct worker *worker = &crew->workers[crew->order[place]];
        if (worker->is_stuck)
            continue;
        struct cv_share_load load = load_of(crew);
        int budget = cv_share_budget(worker->open, &load, worker->left_alone);
        assert_true(budget >= 0);
        assert_false(budget == 0 && worker->left_alone);
        worker->left_alone = budget == 0;
        unsigned taken = (unsigned)budget < crew->waiting ? (unsigned)budget : crew->waiting;
        worker->open += taken;
        crew->waiting -= taken;
        if (budget == 0)
            pause_worker(crew, place);
        return true;
    }
    return false;
}

/* One millisecond, in which `arriving` connections come. */
static void tick(struct crew *crew, unsigned arriving)
{
    crew->waiting += arriving;
    end_pauses(crew);
    while (crew->waiting > 0 && wake_one(crew))
        ;
    crew->now++;
}

/* Each connection closes with a chance of 1 in `life` per millisecond. */
static void close_some(struct crew *crew, unsigned life)
{
    for (unsigned i = 0; i < crew->n; i++)
        for (unsigned n = crew->workers[i].open; n > 0; n--)
            if (below(crew, life) == 0)
                crew->workers[i].open--;
}

static void assert_even(const struct crew *crew, const char *when)
{
    unsigned least = UINT32_MAX;
    unsigned most = 0;
    for (unsigned i = 0; i < crew->n; i++) {
        unsigned open = crew->workers[i].open;
        least = open < least ? open : least;
        most = open > most ? open : most;
    }
    if (2 * most > 3 * least)
        fail_msg("%s, %u workers: from %u to %u connections", when, crew->n, least, most);
}

/* ---- Single answers ---- */

static int budget(unsigned own, unsigned workers, unsigned least, uint64_t total, bool before)
{
    struct cv_share_load load = {workers, least, total};
    return cv_share_budget(own, &load, before);
}

static void test_alone_there_is_nobody_to_leave_it_to(void **state)
{
    (void)state;
    assert_int_equal(budget(100000, 1, 100000, 100000, false), CV_SHARE_ALONE);
    assert_int_equal(budget(100000, 0, 0, 0, false), CV_SHARE_ALONE);
}

static void test_who_has_fewest_takes_a_batch(void **state)
{
    (void)state;
    assert_int_equal(budget(0, 4, 0, 0, false), CV_SHARE_BATCH);
    assert_int_equal(budget(10, 4, 10, 100, true), CV_SHARE_BATCH);
    assert_int_equal(budget(3, 4, 10, 100, false), CV_SHARE_BATCH); /* a stale view of it */
}

static void test_who_has_more_takes_one(void **state)
{
    (void)state;
    assert_int_equal(budget(11, 4, 10, 43, false), 1);
    assert_int_equal(budget(4, 4, 0, 4, false), 1); /* a handful is not passed around */
}

static void test_who_has_far_more_takes_none_but_not_twice(void **state)
{
    (void)state;
    assert_int_equal(budget(100, 4, 0, 100, false), 0);
    assert_int_equal(budget(100, 4, 0, 100, true), 1);
}

/* Counts come from pages that others write: they may say anything. */
static void test_counts_that_lie_do_no_harm(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < 100000; i++) {
        struct cv_share_load load = {(unsigned)cv_rand_next(&random) % 2000,
                                     (unsigned)cv_rand_next(&random), cv_rand_next(&random)};
        unsigned own = (unsigned)cv_rand_next(&random) >> (i % 32);
        int first = cv_share_budget(own, &load, false);
        int second = cv_share_budget(own, &load, true);
        assert_in_range(first, 0, CV_SHARE_ALONE);
        assert_in_range(second, 1, CV_SHARE_ALONE);
    }
}

/* ---- The crew ---- */

static void test_connections_that_stay_end_up_even(void **state)
{
    (void)state;
    static const unsigned gaps[] = {0, 1, 5, 9, 10, 11, 30}; /* ms between two arrivals; 0: many */
    struct crew crew;
    for (unsigned n = 2; n <= WORKERS_MAX; n = n < 5 ? n + 1 : n * 2)
        for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
            crew_open(&crew, n, i);
            for (unsigned came = 0; came < 200 * n;) {
                unsigned now = gaps[i] == 0              ? 1 + below(&crew, 20)
                               : crew.now % gaps[i] == 0 ? 1
                                                         : 0;
                tick(&crew, now);
                came += now;
            }
            assert_even(&crew, gaps[i] == 0 ? "many at once" : "one at a time");
        }
}

/* wrk and its kin: all connections within a moment. */
static void test_a_rush_ends_up_even(void **state)
{
    (void)state;
    struct crew crew;
    for (unsigned n = 2; n <= 16; n++)
        for (uint64_t seed = 0; seed < 40; seed++) {
            unsigned all = seed < 20 ? 32 * n : 300 * n;
            crew_open(&crew, n, seed);
            for (unsigned came = 0; came < all;) {
                unsigned now = 1 + below(&crew, 100);
                tick(&crew, now);
                came += now;
            }
            while (crew.waiting > 0)
                tick(&crew, 0);
            assert_even(&crew, "a rush");
        }
}

static void test_coming_and_going_stays_even(void **state)
{
    (void)state;
    struct crew crew;
    for (unsigned n = 2; n <= 8; n++) {
        crew_open(&crew, n, n);
        for (int ms = 0; ms < 20000; ms++) {
            tick(&crew, below(&crew, 2 * n + 1));
            close_some(&crew, 300);
            if (ms > 5000 && ms % 100 == 0)
                assert_even(&crew, "coming and going");
        }
    }
}

/* A worker that has come anew has none, and catches up. */
static void test_a_newcomer_catches_up(void **state)
{
    (void)state;
    struct crew crew;
    crew_open(&crew, 4, 9);
    for (int ms = 0; ms < 2000; ms++)
        tick(&crew, 1);
    crew.workers[2].open = 0;
    for (int ms = 0; ms < 4000; ms++) {
        tick(&crew, 1);
        close_some(&crew, 2000);
    }
    assert_even(&crew, "with a newcomer");
}

/* All others hang and look idle: whoever is left must take everything, if slowly. */
static void test_nobody_waits_for_those_that_hang(void **state)
{
    (void)state;
    struct crew crew;
    crew_open(&crew, 4, 3);
    for (unsigned i = 0; i < 3; i++)
        crew.workers[i].is_stuck = true;
    crew.waiting = 500;
    int64_t began = crew.now;
    while (crew.waiting > 0 && crew.now - began < 500 * 2 * PAUSE_MS)
        tick(&crew, 0);
    assert_int_equal(crew.waiting, 0);
    assert_int_equal(crew.workers[3].open, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone_there_is_nobody_to_leave_it_to),
        cmocka_unit_test(test_who_has_fewest_takes_a_batch),
        cmocka_unit_test(test_who_has_more_takes_one),
        cmocka_unit_test(test_who_has_far_more_takes_none_but_not_twice),
        cmocka_unit_test(test_counts_that_lie_do_no_harm),
        cmocka_unit_test(test_connections_that_stay_end_up_even),
        cmocka_unit_test(test_a_rush_ends_up_even),
        cmocka_unit_test(test_coming_and_going_stays_even),
        cmocka_unit_test(test_a_newcomer_catches_up),
        cmocka_unit_test(test_nobody_waits_for_those_that_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
