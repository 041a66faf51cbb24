#include "cli/how.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/fd.h"
#include "cli/edits.h"
#include "cli/foreign.h"
#include "cli/life/life.h"
#include "serve/metrics.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fork_arg {
    struct cv_conf *conf;
    const struct cv_app_source *source;
};

static int live_in_fork(void *arg, struct cv_child *child)
{
    const struct fork_arg *fork_arg = arg;
    return cv_life_worker(fork_arg->conf, fork_arg->source, child);
}

static unsigned cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* "off" is for ever, as far as anyone will see. */
static int64_t ns_of(const struct cv_conf *conf, enum cv_setting id)
{
    int64_t ms = conf->value[id];
    return ms == CV_CONF_OFF ? CV_SECOND * 86400 * 365 : ms * CV_MS;
}

static struct cv_fleet_config fleet_config(const struct cv_conf *conf)
{
    struct cv_fleet_config fleet;
    cv_fleet_defaults(&fleet);
    fleet.workers = (unsigned)conf->value[CV_SET_WORKERS];
    fleet.starters_max = 2 * cpus();
    fleet.start_timeout = ns_of(conf, CV_SET_START_TIMEOUT);
    fleet.start_timeout_max = ns_of(conf, CV_SET_START_TIMEOUT_MAX);
    fleet.pre_drain =
        conf->value[CV_SET_PRE_DRAIN] == CV_CONF_OFF ? 0 : ns_of(conf, CV_SET_PRE_DRAIN);
    fleet.drain_timeout = ns_of(conf, CV_SET_GRACEFUL_SHUTDOWN_TIMEOUT);
    fleet.stop_timeout = ns_of(conf, CV_SET_STOP_TIMEOUT);
    fleet.pause_timeout = ns_of(conf, CV_SET_HANG_TIMEOUT);
    fleet.seed = (uint64_t)cv_clock_ns();
    return fleet;
}

static const struct cv_region_kind what_is_counted = {.layout = CV_METRICS_LAYOUT,
                                                      .bytes = sizeof(struct cv_metrics_page),
                                                      .fleeting = sizeof(struct cv_metrics_now)};

/* argv as the kernel has it, whatever the program has done to its own: what workers are started
 * with. NULL when out of memory or without /proc. Kept as long as the process. */
static char **entry_argv(void)
{
    static char **argv; /* so that it counts as kept */
    size_t cap = 4096;
    for (;;) {
        char *text = malloc(cap);
        if (text == NULL)
            return NULL;
        ssize_t len = cv_fd_slurp("/proc/self/cmdline", text, cap);
        if (len < 0 || (size_t)len == cap - 1)
            free(text);
        if (len < 0)
            return NULL;
        if ((size_t)len == cap - 1) {
            cap *= 4;
            continue;
        }
        argv = calloc((size_t)len + 1, sizeof(*argv));
        size_t n = 0;
        for (char *at = text; argv != NULL && at < text + len; at += strlen(at) + 1)
            argv[n++] = at;
        return argv;
    }
}

int cv_how(struct cv_conf *conf, const struct cv_app_source *source, struct cv_supervise *ret)
{
    static struct cv_listeners listeners;
    static struct cv_control_file control = {.fd = -1, .folder = -1};
    static struct fork_arg fork_arg;
    static struct cv_privilege user;
    static struct cv_logs logs;
    static struct cv_foreign_run foreign;
    const char *settings = conf->text[CV_SET_CONFIG];
    int rc = cv_privilege_find(&user, conf->text[CV_SET_USER], conf->reason, sizeof(conf->reason));
    if (rc < 0)
        return rc == -EINVAL ? CV_EXIT_USAGE : CV_EXIT_OS;
    bool is_foreign = source->command != NULL;
    if (is_foreign && conf->text[CV_SET_INSPECT][0] != '\0') {
        (void)snprintf(conf->reason, sizeof(conf->reason),
                       "INSPECT: a command counts nothing that could be shown; leave it out");
        return CV_EXIT_USAGE;
    }
    int code = is_foreign ? cv_foreign_find(&foreign, conf, source) : CV_EXIT_OK;
    if (code != CV_EXIT_OK)
        return code;
    int64_t method = is_foreign ? CV_START_SPAWN : conf->value[CV_SET_START_METHOD];
    fork_arg = (struct fork_arg){conf, source};
    logs = (struct cv_logs){conf->text[CV_SET_LOG_FILE], conf->text[CV_SET_ACCESS_LOG_FILE], -1};
    *ret =
        (struct cv_supervise){.name = conf->name,
                              .argv = entry_argv(),
                              .object = source->object,
                              .foreign = is_foreign ? &foreign.app : NULL,
                              .settings = settings[0] != '\0' && !is_foreign ? settings : NULL,
                              .version = covey_version(),
                              .abi = COVEY_ABI,
                              .method = (enum cv_start_method)method,
                              .containment = (enum cv_containment)conf->value[CV_SET_CONTAINMENT],
                              .log_level = cv_conf_log_level(conf),
                              .fleet = fleet_config(conf),
                              .region = is_foreign ? (struct cv_region_kind){0} : what_is_counted,
                              .edits = conf->value[CV_SET_AUTO_RELOAD] != 0 ? &cv_edits : NULL,
                              .slow_listener = ns_of(conf, CV_SET_SLOW_LISTENER),
                              .listeners = &listeners,
                              .is_per_slot = conf->value[CV_SET_PER_SLOT_LISTENERS] != 0,
                              .control = &control,
                              .user = &user,
                              .logs = &logs,
                              .ready = -1,
                              .pidfile = {.fd = -1},
                              .worker = live_in_fork,
                              .arg = &fork_arg};
    if (ret->argv != NULL)
        return CV_EXIT_OK;
    (void)snprintf(conf->reason, sizeof(conf->reason),
                   "cannot read /proc/self/cmdline: is /proc mounted?");
    return CV_EXIT_OS;
}
