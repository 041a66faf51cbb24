/* How many workers there should be, whose turn it is to start, and which one goes.
 *
 * Nothing here remembers what it did: each step looks at the slots as they are. While a worker is
 * active that is to be replaced (of the generation that leaves, or spent), one more than wanted is
 * aimed at; an old one goes only when all of the new ones are ready, so that neither rolling nor
 * recycling lowers the number of those that serve, and both go one by one.
 */
#include "supervise/policy/policy.h"

/* A worker of the generation that leaves. One that has crashed (WAITING) or is being killed comes
 * back from the current one. */
static bool is_stale(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return slot->generation != fleet->current.number && !slot->going &&
           slot->state >= CV_SLOT_SPAWNING && slot->state <= CV_SLOT_READY;
}

/* One that has been killed or has crashed meanwhile comes back fresh. */
static bool is_spent(const struct cv_slot *slot)
{
    return slot->spent && slot->state == CV_SLOT_READY;
}

static void count(const struct cv_fleet *fleet, const struct cv_slot *slot,
                  struct cv_census *census)
{
    bool active = cv_slot_is_active(slot);
    bool stale = is_stale(fleet, slot);
    bool is_ready = slot->state == CV_SLOT_READY;
    census->active += active;
    census->ready += is_ready;
    census->stale += stale;
    census->spent += active && !stale && is_spent(slot);
    census->coming += active && !stale && !is_ready;
    census->starters += slot->spawn_asked || cv_slot_is_starting(slot);
    census->leftover += cv_slot_is_leftover(fleet, slot);
}

struct cv_census cv_balance_census(const struct cv_fleet *fleet)
{
    struct cv_census census = {0};
    for (unsigned i = 0; i < fleet->config.capacity; i++)
        if (fleet->slots[i].state != CV_SLOT_EMPTY)
            count(fleet, &fleet->slots[i], &census);
    return census;
}

void cv_balance_scale(struct cv_fleet *fleet, int by)
{
    int64_t wish = (int64_t)fleet->wanted + by;
    bool is_possible = wish >= 1 && wish <= (int64_t)fleet->config.capacity - 1;
    if (is_possible)
        fleet->wanted = (unsigned)wish;
    cv_actions_say(fleet, NULL, is_possible ? CV_SAY_SCALED : CV_SAY_SCALE_REFUSED, fleet->wanted);
}

/* Who is missed least: one that does not serve yet, then an old one, one that is spent, the newest.
 */
static struct cv_slot *pick(const struct cv_fleet *fleet, bool old_only)
{
    struct cv_slot *best = NULL;
    int best_rank = -1;
    for (unsigned i = 0; i < fleet->config.capacity; i++) {
        struct cv_slot *slot = &fleet->slots[i];
        bool stale = is_stale(fleet, slot);
        bool old = stale || is_spent(slot);
        int rank = 4 * (slot->state != CV_SLOT_READY) + 2 * stale + is_spent(slot);
        if (cv_slot_is_active(slot) && (old || !old_only) && rank >= best_rank) {
            best = slot;
            best_rank = rank;
        }
    }
    return best;
}

struct cv_slot *cv_balance_next_to_go(const struct cv_fleet *fleet)
{
    return pick(fleet, true);
}

/* How many are aimed at. */
static unsigned aim(const struct cv_fleet *fleet, const struct cv_census *census)
{
    return fleet->wanted + (census->stale + census->spent > 0);
}

/* The worker to retire now, if any. */
static struct cv_slot *superfluous(const struct cv_fleet *fleet, const struct cv_census *census)
{
    if (census->active > aim(fleet, census))
        return pick(fleet, false);
    if (census->stale + census->spent == 0)
        return NULL;

    struct cv_slot *old = pick(fleet, true);
    bool has_successor = census->active > fleet->wanted && census->coming == 0;
    bool has_failed = fleet->roll == CV_ROLL_BACK && old->state != CV_SLOT_READY;
    return has_successor || has_failed ? old : NULL;
}

static struct cv_slot *empty_slot(const struct cv_fleet *fleet)
{
    for (unsigned i = 0; i < fleet->config.capacity; i++)
        if (fleet->slots[i].state == CV_SLOT_EMPTY)
            return &fleet->slots[i];
    return NULL;
}

static struct cv_slot *missing(const struct cv_fleet *fleet, const struct cv_census *census)
{
    bool is_short = census->active < aim(fleet, census);
    return is_short ? empty_slot(fleet) : NULL;
}

/* A slot moves at most twice: given up, then taken anew. */
void cv_balance_step(struct cv_fleet *fleet)
{
    for (unsigned left = 2 * fleet->config.capacity; left > 0; left--) {
        struct cv_census census = cv_balance_census(fleet);
        struct cv_slot *slot = superfluous(fleet, &census);
        if (slot != NULL) {
            cv_policy_tell(fleet, slot, CV_ON_RETIRE);
            continue;
        }
        slot = missing(fleet, &census);
        if (slot == NULL)
            return;
        cv_fleet_enter(slot, CV_SLOT_WAITING, CV_NEVER);
    }
}

static bool is_due(const struct cv_slot *slot)
{
    return slot->state == CV_SLOT_WAITING && !slot->spawn_asked && slot->deadline == CV_NEVER;
}

struct cv_slot *cv_balance_next_start(const struct cv_fleet *fleet)
{
    if (is_due(cv_fleet_main(fleet)))
        return cv_fleet_main(fleet);
    struct cv_slot *first = NULL;
    unsigned starters = 0;
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++) {
        struct cv_slot *slot = &fleet->slots[i];
        if (slot == cv_fleet_main(fleet))
            continue; /* workers may be waiting for it */
        starters += slot->spawn_asked || cv_slot_is_starting(slot);
        if (first == NULL && is_due(slot))
            first = slot;
    }
    return starters < fleet->config.starters_max ? first : NULL;
}
