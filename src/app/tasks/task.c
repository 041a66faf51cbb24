/* Tasks as apps see them. See tasks.h. */
#include "app/app.h"
#include "app/options.h"

#include "base/clock.h"
#include "base/log.h"

#include <covey/loop.h>

#include <errno.h>
#include <string.h>

/* Longer than any server runs, and safe to add to the clock. */
#define MS_MAX (INT64_C(1) << 42)

static bool is_time(int64_t ms)
{
    return ms >= 0 && ms <= MS_MAX;
}

/* What is wrong with it; NULL: nothing. */
static const char *fault_of(const struct covey_task *how)
{
    if (how->fn == NULL)
        return "its function is NULL";
    if (!is_time(how->delay) || !is_time(how->every))
        return ".delay and .every are milliseconds, 0 or more";
    return NULL;
}

int covey_add_task_with(covey_app *app, const struct covey_task *task)
{
    struct covey_task how = {0};
    const char *fault = CV_OPTIONS_READ(&how, task) ? fault_of(&how) : CV_OPTIONS_UNKNOWN;
    if (fault != NULL) {
        cv_error("covey_add_task(): task %s: %s", how.name != NULL ? how.name : "without a name",
                 fault);
        return -EINVAL;
    }
    const struct cv_task what = {.fn = how.fn,
                                 .arg = how.arg,
                                 .name = how.name,
                                 .delay = how.delay * CV_MS,
                                 .every = how.every * CV_MS};
    return cv_tasks_add(&app->root->tasks, &what);
}

int covey_cancel_task(covey_app *app, const char *name)
{
    if (!cv_app_here(app, "covey_cancel_task"))
        return -EPERM;
    return name != NULL ? cv_tasks_cancel(&app->root->tasks, name, COVEY_CAUSE_DRAIN) : -ENOENT;
}

bool covey_has_task(covey_app *app, const char *name)
{
    if (!cv_app_here(app, "covey_has_task") || name == NULL)
        return false;
    return cv_tasks_has(&app->root->tasks, name);
}
