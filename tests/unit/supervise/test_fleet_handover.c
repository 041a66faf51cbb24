#include "supervise/policy/fleet_handover.h"

#include "base/clock.h"
#include "base/rand.h"
#include "supervise/policy/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS 2000
#define STEPS 60

static struct cv_fleet *copy_of(const struct cv_fleet *fleet, struct cv_fleet_config *config)
{
    struct cv_handover to;
    struct cv_span record;
    struct cv_fleet *ret = NULL;
    cv_handover_begin(&to);
    cv_fleet_export(fleet, &to);
    assert_int_equal(cv_handover_end(&to, &record), 0);
    assert_int_equal(cv_handover_check(record), 0);
    assert_int_equal(cv_fleet_import(config, record, &ret), 0);
    cv_handover_done(&to);
    return ret;
}

static uint64_t dice;

static unsigned below(unsigned n)
{
    return (unsigned)(cv_rand_next(&dice) % n);
}

/* Anything, true or not: the fleet ignores what cannot be. */
static struct cv_fleet_event any_event(const struct cv_fleet *fleet, uint32_t *generation)
{
    static struct cv_managed_list declared;
    declared = (struct cv_managed_list){.n = below(3)};
    for (unsigned i = 0; i < declared.n; i++)
        declared.item[i] = (struct cv_managed_spec){.name = {(char)('a' + (char)i)},
                                                    .processes = 1 + below(2),
                                                    .restart = below(CV_RESTART_COUNT),
                                                    .is_transient = below(2) == 0};
    struct cv_fleet_event event = {.slot = below(cv_fleet_slots(&fleet->config)),
                                   .what = (enum cv_slot_event)below(CV_SLOT_EVENT_COUNT),
                                   .has_main = below(4) == 0,
                                   .managed = below(2) ? &declared : NULL,
                                   .extra = below(100) * CV_MS,
                                   .by = below(2) ? 1 : -1,
                                   .stop = (enum cv_fleet_stop)below(3),
                                   .gap = below(3) * CV_SECOND,
                                   .exit = {.code = below(2) ? 1 : 3}};
    static const enum cv_fleet_event_kind kinds[] = {CV_FLEET_TICK, CV_FLEET_SCALE, CV_FLEET_GAP,
                                                     CV_FLEET_SLOT};
    event.kind = below(5) > 0 ? CV_FLEET_SLOT : kinds[below(CV_COUNT(kinds))];
    if (below(60) == 0)
        event.kind = CV_FLEET_ASK_STOP;
    if (below(8) == 0 && cv_fleet_can_reload(fleet)) {
        event.kind = CV_FLEET_RELOAD;
        event.generation = ++*generation;
    }
    return event;
}

static bool same_action(const struct cv_action *a, const struct cv_action *b)
{
    return a->kind == b->kind && a->slot == b->slot && a->generation == b->generation &&
           a->retire == b->retire && a->until == b->until && a->say == b->say &&
           a->value == b->value && a->code == b->code;
}

static void same_decisions(struct cv_fleet *a, struct cv_fleet *b)
{
    struct cv_action left;
    struct cv_action right;
    for (;;) {
        bool more = cv_fleet_next(a, &left);
        assert_int_equal(cv_fleet_next(b, &right), more);
        if (!more)
            break;
        assert_true(same_action(&left, &right));
    }
    assert_true(cv_fleet_deadline(a) == cv_fleet_deadline(b));
}

/* Two fleets with one past, one of them handed over, have one future. */
static void test_decides_the_same_afterwards(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        dice = seed;
        struct cv_fleet_config config;
        cv_fleet_defaults(&config);
        config.capacity = 2 + below(6);
        config.workers = 1 + below(config.capacity - 1);
        config.managed_max = 4;
        config.seed = seed;
        struct cv_fleet *fleet;
        int64_t now = (int64_t)below(1000);
        uint32_t generation = 1;
        struct cv_action action;
        assert_int_equal(cv_fleet_new(&config, now, &fleet), 0);
        for (unsigned i = below(STEPS); i > 0; i--) {
            while (cv_fleet_next(fleet, &action))
                continue;
            struct cv_fleet_event event = any_event(fleet, &generation);
            now += (int64_t)below(500) * CV_MS;
            cv_fleet_event(fleet, &event, now);
        }
        while (cv_fleet_next(fleet, &action))
            continue;

        struct cv_fleet *other = copy_of(fleet, &config);
        same_decisions(fleet, other);
        for (int i = 0; i < STEPS; i++) {
            struct cv_fleet_event event = any_event(fleet, &generation);
            now += (int64_t)below(500) * CV_MS;
            cv_fleet_event(fleet, &event, now);
            cv_fleet_event(other, &event, now);
            same_decisions(fleet, other);
        }
        cv_fleet_free(fleet);
        cv_fleet_free(other);
    }
}

static void test_the_new_settings_count_but_for_the_capacity(void **state)
{
    (void)state;
    struct cv_fleet_config config;
    cv_fleet_defaults(&config);
    config.capacity = 5;
    config.workers = 3;
    struct cv_fleet *fleet;
    struct cv_action action;
    assert_int_equal(cv_fleet_new(&config, 0, &fleet), 0);
    while (cv_fleet_next(fleet, &action))
        continue;
    struct cv_fleet_config later = config;
    later.capacity = 9;
    later.workers = 1;
    later.drain_timeout = 7;
    struct cv_fleet *other = copy_of(fleet, &later);
    assert_int_equal(other->config.capacity, 5);
    assert_int_equal(later.capacity, 5);
    assert_int_equal(other->config.drain_timeout, 7);
    assert_int_equal(cv_fleet_wanted(other), 3);
    cv_fleet_free(fleet);
    cv_fleet_free(other);
}

static int import_with(const char *name, int64_t number)
{
    struct cv_fleet_config config;
    cv_fleet_defaults(&config);
    struct cv_handover to;
    struct cv_span record;
    struct cv_fleet *fleet = NULL;
    cv_handover_begin(&to);
    cv_handover_section(&to, "fleet");
    cv_handover_put(&to, name, number); /* the first of a name counts */
    cv_handover_put(&to, "capacity", 4);
    cv_handover_put(&to, "wanted", 2);
    cv_handover_put(&to, "current.number", 3);
    cv_handover_put(&to, "newest", 3);
    assert_int_equal(cv_handover_end(&to, &record), 0);
    int rc = cv_fleet_import(&config, record, &fleet);
    cv_fleet_free(fleet);
    cv_handover_done(&to);
    return rc;
}

static void test_what_cannot_be_is_refused(void **state)
{
    (void)state;
    assert_int_equal(import_with("capacity", 4), 0);
    assert_int_equal(import_with("capacity", 1), -EBADMSG);
    assert_int_equal(import_with("capacity", 1000000), -EBADMSG);
    assert_int_equal(import_with("wanted", 0), -EBADMSG);
    assert_int_equal(import_with("wanted", 4), -EBADMSG);
    assert_int_equal(import_with("current.number", 0), -EBADMSG);
    assert_int_equal(import_with("newest", 2), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decides_the_same_afterwards),
        cmocka_unit_test(test_the_new_settings_count_but_for_the_capacity),
        cmocka_unit_test(test_what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
