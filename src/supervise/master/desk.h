/* Where the master takes commands and gives their results: what control.h hears, done.
 *
 * Like a signal, a command is an event for the fleet; the answer comes when a condition of
 * control/wait.h has come true.
 */
#ifndef CV_SUPERVISE_DESK_H
#define CV_SUPERVISE_DESK_H

#include "supervise/control/control.h"
#include "supervise/crew/crew.h"

struct cv_desk {
    const struct cv_supervise *how;
    const struct cv_fleet *fleet;
    struct cv_crew *crew;
    void (*feed)(void *arg, const struct cv_fleet_event *event);
    void (*reload)(void *arg); /* asks for one */
    void (*upgrade)(void *arg);
    bool (*reload_waits)(void *arg);
    int (*reopen)(void *arg, char *reason, size_t cap); /* cv_master_reopen() */
    void *arg;
    pid_t guardian;

    /* Its own. */
    struct cv_control control;
    int64_t opened_at;
    uint32_t reloaded;
    uint32_t reload_failed;
    unsigned refusals;
    unsigned upgrades; /* of covey itself, since the start */
    char why[640];
};

/* Opens it, with the fields above filled in. 0 or -errno. To be watched: .control.epoll, if it is
 * not -1. */
CV_MUST_CHECK int cv_desk_open(struct cv_desk *desk, int listener);

/* The same for one that an upgrade has handed over. */
CV_MUST_CHECK int cv_desk_resume(struct cv_desk *desk, int listener);

/* In a forked child, or at the end. */
void cv_desk_close(struct cv_desk *desk);

/* Takes the commands that have come. */
void cv_desk_work(struct cv_desk *desk);

/* ---- desk_tell.c ---- */

/* Answers STATUS or METRICS, DONE included, to one who may ask; `serial` goes back as the time of
 * each message. 0, or -errno: it does not read. */
int cv_desk_tell(const struct cv_desk *desk, enum cv_control_command command, int fd,
                 int64_t serial);

/* ---- desk.c ---- */

/* The fleet has said something. */
void cv_desk_hear(struct cv_desk *desk, const struct cv_action *said);

/* A reload or an upgrade could not even begin. */
void cv_desk_not_reloaded(struct cv_desk *desk, const char *why);

/* Answers those whose command is done: after each turn. */
void cv_desk_settle(struct cv_desk *desk);

#endif
