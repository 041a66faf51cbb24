/* Listeners, one after the other on a fiber, while the loop runs. See inside.h. */
#include "host/native/inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <covey/loop.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The signal that goes with an event; -1: none does. */
static int signal_of(enum covey_event event)
{
    switch (event) {
    case COVEY_BEFORE_SERVER_START: return CV_SIGNAL_INIT_BEFORE;
    case COVEY_AFTER_SERVER_START: return CV_SIGNAL_INIT_AFTER;
    case COVEY_BEFORE_SERVER_STOP: return CV_SIGNAL_SHUTDOWN_BEFORE;
    case COVEY_AFTER_SERVER_STOP: return CV_SIGNAL_SHUTDOWN_AFTER;
    case COVEY_MAIN_PROCESS_START:
    case COVEY_MAIN_PROCESS_READY:
    case COVEY_MAIN_PROCESS_STOP: break;
    }
    return -1;
}

static bool is_heard(const struct cv_native *native, enum covey_event event)
{
    int which = signal_of(event);
    return which >= 0 && (native->app.signals.heard & CV_SIGNAL_BIT(which)) != 0;
}

static void tell_signal(struct cv_native_listeners *run)
{
    run->current = NULL;
    if (is_heard(run->native, run->event))
        cv_signal_tell(&run->native->app, (enum cv_signal)signal_of(run->event), NULL);
}

void cv_native_describe_listener(const struct cv_native_listeners *run, char *to, size_t cap)
{
    int which = signal_of(run->event);
    if (run->current != NULL)
        (void)snprintf(to, cap, "%s listener %s (%s:%d)", cv_app_event_name(run->event),
                       run->current->name, run->current->file, run->current->line);
    else
        (void)snprintf(to, cap, "a handler of signal %s",
                       which >= 0 ? cv_signal_name_of((unsigned)which) : "");
}

static int call(struct cv_native_listeners *run, const struct cv_hook *hook)
{
    const struct cv_native_config *config = &run->native->config;
    char what[256];

    run->current = hook;
    cv_native_describe_listener(run, what, sizeof(what));
    if (config->progress != NULL)
        config->progress(config->arg, what);
    int rc = hook->listener(hook->of);
    if (config->progress != NULL)
        config->progress(config->arg, NULL);
    return rc;
}

/* The sentence for a start that fails; covey_setup_fail() and bad settings have left one. */
static void explain(struct cv_native_listeners *run, int code)
{
    char what[256];
    cv_native_describe_listener(run, what, sizeof(what));
    if (code > -CV_CODE_FAIL)
        cv_app_fail(&run->native->app, "%s failed: %s", what, strerror(-code));
    else
        cv_app_fail(&run->native->app, "%s failed with code %d", what, code);
}

static void run_start(void *arg)
{
    struct cv_native_listeners *run = arg;
    struct cv_native *native = run->native;
    const struct cv_hooks *hooks = &native->app.listeners[run->event];

    for (size_t i = 0; i < hooks->n && run->code == 0; i++) {
        int rc = native->is_drain_wanted ? -ECANCELED : call(run, &hooks->at[i]);
        if (native->app.failed && rc >= 0)
            rc = -EINVAL;
        if (rc < 0)
            run->code = rc;
    }
    if (run->code == 0)
        tell_signal(run);
    /* A listener whose wait was cancelled by the wish to end has not failed. */
    if (run->code < 0 && !(run->code == -ECANCELED && native->is_drain_wanted))
        explain(run, run->code);
    run->fiber = NULL;
    run->is_done = true;
}

static void run_stop(void *arg)
{
    struct cv_native_listeners *run = arg;
    const struct cv_hooks *hooks = &run->native->app.listeners[run->event];

    tell_signal(run);
    for (size_t i = hooks->n; i-- > 0;) {
        int rc = call(run, &hooks->at[i]);
        char what[256];
        cv_native_describe_listener(run, what, sizeof(what));
        if (rc < 0)
            cv_error("%s failed: %s", what, rc > -CV_CODE_FAIL ? strerror(-rc) : "its own code");
    }
    run->fiber = NULL;
    run->is_done = true;
}

static int begin(struct cv_native *native, enum covey_event event, void (*fn)(void *arg))
{
    struct cv_native_listeners *run = cv_arena_alloc(&native->app.arena, sizeof(*run));
    if (run == NULL)
        return -ENOMEM;
    *run = (struct cv_native_listeners){.native = native, .event = event};
    native->listeners = run;
    return cv_fiber_start(native->fibers, fn, run, &run->fiber);
}

int cv_native_start_listeners(struct cv_native *native, enum covey_event event)
{
    if (native->app.listeners[event].n == 0 && !is_heard(native, event))
        return 0;
    int rc = begin(native, event, run_start);
    if (rc == 0)
        rc = cv_native_turn_until(native, &native->listeners->is_done);
    if (rc < 0) {
        cv_app_fail(&native->app, "%s listeners could not be run: %s", cv_app_event_name(event),
                    strerror(-rc));
        return rc;
    }
    return native->listeners->code;
}

/* When the running stop listeners must have ended. A second wish may bring the end of the drain
 * nearer, and what comes before the drain with it. */
static int64_t stop_limit(const struct cv_native *native, int64_t hard)
{
    bool is_before = native->listeners->event == COVEY_BEFORE_SERVER_STOP;
    return is_before && native->drain_until < hard ? native->drain_until : hard;
}

/* Past the limit their waits are cancelled; a tenth of the time is kept for the clean-up after it.
 */
static int watch_stop(struct cv_native *native, int64_t hard)
{
    struct cv_native_listeners *run = native->listeners;
    const int64_t reserve = native->config.stop_timeout * CV_MS / 10;
    int64_t give_up = CV_NEVER;

    while (!run->is_done) {
        int64_t now = cv_clock_ns();
        int64_t limit = stop_limit(native, hard) - reserve;
        if (now >= give_up)
            return -EBUSY;
        if (now >= limit && give_up == CV_NEVER) {
            cv_fiber_cancel(run->fiber, COVEY_CAUSE_DRAIN);
            give_up = now + reserve;
        }
        int rc = cv_native_turn(native, give_up != CV_NEVER ? give_up : limit);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int cv_native_stop_listeners(struct cv_native *native, enum covey_event event)
{
    if (native->app.listeners[event].n == 0 && !is_heard(native, event))
        return 0;
    int64_t begun = cv_clock_ns();
    int rc = begin(native, event, run_stop);
    if (rc == 0)
        rc = watch_stop(native, begun + native->stop_left);
    native->stop_left -= cv_clock_ns() - begun;
    if (native->stop_left < 0)
        native->stop_left = 0;
    if (rc == -EBUSY) {
        char what[256];
        cv_native_describe_listener(native->listeners, what, sizeof(what));
        cv_error("%s goes on although its time is over and it was cancelled", what);
    } else if (rc < 0)
        cv_error("%s listeners could not be run: %s", cv_app_event_name(event), strerror(-rc));
    return rc;
}
