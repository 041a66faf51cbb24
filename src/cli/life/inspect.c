/* The inspector asks its master. See inside.h and status/inspect.h. */
#include "cli/life/inside.h"

#include "base/clock.h"
#include "base/list.h"
#include "cli/status/inspect.h"
#include "loop/fiber.h"

#include <errno.h>
#include <string.h>

/* The master answers at once, unless it does not run. */
#define ANSWER_TIMEOUT (5 * CV_SECOND)

/* What is not older is shown again: a flood of requests does not reach the master. */
#define FRESH (100 * CV_MS)

/* A request that waits for the answer, on its fiber. */
struct waiter {
    struct cv_link link;
    struct cv_fiber *fiber;
};

static struct {
    struct life *life;
    struct cv_link waiters;
    int64_t serial;              /* of the question; its answers carry it */
    int64_t asked_at;            /* 0: nothing is asked */
    int64_t told_at;             /* 0: never */
    struct cv_ctl_status coming; /* what has been told so far */
    struct cv_ctl_status told;
} inspector;

bool cv_life_is_inspector(const struct life *life)
{
    return life->child != NULL && life->child->boot.role == CV_ROLE_PROCESS &&
           strcmp(life->child->boot.name, CV_INSPECTOR) == 0;
}

/* ---- The question ---- */

static int ask(int64_t now)
{
    static struct cv_message message;
    cv_control_write(&message, &(struct cv_control_request){.command = CV_CONTROL_METRICS});
    message.time = ++inspector.serial;
    cv_ctl_status_clear(&inspector.coming);
    inspector.asked_at = now;
    return cv_channel_send(inspector.life->child->channel, &message);
}

/* One question for all who want to know meanwhile; one without an answer is asked again. */
static int look(void *arg, const struct cv_ctl_status **ret)
{
    (void)arg;
    int64_t now = cv_clock_ns();
    *ret = &inspector.told;
    if (inspector.told_at != 0 && now - inspector.told_at < FRESH)
        return 0;
    bool is_asked = inspector.asked_at != 0 && now - inspector.asked_at < ANSWER_TIMEOUT;
    int rc = is_asked ? 0 : ask(now);
    if (rc < 0)
        return rc;
    struct waiter waiter = {.fiber = cv_fiber_self()};
    cv_list_push(&inspector.waiters, &waiter.link);
    rc = cv_fiber_park(now + ANSWER_TIMEOUT);
    cv_list_remove(&waiter.link);
    return rc;
}

/* ---- The answer ---- */

static void conclude(int result)
{
    struct cv_ctl_status old = inspector.told;
    inspector.asked_at = 0;
    if (result == 0) {
        inspector.told = inspector.coming;
        inspector.told_at = cv_clock_ns();
        inspector.coming = old;
    }
    for (struct cv_link *at = inspector.waiters.next; at != &inspector.waiters; at = at->next)
        cv_fiber_wake(CV_CONTAINER_OF(at, struct waiter, link)->fiber, result);
}

void cv_life_answered(struct life *life, struct cv_message *message, struct cv_files *files)
{
    bool is_wanted =
        life == inspector.life && inspector.asked_at != 0 && message->time == inspector.serial;
    if (!is_wanted) { /* too late */
        for (unsigned i = 0; i < files->n; i++)
            (void)close(files->fd[i]);
        return;
    }
    int rc = cv_ctl_status_take(&inspector.coming, message, files);
    if (rc == CV_CTL_STATUS_DONE)
        conclude(message->word[0] == 0 ? 0 : -EIO);
    else if (rc < 0)
        conclude(rc);
}

void cv_life_inspect(struct life *life)
{
    inspector.life = life;
    cv_list_init(&inspector.waiters);
    cv_inspect_from(&(struct cv_inspect_source){look, NULL});
}
