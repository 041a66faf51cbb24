/* Turning the loop: step, events, fibers, flush. See inside.h. */
#include "host/native/inside.h"

#include "base/clock.h"

int cv_native_turn(struct cv_native *native, int64_t until)
{
    int rc = cv_loop_step(native->loop, cv_fibers_ready(native->fibers) ? 0 : until);
    if (rc < 0)
        return rc;

    if (native->server != NULL)
        cv_native_handle_events(native);
    cv_tasks_start(&native->app.tasks, native->fibers, native->config.server.limits.fibers_max);
    (void)cv_fibers_run(native->fibers); /* what became ready meanwhile: the next step won't wait */
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
