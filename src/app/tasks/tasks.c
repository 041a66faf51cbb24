/* Functions handed to the loop. See tasks.h. */
#include "app/tasks/tasks.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct task {
    struct cv_link link;  /* in one of the lists, by its state */
    struct cv_link named; /* alone if it has no name */
    struct cv_link enders;
    struct cv_tasks *tasks;
    struct cv_fiber *fiber; /* while it runs */
    struct cv_timer timer;  /* while it sleeps */
    struct cv_task what;
    int64_t due;
    bool is_canceled; /* does not run again */
    char name[];
};

/* Waits for a task to end. */
struct ender {
    struct cv_link link;
    struct cv_fiber *fiber;
};

void cv_tasks_init(struct cv_tasks *tasks, struct cv_loop *loop)
{
    *tasks = (struct cv_tasks){.loop = loop};
    (void)pthread_mutex_init(&tasks->lock, NULL); /* cannot fail for a default mutex */
    cv_list_init(&tasks->early);
    cv_list_init(&tasks->incoming);
    cv_list_init(&tasks->named);
    cv_list_init(&tasks->sleeping);
    cv_list_init(&tasks->ready);
    cv_list_init(&tasks->running);
}

/* ---- Coming in ---- */

static void note_wake(void *arg)
{
    struct cv_tasks *tasks = arg;
    tasks->is_woken = true;
}

static struct task *find(const struct cv_tasks *tasks, const char *name)
{
    CV_LIST_EACH (link, &tasks->named) {
        struct task *task = CV_CONTAINER_OF(link, struct task, named);
        if (strcmp(task->name, name) == 0)
            return task;
    }
    return NULL;
}

/* With the lock held. The first of a burst wakes the loop; the others ride along. */
static int come_in(struct cv_tasks *tasks, struct cv_link *link)
{
    if (tasks->n_incoming == 0) {
        int rc = cv_loop_wake(tasks->loop, note_wake, tasks);
        if (rc < 0)
            return rc;
    }
    cv_list_push(&tasks->incoming, link);
    tasks->n_incoming++;
    return 0;
}

/* With the lock held. */
static int enqueue(struct cv_tasks *tasks, struct task *task)
{
    if (tasks->is_closed)
        return -ESHUTDOWN;
    if (tasks->n_waiting == CV_TASKS_WAITING_MAX)
        return -EAGAIN;
    if (task->what.name != NULL && find(tasks, task->what.name) != NULL)
        return -EEXIST;
    int rc = 0;
    if (tasks->loop == NULL)
        cv_list_push(&tasks->early, &task->link);
    else
        rc = come_in(tasks, &task->link);
    if (rc < 0)
        return rc;
    if (task->what.name != NULL)
        cv_list_push(&tasks->named, &task->named);
    tasks->n_waiting++;
    return 0;
}

void cv_tasks_attach(struct cv_tasks *tasks, struct cv_loop *loop)
{
    pthread_mutex_lock(&tasks->lock);
    tasks->loop = loop;
    pthread_mutex_unlock(&tasks->lock);
}

int cv_tasks_begin(struct cv_tasks *tasks)
{
    int rc = 0;
    pthread_mutex_lock(&tasks->lock);
    for (struct cv_link *link; rc == 0 && (link = cv_list_pop(&tasks->early)) != NULL;)
        rc = come_in(tasks, link);
    pthread_mutex_unlock(&tasks->lock);
    return rc;
}

static void on_due(struct cv_timer *timer)
{
    struct task *task = CV_CONTAINER_OF(timer, struct task, timer);
    cv_list_remove(&task->link);
    cv_list_push(&task->tasks->ready, &task->link);
    task->tasks->is_woken = true;
}

static struct task *task_new(struct cv_tasks *tasks, const struct cv_task *what)
{
    size_t len = what->name != NULL ? strlen(what->name) + 1 : 0;
    struct task *task = malloc(sizeof(*task) + len);
    if (task == NULL)
        return NULL;
    *task = (struct task){.tasks = tasks, .what = *what, .timer.fire = on_due};
    if (what->name != NULL)
        task->what.name = memcpy(task->name, what->name, len);
    cv_list_init(&task->link);
    cv_list_init(&task->named);
    cv_list_init(&task->enders);
    return task;
}

int cv_tasks_add(struct cv_tasks *tasks, const struct cv_task *what)
{
    struct task *task = task_new(tasks, what);
    if (task == NULL)
        return -ENOMEM;
    if (what->delay > 0 || what->every > 0)
        task->due = cv_clock_ns() + what->delay;

    pthread_mutex_lock(&tasks->lock);
    int rc = enqueue(tasks, task);
    pthread_mutex_unlock(&tasks->lock);
    if (rc < 0)
        free(task);
    return rc;
}

/* ---- Ending ---- */

static void count_waiting(struct cv_tasks *tasks, int n)
{
    pthread_mutex_lock(&tasks->lock);
    tasks->n_waiting += (unsigned)n;
    pthread_mutex_unlock(&tasks->lock);
}

/* It is in none of the lists any more. */
static void forget(struct task *task)
{
    pthread_mutex_lock(&task->tasks->lock);
    cv_list_remove(&task->named);
    pthread_mutex_unlock(&task->tasks->lock);
    for (struct cv_link *link; (link = cv_list_pop(&task->enders)) != NULL;)
        cv_fiber_wake(CV_CONTAINER_OF(link, struct ender, link)->fiber, 0);
    free(task);
}

/* One that waits. */
static void drop(struct task *task)
{
    struct cv_tasks *tasks = task->tasks;
    if (tasks->loop != NULL)
        cv_timer_stop(tasks->loop, &task->timer);
    cv_list_remove(&task->link);
    count_waiting(tasks, -1);
    if (task->what.drop != NULL)
        task->what.drop(task->what.arg);
    forget(task);
}

/* From the front, as long as there is one: what a task was to release may take others back. */
static void drop_list(struct cv_link *list)
{
    while (!cv_list_empty(list))
        drop(CV_CONTAINER_OF(list->next, struct task, link));
}

/* Takes over what is incoming, and drops all that waits. */
static void drop_all(struct cv_tasks *tasks)
{
    pthread_mutex_lock(&tasks->lock);
    for (struct cv_link *link; (link = cv_list_pop(&tasks->early)) != NULL;)
        cv_list_push(&tasks->ready, link);
    for (struct cv_link *link; (link = cv_list_pop(&tasks->incoming)) != NULL;)
        cv_list_push(&tasks->ready, link);
    tasks->n_incoming = 0;
    pthread_mutex_unlock(&tasks->lock);
    drop_list(&tasks->ready);
    drop_list(&tasks->sleeping);
}

void cv_tasks_done(struct cv_tasks *tasks)
{
    CV_ASSERT(cv_list_empty(&tasks->running));
    drop_all(tasks);
    (void)pthread_mutex_destroy(&tasks->lock);
}

/* ---- Running ---- */

/* Until it is due. Without memory for a timer it is lost, which must not be silent. */
static void sleep_until_due(struct task *task)
{
    struct cv_tasks *tasks = task->tasks;
    cv_list_push(&tasks->sleeping, &task->link);
    if (cv_timer_set(tasks->loop, &task->timer, task->due) == 0)
        return;
    cv_error("task %s does not run: out of memory",
             task->what.name != NULL ? task->what.name : "without a name");
    drop(task);
}

/* From the last beginning, so that it keeps its beat; what a long run has missed is left out. */
static void go_to_sleep_again(struct task *task)
{
    int64_t now = cv_clock_ns();
    int64_t missed = now > task->due ? (now - task->due) / task->what.every : 0;
    task->due += (missed + 1) * task->what.every;
    count_waiting(task->tasks, 1);
    sleep_until_due(task);
}

static void run(void *arg)
{
    struct task *task = arg;
    task->what.fn(task->what.arg);
    task->fiber = NULL;
    cv_list_remove(&task->link);
    if (task->what.every > 0 && !task->is_canceled && !task->tasks->is_closed)
        go_to_sleep_again(task);
    else
        forget(task);
}

/* Moves what has come to where it waits for its time, or is ready. */
static void take_incoming(struct cv_tasks *tasks)
{
    struct cv_link late;
    cv_list_init(&late);
    pthread_mutex_lock(&tasks->lock);
    for (struct cv_link *link; (link = cv_list_pop(&tasks->incoming)) != NULL;) {
        struct task *task = CV_CONTAINER_OF(link, struct task, link);
        cv_list_push(task->due != 0 ? &late : &tasks->ready, link);
    }
    tasks->n_incoming = 0;
    pthread_mutex_unlock(&tasks->lock);
    for (struct cv_link *link; (link = cv_list_pop(&late)) != NULL;)
        sleep_until_due(CV_CONTAINER_OF(link, struct task, link));
}

static int start(struct task *task, struct cv_fibers *fibers, size_t max)
{
    if (cv_fibers_count(fibers) >= max)
        return -EAGAIN;
    return cv_fiber_start(fibers, run, task, &task->fiber);
}

void cv_tasks_start(struct cv_tasks *tasks, struct cv_fibers *fibers, size_t max)
{
    if (!tasks->is_woken)
        return;
    tasks->is_woken = false;

    take_incoming(tasks);
    for (struct cv_link *link; (link = cv_list_pop(&tasks->ready)) != NULL;) {
        struct task *task = CV_CONTAINER_OF(link, struct task, link);
        cv_list_push(&tasks->running, &task->link);
        count_waiting(tasks, -1);
        /* `task` may be gone once the fiber has started. */
        if (start(task, fibers, max) < 0) {
            /* No fiber is left: it goes first once one is. */
            cv_list_remove(&task->link);
            cv_list_push(tasks->ready.next, &task->link);
            count_waiting(tasks, 1);
            tasks->is_woken = true;
            return;
        }
    }
}

/* ---- Cancelling ---- */

static int await(struct task *task)
{
    struct ender ender = {.fiber = cv_fiber_self()};
    cv_list_push(&task->enders, &ender.link);
    int rc = cv_fiber_park(CV_NEVER);
    cv_list_remove(&ender.link);
    return rc;
}

int cv_tasks_cancel(struct cv_tasks *tasks, const char *name, int cause)
{
    if (tasks->loop != NULL)
        take_incoming(tasks);
    pthread_mutex_lock(&tasks->lock);
    struct task *task = find(tasks, name);
    pthread_mutex_unlock(&tasks->lock);
    if (task == NULL)
        return -ENOENT;
    task->is_canceled = true;
    if (task->fiber == NULL) {
        drop(task);
        return 0;
    }
    if (task->fiber == cv_fiber_self())
        return 0;
    cv_fiber_cancel(task->fiber, cause);
    return cv_fiber_self() != NULL ? await(task) : 0;
}

bool cv_tasks_has(struct cv_tasks *tasks, const char *name)
{
    pthread_mutex_lock(&tasks->lock);
    bool has = find(tasks, name) != NULL;
    pthread_mutex_unlock(&tasks->lock);
    return has;
}

void cv_tasks_close(struct cv_tasks *tasks, int cause)
{
    pthread_mutex_lock(&tasks->lock);
    tasks->is_closed = true;
    pthread_mutex_unlock(&tasks->lock);
    drop_all(tasks);

    CV_LIST_EACH (link, &tasks->running) {
        struct task *task = CV_CONTAINER_OF(link, struct task, link);
        cv_fiber_cancel(task->fiber, cause);
    }
}
