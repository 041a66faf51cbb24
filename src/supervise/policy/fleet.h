/* What the supervisor decides, without a single system call.
 *
 * Events go in, actions come out; the shell (master.c) turns the world into the former and the
 * latter into calls, and tests/sim drives millions of schedules through the same code in virtual
 * time.
 *
 *     cv_fleet_event(fleet, &event, now);
 *     while (cv_fleet_next(fleet, &action))
 *         ... carry it out; a SPAWN is answered by an event SPAWNED or SPAWN_FAILED ...
 *     sleep until cv_fleet_deadline(fleet), then send CV_FLEET_TICK
 *
 * There are slots of three kinds: 0 .. capacity - 1 hold the workers, number `capacity` the process
 * of the main-process listeners ("main"), and `managed_max` more behind it the managed processes
 * that the app has declared. A generation is what was opened at the start or by one reload; workers
 * and main are of two at most. All memory is taken in cv_fleet_new().
 */
#ifndef CV_SUPERVISE_FLEET_H
#define CV_SUPERVISE_FLEET_H

#include "base/macros.h"
#include "supervise/policy/fleet.def"
#include "supervise/policy/managed.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_FLEET_NAME_STATE(name, text) CV_SLOT_##name,
enum cv_slot_state { CV_SLOT_STATES(CV_FLEET_NAME_STATE) CV_SLOT_STATE_COUNT };
#undef CV_FLEET_NAME_STATE

#define CV_FLEET_NAME_EVENT(name, text) CV_ON_##name,
enum cv_slot_event { CV_SLOT_EVENTS(CV_FLEET_NAME_EVENT) CV_SLOT_EVENT_COUNT };
#undef CV_FLEET_NAME_EVENT

/* Times in nanoseconds. */
struct cv_fleet_config {
    unsigned capacity;         /* slots for workers */
    unsigned managed_max;      /* slots for managed processes; 64 */
    unsigned workers;          /* wanted at the start; 1 .. capacity - 1 */
    unsigned starters_max;     /* workers between SPAWNED and READY at once (2 x CPUs) */
    int64_t start_timeout;     /* from SPAWNED to READY; 60 s */
    int64_t start_timeout_max; /* with all EXTENDs; 300 s */
    int64_t pre_drain;         /* after TERM, workers serve on for so long before they drain; 0 */
    int64_t drain_timeout;     /* 15 s */
    int64_t stop_timeout;      /* stop listeners, after the drain; 5 s */
    int64_t int_timeout;  /* the whole stop after INT; 3 s, of which the drain has two thirds */
    int64_t quit_timeout; /* the whole stop after QUIT; 250 ms */
    int64_t start_stop_timeout; /* from TERM to KILL for a worker that is starting; 1 s */
    int64_t pause_timeout; /* a worker stopped by a signal is killed after; 30 s. While stopping:
                              250 ms */
    int64_t dump_timeout;  /* from ABRT to KILL, for one that hangs or is late; 2 s */
    int64_t kill_wait;     /* after KILL until it is given up as LOST; 5 s */
    int64_t backoff_first; /* 100 ms: the pauses are 0, first, 2 x first, ... max, +-20 % */
    int64_t backoff_max;   /* 10 s */
    int64_t healthy_after; /* so long in READY resets the back-off; 10 s */
    int64_t crash_window;  /* 60 s. More than max(10, 5 x workers) failures within: degraded. None
                              ready for as long, and as many failures since: exit 75 */
    int64_t same_signal;   /* 500 ms: a stop asked twice within is one stop */
    uint64_t seed;         /* of the jitter */
};

/* Fills in the defaults named above for capacity 1024, 1 worker. */
void cv_fleet_defaults(struct cv_fleet_config *config);

enum cv_kind { CV_KIND_WORKER, CV_KIND_MAIN, CV_KIND_MANAGED };

/* What a slot is for. */
static inline enum cv_kind cv_fleet_kind(const struct cv_fleet_config *config, unsigned slot)
{
    return slot < config->capacity    ? CV_KIND_WORKER
           : slot == config->capacity ? CV_KIND_MAIN
                                      : CV_KIND_MANAGED;
}

/* How many slots there are, of all kinds. */
static inline unsigned cv_fleet_slots(const struct cv_fleet_config *config)
{
    return config->capacity + 1 + config->managed_max;
}

enum cv_fleet_stop {
    CV_STOP_TERM, /* serve on, drain, stop listeners: pre_drain + drain_timeout + stop_timeout */
    CV_STOP_INT,  /* the same within int_timeout; a second one is QUIT */
    CV_STOP_QUIT, /* quit_timeout */
    CV_STOP_NOW,  /* KILL at once: the guardian is gone */
};

enum cv_fleet_event_kind {
    CV_FLEET_TICK,   /* time has passed */
    CV_FLEET_SLOT,   /* something happened to a slot: fields below */
    CV_FLEET_RELOAD, /* a new generation has been opened; .generation is its number (always rising).
                        Only sent when cv_fleet_can_reload(); a reload asked meanwhile is for the
                        shell to keep (one, coalesced) */
    CV_FLEET_SCALE,  /* .by workers more (or fewer, negative) */
    CV_FLEET_ASK_STOP, /* .stop */
    CV_FLEET_GAP,      /* this process itself did not run for .gap ns (suspended, paused): the
                          deadlines of a start, of a pause, of a dump and of kill_wait move on by as
                          much, those of a stop do not */
};

/* Whether the kernel killed it for want of memory. */
enum cv_oom_verdict {
    CV_OOM_UNKNOWN,
    CV_OOM_NO,
    CV_OOM_LIKELY, /* it killed something on this machine meanwhile */
    CV_OOM_YES,
};

/* How a process ended, as by waitid(2). */
struct cv_fleet_exit {
    bool signaled; /* `code` is a signal, else an exit status */
    bool core;
    bool by_us;              /* covey had sent that signal; only for the words */
    bool asked;              /* it was to go; only for the words */
    bool foreign;            /* its exit codes are not covey's; only for the words */
    enum cv_oom_verdict oom; /* of a KILL that covey did not send; only for the words */
    int code;
};

struct cv_fleet_event {
    enum cv_fleet_event_kind kind;
    unsigned slot;                         /* CV_FLEET_SLOT */
    enum cv_slot_event what;               /* CV_FLEET_SLOT */
    struct cv_fleet_exit exit;             /* EXITED; SPAWN_FAILED with has_exit */
    bool has_exit;                         /* SPAWN_FAILED: so ended what was to make it */
    bool has_main;                         /* HELLO: the manifest has main-process listeners */
    const struct cv_managed_list *managed; /* HELLO: and these managed processes; NULL: none */
    int error;                             /* SPAWN_FAILED: -errno */
    int64_t extra;                         /* EXTEND: ns more; HUNG: ns since its loop came round */
    uint32_t generation;                   /* RELOAD */
    int by;                                /* SCALE */
    enum cv_fleet_stop stop;               /* ASK_STOP */
    int64_t gap;                           /* GAP */
};

enum cv_action_kind {
    CV_ACT_SPAWN,    /* start a process for .slot from .generation */
    CV_ACT_GO,       /* tell it to go on to its start listeners */
    CV_ACT_FOREWARN, /* tell it that it will be told to drain: it serves on, and says so to clients
                      */
    CV_ACT_DRAIN,    /* tell it to drain: .retire (others go on serving) or stop; .until is
                        CLOCK_MONOTONIC */
    CV_ACT_TERM,     /* SIGTERM, then SIGCONT */
    CV_ACT_CONT,     /* SIGCONT */
    CV_ACT_ABRT,     /* SIGABRT: it is to say where it is, and die */
    CV_ACT_KILL,
    CV_ACT_DROP_GENERATION, /* nothing will be started from .generation any more */
    CV_ACT_SAY,             /* tell the user: .say, .slot, .value */
    CV_ACT_EXIT,            /* no process is left: leave with .code. The last action */
};

/* What the user should know; the shell finds the words. `value` as given. */
enum cv_say {
    CV_SAY_SERVING, /* the first time all workers wanted are ready; value: how many */
    CV_SAY_FAILED,  /* a worker ended unasked; the shell has seen how; value: ms until its next try
                     */
    CV_SAY_NOT_STARTED, /* there could be no process; the shell has said why; value: ms until its
                           next try */
    CV_SAY_HUNG, /* its loop has not come round: is to say where it is, then killed; value: ms */
    CV_SAY_LATE, /* not ready within start_timeout: the same; value: ms */
    CV_SAY_PAUSED_LONG, /* was stopped by a signal for too long, or in its start until that was
                           late: killed; value: ms */
    CV_SAY_UNSTOPPED,   /* did not end in time: killed; value: ms since it was asked */
    CV_SAY_UNKILLABLE,  /* KILL did not end it */
    CV_SAY_LEAVING,     /* was asked to go by somebody else and is replaced */
    CV_SAY_SPENT,       /* serves on until another has taken its place */
    CV_SAY_DONE,        /* a managed process has ended and is not started again */
    CV_SAY_DEGRADED, /* failures above the limit while some serve; value: failures in the window */
    CV_SAY_CRASH_LOOP,    /* giving up; value: failures since one was ready */
    CV_SAY_START_FAILED,  /* the first start ends; value: exit code */
    CV_SAY_RELOADED,      /* the new generation serves alone; value: its number */
    CV_SAY_RELOAD_FAILED, /* a new worker failed (slot): the old generation stays; value: its number
                           */
    CV_SAY_SCALED,        /* value: workers wanted now */
    CV_SAY_SCALE_REFUSED, /* value: workers wanted still */
    CV_SAY_STOPPING,      /* value: enum cv_fleet_stop */
    CV_SAY_SERVING_ON,    /* before the drain, for value ms */
};

struct cv_action {
    enum cv_action_kind kind;
    unsigned slot;
    uint32_t generation;
    bool retire;
    int64_t until;
    enum cv_say say;
    int64_t value;
    int code;
};

struct cv_fleet;

/* 0 or -ENOMEM; -EINVAL for workers outside 1 .. capacity - 1. The first generation is number 1.
 * Actions are there at once. */
CV_MUST_CHECK int cv_fleet_new(const struct cv_fleet_config *config, int64_t now,
                               struct cv_fleet **ret);
void cv_fleet_free(struct cv_fleet *fleet);

/* Tells of an event. `now` never goes back. An event that cannot be true of the slot's state (a
 * late READY after KILL, say) is ignored. Also fires every deadline that is due. */
void cv_fleet_event(struct cv_fleet *fleet, const struct cv_fleet_event *event, int64_t now);

/* Takes the next action. False when there is none. */
bool cv_fleet_next(struct cv_fleet *fleet, struct cv_action *ret);

/* When CV_FLEET_TICK is due; CV_NEVER if nothing is waited for: an idle server has no wake-up. */
int64_t cv_fleet_deadline(const struct cv_fleet *fleet);

/* The worker that goes for the next one that is started: it is of the generation that leaves, or
 * spent. -1: none does. */
int cv_fleet_next_to_go(const struct cv_fleet *fleet);

/* Something has been ready, no roll is under way, and the server is not stopping. Whether it has
 * become true is to be asked after each event. */
bool cv_fleet_can_reload(const struct cv_fleet *fleet);
bool cv_fleet_is_stopping(const struct cv_fleet *fleet);

/* It stops, but its workers still accept (pre_drain). */
bool cv_fleet_is_serving_on(const struct cv_fleet *fleet);

/* ---- For status, messages and the simulation ---- */

enum cv_slot_state cv_fleet_slot_state(const struct cv_fleet *fleet, unsigned slot);
uint32_t cv_fleet_slot_generation(const struct cv_fleet *fleet, unsigned slot);
unsigned cv_fleet_slot_failures(const struct cv_fleet *fleet, unsigned slot); /* in a row */

/* Whether a HELLO of this slot now would tell what its generation declares. */
bool cv_fleet_would_declare(const struct cv_fleet *fleet, unsigned slot);

/* Whose place a managed slot is: the name, and *ret_index which of its processes. NULL if it is
 * nobody's. Valid until the next event. */
const char *cv_fleet_managed_name(const struct cv_fleet *fleet, unsigned slot, unsigned *ret_index);
uint32_t cv_fleet_generation(const struct cv_fleet *fleet);        /* what is to serve */
uint32_t cv_fleet_newest_generation(const struct cv_fleet *fleet); /* also of one that failed */
const char *cv_fleet_roll_name(const struct cv_fleet *fleet);      /* "none", "rolling", ... */
unsigned cv_fleet_wanted(const struct cv_fleet *fleet);
unsigned cv_fleet_ready(const struct cv_fleet *fleet);
const char *cv_slot_state_name(enum cv_slot_state state);
const char *cv_slot_event_name(enum cv_slot_event event);

#endif
