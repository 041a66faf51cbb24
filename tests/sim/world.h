/* A make-believe world for the policy: processes, a shell and a user, in virtual time.
 *
 * Everything that happens follows from one seed. The processes boot slowly, fail, hang, ignore
 * TERM, are stopped by signals, cannot be killed; the shell is late, tells things twice, is
 * suspended, cannot fork, is upgraded in place; the user reloads, scales and stops in any order.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/clock.h"
#include "supervise/policy/fleet.h"
#include "supervise/policy/policy.h"

#define SIM_CAPACITY_MAX 8
#define SIM_MANAGED_MAX 4
#define SIM_SLOTS_MAX (SIM_CAPACITY_MAX + 1 + SIM_MANAGED_MAX)
#define SIM_GENERATIONS_MAX 24
#define SIM_NAMES 3 /* "a", "b", "c" */

/* Where a process really is. What the policy has been told may be less. */
enum sim_phase { SIM_NONE, SIM_BOOT, SIM_HELD, SIM_INIT, SIM_SERVE, SIM_DRAIN, SIM_STOP };

/* What a process does next by itself. */
enum sim_deed {
    SIM_REST,
    SIM_HELLO,
    SIM_READY,
    SIM_LEAVE,
    SIM_SPENT,
    SIM_DRAINED,
    SIM_EXIT,
    SIM_PAUSE,
    SIM_RESUME,
    SIM_HANG
};

struct sim_proc {
    enum sim_phase phase; /* SIM_NONE: there is none */
    enum sim_deed deed;
    int64_t at; /* when it does it */
    struct cv_fleet_exit exit;
    uint32_t generation;
    bool is_paused;
    enum sim_deed kept_deed; /* what it would do if it were not paused */
    int64_t kept_rest;
    bool ignores_term;
    bool ignores_drain;
    bool resists_cont;
    bool is_unkillable;
    bool is_ordered;   /* SPAWN is out, the answer comes at `at` */
    bool is_refused;   /* that answer, and nobody has noted it yet */
    bool is_restarted; /* somebody has asked for another in its stead */

    /* What the checks remember. Times, CV_NEVER: not yet. */
    bool is_spent;
    bool said_hello;
    bool got_go;
    bool is_forewarned;
    int64_t spawned_at;
    int64_t start_by;
    int64_t ready_at;
    int64_t asked_at; /* to go: TERM, DRAIN, LEAVING or KILL */
    int64_t end_by;   /* from then on a KILL is due */
    int64_t paused_at;
    int64_t pause_by;
    int64_t hung_at; /* from then on an ABRT is due */
    int64_t dump_by; /* after ABRT: from then on a KILL is due */
    int64_t killed_at;
    int64_t until; /* of the last DRAIN */
    char name;     /* whose place a managed process has: its name's one letter */
    unsigned index;
};

/* What the checks remember of a slot, over its processes. */
struct sim_slot {
    unsigned failures;
    int64_t not_before; /* the next start */
    bool boot_failed;
};

#define SIM_SAYS (CV_SAY_SERVING_ON + 1)
#define SIM_CODES 128

/* What has been met in many schedules. */
struct sim_seen {
    uint64_t says[SIM_SAYS];
    uint64_t codes[SIM_CODES];
    uint64_t events;
};

/* How bad this schedule's world is: chances in 256. */
struct sim_odds {
    unsigned boot_fails, boot_hangs, serve_ends, pauses, fork_fails, noise, unkillable, stubborn,
        slow_answer, late, new_is_bad;
    int64_t boot_time_max;
    bool has_app_codes; /* failures end with 3, 4 or 78 rather than with signals */
};

struct sim_world {
    struct cv_fleet *fleet;
    struct cv_fleet_config config;
    uint64_t random;
    uint64_t upgrade_dice;
    bool upgrades;
    bool has_trace;
    struct sim_seen *seen;
    const char *error; /* the first broken invariant */
    int64_t now;
    int64_t end; /* the user stops at the latest now */
    int64_t user_at;
    unsigned steps;
    unsigned depth; /* of events told while the actions of another are carried out */
    struct sim_odds odds;
    struct sim_proc procs[SIM_SLOTS_MAX]; /* by slot, of all kinds */
    struct sim_slot slots[SIM_SLOTS_MAX];
    enum cv_slot_state before[SIM_SLOTS_MAX]; /* the states before the event */
    enum cv_roll roll_before;
    bool has_main[SIM_GENERATIONS_MAX];
    struct cv_managed_list declared[SIM_GENERATIONS_MAX];
    bool is_bad[SIM_GENERATIONS_MAX]; /* it cannot start */
    bool is_dropped[SIM_GENERATIONS_MAX];
    uint32_t opened; /* the last generation */

    /* What the checks remember of the whole. */
    bool is_exited;
    bool ever_ready;
    bool main_ever_ready;
    bool is_stopping;
    enum cv_fleet_stop stop;
    int64_t stop_asked_at; /* that kind */
    unsigned stop_step;    /* the event that it was asked by, or brought it about */
    int64_t serve_by;      /* workers serve on until then */
    int64_t drain_by;
    int64_t kill_by;
    int start_code;      /* the first start must end with it */
    bool is_crash_loop;  /* there are too many failures to go on */
    bool must_roll_back; /* the new generation has failed in this event */
    uint32_t rolling;    /* the generation of the reload under way; 0: none */
    bool has_roll_failed;
    bool was_serving_said;
    bool was_failed_said;
    unsigned wanted;
    int64_t none_ready_since; /* CV_NEVER while one is */
    unsigned failures_since_ready;
    int64_t starts_allowed; /* by all that has happened */

    /* Of the managed processes. */
    uint32_t force; /* the generation whose declaration counts; 0: none */
    bool is_done[SIM_NAMES][SIM_MANAGED_MAX];
};

/* ---- world.c ---- */

/* Runs one schedule to its end and adds to `seen`, if it is not NULL. NULL, or the invariant that
 * is broken. */
const char *sim_run(uint64_t seed, const struct cv_rules *rules, bool has_trace,
                    struct sim_seen *seen);

uint64_t sim_random(struct sim_world *world, uint64_t below);
bool sim_chance(struct sim_world *world, unsigned in_256);

/* Between 0 and `max`, small values as likely as large ones. */
int64_t sim_span(struct sim_world *world, int64_t max);

/* Tells the policy, carries out what it wants, and checks everything. */
void sim_tell(struct sim_world *world, const struct cv_fleet_event *event);
void sim_tell_slot(struct sim_world *world, unsigned slot, enum cv_slot_event what);

/* ---- procs.c ---- */

void sim_proc_order(struct sim_world *world, unsigned slot, uint32_t generation);
void sim_proc_answer(struct sim_world *world, unsigned slot);
void sim_proc_go(struct sim_world *world, struct sim_proc *proc);
void sim_proc_drain(struct sim_world *world, struct sim_proc *proc, int64_t until);
void sim_proc_term(struct sim_world *world, struct sim_proc *proc);
void sim_proc_cont(struct sim_world *world, struct sim_proc *proc);
void sim_proc_abrt(struct sim_world *world, struct sim_proc *proc);
void sim_proc_kill(struct sim_world *world, struct sim_proc *proc);

/* Does what is due. */
void sim_proc_act(struct sim_world *world, unsigned slot);

/* ---- user.c ---- */

void sim_user_act(struct sim_world *world);
void sim_user_noise(struct sim_world *world);

/* ---- managed.c ---- */

/* What generation `generation` will declare. */
void sim_managed_declare(struct sim_world *world, uint32_t generation);

/* Their memory, and their invariants. */
void sim_managed_hello(struct sim_world *world, unsigned slot);
bool sim_managed_ends(struct sim_world *world, unsigned slot, const struct cv_fleet_exit *exit);
void sim_managed_note_roll(struct sim_world *world);
bool sim_managed_must_go(const struct sim_world *world, unsigned slot);
void sim_managed_check_spawn(struct sim_world *world, const struct cv_action *action);
void sim_managed_check_asked(struct sim_world *world, unsigned slot);
void sim_managed_check_settled(struct sim_world *world);
bool sim_managed_is_complete(const struct sim_world *world);

/* ---- checks.c ---- */

void sim_check_before(struct sim_world *world, const struct cv_fleet_event *event);
void sim_check_action(struct sim_world *world, const struct cv_action *action);
void sim_check_states(struct sim_world *world, const struct cv_fleet_event *event);
void sim_check_settled(struct sim_world *world);

/* ---- trace.c ---- */

const char *sim_say_name(enum cv_say say);

void sim_trace_event(const struct sim_world *world, const struct cv_fleet_event *event);
void sim_trace_action(const struct sim_world *world, const struct cv_action *action);

#endif
