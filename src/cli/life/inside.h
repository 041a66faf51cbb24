/* What the files of a worker's life share; nobody else includes it.
 *
 *     life.c      both kinds: from settings to a loaded app
 *     worker.c    a supervised process, from its birth to its end
 *     talk.c      what a supervised one tells its master and is told
 *     count.c     where it counts what it does
 *     inspect.c   the inspector asks its master
 *     single.c    a single process, which nobody supervises
 *     tested.c    a worker in a test's process (tester/tester.h)
 */
#ifndef CV_CLI_LIFE_INSIDE_H
#define CV_CLI_LIFE_INSIDE_H

#include "cli/life/life.h"
#include "cli/life/wear.h"
#include "host/native/native.h"

#define CV_LIFE_REASON_BYTES 512

struct life {
    struct cv_conf *conf;
    struct cv_child *child; /* NULL: single process */
    struct cv_native *native;
    struct cv_watch channel;
    struct cv_watch signals; /* TERM; single process: INT too */
    int listeners[CV_BOOT_LISTENERS_MAX];
    size_t n_listeners;
    int access_log;
    const struct cv_listeners *open; /* single process */
    struct cv_metrics_route *routes; /* what the server counts by; freed after it */
    struct cv_wear wear;
    struct cv_timer age;
    struct cv_timer memory; /* a second after it has done something */
    bool is_spent;          /* the master knows */
    bool is_stopping;
    bool left_alone; /* the listener, the last time it was asked */
    char reason[CV_LIFE_REASON_BYTES];
};

/* ---- life.c ---- */

/* Loads the app as the user it runs as, and runs setup(). 0, or an exit code that has been said. */
CV_MUST_CHECK int cv_life_open(struct life *life, const struct cv_app_source *source);

/* Opens the access log if it is wanted and goes to standard output; a file has been opened by the
 * first process. */
void cv_life_open_access_log(struct life *life);

/* What the settings say. */
struct cv_native_config cv_life_config(struct life *life, covey_setup_fn *setup);

/* Gives the reason of an exit code to whoever is to say it. Returns the code. */
int cv_life_failed(struct life *life, int code, const char *reason);

void cv_life_drain(struct life *life, enum cv_drain kind, int64_t until);

/* The end of a drain that begins now; CV_NEVER: it has none. */
int64_t cv_life_grace(const struct life *life);

/* ---- count.c ---- */

/* Lets the server count into the region of its slot, where the last one has ended. Without one, or
 * without memory for it, it counts for itself. */
void cv_life_count(struct life *life);

/* ---- inspect.c ---- */

/* Whether this process is the inspector (status/inspect.h). */
bool cv_life_is_inspector(const struct life *life);

/* Lets the app in status/inspect.c ask through this process's channel. */
void cv_life_inspect(struct life *life);

/* The master's answer, or a part of it. Closes the descriptors. */
void cv_life_answered(struct life *life, struct cv_message *message, struct cv_files *files);

/* ---- talk.c ---- */

/* Puts the callbacks of a supervised process into the configuration. */
void cv_life_join(struct life *life, struct cv_native_config *config);

/* Listens to the master, and lets the loop's waits be seen. 0 or -errno. */
CV_MUST_CHECK int cv_life_listen(struct life *life);

/* ---- single.c ---- */

/* The server of a single process accepts. */
void cv_life_single_ready(void *arg);

#endif
