/* Short stories about a fleet, told in events and read as text.
 *
 *     struct story s = begin(.workers = 2);
 *     expect(&s, "spawn 0:1, spawn 1:1");          what the policy wants done (slot:generation)
 *     tell(&s, 0, CV_ON_HELLO);
 *     expect(&s, "go 0");
 *     later(&s, 60000);                            ms; fires what is due on the way
 *     expect(&s, "LATE 0 60000, abrt 0, ...");     capitals: what the user is told
 *     end(&s);
 *
 * A start is answered with SPAWNED at once unless `s.forks` is false.
 */
#ifndef TEST_STORY_H
#define TEST_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/exit.h"
#include "supervise/policy/fleet.h"

#include <stdio.h>
#include <string.h>

struct story {
    struct cv_fleet *fleet;
    int64_t now;
    bool forks;
    bool is_over;
    char text[4096];
};

#define MAIN 6 /* the slot of main: stories have a capacity of 6 */

static inline const char *story_say(enum cv_say say)
{
    static const char *const names[] = {
        [CV_SAY_SERVING] = "SERVING",
        [CV_SAY_FAILED] = "FAILED",
        [CV_SAY_NOT_STARTED] = "NOT_STARTED",
        [CV_SAY_HUNG] = "HUNG",
        [CV_SAY_LATE] = "LATE",
        [CV_SAY_PAUSED_LONG] = "PAUSED_LONG",
        [CV_SAY_UNSTOPPED] = "UNSTOPPED",
        [CV_SAY_UNKILLABLE] = "UNKILLABLE",
        [CV_SAY_LEAVING] = "LEAVING",
        [CV_SAY_SPENT] = "SPENT",
        [CV_SAY_DONE] = "DONE",
        [CV_SAY_DEGRADED] = "DEGRADED",
        [CV_SAY_CRASH_LOOP] = "CRASH_LOOP",
        [CV_SAY_START_FAILED] = "START_FAILED",
        [CV_SAY_RELOADED] = "RELOADED",
        [CV_SAY_RELOAD_FAILED] = "RELOAD_FAILED",
        [CV_SAY_SCALED] = "SCALED",
        [CV_SAY_SCALE_REFUSED] = "SCALE_REFUSED",
        [CV_SAY_STOPPING] = "STOPPING",
        [CV_SAY_SERVING_ON] = "SERVING_ON",
    };
    return names[say];
}

static inline bool story_is_of_fleet(enum cv_say say)
{
    return say == CV_SAY_SERVING || say == CV_SAY_DEGRADED || say == CV_SAY_CRASH_LOOP ||
           say == CV_SAY_RELOADED || say == CV_SAY_SCALED || say == CV_SAY_SCALE_REFUSED ||
           say == CV_SAY_STOPPING || say == CV_SAY_SERVING_ON;
}

static inline void story_write(char *to, size_t size, const struct cv_action *action)
{
    unsigned slot = action->slot;
    switch (action->kind) {
    case CV_ACT_SPAWN: snprintf(to, size, "spawn %u:%u", slot, action->generation); break;
    case CV_ACT_GO: snprintf(to, size, "go %u", slot); break;
    case CV_ACT_FOREWARN: snprintf(to, size, "forewarn %u", slot); break;
    case CV_ACT_DRAIN:
        snprintf(to, size, "%s %u until %lld", action->retire ? "retire" : "stop", slot,
                 (long long)(action->until / CV_MS));
        break;
    case CV_ACT_TERM: snprintf(to, size, "term %u", slot); break;
    case CV_ACT_CONT: snprintf(to, size, "cont %u", slot); break;
    case CV_ACT_ABRT: snprintf(to, size, "abrt %u", slot); break;
    case CV_ACT_KILL: snprintf(to, size, "kill %u", slot); break;
    case CV_ACT_DROP_GENERATION: snprintf(to, size, "drop :%u", action->generation); break;
    case CV_ACT_EXIT: snprintf(to, size, "exit %d", action->code); break;
    case CV_ACT_SAY:
        if (story_is_of_fleet(action->say))
            snprintf(to, size, "%s %lld", story_say(action->say), (long long)action->value);
        else
            snprintf(to, size, "%s %u %lld", story_say(action->say), slot,
                     (long long)action->value);
        break;
    }
}

static inline void story_tell(struct story *s, struct cv_fleet_event event);

static inline void story_take(struct story *s)
{
    struct cv_action action;
    while (cv_fleet_next(s->fleet, &action)) {
        assert_false(s->is_over);
        size_t used = strlen(s->text);
        if (used > 0)
            used += (size_t)snprintf(s->text + used, sizeof s->text - used, ", ");
        story_write(s->text + used, sizeof s->text - used, &action);
        s->is_over = action.kind == CV_ACT_EXIT;
        if (action.kind == CV_ACT_SPAWN && s->forks)
            story_tell(s, (struct cv_fleet_event){
                              .kind = CV_FLEET_SLOT, .slot = action.slot, .what = CV_ON_SPAWNED});
    }
}

static inline void story_tell(struct story *s, struct cv_fleet_event event)
{
    cv_fleet_event(s->fleet, &event, s->now);
    story_take(s);
}

static inline struct story story_begin(struct cv_fleet_config wish, bool forks)
{
    struct cv_fleet_config config;
    cv_fleet_defaults(&config);
    config.capacity = MAIN;
    config.workers = wish.workers > 0 ? wish.workers : 1;
    config.pre_drain = wish.pre_drain;
    config.starters_max = wish.starters_max > 0 ? wish.starters_max : MAIN;
    struct story s = {.forks = forks};
    assert_int_equal(cv_fleet_new(&config, 0, &s.fleet), 0);
    story_take(&s);
    return s;
}

#define begin(...) story_begin((struct cv_fleet_config){__VA_ARGS__}, true)

/* The same, but no start is answered. */
static inline struct story begin_waiting(unsigned workers)
{
    return story_begin((struct cv_fleet_config){.workers = workers}, false);
}

static inline void expect(struct story *s, const char *text)
{
    assert_string_equal(s->text, text);
    s->text[0] = '\0';
}

static inline void tell(struct story *s, unsigned slot, enum cv_slot_event what)
{
    story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_SLOT, .slot = slot, .what = what});
}

static inline void hangs(struct story *s, unsigned slot, int64_t ms)
{
    story_tell(s,
               (struct cv_fleet_event){
                   .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_HUNG, .extra = ms * CV_MS});
}

static inline void has_gap(struct story *s, int64_t ms)
{
    s->now += ms * CV_MS;
    story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_GAP, .gap = ms * CV_MS});
}

static inline void hello_with_main(struct story *s, unsigned slot)
{
    story_tell(s, (struct cv_fleet_event){
                      .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_HELLO, .has_main = true});
}

/* Its manifest declares these managed processes. */
static inline void hello_with(struct story *s, unsigned slot, const struct cv_managed_list *list)
{
    story_tell(s, (struct cv_fleet_event){
                      .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_HELLO, .managed = list});
}

static inline void exits(struct story *s, unsigned slot, int code)
{
    story_tell(
        s, (struct cv_fleet_event){
               .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_EXITED, .exit = {.code = code}});
}

static inline void dies(struct story *s, unsigned slot, int signal)
{
    story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                          .slot = slot,
                                          .what = CV_ON_EXITED,
                                          .exit = {.signaled = true, .code = signal}});
}

static inline void stop(struct story *s, enum cv_fleet_stop kind)
{
    story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_ASK_STOP, .stop = kind});
}

static inline void reload(struct story *s, uint32_t generation)
{
    story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_RELOAD, .generation = generation});
}

static inline void scale(struct story *s, int by)
{
    story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_SCALE, .by = by});
}

/* Lets time pass; every deadline on the way fires at its time. */
static inline void later(struct story *s, int64_t ms)
{
    int64_t until = s->now + ms * CV_MS;
    while (cv_fleet_deadline(s->fleet) <= until) {
        s->now = cv_fleet_deadline(s->fleet);
        story_tell(s, (struct cv_fleet_event){.kind = CV_FLEET_TICK});
        assert_true(cv_fleet_deadline(s->fleet) > s->now);
    }
    s->now = until;
}

/* From SPAWNED to READY, whatever is done on the way. */
static inline void gets_ready(struct story *s, unsigned slot)
{
    tell(s, slot, CV_ON_HELLO);
    tell(s, slot, CV_ON_READY);
}

/* So many workers serve, and nothing is left to be read. */
static inline struct story serving(unsigned workers)
{
    struct story s = begin(.workers = workers);
    for (unsigned i = 0; i < workers; i++)
        gets_ready(&s, i);
    s.text[0] = '\0';
    return s;
}

static inline enum cv_slot_state slot_state(const struct story *s, unsigned slot)
{
    return cv_fleet_slot_state(s->fleet, slot);
}

/* Nothing may be left unread. */
static inline void end(struct story *s)
{
    assert_string_equal(s->text, "");
    cv_fleet_free(s->fleet);
}

#endif
