/* Building an app: routes, blueprints, listeners, middleware, error handlers, settings, and the
 * call that runs it.
 *
 * An app is a setup function. It runs in each worker before the worker's loop and declares what the
 * app consists of; the same function serves a program with its own main() and a shared object for
 * `covey run`. All calls in this header return nothing or 0/-errno; a wrong registration (bad
 * pattern, conflict) sticks to the app with file and line and ends the start with exit code 4.
 */
#ifndef COVEY_APP_H
#define COVEY_APP_H

#include <covey/export.h>
#include <covey/version.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct covey_app covey_app;
typedef struct covey_req covey_req;

/* Declares the app's contents. 0, or a negative value that ends the start (exit code 4). */
typedef int covey_setup_fn(covey_app *app);

/* Answers a request: 0 once it has answered (covey_text() and its kin), or a negative code, which
 * becomes an error answer. Middleware has the same shape and may return 0 without an answer. */
typedef int covey_handler_fn(covey_req *req);

/* Start-up and shut-down code. A negative value from a start listener ends the start (exit code 3).
 */
typedef int covey_listener_fn(covey_app *app);

/* ---- Running ---- */

/* Settings given in code; 0 or NULL: not given. The environment and the command line override them.
 * The whole list with defaults and limits: `./app --help` and docs/settings.md. */
struct covey_options {
    covey_setup_fn *setup;
    size_t size;      /* set by the macros below */
    const char *host; /* "127.0.0.1" */
    int port;         /* 8000 */
    /* "host:port", "[v6]:port", "unix:path", separated by commas; replaces host and port */
    const char *listen;
    int workers;              /* 1; COVEY_WORKERS_FAST: one per CPU */
    const char *start_method; /* "spawn", "fork" or "preload" */
    const char *env_prefix;   /* "COVEY_"; never empty */
    const char *log_level;    /* "info" */
    int access_log;           /* 1: on */
    int64_t start_timeout;    /* times in milliseconds */
    int64_t graceful_shutdown_timeout;
    int64_t request_timeout;
    int64_t response_timeout;
    int64_t keep_alive_timeout;
    int64_t request_max_size; /* sizes in bytes */
    int64_t request_max_header_size;
    int64_t fibers_max;
    const char *config;          /* file of settings */
    const char *pidfile;         /* locked; holds the pid of the first process */
    const char *user;            /* "name" or "name:group" that workers become */
    const char *log_file;        /* standard error of all processes */
    const char *access_log_file; /* switches the access log on */
    int daemon;                  /* 1: go into the background */
    int strict_slashes;          /* 1: "/a" and "/a/" are two paths */
    /* All others, and the app's own: names and values in turn, NULL at the end: COVEY_SETTINGS() */
    const char *const *settings;
};

/* .settings of these: COVEY_SETTINGS("PROXIES_COUNT", "1", "FALLBACK_ERROR_FORMAT", "json") */
#define COVEY_SETTINGS(...)                                                                        \
    .settings = (const char *const[])                                                              \
    {                                                                                              \
        __VA_ARGS__, NULL, NULL                                                                    \
    }

/* As many workers as CPUs this process may run on (Sanic's fast=True). */
#define COVEY_WORKERS_FAST (-1)

/* Runs the app with the settings of the command line: parses flags, binds, supervises workers.
 * Returns the exit code for main() in the process the user started; never returns in a worker. The
 * caller must have started no thread. Code before this call runs in every process of the server.
 * Options may follow the setup function: covey_main(argc, argv, setup, .port = 9000).
 */
#define covey_main(argc, argv, ...)                                                                \
    covey_main_with((argc), (argv),                                                                \
                    &(struct covey_options){__VA_ARGS__, .size = sizeof(struct covey_options)})
COVEY_API int covey_main_with(int argc, char **argv, const struct covey_options *options);

/* The same without a command line: covey_run(setup, .port = 9000) sees options and environment
 * only. */
#define covey_run(...)                                                                             \
    covey_run_with(&(struct covey_options){__VA_ARGS__, .size = sizeof(struct covey_options)})
COVEY_API int covey_run_with(const struct covey_options *options);

/* What `covey run FILE[:SYMBOL]` looks up in a shared object. */
struct covey_entry {
    uint32_t abi;  /* COVEY_ABI at compile time */
    uint32_t size; /* of this struct */
    covey_setup_fn *setup;
};

/* Exports the setup function of a shared object, under the name `covey run` looks for by itself. */
#define COVEY_APP(function) COVEY_APP_AS(covey_app_entry, function)

/* The same under a name of one's own, for `covey run FILE:SYMBOL`. */
#define COVEY_APP_AS(symbol, function)                                                             \
    COVEY_EXPORT extern const struct covey_entry symbol;                                           \
    const struct covey_entry symbol = {COVEY_ABI, sizeof(struct covey_entry), function};

/* Ends the start with this reason; for use in setup and start listeners: `return
 * covey_setup_fail(app, ...)`. Returns a negative code. */
COVEY_API int covey_setup_fail(covey_app *app, const char *format, ...) COVEY_PRINTF(2, 3);

/* Reports progress of a long start: START_TIMEOUT then runs from now, for `ms` more, but never past
 * START_TIMEOUT_MAX after the worker's birth. For use in setup and start listeners. */
COVEY_API void covey_extend_start(covey_app *app, int64_t ms);

/* True from the moment this process has been told that it is to end: at a stop, a reload, or with
 * PRE_DRAIN that long before it stops accepting, so that a health route can answer 503. */
COVEY_API bool covey_is_stopping(const covey_app *app);

/* ---- Routes ---- */

/* How one route differs from the settings; what is not named here cannot. A limit of 0 is the
 * setting, COVEY_OFF none at all. All of them, and what clients and the log get to see: limits.md.
 */
struct covey_route {
    covey_handler_fn *handler;
    size_t size;              /* set by the macros below */
    const char *name;         /* for logs and covey_url_for(), of one pattern; default: that */
    int64_t body_max;         /* bytes; 0: REQUEST_MAX_SIZE; COVEY_OFF: no limit */
    int64_t response_timeout; /* ms; 0: RESPONSE_TIMEOUT; COVEY_OFF: none */
    bool stream;              /* start the handler at the head; it reads with covey_body_read() */
    bool half_close; /* a client that has shut down its sending side does not cancel the handler */
    bool histogram;  /* its latencies are counted by themselves, too; of the first 64 such routes */
    /* Bytes: a longer body (of more than 64 KiB, too) is kept on disk, in UPLOAD_DIR; covey_body()
     * then has none of it, covey_body_file() and covey_body_read() have all. 0: never. */
    int64_t spool_above;
    /* For long uploads, while the app waits for them: REQUEST_TIMEOUT bounds the whole body,
     * BODY_RATE_MIN what comes of it in each RATE_SPAN. */
    int64_t request_timeout; /* ms; 0: REQUEST_TIMEOUT; COVEY_OFF: none */
    int64_t body_rate_min;   /* bytes a second; 0: BODY_RATE_MIN; COVEY_OFF: any */
    /* The body is a form: it is read before the handler begins, which then has covey_form() and
     * covey_upload() (form.h). .spool_above is of each file then; 0: 64 KiB. */
    bool form;
    /* Hosts to which the route belongs, separated by blanks or commas: "example.com" (any port) or
     * "example.com:8080"; case does not matter. A request's host is looked for first, then the
     * routes that name none. NULL: any host. */
    const char *host;
    const char *version;        /* "1": /v1 stands in front of the path; "v1" is the same */
    const char *version_prefix; /* what stands in front of the version; default "/v" */
    int strict_slashes; /* 1: a path with a slash more or less at its end is another; COVEY_OFF: it
                           is the same, if no other route has it; 0: STRICT_SLASHES */
    bool overwrite; /* takes its methods away from a route that has this pattern already, which is
                       refused else */
    void *ctx;      /* the app's own, for covey_route_ctx() */
    const char *error_format; /* auto, html, json, text, problem; NULL: FALLBACK_ERROR_FORMAT */
    /* 1: answers are compressed where it is worth it and the client takes it; COVEY_OFF: never; 0:
     * COMPRESS. Not for secrets next to what a client sends (BREACH): docs/responses.md. */
    int compress;
};

/* Registers a handler. `methods` are names separated by spaces or commas. `path` starts with '/',
 * is written decoded ("/a b", not "/a%20b") and may hold parameters, each a whole segment: <name>,
 * or <name:TYPE> with str (the default), strorempty, int, float, alpha, slug, ymd, uuid, ext, one
 * of covey_pattern(), or, at the end, path (one segment or more). What each takes, and which of
 * several routes answers: docs/routing.md. ".." is a segment like any other. GET routes answer HEAD
 * too; OPTIONS is answered with Allow where no route does. The struct's fields may follow the
 * handler: covey_post(app, "/up", up, .body_max = 1 << 20). */
#define covey_route(app, methods, path, ...)                                                       \
    covey_route_at((app), (methods), (path),                                                       \
                   &(struct covey_route){__VA_ARGS__, .size = sizeof(struct covey_route)},         \
                   __FILE__, __LINE__)
#define covey_get(app, path, ...) covey_route(app, "GET", path, __VA_ARGS__)
#define covey_post(app, path, ...) covey_route(app, "POST", path, __VA_ARGS__)
#define covey_put(app, path, ...) covey_route(app, "PUT", path, __VA_ARGS__)
#define covey_patch(app, path, ...) covey_route(app, "PATCH", path, __VA_ARGS__)
#define covey_delete(app, path, ...) covey_route(app, "DELETE", path, __VA_ARGS__)
#define covey_options(app, path, ...) covey_route(app, "OPTIONS", path, __VA_ARGS__)
COVEY_API void covey_route_at(covey_app *app, const char *methods, const char *path,
                              const struct covey_route *route, const char *file, int line);

/* A registered route: those of the app, for tools. Lives as long as the app. */
struct covey_route_info {
    const char *name;
    const char *methods; /* as registered */
    const char *pattern; /* with prefix and version */
    const char *host;    /* NULL: any */
    const char *file;    /* where it was registered */
    int line;
};

/* The route that was registered behind `before` (NULL: the first one), NULL at the end; those that
 * have been overwritten are left out. */
COVEY_API const struct covey_route_info *covey_routes_next(const covey_app *app,
                                                           const struct covey_route_info *before);

/* Whether a path's segment, percent-decoded and not NUL-terminated, fits a type of the app's own.
 * It is called while a request's route is looked for, must not wait and has no request. */
typedef bool covey_pattern_fn(const char *segment, size_t len);

/* Makes a type for parameters of routes that are registered after it: covey_pattern(app, "ipv4",
 * is_ipv4) for <address:ipv4>. It is asked before the built-in ones. `name` is letters, digits
 * and _. */
#define covey_pattern(app, name, matcher)                                                          \
    covey_pattern_at((app), (name), (matcher), __FILE__, __LINE__)
COVEY_API void covey_pattern_at(covey_app *app, const char *name, covey_pattern_fn *matcher,
                                const char *file, int line);

/* ---- Blueprints ---- */

/* What the routes of a blueprint have in common. */
struct covey_blueprint {
    const char *name;      /* letters, digits and "-_", unique; NULL: a mere group */
    covey_setup_fn *setup; /* declares what it consists of, as an app's does; NULL: the caller */
    size_t size;           /* set by the macro below */
    const char *prefix;    /* of its routes' paths, behind its parent's: "/users" */
    covey_app *copy_of;    /* begins with what another one has been told so far */
    /* As in struct covey_route, for its routes that do not say, and blueprints in it. The innermost
     * says; what none says is the setting. */
    const char *host;
    const char *version; /* in front of all prefixes */
    const char *version_prefix;
    int strict_slashes;
    const char *error_format;
    int compress;
    bool overwrite;
};

/* A part of an app under a name, in setup() only: covey_blueprint(app, "users", users, .prefix =
 * "/users"), or without a function: covey_app *users = covey_blueprint(app, "users", .prefix =
 * "/users"). Whatever takes an app takes a blueprint: routes and trees of files get its prefix, and
 * its name in front of their own ("users.login"); middleware and error handlers are for its routes
 * only; it has a context of its own; this call nests it. In a group (covey_blueprint(app, NULL))
 * routes keep their names. One function may be registered several times, under names and prefixes
 * that differ. A copy is as what it is a copy of where its options do not say. Never NULL. */
#define covey_blueprint(app, ...)                                                                  \
    covey_blueprint_at(                                                                            \
        (app), &(struct covey_blueprint){__VA_ARGS__, .size = sizeof(struct covey_blueprint)},     \
        __FILE__, __LINE__)
COVEY_API covey_app *covey_blueprint_at(covey_app *app, const struct covey_blueprint *how,
                                        const char *file, int line);

/* The blueprint that a request's route was registered with; the app, if it was none, or where no
 * route matches. */
COVEY_API covey_app *covey_blueprint_of(const covey_req *req);

/* The app that a blueprint belongs to; of the app, itself. What a blueprint's listeners, tasks and
 * signal handlers are given is the blueprint: covey_app_ctx(covey_root(bp)) is the app's context.
 */
COVEY_API covey_app *covey_root(const covey_app *app);

/* ---- Listeners and middleware ---- */

enum covey_event {
    COVEY_MAIN_PROCESS_START,  /* in a process of its own, before any worker goes on */
    COVEY_MAIN_PROCESS_READY,  /* there, right after */
    COVEY_MAIN_PROCESS_STOP,   /* there, after all workers have gone */
    COVEY_BEFORE_SERVER_START, /* in each worker, before it accepts */
    COVEY_AFTER_SERVER_START,  /* in each worker, once it accepts */
    COVEY_BEFORE_SERVER_STOP,  /* in each worker, before it drains */
    COVEY_AFTER_SERVER_STOP,   /* in each worker, after it has drained */
};

/* Runs `listener` at `event`, on a fiber, with what it was registered with, the app or a blueprint.
 * Start events in the order of registration, stop events reversed. A negative value from a stop
 * listener is logged. */
#define covey_listener(app, event, listener)                                                       \
    covey_listener_at((app), (event), (listener), #listener, __FILE__, __LINE__)
COVEY_API void covey_listener_at(covey_app *app, enum covey_event event,
                                 covey_listener_fn *listener, const char *name, const char *file,
                                 int line);

enum covey_phase { COVEY_REQUEST, COVEY_RESPONSE };

struct covey_middleware {
    covey_handler_fn *handler;
    size_t size;        /* set by the macro below */
    int priority;       /* 0; a higher one is further out: earlier before, later behind */
    const char *routes; /* names of routes, with blanks or commas in between: for these only */
};

/* Runs a function before the handlers of all routes of the app or blueprint (higher priorities
 * first, then in the order of registration), or behind them (reversed); an app's also where no
 * route matches. A request middleware that answers or fails ends the chain; a response middleware
 * sees the staged answer (covey_status(); for a streamed one: before its head leaves) and may add
 * fields. covey_middleware(app, COVEY_REQUEST, check, .priority = 1). */
#define covey_middleware(app, phase, ...)                                                          \
    covey_middleware_at(                                                                           \
        (app), (phase),                                                                            \
        &(struct covey_middleware){__VA_ARGS__, .size = sizeof(struct covey_middleware)},          \
        #__VA_ARGS__, __FILE__, __LINE__)
COVEY_API void covey_middleware_at(covey_app *app, enum covey_phase phase,
                                   const struct covey_middleware *middleware, const char *source,
                                   const char *file, int line);

/* ---- Error handlers ---- */

enum { COVEY_ANY_ERROR = 0, COVEY_CLIENT_ERROR = 4, COVEY_SERVER_ERROR = 5 };

/* Has `handler` answer what has failed with `status` (400 to 599), or with a class of them, or at
 * all, for the routes of the app or blueprint; an app's also where no route matches. The handler
 * for the status wins over one for its class, that over one for any; within each, that of a
 * blueprint over its parent's. It gets the request with covey_error_status() and
 * covey_error_text(), and answers with whatever status; if it does not, or fails, which is logged,
 * covey's own page is sent. docs/blueprints.md tells which errors come before there is a request.
 */
#define covey_on_error(app, status, handler)                                                       \
    covey_on_error_at((app), (status), (handler), #handler, __FILE__, __LINE__)
COVEY_API void covey_on_error_at(covey_app *app, int status, covey_handler_fn *handler,
                                 const char *name, const char *file, int line);

/* ---- Contexts and settings ---- */

/* A pointer of the app's own, per process; each blueprint has another. */
COVEY_API void covey_app_set_ctx(covey_app *app, void *ctx);
COVEY_API void *covey_app_ctx(const covey_app *app);

/* The setting NAME: built-in ones by their upper-case name ("PORT", times in ms), any other from
 * the environment as prefix + NAME (COVEY_CUSTOM_DELAY), else from COVEY_SETTINGS(). `fallback`
 * where it is not set; a value that is no number or no truth value ends the start with a sentence
 * when asked in setup or a start listener, else is logged and `fallback` returned. The string lives
 * as long as the app. */
COVEY_API const char *covey_config_str(covey_app *app, const char *name, const char *fallback);
COVEY_API int64_t covey_config_int(covey_app *app, const char *name, int64_t fallback);
COVEY_API bool covey_config_bool(covey_app *app, const char *name, bool fallback);

#endif
