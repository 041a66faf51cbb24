/* Failures: a process that ended unasked, did not come up, or had to be killed.
 *
 * Each slot has its back-off; the fleet has a window of time in which failures are counted. While
 * nothing has ever been ready, an app that cannot start ends the start.
 */
#include "supervise/policy/policy.h"

#include "base/exit.h"
#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>

#define FAILURES_MIN 10
#define FAILURES_PER_WORKER 5

int cv_brake_init(struct cv_brake *brake, unsigned capacity, int64_t now)
{
    unsigned size = FAILURES_PER_WORKER * capacity + FAILURES_MIN; /* more than any limit */
    int64_t *times = calloc(size, sizeof *times);
    if (times == NULL)
        return -ENOMEM;
    *brake = (struct cv_brake){.times = times, .size = size, .none_ready_since = now};
    return 0;
}

void cv_brake_done(struct cv_brake *brake)
{
    free(brake->times);
    *brake = (struct cv_brake){0};
}

/* ---- Back-off ---- */

static int64_t with_jitter(struct cv_fleet *fleet, int64_t pause)
{
    int64_t fifth = pause / 5;
    uint64_t random = cv_rand_next(&fleet->random);
    return pause - fifth + (int64_t)(random % (uint64_t)(2 * fifth + 1));
}

/* 0, first, 2 x first, 4 x first ... max. */
static int64_t back_off(struct cv_fleet *fleet, unsigned failures)
{
    if (failures <= 1)
        return 0;
    int64_t pause = fleet->config.backoff_first;
    for (unsigned i = 2; i < failures && pause < fleet->config.backoff_max; i++)
        pause *= 2;
    return with_jitter(fleet, cv_fleet_earlier(pause, fleet->config.backoff_max));
}

int64_t cv_brake_retry(struct cv_fleet *fleet, struct cv_slot *slot)
{
    bool was_healthy = slot->ready_since != CV_NEVER &&
                       fleet->now - slot->ready_since >= fleet->config.healthy_after;
    slot->failures = was_healthy ? 1 : slot->failures + 1;
    int64_t pause = back_off(fleet, slot->failures);
    cv_fleet_enter(slot, CV_SLOT_WAITING, pause > 0 ? fleet->now + pause : CV_NEVER);
    return pause;
}

/* ---- The first start ---- */

static bool have_all_failed_to_boot(const struct cv_fleet *fleet)
{
    for (unsigned i = 0; i < fleet->config.capacity; i++)
        if (cv_slot_is_active(&fleet->slots[i]) && !fleet->slots[i].boot_failed)
            return false;
    return true;
}

/* The code the first start ends with; 0 if it goes on. */
static int start_verdict(const struct cv_fleet *fleet, struct cv_slot *slot,
                         const struct cv_fleet_exit *exit)
{
    if (fleet->ever_ready || exit == NULL || exit->signaled || slot->ready_since != CV_NEVER)
        return 0;
    if (exit->code == CV_EXIT_LOAD || exit->code == CV_EXIT_CONFIG)
        return exit->code;
    if (exit->code != CV_EXIT_BOOT || cv_fleet_is_managed(fleet, slot))
        return 0;
    slot->boot_failed = true;
    bool ends = slot == cv_fleet_main(fleet) || have_all_failed_to_boot(fleet);
    return ends ? exit->code : 0;
}

static void end_start(struct cv_fleet *fleet, const struct cv_slot *slot, int code)
{
    cv_actions_say(fleet, slot, CV_SAY_START_FAILED, code);
    cv_halt_fail(fleet, CV_STOP_NOW, code);
}

/* ---- The crash loop ---- */

static unsigned limit(const struct cv_fleet *fleet)
{
    unsigned many = FAILURES_PER_WORKER * fleet->wanted;
    return many > FAILURES_MIN ? many : FAILURES_MIN;
}

static void forget_oldest(struct cv_brake *brake)
{
    brake->first = brake->first + 1 == brake->size ? 0 : brake->first + 1;
    brake->count--;
}

/* How many there are in the window, this one included. */
static unsigned remember(struct cv_fleet *fleet)
{
    struct cv_brake *brake = &fleet->brake;
    while (brake->count > 0 && fleet->now - brake->times[brake->first] > fleet->config.crash_window)
        forget_oldest(brake);
    if (brake->count == brake->size)
        forget_oldest(brake);
    brake->times[(brake->first + brake->count) % brake->size] = fleet->now;
    brake->since_ready++;
    return ++brake->count;
}

/* Nobody has served for so long, and not for want of trying. Not only the failures of the window
 * count: a single worker in its longest back-off has but six of them a minute. */
static bool is_hopeless(const struct cv_fleet *fleet)
{
    int64_t since = fleet->brake.none_ready_since;
    return since != CV_NEVER && fleet->now - since >= fleet->config.crash_window &&
           fleet->brake.since_ready > limit(fleet);
}

static void judge_rate(struct cv_fleet *fleet, unsigned failures)
{
    struct cv_brake *brake = &fleet->brake;
    if (is_hopeless(fleet)) {
        cv_actions_say(fleet, NULL, CV_SAY_CRASH_LOOP, brake->since_ready);
        cv_halt_fail(fleet, CV_STOP_TERM, CV_EXIT_CRASH_LOOP);
        return;
    }
    bool is_degraded = failures > limit(fleet) && fleet->ever_ready;
    if (is_degraded && !brake->degraded)
        cv_actions_say(fleet, NULL, CV_SAY_DEGRADED, failures);
    brake->degraded = is_degraded;
}

/* A managed process that fails takes nothing from those who serve: it only has its back-off. */
void cv_brake_judge(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_exit *exit)
{
    bool is_managed = cv_fleet_is_managed(fleet, slot);
    unsigned failures = is_managed ? 0 : remember(fleet);
    int code = start_verdict(fleet, slot, exit);
    if (code != 0)
        end_start(fleet, slot, code);
    if (code != 0 || is_managed)
        return;
    bool is_new = slot->generation == fleet->current.number && slot->ready_since == CV_NEVER;
    if (fleet->roll == CV_ROLL_FORWARD && is_new)
        cv_roll_fail(fleet, slot);
    judge_rate(fleet, failures);
}

void cv_brake_step(struct cv_fleet *fleet, unsigned ready)
{
    struct cv_brake *brake = &fleet->brake;
    if (ready > 0) {
        brake->none_ready_since = CV_NEVER;
        brake->since_ready = 0;
    } else if (brake->none_ready_since == CV_NEVER) {
        brake->none_ready_since = fleet->now;
    }
}
