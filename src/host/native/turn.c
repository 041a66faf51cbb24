/* Turning the loop: step, events, fibers, flush. See inside.h. */
#include "host/native/inside.h"

#include "app/request/request.h"
#include "base/clock.h"
#include "base/log.h"

void cv_native_blame(const struct cv_native *native, const char *what, int64_t ns)
{
    cv_warn(
        "%s has blocked the worker's loop for %lld ms (SLOW_HANDLER is %lld ms), and nobody else "
        "was served; what blocks belongs into covey_offload()",
        what, (long long)(ns / CV_MS), (long long)(native->slow / CV_MS));
}

/* Listeners have limits of their own, and a managed process has its loop for itself. */
static bool may_block(const struct cv_native *native, const struct cv_fiber *fiber)
{
    const struct cv_native_listeners *listeners = native->listeners;
    const struct cv_native_process *process = native->process;
    return (listeners != NULL && listeners->fiber == fiber) ||
           (process != NULL && process->fiber == fiber);
}

/* What the fiber does is asked before it is resumed: it may have ended afterwards. */
static void run_first(struct cv_native *native, int64_t *tick)
{
    const struct cv_fiber *fiber = cv_fibers_first(native->fibers);
    const struct covey_req *req = cv_fiber_owner(fiber);
    const struct cv_route *route = req != NULL ? req->route : NULL;
    bool is_fine = may_block(native, fiber);
    int64_t before = *tick;

    cv_fibers_run_first(native->fibers);
    *tick = cv_clock_tick_ns();
    if (CV_LIKELY(*tick - before < native->slow) || is_fine)
        return;
    char what[256] = "a task";
    if (req != NULL)
        cv_native_describe_route(route, what, sizeof(what));
    cv_native_blame(native, what, *tick - before);
}

/* What becomes ready meanwhile has its turn with the next step, which does not wait then. Apart
 * from the turn, most of which have nothing to do here. */
static __attribute__((noinline)) void run_fibers(struct cv_native *native)
{
    struct cv_tasks *tasks = &native->app.tasks;
    size_t n = cv_fibers_ready(native->fibers);
    int64_t tick = cv_clock_tick_ns();
    int64_t before = tick;
    cv_tasks_start(tasks, native->fibers, native->config.server.limits.fibers_max);
    tick = cv_clock_tick_ns();
    if (tick - before >= native->slow)
        cv_native_blame(native, "a task", tick - before);
    for (; n > 0; n--)
        run_first(native, &tick);
}

int cv_native_turn(struct cv_native *native, int64_t until)
{
    int rc = cv_loop_step(native->loop, cv_fibers_ready(native->fibers) > 0 ? 0 : until);
    if (rc < 0)
        return rc;

    if (native->server != NULL)
        cv_native_handle_events(native);
    if (cv_fibers_ready(native->fibers) > 0 || native->app.tasks.is_woken)
        run_fibers(native);
    if (native->server != NULL)
        cv_server_flush(native->server);
    return 0;
}

int cv_native_turn_until(struct cv_native *native, const bool *condition)
{
    int rc = 0;
    while (!*condition && rc == 0)
        rc = cv_native_turn(native, CV_NEVER);
    return rc;
}
