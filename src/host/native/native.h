/* Runs a C app in this process: a worker's whole life but for the supervision, which comes in as
 * callbacks.
 *
 *     cv_native_open     app, runs setup(): what it consists of is known now; loop, fibers
 *     cv_native_serve    start listeners -> accept -> ready() -> serve -> drain -> stop listeners
 *     cv_native_main     the same for the process of the main-process listeners, which serves
 *                        nothing
 *     cv_native_process  the same for a managed process: runs its function
 *     cv_native_close
 *
 * All on one thread: it is the one that may call the app's functions from cv_native_open() on.
 * Nothing here knows of processes; src/cli joins it to src/supervise.
 */
#ifndef CV_HOST_NATIVE_NATIVE_H
#define CV_HOST_NATIVE_NATIVE_H

#include "app/tasks/manage.h"
#include "loop/loop.h"
#include "serve/server.h"

#include <covey/app.h>

struct cv_native;

struct cv_native_config {
    covey_setup_fn *setup;
    struct cv_server_config server; /* limits, listeners, access log, sharing of connections */
    unsigned offload_threads;
    int64_t fiber_stack;  /* bytes; 0: 256 KiB */
    int64_t slow_handler; /* ns: who blocks the loop for longer is named; 0: nobody */
    int64_t busy_poll;    /* ns that the loop looks for events before it sleeps */
    int64_t stop_timeout; /* ms; the stop listeners together may take this long (waits are cancelled
                             then) */
    bool debug;           /* error pages show the reason of a 5xx, and where it comes from */

    /* The value of a setting as text, NULL where it is not set. Lives as long as the process. */
    const char *(*setting)(void *arg, const char *name);
    /* The server accepts. */
    void (*ready)(void *arg);
    /* The last connection of a drain is gone; the stop listeners follow. */
    void (*drained)(void *arg);
    /* A listener has begun ("before_server_start listener init (app.c:12)"), NULL: it has
     * returned; for messages. Valid during the call only. */
    void (*progress)(void *arg, const char *what);
    /* The app asks for more time to start: ms from now. */
    void (*extend)(void *arg, int64_t ms);
    /* Whether this process was asked to end, though its loop may not know yet. NULL: never. */
    bool (*was_asked)(void *arg);
    void *arg;
};

/* Makes the app, runs setup(), makes loop and fibers. 0, or an exit code (4: setup failed or
 * registered something wrong; 71: the system refused) with the sentence in cv_native_reason(). *ret
 * is set in either case; close it. */
CV_MUST_CHECK int cv_native_open(const struct cv_native_config *config, struct cv_native **ret);

/* The two halves of it, for a process of which others are copies: setup() runs without a loop in
 * the first; each copy gets loop and fibers of its own in the second, with a config of its own.
 * Both return as above. */
CV_MUST_CHECK int cv_native_declare(const struct cv_native_config *config, struct cv_native **ret);
CV_MUST_CHECK int cv_native_attach(struct cv_native *native, const struct cv_native_config *config);

/* Frees everything, or, where handlers or listeners go on although they were cancelled, says so and
 * leaves it to the end of the process. */
void cv_native_close(struct cv_native *native);

/* The sentence behind a non-zero exit code; "" if there is none. */
const char *cv_native_reason(const struct cv_native *native);

/* For watches of the caller's: control channel, signals. */
struct cv_loop *cv_native_loop(struct cv_native *native);

/* Requests so far; 0 before it serves. */
uint64_t cv_native_requests(const struct cv_native *native);

/* What setup() has declared. */
bool cv_native_has_main_listeners(const struct cv_native *native);
size_t cv_native_routes(const struct cv_native *native);
const char *cv_native_route_name(const struct cv_native *native, size_t i);
bool cv_native_route_has_histogram(const struct cv_native *native, size_t i);

/* Serves until drained. Returns the exit code: 0, 3 (a start listener failed), 71. */
int cv_native_serve(struct cv_native *native);

/* The same for an owner that turns the loop himself and brings the connections: all up to accepting
 * (0, or the exit code of a start that has failed and is wound up), one step (0 or -errno of the
 * loop), and, once cv_native_drain() was called, all from there to the end (the exit code). */
CV_MUST_CHECK int cv_native_begin(struct cv_native *native);
CV_MUST_CHECK int cv_native_turn(struct cv_native *native, int64_t until);
int cv_native_end(struct cv_native *native);

/* Serves a connection of the owner's, between two steps (cv_server_take()). 0 or -ENOMEM. */
CV_MUST_CHECK int cv_native_take(struct cv_native *native, int fd, const struct cv_peer *peer);

/* Handlers, listeners and tasks that have not ended. */
size_t cv_native_fibers(const struct cv_native *native);

/* What the app's functions are given. */
covey_app *cv_native_app(struct cv_native *native);

/* Runs the main-process listeners: start, ready (then config.ready is called), waits for
 * cv_native_drain(), stop. Returns the exit code. */
int cv_native_main(struct cv_native *native);

/* What a setup has declared of managed processes; NULL behind the last. Valid as long as the
 * native. */
const struct cv_process *cv_native_first_process(const struct cv_native *native);

/* Runs the managed process `name`: config.ready, its function, which cv_native_drain() cancels.
 * Returns the exit code: what the function has returned, 1 where that is negative, 4 if setup
 * declares no such function (any more). */
int cv_native_process(struct cv_native *native, const char *name);

/* What the loop's thread is doing at this moment, for messages: "before_server_start listener init
 * (app.c:12)", "the handler of GET /block (app.c:40)", "the event loop". May be called from a
 * signal handler. */
void cv_native_describe(const struct cv_native *native, char *to, size_t cap);

/* From a callback on the loop: the end has been announced, but has not begun. What the server
 * answers from now on closes its connection. */
void cv_native_forewarn(struct cv_native *native);

/* What the server counts from now on belongs to this; before cv_native_serve(). */
void cv_native_measure(struct cv_native *native, const struct cv_metrics_config *metrics);

/* To be called as cv_loop_on_wait() calls: keeps what is measured of loop and fibers. */
void cv_native_on_wait(struct cv_native *native, bool running, int64_t now);

/* From a callback on the loop: another worker has died. See cv_server_look(). */
void cv_native_look(struct cv_native *native);

/* From a callback on the loop: begins or shortens the end (serve/server.h). Before the server
 * accepts it only notes the wish, and serving ends as soon as the start listeners have returned.
 * `until` is loop time. */
void cv_native_drain(struct cv_native *native, enum cv_drain kind, int64_t until);

#endif
