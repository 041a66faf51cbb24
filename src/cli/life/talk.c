/* What a supervised process tells its master and is told. See inside.h. */
#include "cli/life/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "cli/life/crowd.h"
#include "cli/life/share.h"
#include "supervise/control/message.h"

#include <errno.h>
#include <sys/eventfd.h>

#define MEMORY_AFTER CV_SECOND

/* ---- How much it does, and how long ---- */

static void on_load(void *arg, unsigned open)
{
    const struct life *life = arg;
    atomic_store_explicit(&life->child->slots.own->connections, open, memory_order_relaxed);
}

/* Once is enough: it serves on, and is told to drain when another serves in its stead. */
static void look_at_wear(struct life *life, int64_t memory, int64_t now)
{
    char reason[CV_WEAR_REASON_BYTES];
    uint64_t requests = cv_native_requests(life->native);
    if (life->is_spent || life->is_stopping ||
        !cv_wear_look(&life->wear, requests, memory, now, reason))
        return;
    life->is_spent = true;
    cv_info("%s: another is to take its place", reason);
    cv_child_tell(life->child, CV_MSG_SPENT);
}

static void on_age(struct cv_timer *timer)
{
    look_at_wear(CV_CONTAINER_OF(timer, struct life, age), -1, timer->at);
}

static void on_memory(struct cv_timer *timer)
{
    look_at_wear(CV_CONTAINER_OF(timer, struct life, memory), cv_wear_memory(), timer->at);
}

/* Without memory for the timer, the next turn tries again. An idle process does not grow. */
static void look_at_memory_soon(struct life *life, int64_t now)
{
    if (life->wear.limits.memory > 0 && life->memory.slot == 0)
        (void)!cv_timer_set(cv_native_loop(life->native), &life->memory, now + MEMORY_AFTER);
}

static void on_wait(void *arg, bool running, int64_t now)
{
    struct life *life = arg;
    cv_child_beat(life->child, running ? now : 0);
    cv_native_on_wait(life->native, running, now);
    if (!running)
        return;
    atomic_store_explicit(&life->child->slots.own->requests, cv_native_requests(life->native),
                          memory_order_relaxed);
    look_at_wear(life, -1, now);
    look_at_memory_soon(life, now);
}

static int accept_budget(void *arg, unsigned open)
{
    struct life *life = arg;
    struct cv_share_load load = cv_crowd_load(&life->child->slots, open, cv_clock_ns());
    int budget = cv_share_budget(open, &load, life->left_alone);
    life->left_alone = budget == 0;
    return budget;
}

/* ---- What it is told ---- */

/* It serves on; others send no more clients here, or soon will not. */
static void forewarn(struct life *life)
{
    cv_child_ignore_term();
    cv_native_forewarn(life->native);
}

static void on_term(struct cv_watch *watch, unsigned events)
{
    (void)events;
    struct life *life = CV_CONTAINER_OF(watch, struct life, signals);
    eventfd_t count;
    (void)eventfd_read(watch->fd, &count);
    if (life->is_stopping)
        return;
    cv_child_tell(life->child, CV_MSG_LEAVING);
    cv_life_drain(life, CV_DRAIN_RETIRE, cv_life_grace(life));
}

static void on_channel(struct cv_watch *watch, unsigned events)
{
    (void)events;
    static struct cv_message message;
    struct life *life = CV_CONTAINER_OF(watch, struct life, channel);
    struct cv_files came;
    int rc;
    while ((rc = cv_child_hear_files(life->child, &message, &came)) == 1) {
        if (message.kind >= CV_CONTROL_FLEET)
            cv_life_answered(life, &message, &came);
        if (message.kind == CV_MSG_LOOK)
            cv_native_look(life->native);
        if (message.kind != CV_MSG_DRAIN)
            continue;
        if (message.word[0] == CV_DRAIN_WORD_FOREWARN) {
            forewarn(life);
            continue;
        }
        cv_child_ignore_term();
        cv_life_drain(life,
                      message.word[0] == CV_DRAIN_WORD_RETIRE ? CV_DRAIN_RETIRE : CV_DRAIN_STOP,
                      message.time);
    }
    if (rc != -EAGAIN)
        cv_loop_del(cv_native_loop(life->native),
                    watch); /* the master is gone, and so are we in a moment */
}

/* ---- What it tells ---- */

/* From READY on. Main has no limits: there is no successor to it. */
static void begin_wear(struct life *life)
{
    const int64_t *value = life->conf->value;
    int64_t now = cv_clock_ns();
    struct cv_wear_limits limits = {0};
    if (life->child->boot.role == CV_ROLE_WORKER)
        limits = (struct cv_wear_limits){.requests = value[CV_SET_MAX_REQUESTS],
                                         .age = value[CV_SET_MAX_AGE] * CV_MS,
                                         .memory = value[CV_SET_MAX_MEMORY]};
    uint64_t random;
    cv_rand_bytes(&random, sizeof(random));
    cv_wear_init(&life->wear, &limits, now, random);
    life->age.fire = on_age;
    life->memory.fire = on_memory;
    if (life->wear.spent_at != CV_NEVER &&
        cv_timer_set(cv_native_loop(life->native), &life->age, life->wear.spent_at) < 0)
        cv_warn("MAX_AGE is only looked at when requests come: no memory for a timer");
}

static void on_ready(void *arg)
{
    struct life *life = arg;
    int fd;
    bool is_process = life->child->boot.role == CV_ROLE_PROCESS;
    if (cv_child_catch_term(is_process, &fd) == 0 &&
        cv_loop_add(cv_native_loop(life->native), &life->signals, fd, CV_READ) < 0)
        cv_warn(
            "TERM to this worker alone will end it at once: the loop takes no more descriptors");
    begin_wear(life);
    atomic_store(&life->child->slots.own->serving, !is_process);
    cv_child_tell(life->child, CV_MSG_READY);
    if (life->child->boot.slot == 0 && life->child->boot.generation == 1)
        cv_conf_warn_unknown(life->conf);
}

static void on_drained(void *arg)
{
    const struct life *life = arg;
    cv_child_tell(life->child, CV_MSG_DRAINED);
}

static void on_progress(void *arg, const char *what)
{
    const struct life *life = arg;
    cv_child_doing(life->child, what != NULL ? what : "");
}

static bool was_asked(void *arg)
{
    (void)arg;
    return cv_child_has_term();
}

static void on_extend(void *arg, int64_t ms)
{
    const struct life *life = arg;
    cv_child_extend(life->child, ms);
}

void cv_life_join(struct life *life, struct cv_native_config *config)
{
    config->ready = on_ready;
    config->drained = on_drained;
    config->progress = on_progress;
    config->extend = on_extend;
    config->was_asked = was_asked;
    config->server.load = on_load;
    /* Nobody else would take what one leaves in listeners of its own. */
    if (life->conf->value[CV_SET_PER_SLOT_LISTENERS] == 0 &&
        life->child->boot.role != CV_ROLE_PROCESS)
        config->server.accept_budget = accept_budget;
}

int cv_life_listen(struct life *life)
{
    struct cv_loop *loop = cv_native_loop(life->native);
    life->channel.ready = on_channel;
    life->signals.ready = on_term;
    int rc = cv_loop_add(loop, &life->channel, life->child->channel, CV_READ);
    if (rc == 0)
        cv_loop_on_wait(loop, on_wait, life);
    return rc;
}
