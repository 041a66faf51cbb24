/* From the server's events to handlers on fibers.
 *
 *     REQUEST   -> route found; body wanted whole: collect it, else start the handler
 *     BODY      -> start the handler, or wake covey_body_read()
 *     WRITABLE  -> wake covey_send()
 *     GONE      -> cancel the handler, or forget a request whose handler has not begun
 *     DRAINED   -> noted
 */
#include "host/native/inside.h"

#include "app/request/request.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/refuse.h"

#include <errno.h>

/* Answers wait about this long for the rest of their batch, the time of some 2,000 short handlers;
 * what sending takes does not count. Whether it has passed is looked at behind each handler, or
 * behind so many while together they do not take as long. */
#define FLUSH_EVERY CV_MS
#define IN_A_ROW 8

/* A cancelled handler that is still there after this long is named in the log. */
#define NAME_AFTER (1 * CV_SECOND)

/* ---- Starting ---- */

static struct covey_req *next_request(struct cv_native *native);

static struct cv_native *native_of(const struct covey_req *req)
{
    return CV_CONTAINER_OF(req->app, struct cv_native, app);
}

static void run_request(struct cv_native *native, struct covey_req *req, struct cv_fiber *self)
{
    req->fiber = self;
    native->last = req->route;
    cv_fiber_set_owner(self, req);
    cv_req_run(req);
    req->fiber = NULL;
    cv_list_remove(&req->canceled);
    cv_req_unref(req);
    /* What is logged from here on is not its own, and who asks while the next one's route is looked
     * for is not to be told of it. */
    cv_fiber_set_owner(self, NULL);
    native->ran++;
}

static bool may_go_on(const struct cv_native *native, const struct cv_fiber *self)
{
    return native->ran < native->in_a_row && native->going == self && cv_fiber_can_renew() &&
           native->tick == cv_clock_tick_ns();
}

/* A fiber that has not waited goes on with the next requests if they are short, because giving the
 * thread back and getting it again takes as long as a short handler. */
static void run_requests(void *arg)
{
    struct covey_req *req = arg;
    struct cv_native *native = native_of(req);
    struct cv_fiber *self = cv_fiber_self();
    native->going = self;
    run_request(native, req, self);
    while (may_go_on(native, self) && (req = next_request(native)) != NULL) {
        cv_fiber_renew(self);
        run_request(native, req, self);
    }
}

/* A form is read first, which has its own time; cv_req_read_form() does it then. */
static void apply_timeout(const struct covey_req *req)
{
    int64_t ms = req->route != NULL ? req->route->how.response_timeout : 0;
    if (ms != 0 && !req->route->how.form)
        cv_exchange_timeout(req->x, ms < 0 ? -1 : ms);
}

/* One fiber is kept for the listeners. */
static int start_fiber(struct cv_native *native, struct covey_req *req)
{
    if (cv_fibers_count(native->fibers) >= native->config.server.limits.fibers_max)
        return -EAGAIN;
    int rc = cv_fiber_start(native->fibers, run_requests, req, &req->fiber);
    native->going = NULL; /* it has ended, or waits */
    return rc;
}

/* Ends the request here if none of the app's code is to run for it; true if it needs a fiber. */
static bool begin(struct covey_req *req)
{
    req->was_started = true;
    if (!cv_req_needs_fiber(req)) {
        cv_req_run(req);
        cv_req_unref(req);
        return false;
    }
    apply_timeout(req);
    return true;
}

/* Gives the host's reference to the fiber, or ends the request here. */
static void start(struct cv_native *native, struct covey_req *req)
{
    if (!begin(req))
        return;
    int rc = start_fiber(native, req);
    if (rc == 0)
        return; /* the request may be gone already */
    enum cv_refused reason = rc == -EAGAIN ? CV_REFUSED_FIBERS_MAX : CV_REFUSED_NO_MEMORY;
    cv_refused(native->server, reason, NULL, req->x);
    cv_req_refuse(req, cv_refused_status(reason), cv_refused_sentence(reason));
    cv_req_unref(req);
}

static int64_t body_max(const struct cv_native *native, const struct cv_route *route)
{
    if (route->how.body_max == 0)
        return native->config.server.limits.body_max;
    return route->how.body_max < 0 ? -1 : route->how.body_max;
}

/* Whether the handler can start now; if not, CV_EV_BODY will tell. */
static bool is_body_ready(const struct cv_native *native, struct covey_req *req)
{
    if (req->route == NULL || req->bad_status != 0 || !cv_exchange_head(req->x)->has_body)
        return true;
    const struct covey_route *how = &req->route->how;
    int64_t max = body_max(native, req->route);
    cv_exchange_speed(req->x, how->request_timeout, how->body_rate_min);
    int rc = 0;
    if (how->spool_above > 0)
        rc = cv_exchange_spool(req->x, cv_app_upload_folder(req->app), how->spool_above);
    if (how->stream && rc == 0)
        rc = cv_exchange_limit(req->x, max);
    if (how->stream || rc < 0) {
        cv_req_refuse_body(req, rc);
        return true;
    }
    if (cv_req_plan(req)->errors.n > 0)
        cv_exchange_answer_body_errors(req->x);
    if (cv_exchange_collect(req->x, max) == 0)
        return false;
    cv_req_refuse_body(req, cv_exchange_body_error(req->x));
    return true;
}

/* NULL if its handler cannot start now. */
static struct covey_req *take_request(struct cv_native *native, struct cv_exchange *x)
{
    struct covey_req *req = cv_req_new(&native->app, x);
    if (req == NULL) {
        cv_refused(native->server, CV_REFUSED_NO_MEMORY, NULL, x);
        (void)cv_exchange_answer(x, &(struct cv_answer){.status = 503});
        cv_exchange_release(x);
        return NULL;
    }
    return is_body_ready(native, req) ? req : NULL;
}

static void on_request(struct cv_native *native, struct cv_exchange *x)
{
    struct covey_req *req = take_request(native, x);
    if (req != NULL)
        start(native, req);
}

/* The next event, if it is a request that a fiber can go on with. */
static struct covey_req *next_request(struct cv_native *native)
{
    struct cv_exchange *x;
    if (!cv_server_next_request(native->server, &x))
        return NULL;
    struct covey_req *req = take_request(native, x);
    return req != NULL && begin(req) ? req : NULL;
}

/* ---- Waking ---- */

/* Not one that has been cancelled and is about to run: it would take the wake for its next wait. */
static void wake_if(struct covey_req *req, enum cv_req_wait wait)
{
    if (req->wait == wait && cv_fiber_is_waiting(req->fiber)) {
        req->wait = CV_REQ_WAITS_NOT;
        cv_fiber_wake(req->fiber, 0);
    }
}

static void on_body(struct cv_native *native, struct covey_req *req)
{
    if (!req->was_started) {
        cv_req_refuse_body(req, cv_exchange_body_error(req->x));
        start(native, req);
    } else
        wake_if(req, CV_REQ_WAITS_BODY);
}

/* ---- Cancelling ---- */

/* Without memory for the timer they are not named; nothing else depends on it. */
static void name_later(struct cv_native *native, const struct covey_req *req)
{
    if (cv_timer_set(native->loop, &native->naming, req->canceled_at + NAME_AFTER) < 0)
        cv_debug("no memory for a timer");
}

static void cancel(struct cv_native *native, struct covey_req *req, enum covey_cause cause)
{
    if (req->cause == COVEY_NOT_CANCELED) {
        req->canceled_at = cv_loop_now(native->loop);
        if (cv_list_empty(&native->canceled))
            name_later(native, req);
        cv_list_push(&native->canceled, &req->canceled);
    }
    cv_req_cancel(req, cause);
}

/* Its body will never be complete. The server has answered, but for a drain. */
static void forget(struct covey_req *req, enum cv_gone gone)
{
    if (gone == CV_GONE_DRAIN)
        cv_req_refuse(req, 503, "The server is stopping");
    cv_req_unref(req);
}

/* A client that has shut down its sending side may still read, but most have left: a handler that
 * waits is cancelled. */
static void on_half_close(struct cv_native *native, struct covey_req *req)
{
    bool goes_on = req->route != NULL && req->route->how.half_close;
    if (!goes_on && cv_fiber_is_waiting(req->fiber))
        cancel(native, req, COVEY_CAUSE_CLIENT);
}

static void on_gone(struct cv_native *native, struct covey_req *req)
{
    enum cv_gone gone = cv_exchange_gone(req->x);
    if (!req->was_started) {
        if (gone != CV_GONE_HALF)
            forget(req, gone);
        return;
    }
    if (req->fiber == NULL)
        return; /* only its answer is on the way */
    switch (gone) {
    case CV_GONE_NOT: break;
    case CV_GONE_HALF: on_half_close(native, req); break;
    case CV_GONE_PEER:
    case CV_GONE_BODY: cancel(native, req, COVEY_CAUSE_CLIENT); break;
    case CV_GONE_TIMEOUT: cancel(native, req, COVEY_CAUSE_TIMEOUT); break;
    case CV_GONE_DRAIN: cancel(native, req, COVEY_CAUSE_DRAIN); break;
    }
}

static const char *cause_text(enum covey_cause cause)
{
    switch (cause) {
    case COVEY_NOT_CANCELED: break;
    case COVEY_CAUSE_CLIENT: return "the client has left";
    case COVEY_CAUSE_TIMEOUT: return "RESPONSE_TIMEOUT";
    case COVEY_CAUSE_DRAIN: return "the drain is over";
    }
    return "no cause";
}

/* Says which handlers go on although they were cancelled; once for each. */
static void name_the_stubborn(struct cv_timer *timer)
{
    struct cv_native *native = CV_CONTAINER_OF(timer, struct cv_native, naming);
    int64_t now = cv_loop_now(native->loop);

    CV_LIST_EACH_SAFE (link, &native->canceled) {
        struct covey_req *req = CV_CONTAINER_OF(link, struct covey_req, canceled);
        if (req->canceled_at + NAME_AFTER > now) {
            name_later(native, req);
            return;
        }
        cv_list_remove(link);
        cv_warn("%s: the handler goes on although it was cancelled %lld ms ago (%s)",
                cv_req_name(req), (long long)((now - req->canceled_at) / CV_MS),
                cause_text(req->cause));
    }
}

void cv_native_requests_init(struct cv_native *native)
{
    cv_list_init(&native->canceled);
    native->naming = (struct cv_timer){.fire = name_the_stubborn};
}

/* ---- Events ---- */

static void on_event(struct cv_native *native, const struct cv_event *event)
{
    struct covey_req *req = NULL;
    if (event->kind != CV_EV_DRAINED && event->kind != CV_EV_REQUEST) {
        req = cv_exchange_host(event->exchange);
        if (req == NULL)
            return; /* the handler has ended meanwhile */
    }
    switch (event->kind) {
    case CV_EV_REQUEST: on_request(native, event->exchange); break;
    case CV_EV_BODY: on_body(native, req); break;
    case CV_EV_WRITABLE: wake_if(req, CV_REQ_WAITS_ROOM); break;
    case CV_EV_GONE: on_gone(native, req); break;
    case CV_EV_DRAINED: native->is_drained = true; break;
    }
}

/* It was the last one: none is begun behind one during which a tick has passed. */
static void blame_last(const struct cv_native *native, int64_t ns)
{
    char what[256];
    cv_native_describe_route(native->last, what, sizeof(what));
    cv_native_blame(native, what, ns);
}

static void look_at_the_clock(struct cv_native *native)
{
    int64_t now = cv_clock_ns();
    if (CV_UNLIKELY(now - native->looked_at >= native->slow))
        blame_last(native, now - native->looked_at);
    bool are_short = now - native->looked_at < native->ran * (FLUSH_EVERY / IN_A_ROW);
    native->in_a_row = are_short ? IN_A_ROW : 1;
    native->ran = 0;
    if (now - native->flushed_at >= FLUSH_EVERY) {
        cv_server_flush(native->server);
        native->flushed_at = now = cv_clock_ns();
    }
    native->looked_at = now;
    native->tick = cv_clock_tick_ns();
}

void cv_native_handle_events(struct cv_native *native)
{
    struct cv_event event;
    native->flushed_at = native->looked_at = cv_loop_now(native->loop);
    native->tick = cv_clock_tick_ns();
    while (cv_server_next(native->server, &event)) {
        on_event(native, &event);
        if (event.kind == CV_EV_REQUEST || event.kind == CV_EV_BODY) /* a handler has run */
            look_at_the_clock(native);
    }
    for (uintptr_t conn; native->app.conns.n > 0 && cv_server_next_gone(native->server, &conn);)
        cv_app_conn_gone(&native->app, conn);
}
