/* A worker's life, in order. See native.h. */
#include "host/native/native.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "host/native/inside.h"

#include <covey/loop.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define OFFLOAD_QUEUE_MAX 1024

/* Threads that write, apart from those of the app, which must not wait for a slow disk. Each
 * request has at most one call there. */
#define DISK_THREADS 4
#define DISK_QUEUE_MAX UINT_MAX

#define STACKS_EVERY CV_SECOND

/* ---- Making and freeing ---- */

static int open_parts(struct cv_native *native)
{
    const struct cv_native_config *config = &native->config;
    const struct cv_fibers_config fibers = {.max = (size_t)config->server.limits.fibers_max +
                                                   1, /* listeners */
                                            .stack_size = (size_t)config->fiber_stack};

    int rc = cv_loop_new(&native->loop);
    if (rc == 0) {
        cv_loop_poll_first(native->loop, config->busy_poll);
        rc = cv_fibers_new(native->loop, &fibers, &native->fibers);
    }
    if (rc == 0)
        rc = cv_offload_new(native->loop, config->offload_threads, OFFLOAD_QUEUE_MAX,
                            &native->offload);
    if (rc == 0)
        rc = cv_offload_new(native->loop, DISK_THREADS, DISK_QUEUE_MAX, &native->disk);
    native->config.server.disk = native->disk;
    return rc;
}

static int init_app(struct cv_native *native)
{
    const struct cv_app_host host = {.setting = native->config.setting,
                                     .extend = native->config.extend,
                                     .was_asked = native->config.was_asked,
                                     .arg = native->config.arg,
                                     .debug = native->config.debug};
    return cv_app_init(&native->app, &host, NULL, NULL, NULL);
}

static int attach(struct cv_native *native)
{
    int rc = open_parts(native);
    if (rc == 0)
        cv_app_attach(&native->app, native->loop, native->fibers, native->offload, native->disk);
    return rc;
}

static int no_loop(struct cv_native *native, int rc)
{
    cv_app_fail(&native->app, "the event loop could not be set up: %s", strerror(-rc));
    return CV_EXIT_OS;
}

static int run_setup(struct cv_native *native)
{
    covey_app *app = &native->app;
    int rc = native->config.setup(app);
    if (rc < 0 && rc > -CV_CODE_FAIL)
        cv_app_fail(app, "setup failed: %s", strerror(-rc));
    else if (rc < 0)
        cv_app_fail(app, "setup failed with code %d", rc);
    cv_app_finalize(app);
    cv_app_check_routes(app);
    app->phase = CV_APP_STARTING;
    return app->failed ? CV_EXIT_LOAD : CV_EXIT_OK;
}

static struct cv_native *make(const struct cv_native_config *config)
{
    struct cv_native *native = calloc(1, sizeof(*native));
    if (native == NULL)
        return NULL;
    native->config = *config;
    native->slow = config->slow_handler > 0 ? config->slow_handler : CV_NEVER;
    native->drain_until = CV_NEVER;
    native->stop_left = config->stop_timeout * CV_MS;
    cv_native_requests_init(native);
    return native;
}

static struct cv_native no_memory = {.app = {.failed = true, .reason = "out of memory"}};

int cv_native_declare(const struct cv_native_config *config, struct cv_native **ret)
{
    struct cv_native *native = make(config);
    *ret = native != NULL ? native : &no_memory;
    if (native == NULL)
        return CV_EXIT_OS;
    int rc = init_app(native);
    return rc < 0 ? no_loop(native, rc) : run_setup(native);
}

int cv_native_attach(struct cv_native *native, const struct cv_native_config *config)
{
    native->config = *config;
    native->slow = config->slow_handler > 0 ? config->slow_handler : CV_NEVER;
    int rc = attach(native);
    return rc < 0 ? no_loop(native, rc) : CV_EXIT_OK;
}

int cv_native_open(const struct cv_native_config *config, struct cv_native **ret)
{
    int code = cv_native_declare(config, ret);
    return code != CV_EXIT_OK ? code : cv_native_attach(*ret, config);
}

void cv_native_close(struct cv_native *native)
{
    if (native == NULL || native == &no_memory)
        return;
    if (native->fibers != NULL && cv_fibers_count(native->fibers) > 0) {
        /* Their stacks and all they may reach stay until the process ends, which is near. */
        cv_warn("%zu handlers, listeners or tasks have not ended and are abandoned",
                cv_fibers_count(native->fibers));
        return;
    }
    if (native->server != NULL)
        cv_server_free(native->server);
    if (native->loop != NULL)
        cv_timer_stop(native->loop, &native->naming);
    cv_app_done(&native->app);
    cv_offload_free(native->disk);
    cv_offload_free(native->offload);
    if (native->fibers != NULL)
        cv_fibers_free(native->fibers);
    cv_loop_free(native->loop);
    free(native);
}

/* ---- What setup has declared ---- */

const char *cv_native_reason(const struct cv_native *native)
{
    return native->app.reason;
}

struct cv_loop *cv_native_loop(struct cv_native *native)
{
    return native->loop;
}

size_t cv_native_fibers(const struct cv_native *native)
{
    return native->fibers != NULL ? cv_fibers_count(native->fibers) : 0;
}

covey_app *cv_native_app(struct cv_native *native)
{
    return &native->app;
}

uint64_t cv_native_requests(const struct cv_native *native)
{
    return native->server != NULL ? cv_server_requests(native->server) : 0;
}

bool cv_native_has_main_listeners(const struct cv_native *native)
{
    const struct cv_hooks *hooks = native->app.listeners;
    return hooks[COVEY_MAIN_PROCESS_START].n + hooks[COVEY_MAIN_PROCESS_READY].n +
               hooks[COVEY_MAIN_PROCESS_STOP].n >
           0;
}

size_t cv_native_routes(const struct cv_native *native)
{
    return native->app.router.n_routes;
}

static const struct cv_route *route_at(const struct cv_native *native, size_t i)
{
    const struct cv_route *route = native->app.router.first;
    while (i-- > 0 && route != NULL)
        route = route->next;
    return route;
}

const char *cv_native_route_name(const struct cv_native *native, size_t i)
{
    const struct cv_route *route = route_at(native, i);
    return route != NULL ? route->how.name : NULL;
}

bool cv_native_route_has_histogram(const struct cv_native *native, size_t i)
{
    const struct cv_route *route = route_at(native, i);
    return route != NULL && route->how.histogram;
}

/* ---- What is measured ---- */

void cv_native_measure(struct cv_native *native, const struct cv_metrics_config *metrics)
{
    native->config.server.metrics = *metrics;
}

/* How deep the stacks are takes a few system calls: now and then. */
static size_t look_at_stacks(struct cv_native *native, int64_t now)
{
    if (now - native->stacks_at < STACKS_EVERY)
        return 0;
    native->stacks_at = now;
    return cv_fibers_stack_used(native->fibers);
}

void cv_native_on_wait(struct cv_native *native, bool running, int64_t now)
{
    if (native->server == NULL)
        return;
    cv_metrics_on_wait(native->server, running, now);
    if (!running)
        cv_metrics_fibers(native->server, cv_fibers_count(native->fibers),
                          cv_fibers_peak(native->fibers), look_at_stacks(native, now));
}

/* ---- The wish to end ---- */

static bool is_start(enum covey_event event)
{
    return event == COVEY_MAIN_PROCESS_START || event == COVEY_MAIN_PROCESS_READY ||
           event == COVEY_BEFORE_SERVER_START || event == COVEY_AFTER_SERVER_START;
}

void cv_native_look(struct cv_native *native)
{
    if (native->server != NULL)
        cv_server_look(native->server);
}

void cv_native_forewarn(struct cv_native *native)
{
    native->app.is_stopping = true;
    if (native->server != NULL)
        cv_server_forewarn(native->server);
}

void cv_native_drain(struct cv_native *native, enum cv_drain kind, int64_t until)
{
    native->app.is_stopping = true;
    if (!native->is_drain_wanted || kind == CV_DRAIN_STOP)
        native->drain_kind = kind;
    if (until < native->drain_until)
        native->drain_until = until;
    native->is_drain_wanted = true;

    const struct cv_native_listeners *run = native->listeners;
    if (run != NULL && run->fiber != NULL && is_start(run->event))
        cv_fiber_cancel(run->fiber, COVEY_CAUSE_DRAIN);
    if (native->process != NULL && native->process->fiber != NULL)
        cv_fiber_cancel(native->process->fiber, COVEY_CAUSE_DRAIN);
    if (native->is_draining)
        cv_server_drain(native->server, native->drain_kind, native->drain_until);
}

/* ---- Ending ---- */

/* Cancels the tasks and waits for every fiber, as long as the stop time lasts. */
static int end_fibers(struct cv_native *native)
{
    int64_t begun = cv_clock_ns();
    int64_t until = begun + native->stop_left;
    int rc = 0;

    cv_tasks_close(&native->app.tasks, COVEY_CAUSE_DRAIN);
    while (rc == 0 && cv_fibers_count(native->fibers) > 0 && cv_clock_ns() < until)
        rc = cv_native_turn(native, until);
    native->stop_left = until - cv_clock_ns();
    if (native->stop_left < 0)
        native->stop_left = 0;
    return rc;
}

static int drain_server(struct cv_native *native)
{
    native->is_draining = true;
    cv_server_drain(native->server, native->drain_kind, native->drain_until);
    cv_native_handle_events(native); /* with no connection open it is over already */
    int rc = cv_native_turn_until(native, &native->is_drained);
    if (rc == 0)
        rc = cv_native_turn(native, 0); /* what the last connections' end has left to do */
    if (rc == 0 && native->config.drained != NULL)
        native->config.drained(native->config.arg);
    return rc;
}

/* ---- Serving ---- */

static int fail_os(struct cv_native *native, const char *what, int rc)
{
    cv_app_fail(&native->app, "%s: %s", what, strerror(-rc));
    return CV_EXIT_OS;
}

/* All up to the end of the start. 0, also when the end is wanted already, or a negative code. */
static int start(struct cv_native *native)
{
    int rc = cv_native_start_listeners(native, COVEY_BEFORE_SERVER_START);
    if (rc < 0 || native->is_drain_wanted)
        return rc;
    rc = cv_tasks_begin(&native->app.tasks);
    if (rc == 0)
        rc = cv_server_start(native->server);
    if (rc < 0) {
        native->start_code = fail_os(native, "cannot accept connections", rc);
        return rc;
    }
    native->has_served = true;
    if (native->config.ready != NULL)
        native->config.ready(native->config.arg);
    rc = cv_native_start_listeners(native, COVEY_AFTER_SERVER_START);
    native->app.phase = CV_APP_RUNNING;
    return rc;
}

/* From the wish to end (or a failed start, which runs no stop listeners) to the last fiber. */
static int wind_up(struct cv_native *native)
{
    bool failed = native->app.failed;
    int rc = 0;

    native->app.phase = CV_APP_RUNNING;
    if (!failed)
        rc = cv_native_stop_listeners(native, COVEY_BEFORE_SERVER_STOP);
    if (native->has_served) {
        if (failed)
            cv_native_drain(native, CV_DRAIN_STOP, cv_clock_ns());
        rc = drain_server(native);
    }
    if (rc == 0 || rc == -EBUSY)
        rc = end_fibers(native);
    if (!failed && rc == 0)
        (void)cv_native_stop_listeners(native, COVEY_AFTER_SERVER_STOP);
    return rc;
}

/* `rc` is what serving has come to. The exit code. */
static int end(struct cv_native *native, int rc)
{
    /* A start that was interrupted half-way has nothing to stop. */
    if (!native->has_served && rc == -ECANCELED && !native->app.failed)
        return end_fibers(native) < 0 ? CV_EXIT_OS : CV_EXIT_OK;

    bool failed = native->app.failed;
    rc = wind_up(native);
    if (failed)
        return native->start_code;
    return rc < 0 ? fail_os(native, "the event loop failed", rc) : CV_EXIT_OK;
}

static int make_server(struct cv_native *native)
{
    native->start_code = CV_EXIT_BOOT;
    int rc = cv_server_new(native->loop, &native->config.server, &native->server);
    return rc < 0 ? fail_os(native, "the server could not be set up", rc) : CV_EXIT_OK;
}

int cv_native_serve(struct cv_native *native)
{
    int code = make_server(native);
    if (code != CV_EXIT_OK)
        return code;
    int rc = start(native);
    if (rc == 0)
        rc = cv_native_turn_until(native, &native->is_drain_wanted);
    return end(native, rc);
}

int cv_native_begin(struct cv_native *native)
{
    int code = make_server(native);
    if (code != CV_EXIT_OK)
        return code;
    int rc = start(native);
    return rc < 0 ? end(native, rc) : CV_EXIT_OK;
}

int cv_native_end(struct cv_native *native)
{
    return end(native, 0);
}

int cv_native_take(struct cv_native *native, int fd, const struct cv_peer *peer)
{
    return cv_server_take(native->server, fd, peer);
}

int cv_native_main(struct cv_native *native)
{
    int rc = cv_native_start_listeners(native, COVEY_MAIN_PROCESS_START);
    if (rc == 0)
        rc = cv_native_start_listeners(native, COVEY_MAIN_PROCESS_READY);
    native->app.phase = CV_APP_RUNNING;
    if (rc == 0) {
        if (native->config.ready != NULL)
            native->config.ready(native->config.arg);
        rc = cv_native_turn_until(native, &native->is_drain_wanted);
    }
    bool failed = native->app.failed;
    if (rc < 0 && !failed && rc != -ECANCELED)
        return fail_os(native, "the event loop failed", rc);

    bool has_started = rc == 0;
    rc = end_fibers(native);
    if (has_started && rc == 0)
        (void)cv_native_stop_listeners(native, COVEY_MAIN_PROCESS_STOP);
    return failed ? CV_EXIT_BOOT : CV_EXIT_OK;
}

/* ---- A managed process ---- */

const struct cv_process *cv_native_first_process(const struct cv_native *native)
{
    return native->app.processes;
}

static void run_process(void *arg)
{
    struct cv_native_process *run = arg;
    run->result = run->what->fn(&run->native->app);
    run->fiber = NULL;
    run->is_done = true;
}

/* What was cancelled by the wish to end has not failed. */
static int conclude_process(struct cv_native *native, const struct cv_native_process *run)
{
    int result = run->result;
    if (result >= 0)
        return result <= UINT8_MAX ? result : UINT8_MAX;
    if (result == -ECANCELED && native->is_drain_wanted)
        return CV_EXIT_OK;
    cv_app_fail(&native->app, "managed process %s (%s:%d) failed: %s", run->what->name,
                run->what->file, run->what->line,
                result > -CV_CODE_FAIL ? strerror(-result) : "its own code");
    return CV_EXIT_INTERNAL;
}

int cv_native_process(struct cv_native *native, const char *name)
{
    const struct cv_process *what = cv_app_process(&native->app, name);
    if (what == NULL || what->fn == NULL) {
        cv_app_fail(&native->app, "setup declares no function for the managed process %s", name);
        return CV_EXIT_LOAD;
    }
    struct cv_native_process *run = cv_arena_alloc(&native->app.arena, sizeof(*run));
    if (run == NULL)
        return fail_os(native, "the process could not be begun", -ENOMEM);
    *run = (struct cv_native_process){.native = native, .what = what};
    native->process = run;
    native->app.phase = CV_APP_RUNNING;
    if (native->config.ready != NULL)
        native->config.ready(native->config.arg);
    int rc = cv_fiber_start(native->fibers, run_process, run, &run->fiber);
    if (rc == 0)
        rc = cv_native_turn_until(native, &run->is_done);
    if (rc < 0)
        return fail_os(native, "the event loop failed", rc);
    rc = end_fibers(native);
    return rc < 0 ? fail_os(native, "the event loop failed", rc) : conclude_process(native, run);
}
