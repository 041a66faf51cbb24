/* The inside of fleet.h, for the files that make the policy and for tests/sim; nobody else.
 *
 *     fleet.c     events in, actions out, deadlines
 *     policy.c    [state][event] -> rule: what happens to one slot
 *     balance.c   how many workers there should be, whose turn it is to start, and which one goes
 *     roll.c      from one generation to the next, and back
 *     mainproc.c  the process of the main-process listeners
 *     managed.c   the managed processes
 *     brake.c     failures: back-off, the first start, the crash loop
 *     halt.c      the stop of everything
 *     actions.c   the queue of what is to be done
 *     fleet_handover.c    all of it, written down and read
 */
#ifndef CV_SUPERVISE_POLICY_H
#define CV_SUPERVISE_POLICY_H

#include "base/clock.h"
#include "supervise/policy/actions.h"
#include "supervise/policy/fleet.h"

/* `going`: it has been asked to go, so its exit is no failure and nobody takes its place here. */
struct cv_slot {
    enum cv_slot_state state;
    bool going;
    bool spawn_asked; /* WAITING: CV_ACT_SPAWN is out, its answer is not in */
    bool paused;
    bool spent;           /* goes as soon as another serves in its stead */
    bool boot_failed;     /* exit 3 during the first start */
    unsigned failures;    /* in a row */
    uint32_t generation;  /* of the process */
    uint32_t incarnation; /* how many processes have been here */
    int64_t deadline;     /* of the state. WAITING: end of the back-off, CV_NEVER once it is due */
    int64_t paused_at;
    int64_t pause_deadline; /* CV_NEVER while it runs */
    int64_t drain_until;    /* CV_NEVER before */
    int64_t spawned_at;
    int64_t ready_since; /* CV_NEVER before */
    int64_t asked_at;    /* to go */
};

typedef void cv_rule(struct cv_fleet *fleet, struct cv_slot *slot,
                     const struct cv_fleet_event *event);

/* A missing rule is a decision: the event means nothing in that state. */
struct cv_rules {
    cv_rule *at[CV_SLOT_STATE_COUNT][CV_SLOT_EVENT_COUNT];
};

struct cv_generation {
    uint32_t number; /* 0: none */
    bool has_main;   /* a worker of it has said so */
};

enum cv_roll {
    CV_ROLL_NONE,
    CV_ROLL_FORWARD, /* current is new; a failure of it before READY ends in BACK */
    CV_ROLL_BACK,    /* current is the old one again */
    CV_ROLL_TAIL     /* current serves; what is left of the other one leaves, then main */
};

struct cv_halt {
    bool asked;
    enum cv_fleet_stop kind;
    int64_t asked_at;
    bool serves; /* workers still accept, until serve_until */
    int64_t serve_until;
    int64_t drain_until; /* CV_NEVER until asked, like kill_at */
    int64_t kill_at;     /* of everything */
    int code;            /* of a start that failed or a crash loop; 0: by what is left */
};

struct cv_brake {
    int64_t *times; /* a ring of the last failures */
    unsigned size;
    unsigned first;
    unsigned count;
    unsigned since_ready;     /* failures since a worker was last ready */
    int64_t none_ready_since; /* CV_NEVER while one is */
    bool degraded;            /* said */
};

/* One managed slot's place in what is declared. */
struct cv_seat {
    char name[CV_MANAGED_NAME_BYTES]; /* "": nobody's */
    unsigned index;
    bool is_done; /* its process has ended for good */
};

struct cv_managed {
    struct cv_managed_list coming; /* of the newest generation that has declared itself */
    struct cv_managed_list force;  /* what the slots are filled by */
    struct cv_seat *seats;         /* one a managed slot */
};

struct cv_fleet {
    struct cv_fleet_config config;
    const struct cv_rules *rules; /* cv_policy_rules; tests/sim puts broken ones here */
    int64_t now;                  /* of the event being handled */
    int64_t deadline;
    struct cv_slot *slots; /* capacity workers, then main, then managed processes */
    unsigned wanted;
    struct cv_generation current;
    struct cv_generation other; /* while rolling: the one that leaves */
    enum cv_roll roll;
    uint32_t newest; /* the highest generation seen */
    bool main_was_ready;
    bool ever_ready;
    bool serving_said;
    bool finished; /* CV_ACT_EXIT is out */
    uint64_t random;
    struct cv_halt halt;
    struct cv_brake brake;
    struct cv_managed managed;
    struct cv_actions actions;
};

/* The workers by what they mean for the balance; main is not among them. */
struct cv_census {
    unsigned active;   /* there or on their way, and not asked to go */
    unsigned ready;    /* READY, of any generation */
    unsigned coming;   /* active, of the current generation, not READY yet */
    unsigned stale;    /* active, of the other generation */
    unsigned spent;    /* active, of the current generation, to be replaced all the same */
    unsigned starters; /* between SPAWN and READY */
    unsigned leftover; /* processes of the other generation, active or not; not LOST */
};

/* ---- fleet.c ---- */

/* A fleet in which nothing has happened yet. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_fleet_make(const struct cv_fleet_config *config, int64_t now,
                                struct cv_fleet **ret);

/* Moves a slot on. The only place that writes `state`. */
void cv_fleet_enter(struct cv_slot *slot, enum cv_slot_state state, int64_t deadline);

static inline struct cv_slot *cv_fleet_main(const struct cv_fleet *fleet)
{
    return &fleet->slots[fleet->config.capacity];
}

static inline unsigned cv_fleet_number(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return (unsigned)(slot - fleet->slots);
}

static inline bool cv_fleet_is_worker(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return cv_fleet_kind(&fleet->config, cv_fleet_number(fleet, slot)) == CV_KIND_WORKER;
}

static inline bool cv_fleet_is_managed(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return cv_fleet_kind(&fleet->config, cv_fleet_number(fleet, slot)) == CV_KIND_MANAGED;
}

static inline int64_t cv_fleet_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* It has a process that has not ended yet, as far as anybody waits for it. */
static inline bool cv_slot_has_process(const struct cv_slot *slot)
{
    return slot->state >= CV_SLOT_SPAWNING && slot->state <= CV_SLOT_KILLING;
}

static inline bool cv_slot_is_starting(const struct cv_slot *slot)
{
    return slot->state >= CV_SLOT_SPAWNING && slot->state <= CV_SLOT_STARTING;
}

/* Nobody waits for it. */
static inline bool cv_slot_is_gone(const struct cv_slot *slot)
{
    return slot->state == CV_SLOT_EMPTY || slot->state == CV_SLOT_LOST;
}

static inline bool cv_slot_is_active(const struct cv_slot *slot)
{
    return !slot->going && !cv_slot_is_gone(slot);
}

/* Its process, or the one that has just been ordered, is of the generation that leaves. */
static inline bool cv_slot_is_leftover(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return (cv_slot_has_process(slot) || slot->spawn_asked) &&
           slot->generation != fleet->current.number;
}

/* ---- policy.c ---- */

extern const struct cv_rules cv_policy_rules;

/* Lets the rule for (state, event) act, if there is one. */
void cv_policy_apply(struct cv_fleet *fleet, struct cv_slot *slot,
                     const struct cv_fleet_event *event);

/* The same for an event of the policy's own making. */
void cv_policy_tell(struct cv_fleet *fleet, struct cv_slot *slot, enum cv_slot_event what);

/* ---- balance.c ---- */

struct cv_census cv_balance_census(const struct cv_fleet *fleet);
void cv_balance_scale(struct cv_fleet *fleet, int by);

/* Wants and retires workers until their number is right. */
void cv_balance_step(struct cv_fleet *fleet);

/* The worker that is retired when the next one that is started is ready; NULL: none. */
struct cv_slot *cv_balance_next_to_go(const struct cv_fleet *fleet);

/* The next process to start now, NULL if there is none or too many are starting. */
struct cv_slot *cv_balance_next_start(const struct cv_fleet *fleet);

/* ---- roll.c ---- */

void cv_roll_begin(struct cv_fleet *fleet, uint32_t generation);

/* A process of the new generation has failed before it was ready. */
void cv_roll_fail(struct cv_fleet *fleet, const struct cv_slot *slot);

/* Notices that the new workers serve and that the others are gone. */
void cv_roll_step(struct cv_fleet *fleet);

/* ---- mainproc.c ---- */

/* A worker's manifest has come: lets it go on, or holds it until main is ready. */
void cv_mainproc_hello(struct cv_fleet *fleet, struct cv_slot *slot, bool has_main);

/* Main is ready: nothing holds the workers any longer. */
void cv_mainproc_ready(struct cv_fleet *fleet);

/* The generation main should be of; 0 if there should be none. */
uint32_t cv_mainproc_generation(const struct cv_fleet *fleet);

void cv_mainproc_step(struct cv_fleet *fleet);

/* ---- managed.c ---- */

/* 0 or -ENOMEM. */
CV_MUST_CHECK int cv_managed_init(struct cv_managed *managed, unsigned slots);
void cv_managed_done(struct cv_managed *managed);

/* A worker's manifest has come: the first of its generation counts. */
void cv_managed_hello(struct cv_fleet *fleet, const struct cv_slot *slot,
                      const struct cv_managed_list *list);

/* The workers of the roll are through: what the new generation has declared is in force. */
void cv_managed_adopt(struct cv_fleet *fleet);

/* Whether a process is left that is to go because of that. */
bool cv_managed_has_leftovers(const struct cv_fleet *fleet);

/* Its process has ended unasked. True if that was its last: then the slot stays empty. */
bool cv_managed_ends(struct cv_fleet *fleet, const struct cv_slot *slot,
                     const struct cv_fleet_exit *exit);

/* Retires what is not declared, wants what is. */
void cv_managed_step(struct cv_fleet *fleet);

/* ---- brake.c ---- */

/* 0 or -ENOMEM. */
CV_MUST_CHECK int cv_brake_init(struct cv_brake *brake, unsigned capacity, int64_t now);
void cv_brake_done(struct cv_brake *brake);

/* Puts the slot back into the queue, after its back-off. Returns the latter. */
int64_t cv_brake_retry(struct cv_fleet *fleet, struct cv_slot *slot);

/* Draws the conclusions from a failure: the first start ends, the reload fails, a crash loop.
 * `exit` is NULL where no process ended. */
void cv_brake_judge(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_exit *exit);

void cv_brake_step(struct cv_fleet *fleet, unsigned ready);

/* ---- halt.c ---- */

void cv_halt_ask(struct cv_fleet *fleet, enum cv_fleet_stop kind);

/* Stops for a reason of our own, which is the exit code. */
void cv_halt_fail(struct cv_fleet *fleet, enum cv_fleet_stop kind, int code);

/* False for main while it serves and workers have not drained, and for all that serve or drain
 * during pre_drain. */
bool cv_halt_is_turn_of(const struct cv_fleet *fleet, const struct cv_slot *slot);

/* Stops workers when pre_drain is over and main once it is its turn; leaves when nobody is left. */
void cv_halt_step(struct cv_fleet *fleet);

/* When those that serve on must be stopped at the latest; CV_NEVER if all have been, or nothing
 * stops. */
int64_t cv_halt_deadline(const struct cv_fleet *fleet);

#endif
