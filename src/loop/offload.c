/* The pool: a queue of calls, threads that take from it, and an eventfd that tells the loop which
 * are finished.
 *
 * A fiber's call lives on the stack of the fiber that waits for it. Since that fiber does not
 * return while its call is running, no call ever outlives its memory.
 */
#include "loop/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "loop/fiber_state.h"

struct cv_offload {
    struct cv_loop *loop;
    unsigned threads_max;
    unsigned queue_max;
    struct cv_watch watch; /* of an eventfd: `finished` is no longer empty */

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t work;
    struct cv_link queue;
    struct cv_link finished;
    unsigned queued;
    unsigned idle; /* threads that wait for work or are about to */
    bool stopping;

    unsigned threads_count; /* the loop's */
    pthread_t *threads;
};

/* ---- The threads' side ---- */

static CV_THREAD_LOCAL struct cv_fiber *caller;

struct cv_fiber *cv_offload_caller(void)
{
    return caller;
}

static struct cv_offload_call *take_call(struct cv_offload *pool)
{
    while (pool->queued == 0 && !pool->stopping)
        (void)pthread_cond_wait(&pool->work, &pool->lock);
    if (pool->stopping)
        return NULL;
    struct cv_link *link = cv_list_pop(&pool->queue);
    CV_ASSERT(link != NULL);
    struct cv_offload_call *call = CV_CONTAINER_OF(link, struct cv_offload_call, link);
    call->begun = true;
    pool->queued--;
    pool->idle--;
    return call;
}

static void finish(struct cv_offload *pool, struct cv_offload_call *call, int result)
{
    call->result = result;
    if (cv_list_empty(&pool->finished))
        (void)eventfd_write(pool->watch.fd, 1);
    cv_list_push(&pool->finished, &call->link);
    pool->idle++;
}

static void *work(void *arg)
{
    struct cv_offload *pool = arg;
    (void)pthread_mutex_lock(&pool->lock);
    for (struct cv_offload_call *call; (call = take_call(pool)) != NULL;) {
        (void)pthread_mutex_unlock(&pool->lock);
        caller = call->fiber;
        int result = call->fn(call->arg);
        caller = NULL;
        (void)pthread_mutex_lock(&pool->lock);
        finish(pool, call, result);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- The loop's side ---- */

/* What they lead to is done without the lock: it may ask for more. */
static void tell_finished(struct cv_offload *pool)
{
    struct cv_link finished;
    (void)pthread_mutex_lock(&pool->lock);
    cv_list_move(&pool->finished, &finished);
    (void)pthread_mutex_unlock(&pool->lock);
    for (struct cv_link *link; (link = cv_list_pop(&finished)) != NULL;) {
        struct cv_offload_call *call = CV_CONTAINER_OF(link, struct cv_offload_call, link);
        call->done(call, call->result);
    }
}

static void on_finished(struct cv_watch *watch, unsigned events)
{
    (void)events;
    tell_finished(CV_CONTAINER_OF(watch, struct cv_offload, watch));
}

int cv_offload_new(struct cv_loop *loop, unsigned threads_max, unsigned queue_max,
                   struct cv_offload **ret)
{
    CV_ASSERT(threads_max > 0);
    CV_AUTOFREE pthread_t *threads = calloc(threads_max, sizeof *threads);
    CV_AUTOFREE struct cv_offload *pool = calloc(1, sizeof *pool);
    if (threads == NULL || pool == NULL)
        return -ENOMEM;
    CV_AUTOCLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    /* Edge-triggered, so that it is written only and never read. */
    pool->watch.ready = on_finished;
    int rc = cv_loop_add(loop, &pool->watch, fd, CV_READ | CV_EDGE);
    if (rc < 0)
        return rc;
    (void)cv_take_fd(&fd);

    pool->loop = loop;
    pool->threads_max = threads_max;
    pool->queue_max = queue_max;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
    cv_list_init(&pool->queue);
    cv_list_init(&pool->finished);
    pool->threads = threads;
    threads = NULL;
    *ret = pool;
    pool = NULL;
    return 0;
}

void cv_offload_free(struct cv_offload *pool)
{
    if (pool == NULL)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads_count; i++)
        (void)pthread_join(pool->threads[i], NULL);
    tell_finished(pool);
    for (struct cv_link *link; (link = cv_list_pop(&pool->queue)) != NULL;) {
        struct cv_offload_call *call = CV_CONTAINER_OF(link, struct cv_offload_call, link);
        call->done(call, -ECANCELED);
    }
    int fd = pool->watch.fd;
    cv_loop_del(pool->loop, &pool->watch);
    (void)close(fd);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool);
}

/* Signals are for the loop's thread, which knows what to do with them. */
static int start_thread(struct cv_offload *pool)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&pool->threads[pool->threads_count], NULL, work, pool);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return -rc;
    pool->threads_count++;
    pool->idle++;
    return 0;
}

/* Queues `call`, starting a thread if all are busy. Called with the lock held. */
static int submit(struct cv_offload *pool, struct cv_offload_call *call)
{
    bool must_wait = pool->queued >= pool->idle;
    if (must_wait && pool->threads_count < pool->threads_max)
        must_wait = start_thread(pool) < 0;
    if (must_wait && (pool->threads_count == 0 || pool->queued - pool->idle >= pool->queue_max))
        return -EAGAIN;
    cv_list_push(&pool->queue, &call->link);
    pool->queued++;
    (void)pthread_cond_signal(&pool->work);
    return 0;
}

/* Takes a call back that no thread has begun. */
static bool withdraw(struct cv_offload *pool, struct cv_offload_call *call)
{
    (void)pthread_mutex_lock(&pool->lock);
    bool withdrawn = !call->begun;
    if (withdrawn) {
        cv_list_remove(&call->link);
        pool->queued--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return withdrawn;
}

int cv_offload_post(struct cv_offload *pool, struct cv_offload_call *call)
{
    call->begun = false;
    (void)pthread_mutex_lock(&pool->lock);
    int rc = submit(pool, call);
    (void)pthread_mutex_unlock(&pool->lock);
    return rc;
}

/* ---- Fibers ---- */

struct waiting {
    struct cv_offload_call call;
    bool is_done;
};

static void wake(struct cv_offload_call *call, int result)
{
    struct waiting *waiting = CV_CONTAINER_OF(call, struct waiting, call);
    (void)result; /* it is in the call */
    waiting->is_done = true;
    (void)cv_fiber_resume(call->fiber, waiting, 0);
}

int cv_offload(struct cv_offload *pool, int (*fn)(void *arg), void *arg)
{
    struct cv_fiber *self = cv_fiber_self();
    if (self == NULL)
        return -EPERM;
    if (cv_fiber_is_refused(self))
        return cv_fiber_yield();

    struct waiting waiting = {.call = {.fn = fn, .arg = arg, .done = wake, .fiber = self}};
    int rc = cv_offload_post(pool, &waiting.call);
    if (rc < 0)
        return rc;

    rc = cv_fiber_wait(self, &waiting, CV_NEVER, true);
    if (rc < 0 && withdraw(pool, &waiting.call))
        return cv_fiber_counted(self, rc);
    /* Cancelled too late: a thread is at work in memory that is ours. */
    while (!waiting.is_done)
        rc = cv_fiber_wait(self, &waiting, CV_NEVER, false);
    (void)rc;
    return waiting.call.result;
}
