/* What an app consists of, and the thread it lives on.
 *
 * An app is filled by setup() and then only read. The host (src/host/native) owns it, gives it a
 * loop, and tells it which phase of its life it is in. A blueprint is the same type, so that
 * whatever registers takes it; it has a name and a place, and all else is its root's.
 */
#ifndef CV_APP_APP_H
#define CV_APP_APP_H

#include "app/hooks/plan.h"
#include "app/hooks/signal.h"
#include "app/request/conns.h"
#include "app/routing/router.h"
#include "app/routing/rules.h"
#include "app/tasks/manage.h"
#include "app/tasks/tasks.h"
#include "base/arena.h"
#include "http/cors.h"
#include "loop/fiber.h"
#include "loop/offload.h"
#include "serve/file_cache.h"

#include <covey/app.h>
#include <covey/cors.h>

/* Negative codes of our own begin here; -(CV_CODE_FAIL + status) is covey_fail()'s. */
#define CV_CODE_FAIL 4096
#define CV_CODE_SETUP 8192

enum cv_app_phase {
    CV_APP_SETUP,    /* setup() runs: registering is allowed */
    CV_APP_STARTING, /* start listeners run: a bad setting still ends the start */
    CV_APP_RUNNING,
};

/* A registered listener, middleware, error handler or covey_cors(). */
struct cv_hook {
    covey_app *of; /* the app or the blueprint that it was registered with */
    covey_listener_fn *listener;
    covey_handler_fn *handler;
    int status;         /* of the errors that it is for, as registered */
    int priority;       /* of a middleware */
    const char *routes; /* that it is for; NULL: all of `of` */
    const struct cv_cors *cors;
    covey_origin_fn *allow; /* lets in other origins than those of `cors`; NULL: none */
    const char *name;       /* as written in the source */
    const char *file;
    int line;
};

struct cv_hooks {
    struct cv_hook *at;
    size_t n;
    size_t cap;
};

#define CV_EVENT_COUNT (COVEY_AFTER_SERVER_STOP + 1)
#define CV_PHASE_COUNT (COVEY_RESPONSE + 1)

/* What an app asks of its host. */
struct cv_app_host {
    const char *(*setting)(void *arg, const char *name); /* NULL: not set */
    void (*extend)(void *arg, int64_t ms);               /* more time to start; NULL: no limit */
    bool (*was_asked)(void *arg); /* to end, though the loop may not know yet; NULL: never */
    void *arg;
    bool debug; /* error pages show the reason of a 5xx, and where it comes from; ended requests are
                   told from others */
};

struct covey_app {
    covey_app *root; /* the app; itself, if it is none of its blueprints */
    void *ctx;
    struct cv_plan plan; /* of routes that no middleware names, and of what has no route */

    /* Of a blueprint. */
    covey_app *parent;            /* a blueprint or the app */
    covey_app *next;              /* in order of registration */
    const char *name;             /* with its parents' ("admin.users"); "": none of them has one */
    const char *prefix;           /* with its parents' ("/admin/users") */
    struct covey_blueprint given; /* as registered, without what fills it */

    /* Of an app. */
    covey_app *blueprints;
    struct cv_arena arena;
    struct cv_router router;
    int64_t gave_up_at; /* when the log last said that a regular expression did; 0: never */
    uint64_t gave_up;   /* how often since */
    struct cv_rules rules;
    struct cv_hooks listeners[CV_EVENT_COUNT];
    struct cv_hooks middleware[CV_PHASE_COUNT];
    struct cv_hooks errors;
    struct cv_hooks cors;
    struct cv_signals signals;
    struct cv_conns conns;
    struct cv_process *processes;
    enum cv_app_phase phase;
    bool is_stopping; /* this process has been told that it is to end */
    bool failed;      /* `reason` says why the start must end */
    char reason[1024];
    enum cv_error_format error_format; /* FALLBACK_ERROR_FORMAT; UNSET: not read yet */
    struct cv_app_host host;
    struct cv_loop *loop;
    struct cv_fibers *fibers;
    struct cv_offload *offload;
    struct cv_offload *disk;      /* threads for bodies on disk, which a slow one may hold up */
    struct cv_compress *compress; /* NULL: nothing is compressed */
    struct cv_file_cache *files;  /* NULL: none has been opened yet */
    struct cv_ended *ended;       /* requests, kept in DEBUG; NULL: none yet */
    struct cv_tasks tasks;
};

/* An empty app of this thread, which becomes the only one that may call on it. loop, fibers and
 * offload are borrowed. 0 or -ENOMEM; cv_app_done() in either case. */
CV_MUST_CHECK int cv_app_init(covey_app *app, const struct cv_app_host *host, struct cv_loop *loop,
                              struct cv_fibers *fibers, struct cv_offload *offload);

/* Gives an app that was made without them (NULL) its loop, fibers and threads; borrowed. */
void cv_app_attach(covey_app *app, struct cv_loop *loop, struct cv_fibers *fibers,
                   struct cv_offload *offload, struct cv_offload *disk);

/* Everything is registered: settles what runs around each route's handler, or notes what is wrong.
 */
void cv_app_finalize(covey_app *app);

/* Frees what was registered. No request, fiber or task may be left. */
void cv_app_done(covey_app *app);

/* Notes why the start must end; the first reason stays. */
void cv_app_fail(covey_app *app, const char *format, ...) CV_PRINTF(2, 3);

/* A copy in `arena`; NULL of NULL. Clears *ok when out of memory. */
const char *cv_app_keep(struct cv_arena *arena, const char *text, bool *ok);

/* Registers a route with an app or a blueprint, or notes why not. `data` stays the caller's. */
void cv_app_add_route(covey_app *app, const char *methods, const char *path,
                      const struct covey_route *how, const void *data, const char *file, int line);

/* Whether `scope` is `of`, or a blueprint in it. */
bool cv_app_is_within(const covey_app *scope, const covey_app *of);

/* Registers the routes of the blueprint `from` with the blueprint `app`, too, or notes why not. */
void cv_app_copy_routes(covey_app *app, const covey_app *from, const char *file, int line);

/* Registers its listeners, middleware, error and signal handlers with `app`, too. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_app_copy_hooks(covey_app *app, const covey_app *from);

/* Once setup() has returned: ends the start if a route is never reached. */
void cv_app_check_routes(covey_app *app);

/* A regular expression has reached its limit for a request's path: the log says so, at most once a
 * minute. */
void cv_app_gave_up(covey_app *app, const struct cv_param_type *type, struct cv_span path);

/* Whether `call` may register something: in setup() only. If not, one line says so. */
bool cv_app_can_register(covey_app *app, const char *call, const char *file, int line);

/* Copies `hook` behind the others. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_hooks_add(struct cv_arena *arena, struct cv_hooks *hooks,
                               const struct cv_hook *hook);

/* What "check, .priority = 1" speaks of, for messages. */
const char *cv_app_name_of(covey_app *app, const char *source);

/* "before_server_start". */
const char *cv_app_event_name(enum covey_event event);

/* Sanic's words for yes and no: 1, 0, or -1 for any other. */
int cv_app_truth(const char *text);

/* The server has lost a connection that something may be kept with. */
void cv_app_conn_gone(covey_app *app, uintptr_t conn);

/* "auto", "html", "json", "text", "problem"; UNSET for any other. */
enum cv_error_format cv_error_format_find(const char *name);

/* Makes `app` (NULL: none) the one app whose functions this thread may call. */
void cv_app_enter(covey_app *app);

/* Whether this thread may call on `app` (NULL: on any). If not, one line says so, naming `call`. */
bool cv_app_here(const covey_app *app, const char *call);

/* The app of this thread, or NULL. */
covey_app *cv_app_current(void);

/* Frees the ended requests that were kept. */
void cv_app_forget_ended(covey_app *app);

/* LOG_REQUEST_ID: what a request's fiber logs, and a thread that it waits for, has its id. */
void cv_app_log_ids(void);

/* Whether the caller runs on a fiber. If not, one line says so, naming `call`. */
bool cv_app_can_wait(const char *call);

#endif
