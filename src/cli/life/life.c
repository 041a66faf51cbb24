/* Both kinds of life: from settings to a loaded app. See inside.h. */
#include "cli/life/inside.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "cli/status/inspect.h"
#include "host/native/load.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *setting(void *arg, const char *name)
{
    struct life *life = arg;
    return cv_conf_lookup(life->conf, name);
}

static int64_t unless_off(int64_t value)
{
    return value == CV_CONF_OFF ? 0 : value;
}

struct cv_native_config cv_life_config(struct life *life, covey_setup_fn *setup)
{
    const int64_t *value = life->conf->value;
    const struct cv_limits limits = {
        .head = {.head_max = (uint32_t)value[CV_SET_REQUEST_MAX_HEADER_SIZE],
                 .target_max = (uint32_t)value[CV_SET_REQUEST_MAX_TARGET],
                 .fields_max = (uint32_t)value[CV_SET_REQUEST_MAX_FIELDS]},
        .head_timeout = value[CV_SET_REQUEST_HEAD_TIMEOUT],
        .request_timeout = value[CV_SET_REQUEST_TIMEOUT],
        .response_timeout = value[CV_SET_RESPONSE_TIMEOUT],
        .send_timeout = value[CV_SET_SEND_TIMEOUT],
        .body_rate_min = value[CV_SET_BODY_RATE_MIN],
        .send_rate_min = value[CV_SET_SEND_RATE_MIN],
        .rate_span = value[CV_SET_RATE_SPAN],
        .keep_alive_timeout = value[CV_SET_KEEP_ALIVE_TIMEOUT],
        .linger_timeout = value[CV_SET_LINGER_TIMEOUT],
        .body_max = value[CV_SET_REQUEST_MAX_SIZE],
        .bodies_memory = value[CV_SET_BODIES_MAX_MEMORY],
        .connections_max = (uint32_t)value[CV_SET_CONNECTIONS_MAX],
        .turn_away = value[CV_SET_CONNECTIONS_MAX_ACTION] != 0, /* not "wait" */
        .keep_alive_requests = (uint32_t)value[CV_SET_KEEP_ALIVE_REQUESTS],
        .in_flight_max = (uint32_t)value[CV_SET_IN_FLIGHT_MAX],
        .fibers_max = (uint32_t)value[CV_SET_FIBERS_MAX]};
    return (struct cv_native_config){.setup = setup,
                                     .server = {.limits = limits,
                                                .listeners = life->listeners,
                                                .n_listeners = life->n_listeners,
                                                .defer_accept = value[CV_SET_DEFER_ACCEPT],
                                                .tcp_keepalive = value[CV_SET_TCP_KEEPALIVE],
                                                .keep_alive = value[CV_SET_KEEP_ALIVE] != 0,
                                                .access_log = life->access_log,
                                                .access_ids = value[CV_SET_LOG_REQUEST_ID] != 0,
                                                .arg = life},
                                     .fiber_stack = unless_off(value[CV_SET_FIBER_STACK_SIZE]),
                                     .slow_handler = unless_off(value[CV_SET_SLOW_HANDLER]) * CV_MS,
                                     .busy_poll = value[CV_SET_BUSY_POLL] * 1000,
                                     .offload_threads = (unsigned)value[CV_SET_OFFLOAD_THREADS],
                                     .stop_timeout = value[CV_SET_STOP_TIMEOUT],
                                     .debug = value[CV_SET_DEBUG] != 0,
                                     .setting = setting,
                                     .arg = life};
}

int cv_life_failed(struct life *life, int code, const char *reason)
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
    if (cv_life_is_inspector(life)) {
        cv_life_inspect(life);
        *ret = cv_inspect_setup;
        return CV_EXIT_OK;
    }
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

void cv_life_open_access_log(struct life *life)
{
    if (cv_life_is_inspector(life)) {
        life->access_log = -1;
        return;
    }
    if (life->access_log >= 0 || life->conf->value[CV_SET_ACCESS_LOG] == 0)
        return;
    life->access_log = cv_log_reopen(STDOUT_FILENO);
    if (life->child != NULL)
        life->child->own_stdout = life->access_log;
}

int cv_life_open(struct life *life, const struct cv_app_source *source)
{
    cv_life_open_access_log(life);
    covey_setup_fn *setup = NULL;
    int code = become_user(life);
    if (code == CV_EXIT_OK)
        code = find_setup(life, source, &setup);
    if (code != CV_EXIT_OK)
        return cv_life_failed(life, code, life->reason);
    struct cv_native_config config = cv_life_config(life, setup);
    config.ready = cv_life_single_ready;
    if (life->child != NULL)
        cv_life_join(life, &config);
    bool is_template = life->child != NULL && life->child->boot.role == CV_ROLE_TEMPLATE;
    code = is_template ? cv_native_declare(&config, &life->native)
                       : cv_native_open(&config, &life->native);
    return cv_life_failed(life, code,
                          life->native != NULL ? cv_native_reason(life->native) : "out of memory");
}

void cv_life_drain(struct life *life, enum cv_drain kind, int64_t until)
{
    life->is_stopping = true;
    if (life->child != NULL)
        atomic_store(&life->child->slots.own->serving, 0);
    cv_native_drain(life->native, kind, until);
}

int64_t cv_life_grace(const struct life *life)
{
    int64_t ms = life->conf->value[CV_SET_GRACEFUL_SHUTDOWN_TIMEOUT];
    return ms == CV_CONF_OFF ? CV_NEVER : cv_clock_ns() + ms * CV_MS;
}
