/* The stop of everything.
 *
 * With pre_drain a TERM first lets workers and managed processes serve on for a while, so that
 * whoever sends clients here (Kubernetes, a load balancer) can notice; nothing is started or
 * replaced any more.
 *
 * All workers are told at once and share one set of deadlines, so that the whole takes as long as
 * the slowest and not the sum; managed processes with them. Main is told last, when all of them are
 * gone or the drain is over, so that its listeners run after theirs. Stopping again can only be
 * faster.
 */
#include "supervise/policy/policy.h"

#include "base/exit.h"

static int64_t drain_time(const struct cv_fleet_config *config, enum cv_fleet_stop kind)
{
    switch (kind) {
    case CV_STOP_TERM: return config->drain_timeout;
    case CV_STOP_INT: return config->int_timeout / 3 * 2;
    case CV_STOP_QUIT:
    case CV_STOP_NOW: return 0;
    }
    return 0;
}

static int64_t total_time(const struct cv_fleet_config *config, enum cv_fleet_stop kind)
{
    switch (kind) {
    case CV_STOP_TERM: return config->drain_timeout + config->stop_timeout;
    case CV_STOP_INT: return config->int_timeout;
    case CV_STOP_QUIT: return config->quit_timeout;
    case CV_STOP_NOW: return 0;
    }
    return 0;
}

/* A worker or a managed process. */
static bool is_anyone_left(const struct cv_fleet *fleet)
{
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++)
        if (&fleet->slots[i] != cv_fleet_main(fleet) && !cv_slot_is_gone(&fleet->slots[i]))
            return true;
    return false;
}

/* Main serves. One that is only starting stops with the workers. */
static bool does_main_serve(const struct cv_fleet *fleet)
{
    return cv_fleet_main(fleet)->state == CV_SLOT_READY;
}

bool cv_halt_is_turn_of(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    if (slot == cv_fleet_main(fleet) && does_main_serve(fleet))
        return fleet->now >= fleet->halt.drain_until || !is_anyone_left(fleet);
    return !fleet->halt.serves || (slot->state != CV_SLOT_READY && slot->state != CV_SLOT_DRAINING);
}

/* How long workers may serve on. A stop that has begun gets no more of it, and where nobody serves
 * there is nothing to serve on with. */
static int64_t serve_time(const struct cv_fleet *fleet, enum cv_fleet_stop kind)
{
    bool may_serve = kind == CV_STOP_TERM && !fleet->halt.asked && cv_fleet_ready(fleet) > 0;
    return may_serve ? fleet->config.pre_drain : 0;
}

static void begin(struct cv_fleet *fleet, enum cv_fleet_stop kind, int64_t serve)
{
    struct cv_halt *halt = &fleet->halt;
    halt->asked = true;
    halt->kind = kind;
    halt->asked_at = fleet->now;
    halt->serves = serve > 0;
    halt->serve_until = fleet->now + serve;
    halt->drain_until =
        cv_fleet_earlier(halt->drain_until, halt->serve_until + drain_time(&fleet->config, kind));
    halt->kill_at =
        cv_fleet_earlier(halt->kill_at, halt->serve_until + total_time(&fleet->config, kind));
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++)
        cv_policy_tell(fleet, &fleet->slots[i], CV_ON_STOP);
}

void cv_halt_ask(struct cv_fleet *fleet, enum cv_fleet_stop kind)
{
    const struct cv_halt *halt = &fleet->halt;
    bool is_again = halt->asked && halt->kind == kind &&
                    fleet->now - halt->asked_at >= fleet->config.same_signal;
    if (is_again && kind == CV_STOP_INT)
        kind = CV_STOP_QUIT;
    if (halt->asked && kind <= halt->kind)
        return;
    int64_t serve = serve_time(fleet, kind);
    cv_actions_say(fleet, NULL, CV_SAY_STOPPING, kind);
    if (serve > 0)
        cv_actions_say(fleet, NULL, CV_SAY_SERVING_ON, serve / CV_MS);
    begin(fleet, kind, serve);
}

void cv_halt_fail(struct cv_fleet *fleet, enum cv_fleet_stop kind, int code)
{
    if (fleet->halt.asked)
        return;
    fleet->halt.code = code;
    begin(fleet, kind, 0);
}

static int exit_code(const struct cv_fleet *fleet)
{
    if (fleet->halt.code != 0)
        return fleet->halt.code;
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++)
        if (fleet->slots[i].state == CV_SLOT_LOST)
            return CV_EXIT_UNKILLABLE;
    return fleet->halt.kind == CV_STOP_NOW ? CV_EXIT_PEER_LOST : CV_EXIT_OK;
}

/* Nobody serves on any longer. */
static void end_service(struct cv_fleet *fleet)
{
    fleet->halt.serves = false;
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++) {
        struct cv_slot *slot = &fleet->slots[i];
        if (slot == cv_fleet_main(fleet))
            continue;
        if (slot->state == CV_SLOT_READY || slot->state == CV_SLOT_DRAINING)
            cv_policy_tell(fleet, slot, CV_ON_STOP);
    }
}

void cv_halt_step(struct cv_fleet *fleet)
{
    if (fleet->halt.serves && fleet->now >= fleet->halt.serve_until)
        end_service(fleet);
    struct cv_slot *main = cv_fleet_main(fleet);
    if (does_main_serve(fleet) && cv_halt_is_turn_of(fleet, main))
        cv_policy_tell(fleet, main, CV_ON_STOP);
    if (cv_slot_is_gone(main) && !is_anyone_left(fleet)) {
        cv_actions_exit(fleet, exit_code(fleet));
        fleet->finished = true;
    }
}

int64_t cv_halt_deadline(const struct cv_fleet *fleet)
{
    if (!fleet->halt.asked)
        return CV_NEVER;
    if (fleet->halt.serves)
        return fleet->halt.serve_until;
    return does_main_serve(fleet) ? fleet->halt.drain_until : CV_NEVER;
}
