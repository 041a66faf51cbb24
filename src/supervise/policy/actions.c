#include "supervise/policy/actions.h"

#include "base/assert.h"
#include "supervise/policy/policy.h"

#include <errno.h>

/* One event makes at most two SAYs, an ABRT, a KILL, a CONT and a DRAIN of each slot, and a few of
 * the fleet. */
#define PER_SLOT 6
#define PER_FLEET 32

int cv_actions_init(struct cv_actions *actions, unsigned slots)
{
    unsigned size = slots * PER_SLOT + PER_FLEET;
    struct cv_queued *queue = calloc(size, sizeof *queue);
    if (queue == NULL)
        return -ENOMEM;
    *actions = (struct cv_actions){.queue = queue, .size = size};
    return 0;
}

void cv_actions_done(struct cv_actions *actions)
{
    free(actions->queue);
    *actions = (struct cv_actions){0};
}

static void push(struct cv_fleet *fleet, const struct cv_slot *slot, struct cv_action action)
{
    struct cv_actions *actions = &fleet->actions;
    CV_ASSERT(actions->count < actions->size); /* the shell takes all of them after each event */
    unsigned at = actions->first + actions->count++;
    if (at >= actions->size)
        at -= actions->size;
    if (slot != NULL)
        action.slot = cv_fleet_number(fleet, slot);
    actions->queue[at] = (struct cv_queued){action, slot != NULL ? slot->incarnation : 0};
}

static bool is_for_a_process(enum cv_action_kind kind)
{
    switch (kind) {
    case CV_ACT_GO:
    case CV_ACT_FOREWARN:
    case CV_ACT_DRAIN:
    case CV_ACT_TERM:
    case CV_ACT_CONT:
    case CV_ACT_ABRT:
    case CV_ACT_KILL: return true;
    case CV_ACT_SPAWN:
    case CV_ACT_DROP_GENERATION:
    case CV_ACT_SAY:
    case CV_ACT_EXIT: return false;
    }
    return false;
}

static bool still_holds(const struct cv_fleet *fleet, const struct cv_queued *queued)
{
    if (!is_for_a_process(queued->action.kind))
        return true;
    const struct cv_slot *slot = &fleet->slots[queued->action.slot];
    return cv_slot_has_process(slot) && slot->incarnation == queued->incarnation;
}

bool cv_actions_take(struct cv_fleet *fleet, struct cv_action *ret)
{
    struct cv_actions *actions = &fleet->actions;
    while (actions->count > 0) {
        const struct cv_queued *queued = &actions->queue[actions->first];
        actions->first = actions->first + 1 == actions->size ? 0 : actions->first + 1;
        actions->count--;
        if (still_holds(fleet, queued)) {
            *ret = queued->action;
            return true;
        }
    }
    return false;
}

void cv_actions_order(struct cv_fleet *fleet, const struct cv_slot *slot, enum cv_action_kind kind)
{
    push(fleet, slot, (struct cv_action){.kind = kind, .generation = slot->generation});
}

void cv_actions_drain(struct cv_fleet *fleet, const struct cv_slot *slot, bool retire)
{
    push(fleet, slot,
         (struct cv_action){.kind = CV_ACT_DRAIN,
                            .generation = slot->generation,
                            .retire = retire,
                            .until = slot->drain_until});
}

void cv_actions_drop(struct cv_fleet *fleet, uint32_t generation)
{
    push(fleet, NULL, (struct cv_action){.kind = CV_ACT_DROP_GENERATION, .generation = generation});
}

void cv_actions_exit(struct cv_fleet *fleet, int code)
{
    push(fleet, NULL, (struct cv_action){.kind = CV_ACT_EXIT, .code = code});
}

void cv_actions_say(struct cv_fleet *fleet, const struct cv_slot *slot, enum cv_say say,
                    int64_t value)
{
    push(fleet, slot,
         (struct cv_action){.kind = CV_ACT_SAY,
                            .generation = slot != NULL ? slot->generation : fleet->current.number,
                            .say = say,
                            .value = value});
}
