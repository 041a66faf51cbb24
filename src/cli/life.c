#include "cli/life.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/fd.h"
#include "base/rand.h"
#include "base/threads.h"
#include "cli/crowd.h"
#include "cli/share.h"
#include "cli/wear.h"
#include "host/native/load.h"
#include "host/native/native.h"
#include "supervise/dump.h"
#include "supervise/manifest.h"
#include "supervise/template.h"
#include "supervise/title.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define FIELDS_MAX 100
#define LINGER_MS 2000
#define REASON_BYTES 512
#define MEMORY_AFTER CV_SECOND

struct life {
    struct cv_conf *conf;
    struct cv_child *child; /* NULL: single process */
    struct cv_native *native;
    struct cv_watch channel;
    struct cv_watch signals; /* TERM; single process: INT too */
    int listeners[CV_BOOT_LISTENERS_MAX];
    size_t n_listeners;
    int access_log;
    const struct cv_listeners *open; /* single process */
    struct cv_wear wear;
    struct cv_timer age;
    struct cv_timer memory; /* a second after it has done something */
    bool is_spent;          /* the master knows */
    bool is_stopping;
    bool left_alone; /* the listener, the last time it was asked */
    char reason[REASON_BYTES];
};

/* ---- What the server asks and tells ---- */

static const char *setting(void *arg, const char *name)
{
    struct life *life = arg;
    return cv_conf_lookup(life->conf, name);
}

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

/* It serves on; others send no more clients here, or soon will not. */
static void forewarn(struct life *life)
{
    cv_child_ignore_term();
    cv_native_forewarn(life->native);
}

static void drain(struct life *life, enum cv_drain kind, int64_t until)
{
    life->is_stopping = true;
    if (life->child != NULL)
        atomic_store(&life->child->slots.own->serving, 0);
    cv_native_drain(life->native, kind, until);
}

static int64_t grace(const struct life *life)
{
    int64_t ms = life->conf->value[CV_SET_GRACEFUL_SHUTDOWN_TIMEOUT];
    return ms == CV_CONF_OFF ? CV_NEVER : cv_clock_ns() + ms * CV_MS;
}

/* ---- A supervised worker ---- */

static void on_term(struct cv_watch *watch, unsigned events)
{
    (void)events;
    struct life *life = CV_CONTAINER_OF(watch, struct life, signals);
    eventfd_t count;
    (void)eventfd_read(watch->fd, &count);
    if (life->is_stopping)
        return;
    cv_child_tell(life->child, CV_MSG_LEAVING);
    drain(life, CV_DRAIN_RETIRE, grace(life));
}

static void on_channel(struct cv_watch *watch, unsigned events)
{
    (void)events;
    static struct cv_message message;
    struct life *life = CV_CONTAINER_OF(watch, struct life, channel);
    int rc;
    while ((rc = cv_child_hear(life->child, &message)) == 1) {
        if (message.kind != CV_MSG_DRAIN)
            continue;
        if (message.word[0] == CV_DRAIN_WORD_FOREWARN) {
            forewarn(life);
            continue;
        }
        cv_child_ignore_term();
        drain(life, message.word[0] == CV_DRAIN_WORD_RETIRE ? CV_DRAIN_RETIRE : CV_DRAIN_STOP,
              message.time);
    }
    if (rc != -EAGAIN)
        cv_loop_del(cv_native_loop(life->native),
                    watch); /* the master is gone, and so are we in a moment */
}

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

/* ---- Single process: what it is told ---- */

static int single_fd = -1;

static void note_stop(int signal)
{
    (void)signal;
    int saved = errno;
    (void)eventfd_write(single_fd, 1);
    errno = saved;
}

static void catch_stop(int signal)
{
    struct sigaction action = {.sa_handler = note_stop, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal, &action, NULL);
}

/* Until here INT and TERM have had their default action: a blocked start-up ends at once. */
static void on_single_ready(void *arg)
{
    const struct life *life = arg;
    catch_stop(SIGINT);
    catch_stop(SIGTERM);
    for (int i = 0; i < life->open->n; i++)
        cv_info("listening on %s (single process)", life->open->item[i].text);
    const struct cv_process *process = cv_native_first_process(life->native);
    for (; process != NULL; process = process->next)
        cv_warn("managed process %s does not run: a single process has nobody to look after it",
                process->name);
    cv_conf_warn_unknown(life->conf);
}

/* ---- Both ---- */

static struct cv_native_config native_config(struct life *life, covey_setup_fn *setup)
{
    const int64_t *value = life->conf->value;
    uint32_t head_max = (uint32_t)value[CV_SET_REQUEST_MAX_HEADER_SIZE];
    return (struct cv_native_config){
        .setup = setup,
        .server = {.limits = {.head = {.head_max = head_max,
                                       .target_max = head_max,
                                       .fields_max = FIELDS_MAX},
                              .request_timeout = value[CV_SET_REQUEST_TIMEOUT],
                              .response_timeout = value[CV_SET_RESPONSE_TIMEOUT],
                              .keep_alive_timeout = value[CV_SET_KEEP_ALIVE_TIMEOUT],
                              .body_max = value[CV_SET_REQUEST_MAX_SIZE],
                              .linger_timeout = LINGER_MS,
                              .connections_max = (uint32_t)value[CV_SET_CONNECTIONS_MAX]},
                   .listeners = life->listeners,
                   .n_listeners = life->n_listeners,
                   .keep_alive = value[CV_SET_KEEP_ALIVE] != 0,
                   .access_log = life->access_log,
                   .arg = life},
        .fibers_max = (size_t)value[CV_SET_FIBERS_MAX],
        .offload_threads = (unsigned)value[CV_SET_OFFLOAD_THREADS],
        .stop_timeout = value[CV_SET_STOP_TIMEOUT],
        .debug = value[CV_SET_DEBUG] != 0,
        .setting = setting,
        .arg = life};
}

/* Gives the reason of an exit code to whoever is to say it. */
static int failed(struct life *life, int code, const char *reason)
{
    if (code == CV_EXIT_OK || reason[0] == '\0')
        return code;
    if (life->child != NULL)
        cv_child_failed(life->child, code, reason);
    else
        cv_error("%s", reason);
    return code;
}

static int find_setup(struct life *life, const struct cv_app_source *source, covey_setup_fn **ret)
{
    if (source->setup != NULL) {
        *ret = source->setup;
        return CV_EXIT_OK;
    }
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s", source->object);
    if (life->child != NULL) /* what is pinned, not what lies on the disk now */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", life->child->boot.object);
    return cv_load(path, source->symbol, ret, life->reason, sizeof(life->reason));
}

/* Code of the app runs as that user from its first line. */
static int become_user(struct life *life)
{
    struct cv_privilege user;
    int rc =
        cv_privilege_find(&user, life->conf->text[CV_SET_USER], life->reason, sizeof(life->reason));
    if (rc < 0)
        return CV_EXIT_OS;
    rc = life->child != NULL ? cv_child_become(life->child, &user) : cv_privilege_drop(&user);
    if (rc == 0)
        return CV_EXIT_OK;
    (void)snprintf(life->reason, sizeof(life->reason), "cannot become user \"%s\": %s",
                   life->conf->text[CV_SET_USER], strerror(-rc));
    return CV_EXIT_OS;
}

/* A file has been opened by the first process. */
static void open_access_log(struct life *life)
{
    if (life->access_log >= 0 || life->conf->value[CV_SET_ACCESS_LOG] == 0)
        return;
    life->access_log = cv_log_reopen(STDOUT_FILENO);
    if (life->child != NULL)
        life->child->own_stdout = life->access_log;
}

static void join_callbacks(struct life *life, struct cv_native_config *config)
{
    config->ready = on_ready;
    config->drained = on_drained;
    config->progress = on_progress;
    config->extend = on_extend;
    config->was_asked = was_asked;
    config->server.load = on_load;
    /* Nobody else would take what one leaves in listeners of its own. */
    if (life->conf->value[CV_SET_PER_SLOT_LISTENERS] == 0)
        config->server.accept_budget = accept_budget;
}

static int open_native(struct life *life, const struct cv_app_source *source)
{
    open_access_log(life);
    covey_setup_fn *setup = NULL;
    int code = become_user(life);
    if (code == CV_EXIT_OK)
        code = find_setup(life, source, &setup);
    if (code != CV_EXIT_OK)
        return failed(life, code, life->reason);
    struct cv_native_config config = native_config(life, setup);
    config.ready = on_single_ready;
    if (life->child != NULL)
        join_callbacks(life, &config);
    bool is_template = life->child != NULL && life->child->boot.role == CV_ROLE_TEMPLATE;
    code = is_template ? cv_native_declare(&config, &life->native)
                       : cv_native_open(&config, &life->native);
    return failed(life, code,
                  life->native != NULL ? cv_native_reason(life->native) : "out of memory");
}

/* ---- Supervised ---- */

/* They are bounded so that all of them fit. */
static int declare_process(struct cv_buf *manifest, const struct cv_process *process)
{
    struct cv_managed_spec spec = {.processes = process->workers,
                                   .restart = (enum cv_restart)process->restart,
                                   .is_transient = process->is_transient};
    (void)snprintf(spec.name, sizeof(spec.name), "%s", process->name);
    return cv_manifest_add_process(manifest, &spec, process->words);
}

static int declare(struct life *life)
{
    struct cv_buf manifest;
    cv_buf_init(&manifest, CV_MESSAGE_BODY_MAX);
    int rc = cv_manifest_begin(&manifest);
    const struct cv_process *process = cv_native_first_process(life->native);
    for (; rc == 0 && process != NULL; process = process->next)
        rc = declare_process(&manifest, process);
    size_t routes = cv_native_routes(life->native);
    for (size_t i = 0; rc == 0 && i < routes && i < CV_MANIFEST_ROUTES_MAX; i++)
        rc = cv_manifest_add(&manifest, CV_MANIFEST_ROUTE,
                             cv_span_str(cv_native_route_name(life->native, i)));
    if (rc == -EMSGSIZE) /* very long names: the rest count as one */
        rc = 0;
    if (rc == 0 && cv_native_has_main_listeners(life->native))
        rc = cv_manifest_add(&manifest, CV_MANIFEST_MAIN_LISTENERS, cv_span(NULL, 0));
    if (rc == 0)
        rc = cv_child_hello(life->child, COVEY_ABI, cv_buf_span(&manifest));
    cv_buf_done(&manifest);
    return rc;
}

static int live(struct life *life)
{
    switch ((enum cv_role)life->child->boot.role) {
    case CV_ROLE_WORKER:
    case CV_ROLE_TEMPLATE: break;
    case CV_ROLE_MAIN: return cv_native_main(life->native);
    case CV_ROLE_PROCESS: return cv_native_process(life->native, life->child->boot.name);
    }
    return cv_native_serve(life->native);
}

/* Who this process is, in titles and in the log. */
static void take_name(struct life *life, const char *variable)
{
    struct cv_who who = cv_child_who(&life->child->boot);
    cv_title_set(life->conf->name, who.text, variable);
    char name[128];
    (void)snprintf(name, sizeof(name), "%s: %s", life->conf->name, who.text);
    cv_log_open(name, cv_conf_log_level(life->conf));
}

/* A copy has the tag of its template: strays are known by theirs. */
static void take_own_name(struct life *life)
{
    const char *tag = life->child->boot.tag;
    char variable[sizeof(CV_TAG_VARIABLE) + CV_TAG_BYTES];
    (void)snprintf(variable, sizeof(variable), CV_TAG_VARIABLE "=%s", tag);
    (void)setenv(CV_TAG_VARIABLE, tag, 1);
    take_name(life, variable);
}

static void take_listeners(struct life *life)
{
    life->n_listeners = 0;
    for (uint32_t i = 0; i < life->child->boot.n_listeners; i++)
        life->listeners[life->n_listeners++] = life->child->boot.listeners[i];
}

/* In the copy: what a process of its own has. */
static int begin_as_copy(struct life *life)
{
    cv_child_restore_limit_in_forks(life->child);
    take_own_name(life);
    take_listeners(life);
    struct cv_native_config config = native_config(life, NULL);
    join_callbacks(life, &config);
    int code = cv_native_attach(life->native, &config);
    return failed(life, code, cv_native_reason(life->native));
}

/* Loads the app, then makes workers of itself. Goes on, with 0, in each of them. */
static int live_as_template(struct life *life, const struct cv_app_source *source)
{
    int code = open_native(life, source);
    if (code != CV_EXIT_OK)
        return code;
    if (cv_threads_any())
        return failed(life, CV_EXIT_LOAD,
                      "setup has started threads, which would be missing in the workers that are "
                      "made of this process (--start-method preload): start them in "
                      "before_server_start, which runs in each worker");
    int rc = declare(life);
    if (rc < 0)
        return failed(life, CV_EXIT_OS, strerror(-rc));
    if (cv_template_serve(life->child) < 0)
        return CV_EXIT_PEER_LOST;
    return begin_as_copy(life);
}

static int supervised(struct life *life, const struct cv_app_source *source)
{
    bool is_template = life->child->boot.role == CV_ROLE_TEMPLATE;
    int code = is_template ? live_as_template(life, source) : open_native(life, source);
    if (code != CV_EXIT_OK)
        return code;
    int rc = declare(life);
    if (rc < 0)
        return failed(life, CV_EXIT_OS, strerror(-rc));
    rc = cv_child_wait_go(life->child);
    if (rc < 0)
        return rc == -ECANCELED ? CV_EXIT_OK : CV_EXIT_PEER_LOST;

    life->channel.ready = on_channel;
    life->signals.ready = on_term;
    rc = cv_loop_add(cv_native_loop(life->native), &life->channel, life->child->channel, CV_READ);
    if (rc < 0)
        return failed(life, CV_EXIT_OS, strerror(-rc));
    cv_loop_on_wait(cv_native_loop(life->native), on_wait, life);
    code = live(life);
    return failed(life, code, cv_native_reason(life->native));
}

/* For the dump of a worker that hangs or crashes: a signal handler has no argument of its own. */
static const struct life *dumped_life;

static void describe(char *to, size_t cap)
{
    const struct life *life = dumped_life;
    if (life->native == NULL) {
        (void)snprintf(to, cap, "loading and setup of the app");
        return;
    }
    cv_native_describe(life->native, to, cap);
    if (life->child->slots.own == NULL)
        return;
    int64_t since = atomic_load(&life->child->slots.own->running_since);
    size_t len = strlen(to);
    if (since != 0)
        (void)snprintf(to + len, cap - len, ", running for %lld ms",
                       (long long)((cv_clock_ns() - since) / CV_MS));
}

int cv_life_worker(struct cv_conf *conf, const struct cv_app_source *source, struct cv_child *child)
{
    cv_child_signals();
    bool is_template = child->boot.role == CV_ROLE_TEMPLATE;
    if (!is_template) /* else in each copy */
        cv_child_restore_limit_in_forks(child);
    static struct life life;
    life = (struct life){.conf = conf,
                         .child = child,
                         .access_log = child->boot.access_log,
                         .channel.fd = -1,
                         .signals.fd = -1};
    dumped_life = &life;
    take_name(&life, NULL);
    if (cv_dump_install(describe) < 0)
        cv_warn("a hang or a crash of this worker will not be described: no memory for it");
    take_listeners(&life);
    int code = supervised(&life, source);
    if (life.native != NULL)
        cv_native_close(life.native);
    return code;
}

/* ---- Single process ---- */

/* Asked again: at once. */
static void on_stop(struct cv_watch *watch, unsigned events)
{
    (void)events;
    struct life *life = CV_CONTAINER_OF(watch, struct life, signals);
    eventfd_t count;
    (void)eventfd_read(watch->fd, &count);
    drain(life, CV_DRAIN_STOP, life->is_stopping ? cv_clock_ns() : grace(life));
}

static int single(struct life *life, const struct cv_app_source *source)
{
    (void)signal(SIGPIPE, SIG_IGN);
    int code = open_native(life, source);
    if (code != CV_EXIT_OK)
        return code;
    life->signals.ready = on_stop;
    single_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (single_fd < 0 ||
        cv_loop_add(cv_native_loop(life->native), &life->signals, single_fd, CV_READ) < 0)
        return failed(life, CV_EXIT_OS, strerror(errno));
    code = cv_native_serve(life->native);
    return failed(life, code, cv_native_reason(life->native));
}

int cv_life_single(struct cv_conf *conf, const struct cv_app_source *source,
                   struct cv_listeners *listeners, const struct cv_logs *logs)
{
    static struct life life;
    life = (struct life){.conf = conf,
                         .open = listeners,
                         .access_log = logs->access_fd,
                         .channel.fd = -1,
                         .signals.fd = -1};
    for (int i = 0; i < listeners->n; i++)
        life.listeners[life.n_listeners++] = listeners->item[i].fd;
    int code = single(&life, source);
    if (life.native != NULL)
        cv_native_close(life.native);
    cv_listen_unlink(listeners);
    return code;
}
