/* The guardian's eye on the master. Pure but for the shared page.
 *
 * The master beats as workers do (beat.h), into a page that both share. One that does not come
 * round its loop is told to say where it is (ABRT) and then killed; one that somebody has stopped
 * is killed when it stays so; and one that has been asked to stop is killed when it takes longer
 * than all its own deadlines together. What follows is the ordinary end after a master's death.
 */
#ifndef CV_SUPERVISE_OVERSEER_H
#define CV_SUPERVISE_OVERSEER_H

#include "base/macros.h"
#include "supervise/shared/beat.h"

/* What guardian and master share, also across an upgrade: it may only grow, at its end. Written by
 * the master but for `looking` and `suspended`. */
struct cv_overseer_page {
    _Atomic int64_t running_since;
    _Atomic uint32_t looking;
    _Atomic int64_t suspended; /* ns in which job control had stopped everything, in all; written by
                                  the guardian */
};

struct cv_overseer {
    int fd; /* memfd of the page, so that either can map it again after an upgrade */
    struct cv_overseer_page *page;
    struct cv_beats beats;
    int64_t pause_limit; /* ns */
    int64_t paused_at;   /* 0: it runs */
    int64_t resumed_at;
    int64_t stop_by; /* CV_NEVER: no stop has been asked */
    int64_t kill_at; /* CV_NEVER: ABRT has not been sent */
};

/* Maps the page that a memfd holds. 0 or -errno. */
CV_MUST_CHECK int cv_overseer_map(int fd, struct cv_overseer_page **ret);

/* To be called before the master is forked. 0 or -errno. */
CV_MUST_CHECK int cv_overseer_init(struct cv_overseer *overseer, int64_t pause_limit);

/* What has been seen: the master runs on while nobody looked; it was stopped or continued by a
 * signal; it was asked to stop and has until `until`; this process itself did not run until `now`.
 */
void cv_overseer_beat(struct cv_overseer *overseer, int64_t now);
void cv_overseer_paused(struct cv_overseer *overseer, bool is_paused, int64_t now);
void cv_overseer_stop_asked(struct cv_overseer *overseer, int64_t until);
void cv_overseer_forgive(struct cv_overseer *overseer, int64_t now);

/* Neither it nor the master has run for `gap`: that prolongs a stop, too. */
void cv_overseer_suspended(struct cv_overseer *overseer, int64_t gap, int64_t now);

/* When cv_overseer_look() is due; CV_NEVER while nothing is to be feared. */
int64_t cv_overseer_deadline(const struct cv_overseer *overseer);

enum cv_overseer_verdict {
    CV_OVERSEER_WELL,
    CV_OVERSEER_HUNG,    /* send ABRT; look again */
    CV_OVERSEER_SILENT,  /* it has not even said where it is: KILL */
    CV_OVERSEER_STOPPED, /* it stayed stopped by a signal: KILL */
    CV_OVERSEER_LATE,    /* it does not end: KILL */
};
enum cv_overseer_verdict cv_overseer_look(struct cv_overseer *overseer, int64_t now);

#endif
