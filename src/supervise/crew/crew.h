/* The processes behind the fleet's slots: pids, channels, pinned programs.
 *
 * The master's tables, without any decision. A member is valid between cv_crew_spawn() and
 * cv_crew_bury().
 */
#ifndef CV_SUPERVISE_CREW_H
#define CV_SUPERVISE_CREW_H

#include "supervise/containment/cgroup.h"
#include "supervise/containment/oom.h"
#include "supervise/containment/strays.h"
#include "supervise/log/words.h"
#include "supervise/notify/heard.h"
#include "supervise/policy/fleet.h"
#include "supervise/process/program.h"
#include "supervise/process/template.h"
#include "supervise/shared/manifest.h"
#include "supervise/shared/region.h"
#include "supervise/shared/slots.h"
#include "supervise/sockets/seating.h"
#include "supervise/supervise.h"

#include <sys/types.h>

struct cv_member {
    struct cv_who who;
    char name[CV_MANAGED_NAME_BYTES]; /* of a managed process; "" */
    unsigned index;                   /* and which of that name */
    pid_t pid;                        /* 0: nobody */
    int pidfd;
    int channel;
    uint32_t incarnation; /* counts over all slots; what the tag says */
    uint32_t generation;
    bool is_foreign;                    /* it knows nothing of covey: no channel, no page */
    bool leaves;                        /* it has said so: it needs no telling */
    int64_t settles_at;                 /* when a foreign one counts as ready; 0: not by time */
    char status[CV_HEARD_STATUS_BYTES]; /* what a foreign one says of itself */
    struct cv_order order;              /* to a template, while it is out */
    bool is_paused;                     /* stopped by a signal */
    int64_t resumed_at;    /* its last SIGCONT: what it did before is not held against it */
    bool is_unheard;       /* it was killed for what it says: nothing more is read */
    int64_t counted_since; /* of the messages below, which are those of a second at most */
    uint32_t messages;
    bool is_refused;       /* it was killed because it may not serve: that counts as exit 78 */
    uint32_t logs;         /* the last opening of the log files it has taken */
    bool keeps_logs;       /* it could not, and writes to those before */
    uint64_t signals_sent; /* by covey: bit n is signal n */
    int64_t started_at;
    uint64_t oom_count;             /* then */
    uint32_t starts;                /* processes there have been here */
    bool has_ended;                 /* one of them has */
    struct cv_fleet_exit last_exit; /* of the one before */
    int region;                     /* of the slot, for the server's life; -1: none yet */
};

/* Two generations at most, and one more while `main` still belongs to an older one. */
#define CV_CREW_GENERATIONS 4

struct cv_crew {
    unsigned capacity;
    struct cv_member *members; /* one a slot */
    struct cv_slots slots;
    struct cv_program program;
    struct cv_pinned pinned[CV_CREW_GENERATIONS];
    uint32_t pinned_generation[CV_CREW_GENERATIONS];
    int pinned_settings[CV_CREW_GENERATIONS]; /* memfds; -1: there are none */
    struct cv_commands commands[CV_CREW_GENERATIONS];
    struct cv_template templates[CV_CREW_GENERATIONS];
    uint32_t incarnations;   /* so far */
    uint32_t trial;          /* the incarnation of a new program that is tried; 0: none is */
    uint32_t own_generation; /* which runs the program that this process runs by an upgrade; 0 */
    int self;                /* pidfd of the master, for the workers */
    uint64_t nofile;         /* of struct cv_boot */
    struct cv_region_kind region_kind; /* of the members' regions */
    struct cv_seating *seating;        /* NULL: all workers share the listeners */
    uint32_t logs;                     /* how often the log files have been opened anew */
    uint32_t guardian_logs;            /* as of a member */
    bool guardian_keeps_logs;
    struct cv_cgroup *cgroup; /* the caller's; NULL: no containment by cgroups */
    struct cv_oom oom;
    int outer_proc; /* -1: this process's pids are those that people see */
    char last_reason[512];
};

/* Nobody is there, nothing is pinned: all memory is taken here. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_crew_make(struct cv_crew *crew, unsigned capacity, unsigned slots);

/* The same, ready to be used. 0 or -errno. Of `fleet` the numbers of slots are used. */
CV_MUST_CHECK int cv_crew_new(struct cv_crew *crew, const struct cv_fleet_config *fleet,
                              const char *object);

/* Whose place a managed slot is. */
void cv_crew_name(struct cv_crew *crew, unsigned slot, const char *name, unsigned index);

/* Opens what `generation` is to run. 0, or -errno with a sentence in `reason`. */
CV_MUST_CHECK int cv_crew_pin(struct cv_crew *crew, const struct cv_supervise *how,
                              uint32_t generation, char *reason, size_t cap);

/* Keeps the command lines that `generation` declares. */
void cv_crew_keep_commands(struct cv_crew *crew, uint32_t generation,
                           const struct cv_commands *commands);

/* What `generation` runs; NULL if it is not pinned. Good until it is dropped. */
struct cv_pinned *cv_crew_find_pinned(struct cv_crew *crew, uint32_t generation);

/* Nothing of `generation` will be started any more. */
void cv_crew_drop(struct cv_crew *crew, uint32_t generation);

/* ---- birth.c ---- */

/* Starts a process, in the seat of the slot `instead_of` if that will go for it (-1: none does). 0
 * with the member filled in, -errno, or, in a forked child, CV_CREW_IN_CHILD; then *ret_boot is for
 * cv_child_forked(). */
#define CV_CREW_IN_CHILD 1
CV_MUST_CHECK int cv_crew_spawn(struct cv_crew *crew, const struct cv_supervise *how,
                                const struct cv_run *run, unsigned slot, uint32_t generation,
                                int instead_of, struct cv_boot *ret_boot);

/* CV_START_PRELOAD. Starts the template of a generation, which must have none. 0 with *ret, or
 * -errno. */
CV_MUST_CHECK int cv_crew_start_template(struct cv_crew *crew, const struct cv_supervise *how,
                                         const struct cv_run *run, uint32_t generation,
                                         struct cv_template **ret);

/* Asks the template to make the process of a slot. 0 or -errno. */
CV_MUST_CHECK int cv_crew_order(struct cv_crew *crew, const struct cv_supervise *how,
                                const struct cv_run *run, unsigned slot, int instead_of,
                                struct cv_template *template);

/* It says that it has: fills in the member. 0; -ESRCH: there is no such child of ours. */
CV_MUST_CHECK int cv_crew_delivered(struct cv_crew *crew, unsigned slot, pid_t pid);

/* Nothing will come of the order. */
void cv_crew_withdraw(struct cv_crew *crew, unsigned slot);

/* The door of the newest incarnation's cgroup, or -1. Where there can be none for once, it is
 * started all the same. */
int cv_crew_open_door(struct cv_crew *crew);

/* Kills what an incarnation that is dead has left in its cgroup. */
void cv_crew_end_cgroup(const struct cv_crew *crew, uint32_t incarnation);

/* Nobody sits for the slot any more. */
void cv_crew_give_up_seat(struct cv_crew *crew, unsigned slot);

/* ---- crew.c ---- */

/* In a forked child: closes what belongs to the master and its other children. */
void cv_crew_forget(struct cv_crew *crew, const struct cv_boot *own);

/* The slot of a living member, -1 if the pid is none's. */
int cv_crew_find(const struct cv_crew *crew, pid_t pid);

/* "worker 3", "main", "queue 0". */
static inline const char *cv_crew_who(const struct cv_crew *crew, unsigned slot)
{
    return crew->members[slot].who.text;
}

/* The slot of a living incarnation, -1 if it is dead or 0. */
int cv_crew_find_incarnation(const struct cv_crew *crew, uint32_t incarnation);

/* The pid of one of our processes as people see it, outside a PID namespace. */
pid_t cv_crew_shown_pid(const struct cv_crew *crew, int pidfd, pid_t pid);

/* Sends a signal through the pidfd; nothing happens if there is no process. */
void cv_member_signal(struct cv_member *member, int signal);

/* Whether covey has sent it that signal. */
bool cv_member_was_sent(const struct cv_member *member, int signal);

/* The template's process has been reaped, or is to be forgotten. */
void cv_crew_bury_template(struct cv_crew *crew, struct cv_template *template);

/* The process has been reaped. Its last_exit tells whether covey had sent the signal that ended it,
 * and if not, whether the kernel had. What it left in its cgroup is killed. */
void cv_crew_bury(struct cv_crew *crew, unsigned slot, struct cv_fleet_exit exit);

/* Kills what this process has adopted from incarnations that are dead. */
void cv_crew_end_strays(struct cv_crew *crew, const struct cv_run *run);

/* Whether this reason differs from the one last given: many workers fail for one. */
bool cv_crew_is_new_reason(struct cv_crew *crew, struct cv_span reason);

#endif
