/* A supervised process, from its birth to its end. See inside.h. */
#include "cli/life/inside.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/threads.h"
#include "loop/fiber.h"
#include "supervise/log/dump.h"
#include "supervise/process/template.h"
#include "supervise/process/title.h"
#include "supervise/shared/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What the app consists of ---- */

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

/* ---- Who it is ---- */

/* Who this process is, in titles and in the log. */
static void take_name(struct life *life, const char *variable)
{
    struct cv_who who = cv_child_who(&life->child->boot);
    cv_title_set(life->conf->name, who.text, variable);
    char name[128];
    (void)snprintf(name, sizeof(name), "%s: %s", life->conf->name, who.text);
    cv_conf_open_log(life->conf, name, who.text);
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

/* ---- From GO to the end ---- */

static int live(struct life *life)
{
    switch ((enum cv_role)life->child->boot.role) {
    case CV_ROLE_WORKER:
    case CV_ROLE_TEMPLATE: break;
    case CV_ROLE_MAIN: return cv_native_main(life->native);
    case CV_ROLE_PROCESS:
        if (cv_life_is_inspector(life))
            break;
        return cv_native_process(life->native, life->child->boot.name);
    }
    return cv_native_serve(life->native);
}

/* In the copy: what a process of its own has. */
static int begin_as_copy(struct life *life)
{
    cv_child_restore_limit_in_forks(life->child);
    take_own_name(life);
    take_listeners(life);
    struct cv_native_config config = cv_life_config(life, NULL);
    cv_life_join(life, &config);
    int code = cv_native_attach(life->native, &config);
    return cv_life_failed(life, code, cv_native_reason(life->native));
}

/* Loads the app, then makes workers of itself. Goes on, with 0, in each of them. */
static int live_as_template(struct life *life, const struct cv_app_source *source)
{
    int code = cv_life_open(life, source);
    if (code != CV_EXIT_OK)
        return code;
    if (cv_threads_any())
        return cv_life_failed(
            life, CV_EXIT_LOAD,
            "setup has started threads, which would be missing in the workers that are "
            "made of this process (--start-method preload): start them in "
            "before_server_start, which runs in each worker");
    int rc = declare(life);
    if (rc < 0)
        return cv_life_failed(life, CV_EXIT_OS, strerror(-rc));
    if (cv_template_serve(life->child) < 0)
        return CV_EXIT_PEER_LOST;
    return begin_as_copy(life);
}

static int supervised(struct life *life, const struct cv_app_source *source)
{
    bool is_template = life->child->boot.role == CV_ROLE_TEMPLATE;
    int code = is_template ? live_as_template(life, source) : cv_life_open(life, source);
    if (code != CV_EXIT_OK)
        return code;
    int rc = declare(life);
    if (rc < 0)
        return cv_life_failed(life, CV_EXIT_OS, strerror(-rc));
    rc = cv_child_wait_go(life->child);
    if (rc < 0)
        return rc == -ECANCELED ? CV_EXIT_OK : CV_EXIT_PEER_LOST;

    rc = cv_life_listen(life);
    if (rc < 0)
        return cv_life_failed(life, CV_EXIT_OS, strerror(-rc));
    cv_life_count(life);
    code = live(life);
    return cv_life_failed(life, code, cv_native_reason(life->native));
}

/* For the dump of a worker that hangs or crashes: a signal handler has no argument of its own. */
static const struct life *dumped_life;

static CV_PRINTF(3, 4) void append(char *to, size_t cap, const char *format, ...)
{
    size_t len = strlen(to);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(to + len, cap - len, format, args);
    va_end(args);
}

static void describe(char *to, size_t cap, const void *fault)
{
    const struct life *life = dumped_life;
    if (life->native == NULL) {
        (void)snprintf(to, cap, "loading and setup of the app");
        return;
    }
    cv_native_describe(life->native, to, cap);
    size_t overflowed = fault != NULL ? cv_fiber_overflowed(fault) : 0;
    if (overflowed != 0)
        append(to, cap,
               ", which has overflowed its stack of %zu KiB: large arrays belong on the heap "
               "(covey_alloc()), or raise FIBER_STACK_SIZE",
               overflowed / 1024);
    if (life->child->slots.own == NULL)
        return;
    int64_t since = atomic_load(&life->child->slots.own->running_since);
    if (since != 0)
        append(to, cap, ", running for %lld ms", (long long)((cv_clock_ns() - since) / CV_MS));
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
    free(life.routes);
    return code;
}
