/* Tasks as apps see them. See tasks.h. */
#include "app/app.h"
#include "app/options.h"

#include "base/clock.h"

#include <covey/loop.h>

#include <errno.h>
#include <string.h>

/* Longer than any server runs, and safe to add to the clock. */
#define MS_MAX (INT64_C(1) << 42)

int covey_add_task_with(covey_app *app, const struct covey_task *task)
{
    struct covey_task how;

    if (!CV_OPTIONS_READ(&how, task))
        return -EINVAL;
    if (how.fn == NULL || how.delay < 0 || how.every < 0 || how.delay > MS_MAX ||
        how.every > MS_MAX)
        return -EINVAL;
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
