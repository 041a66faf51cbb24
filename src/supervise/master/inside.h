/* What the files of the master share; nobody else includes it.
 *
 *     master.c    the loop: one wait, then everything that has happened
 *     act.c       what the fleet has decided, done
 *     asks.c      what people ask for: by the guardian, or by signals to the master itself
 *     logs.c      the log files
 *     workers.c   what workers say, how they end, who takes long
 *     template.c  workers made by a template
 *     foreign.c   the same of workers that know nothing of covey
 *     upgrade.c   another program takes over, in this process
 *     handover.c  what that program is given
 */
#ifndef CV_SUPERVISE_MASTER_INSIDE_H
#define CV_SUPERVISE_MASTER_INSIDE_H

#include "supervise/crew/crew.h"
#include "supervise/handover/file.h"
#include "supervise/master/desk.h"
#include "supervise/master/doing.h"
#include "supervise/master/master.h"
#include "supervise/notify/notify.h"
#include "supervise/shared/beat.h"

#include <signal.h>

struct cv_upgrade {
    bool is_wanted;
    bool is_passed; /* the new program could take over: it will, at the end of this turn */
    pid_t trial;    /* 0: none runs */
    int answer;     /* from the trial; -1 */
    int program;    /* what is tried, O_PATH; -1 */
    int settings;   /* memfd: the file of settings, for all that is done for this upgrade; -1 */
    int64_t until;  /* the trial is killed then; CV_NEVER */
};

struct master {
    const struct cv_supervise *how;
    const struct cv_run *run;
    struct cv_fleet *fleet;
    struct cv_crew crew;
    struct cv_seating seating; /* only with how->is_per_slot */
    struct cv_beats beats;
    struct cv_doings doings;
    struct cv_desk desk;
    int epoll;
    int signal_fd;
    int channel;                   /* to the guardian */
    struct cv_overseer_page *beat; /* our own, read by the guardian */
    int beat_fd;
    int guardian_fd;   /* -1 once it is known to be gone */
    int64_t suspended; /* as much of beat->suspended as has been given back */
    uint32_t generation;
    int hearing;       /* what foreign workers speak to; -1: there are none */
    int64_t settle_at; /* when one of them counts as ready */
    bool has_refused;  /* something said there; said */
    bool reload_wanted;
    int edits;               /* tells when what runs has been built anew; -1 */
    int64_t edited_at;       /* when it was, for the last time; CV_NEVER: not since it was loaded */
    char own_path[PATH_MAX]; /* of this program, as it was executed first: a link stays one */
    struct cv_upgrade upgrade;
    bool strays_due; /* something died: look for what it left */
    bool over;
    int code;
};

/* What an epoll event is about: a fixed source, or the channel of one incarnation. */
enum cv_master_source {
    CV_SOURCE_SIGNALS = 1,
    CV_SOURCE_GUARDIAN,
    CV_SOURCE_CHANNEL,
    CV_SOURCE_CONTROL,
    CV_SOURCE_CGROUPS,
    CV_SOURCE_HEARING,
    CV_SOURCE_EDITS
};

/* ---- master.c ---- */

/* 0 or -errno. */
CV_MUST_CHECK int cv_master_watch(const struct master *master, int fd, uint64_t key);
void cv_master_unwatch(const struct master *master, int fd);
uint64_t cv_master_key(unsigned slot, uint32_t incarnation);

/* How it is called, and where its words go. */
void cv_master_present(const struct cv_supervise *how);

/* Opens what a master waits with. 0 or -errno. */
CV_MUST_CHECK int cv_master_open(struct master *master);

/* To be told when the cgroups of the dead can be removed. */
void cv_master_listen_to_cgroups(const struct master *master);

/* The control socket: opened, or gone on with after an upgrade. */
void cv_master_open_desk(struct master *master, bool is_resumed);

/* The loop, and the end. Returns the exit code. */
CV_MUST_CHECK int cv_master_serve(struct master *master);

/* ---- act.c ---- */

/* Tells the guardian, who tells the manager outside. `at`: when it happened. */
void cv_master_news(const struct master *master, enum cv_news news, int64_t value, int64_t at);

/* Gives back the time in which job control had stopped everything, so that no deadline that may
 * move is over for it. To be called after the clock has been read and before anything is judged by
 * it. Whether there was such a time. */
bool cv_master_forgive(struct master *master, int64_t now);

/* Tells the fleet, and carries out what follows. */
void cv_master_feed(struct master *master, const struct cv_fleet_event *event);
void cv_master_feed_slot(struct master *master, unsigned slot, enum cv_slot_event what);

/* Closes the listeners of seats that nobody needs any more. */
void cv_master_mind_seats(struct master *master);

/* Carries out what the fleet has decided. Not re-entered: events that actions bring about put
 * theirs behind. */
void cv_master_act(struct master *master);

/* The process of a slot is there: hears it from now on, and tells the fleet. */
void cv_master_born(struct master *master, unsigned slot);

/* ---- asks.c ---- */

void cv_master_on_signals(struct master *master);
void cv_master_on_guardian_gone(struct master *master);
void cv_master_on_guardian_channel(struct master *master);

void cv_master_ask_reload(struct master *master);

/* One reload runs, one may wait; those asked meanwhile are the one that waits. */
void cv_master_reload_if_wanted(struct master *master);

/* To be told when what runs is built anew, if that is wanted. */
void cv_master_listen_to_edits(struct master *master);
void cv_master_on_edits(struct master *master);

/* What has been built anew is reloaded once nothing more has been written for a moment; when that
 * is, CV_NEVER: there is nothing. */
int64_t cv_master_edits_due(const struct master *master);
void cv_master_reload_if_edited(struct master *master, int64_t now);

/* ---- logs.c ---- */

/* Opens the log files anew and hands them on to everybody; those who live answer by and by. 0, or
 * -errno with a sentence in `reason` (also in the log). */
int cv_master_reopen(struct master *master, char *reason, size_t cap);

/* One that was made by a template before they were, and is told of now. */
void cv_master_hand_logs(struct master *master, unsigned slot);

/* The answer of a worker, or of the guardian. */
void cv_master_on_reopened(struct master *master, unsigned slot, const struct cv_message *message);
void cv_master_on_guardian_reopened(struct master *master, const struct cv_message *message);

/* ---- template.c ---- */

/* Has the template of the generation make the process of a slot; starts one if there is none. The
 * fleet is told SPAWNED or SPAWN_FAILED sooner or later. */
void cv_master_order(struct master *master, unsigned slot, uint32_t generation);

/* Template number `i` has something to say. */
void cv_master_on_template(struct master *master, unsigned i, uint32_t incarnation);

/* False if that was no template. */
bool cv_master_template_ended(struct master *master, pid_t pid, struct cv_fleet_exit exit);

/* When one is late; CV_NEVER if none is waited for. */
int64_t cv_master_template_deadline(const struct master *master);
void cv_master_forgive_templates(struct master *master, int64_t gap);

/* Ends those that are late, and all of them while everything stops. */
void cv_master_look_after_templates(struct master *master, int64_t now);

/* Nothing of the generation will be started any more. */
void cv_master_drop_template(struct master *master, uint32_t generation);

/* ---- workers.c ---- */

/* Why the sender of this HELLO may not serve; NULL if it may. */
const char *cv_master_refusal(const struct master *master, const struct cv_message *hello);

void cv_master_on_channel(struct master *master, unsigned slot);
void cv_master_reap(struct master *master);

/* Looks for workers that hang and for start listeners that take long, once either is due. */
void cv_master_look_after(struct master *master, int64_t now);

/* ---- foreign.c ---- */

/* 0 or -errno. */
CV_MUST_CHECK int cv_master_open_hearing(struct master *master);
void cv_master_on_hearing(struct master *master);

/* A foreign process has been started: it is ready now, later, or when it says so. */
void cv_master_foreign_go(struct master *master, unsigned slot);
void cv_master_settle_foreign(struct master *master, int64_t now);

/* ---- handover.c ---- */

/* Writes everything down: *ret is good until cv_handover_done(to), which is due in any case. 0 or
 * -errno. */
CV_MUST_CHECK int cv_master_export(const struct master *master, enum cv_handed_role role,
                                   int answer, struct cv_handover *to, struct cv_span *ret);

/* Reads it into memory; no descriptor is touched. The numbers of slots in `how` become those there
 * are. 0, or -errno with a sentence in `reason`. */
CV_MUST_CHECK int cv_master_import(struct master *master, struct cv_run *run,
                                   struct cv_cgroup *cgroup, struct cv_supervise *how,
                                   struct cv_span record, char *reason, size_t cap);

/* ---- upgrade.c ---- */

void cv_master_upgrade_init(struct cv_upgrade *upgrade);
void cv_master_ask_upgrade(struct master *master);
void cv_master_upgrade_done(struct master *master); /* in a forked child: closes its descriptors */

/* One is asked for or under way: reloads wait for it. */
bool cv_master_is_upgrading(const struct master *master);

/* The trial has been reaped. */
void cv_master_on_trial_end(struct master *master, const siginfo_t *info);

/* Goes on with what is asked for, once it can. At the end of a turn: it may not return, in the new
 * program. */
void cv_master_upgrade_step(struct master *master, int64_t now);

#endif
