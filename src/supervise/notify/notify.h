/* What the manager outside (systemd) is told, and when: sd_notify(3) as data. Pure.
 *
 * News from the master and the clock go in, datagrams come out; the guardian alone sends them
 * (outer.h). That covey is alive is only said after the master has answered: a manager that hears
 * nothing more will end what hangs.
 */
#ifndef CV_SUPERVISE_NOTIFY_H
#define CV_SUPERVISE_NOTIFY_H

#include "supervise/policy/fleet.h"

#include <stdbool.h>
#include <stdint.h>

/* What the master tells the guardian; each with a value. */
enum cv_news {
    CV_NEWS_NONE,
    CV_NEWS_SERVING,         /* the first time all workers wanted are ready; how many */
    CV_NEWS_SCALED,          /* how many are wanted now */
    CV_NEWS_DEGRADED,        /* failures within the window */
    CV_NEWS_RELOADING,       /* the new generation's number */
    CV_NEWS_RELOADED,        /* the number of the one that serves */
    CV_NEWS_RELOAD_FAILED,   /* the number of the one that failed */
    CV_NEWS_STOPPING,        /* enum cv_fleet_stop */
    CV_NEWS_START_FAILED,    /* the exit code */
    CV_NEWS_CRASH_LOOP,      /* failures since one was ready */
    CV_NEWS_MASTER_GONE,     /* 0; the guardian's own */
    CV_NEWS_UPGRADE_REFUSED, /* 0 */
    CV_NEWS_COUNT
};

/* What of the fleet's words is news outside; CV_NEWS_NONE for most. */
enum cv_news cv_news_of(enum cv_say say);

enum cv_notify_phase {
    CV_NOTIFY_STARTING,
    CV_NOTIFY_SERVING,
    CV_NOTIFY_RELOADING,
    CV_NOTIFY_STOPPING
};

struct cv_notify {
    enum cv_notify_phase phase;
    int64_t watchdog_every; /* ns; 0: not asked for */
    int64_t next_watchdog;
    int64_t next_extend;
    bool watchdog_due; /* to be said with the master's answer */
    bool extend_due;
    bool is_asking; /* the master has not answered yet */
};

/* One datagram; "": nothing is to be sent. */
struct cv_notify_text {
    char text[192];
};

/* `watchdog` is the manager's limit in ns; 0: it has none. */
struct cv_notify_text cv_notify_begin(struct cv_notify *notify, int64_t watchdog, int64_t now);

/* `at`: when it happened, CLOCK_MONOTONIC ns. */
struct cv_notify_text cv_notify_news(struct cv_notify *notify, enum cv_news news, int64_t value,
                                     int64_t at);

/* When the master is to be asked again; CV_NEVER in a server that serves without a watchdog, and
 * while its answer is waited for. */
int64_t cv_notify_deadline(const struct cv_notify *notify);

/* Whether the master is to be asked now: one question at a time. */
bool cv_notify_asks(struct cv_notify *notify, int64_t now);

/* The master has answered. */
struct cv_notify_text cv_notify_answered(struct cv_notify *notify);

#endif
