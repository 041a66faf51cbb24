/* Functions handed to the loop. See tasks.h. */
#include "app/tasks.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

struct task {
    struct cv_link link;
    struct cv_fiber *fiber;
    void (*fn)(void *arg);
    void *arg;
};

void cv_tasks_init(struct cv_tasks *tasks, struct cv_loop *loop)
{
    *tasks = (struct cv_tasks){.loop = loop};
    (void)pthread_mutex_init(&tasks->lock, NULL); /* cannot fail for a default mutex */
    cv_list_init(&tasks->incoming);
    cv_list_init(&tasks->running);
}

static void drop_incoming(struct cv_tasks *tasks)
{
    for (struct cv_link *link; (link = cv_list_pop(&tasks->incoming)) != NULL;)
        free(CV_CONTAINER_OF(link, struct task, link));
    tasks->n_incoming = 0;
}

void cv_tasks_done(struct cv_tasks *tasks)
{
    CV_ASSERT(cv_list_empty(&tasks->running));
    drop_incoming(tasks);
    (void)pthread_mutex_destroy(&tasks->lock);
}

static void note_wake(void *arg)
{
    struct cv_tasks *tasks = arg;
    tasks->is_woken = true;
}

/* With the lock held. The first of a burst wakes the loop; the others ride along. */
static int enqueue(struct cv_tasks *tasks, struct task *task)
{
    if (tasks->is_closed)
        return -ESHUTDOWN;
    if (tasks->n_incoming == CV_TASKS_WAITING_MAX)
        return -EAGAIN;
    if (tasks->n_incoming == 0 && tasks->loop != NULL) {
        int rc = cv_loop_wake(tasks->loop, note_wake, tasks);
        if (rc < 0)
            return rc;
    }
    cv_list_push(&tasks->incoming, &task->link);
    tasks->n_incoming++;
    return 0;
}

int cv_tasks_attach(struct cv_tasks *tasks, struct cv_loop *loop)
{
    tasks->loop = loop;
    return tasks->n_incoming > 0 ? cv_loop_wake(loop, note_wake, tasks) : 0;
}

int cv_tasks_add(struct cv_tasks *tasks, void (*fn)(void *arg), void *arg)
{
    struct task *task = malloc(sizeof(*task));
    if (task == NULL)
        return -ENOMEM;
    *task = (struct task){.fn = fn, .arg = arg};

    pthread_mutex_lock(&tasks->lock);
    int rc = enqueue(tasks, task);
    pthread_mutex_unlock(&tasks->lock);
    if (rc < 0)
        free(task);
    return rc;
}

static void run(void *arg)
{
    struct task *task = arg;
    task->fn(task->arg);
    cv_list_remove(&task->link);
    free(task);
}

static struct task *take_first(struct cv_tasks *tasks)
{
    pthread_mutex_lock(&tasks->lock);
    struct cv_link *link = cv_list_pop(&tasks->incoming);
    if (link != NULL)
        tasks->n_incoming--;
    pthread_mutex_unlock(&tasks->lock);
    return link != NULL ? CV_CONTAINER_OF(link, struct task, link) : NULL;
}

/* No fiber is left: it goes first once one is. */
static void put_back(struct cv_tasks *tasks, struct task *task)
{
    pthread_mutex_lock(&tasks->lock);
    cv_list_push(tasks->incoming.next, &task->link);
    tasks->n_incoming++;
    pthread_mutex_unlock(&tasks->lock);
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

    for (struct task *task; (task = take_first(tasks)) != NULL;) {
        cv_list_push(&tasks->running, &task->link);
        /* `task` may be gone once the fiber has started. */
        if (start(task, fibers, max) < 0) {
            cv_list_remove(&task->link);
            put_back(tasks, task);
            tasks->is_woken = true;
            return;
        }
    }
}

void cv_tasks_close(struct cv_tasks *tasks, int cause)
{
    pthread_mutex_lock(&tasks->lock);
    tasks->is_closed = true;
    drop_incoming(tasks);
    pthread_mutex_unlock(&tasks->lock);

    CV_LIST_EACH (link, &tasks->running)
        cv_fiber_cancel(CV_CONTAINER_OF(link, struct task, link)->fiber, cause);
}
