/* A schedule as text, to be read by the one who has to find out why it failed. */
#include "world.h"

#include <stdio.h>

static const char *action_name(enum cv_action_kind kind)
{
    switch (kind) {
    case CV_ACT_SPAWN: return "SPAWN";
    case CV_ACT_GO: return "GO";
    case CV_ACT_FOREWARN: return "FOREWARN";
    case CV_ACT_DRAIN: return "DRAIN";
    case CV_ACT_TERM: return "TERM";
    case CV_ACT_CONT: return "CONT";
    case CV_ACT_ABRT: return "ABRT";
    case CV_ACT_KILL: return "KILL";
    case CV_ACT_DROP_GENERATION: return "DROP_GENERATION";
    case CV_ACT_SAY: return "SAY";
    case CV_ACT_EXIT: return "EXIT";
    }
    return "?";
}

const char *sim_say_name(enum cv_say say)
{
    switch (say) {
    case CV_SAY_SERVING: return "SERVING";
    case CV_SAY_FAILED: return "FAILED";
    case CV_SAY_NOT_STARTED: return "NOT_STARTED";
    case CV_SAY_HUNG: return "HUNG";
    case CV_SAY_LATE: return "LATE";
    case CV_SAY_PAUSED_LONG: return "PAUSED_LONG";
    case CV_SAY_UNSTOPPED: return "UNSTOPPED";
    case CV_SAY_UNKILLABLE: return "UNKILLABLE";
    case CV_SAY_LEAVING: return "LEAVING";
    case CV_SAY_SPENT: return "SPENT";
    case CV_SAY_DONE: return "DONE";
    case CV_SAY_DEGRADED: return "DEGRADED";
    case CV_SAY_CRASH_LOOP: return "CRASH_LOOP";
    case CV_SAY_START_FAILED: return "START_FAILED";
    case CV_SAY_RELOADED: return "RELOADED";
    case CV_SAY_RELOAD_FAILED: return "RELOAD_FAILED";
    case CV_SAY_SCALED: return "SCALED";
    case CV_SAY_SCALE_REFUSED: return "SCALE_REFUSED";
    case CV_SAY_STOPPING: return "STOPPING";
    case CV_SAY_SERVING_ON: return "SERVING_ON";
    }
    return "?";
}

static void print_states(const struct sim_world *world)
{
    printf("   [");
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        printf("%s%s", i > 0 ? " " : "", cv_slot_state_name(cv_fleet_slot_state(world->fleet, i)));
    printf("]\n");
}

static void print_slot_event(const struct cv_fleet_event *event)
{
    printf("slot %u %s", event->slot, cv_slot_event_name(event->what));
    if (event->what == CV_ON_EXITED)
        printf(event->exit.signaled ? " by signal %d" : " with %d", event->exit.code);
    if (event->what == CV_ON_HELLO && event->has_main)
        printf(" has_main");
}

void sim_trace_event(const struct sim_world *world, const struct cv_fleet_event *event)
{
    printf("%12.6f  ", (double)world->now / 1e9);
    switch (event->kind) {
    case CV_FLEET_TICK: printf("tick"); break;
    case CV_FLEET_SLOT: print_slot_event(event); break;
    case CV_FLEET_RELOAD: printf("reload: generation %u", event->generation); break;
    case CV_FLEET_SCALE: printf("scale by %d", event->by); break;
    case CV_FLEET_ASK_STOP: printf("stop %d", (int)event->stop); break;
    case CV_FLEET_GAP: printf("gap of %.3f s", (double)event->gap / 1e9); break;
    }
    print_states(world);
}

void sim_trace_action(const struct sim_world *world, const struct cv_action *action)
{
    printf("                -> %s", action_name(action->kind));
    switch (action->kind) {
    case CV_ACT_SPAWN:
    case CV_ACT_GO:
    case CV_ACT_FOREWARN:
    case CV_ACT_TERM:
    case CV_ACT_CONT:
    case CV_ACT_ABRT:
    case CV_ACT_KILL: printf(" slot %u generation %u", action->slot, action->generation); break;
    case CV_ACT_DRAIN:
        printf(" slot %u %s until %.6f", action->slot, action->retire ? "retire" : "stop",
               (double)action->until / 1e9);
        break;
    case CV_ACT_DROP_GENERATION: printf(" %u", action->generation); break;
    case CV_ACT_SAY:
        printf(" %s slot %u value %lld", sim_say_name(action->say), action->slot,
               (long long)action->value);
        break;
    case CV_ACT_EXIT: printf(" %d", action->code); break;
    }
    printf("%s\n", world->depth > 1 ? " (nested)" : "");
}
