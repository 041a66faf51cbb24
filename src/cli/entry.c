#include "cli/entry.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/fd.h"
#include "base/threads.h"
#include "cli/foreign.h"
#include "supervise/adopt.h"
#include "supervise/daemon.h"
#include "supervise/supervise.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* ---- Roles ---- */

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

/* ---- Checks before anything is started ---- */

static int say(const struct cv_conf *conf, int code, const char *reason)
{
    (void)fprintf(stderr, "%s: %s\n", conf->name, reason);
    return code;
}

/* Those that the manager outside has passed, or else those the settings name. */
static int open_listeners(struct cv_conf *conf, const struct cv_outer *outer,
                          struct cv_listeners *listeners)
{
    if (outer->listen_fds > 0 && conf->value[CV_SET_PER_SLOT_LISTENERS] != 0)
        return say(
            conf, CV_EXIT_CONFIG,
            "PER_SLOT_LISTENERS: sockets that LISTEN_FDS has passed cannot be multiplied; leave "
            "out one of the two");
    if (outer->listen_fds > 0) {
        int adopted = cv_adopt(listeners, CV_OUTER_FIRST_FD, outer->listen_fds, conf->reason,
                               sizeof(conf->reason));
        return adopted < 0 ? say(conf, CV_EXIT_CONFIG, conf->reason) : CV_EXIT_OK;
    }
    char address[512];
    const char *host = conf->text[CV_SET_HOST];
    bool is_bare_v6 = strchr(host, ':') != NULL && host[0] != '[';
    (void)snprintf(address, sizeof(address), is_bare_v6 ? "[%s]:%s" : "%s:%s", host,
                   conf->text[CV_SET_PORT]);
    const char *list = conf->text[CV_SET_LISTEN][0] != '\0' ? conf->text[CV_SET_LISTEN] : address;
    if (cv_listen_parse(listeners, list, conf->reason, sizeof(conf->reason)) < 0)
        return say(conf, CV_EXIT_USAGE, conf->reason);
    int rc = cv_listen_open(listeners, (int)conf->value[CV_SET_BACKLOG], conf->reason,
                            sizeof(conf->reason));
    return rc < 0 ? say(conf, CV_EXIT_ADDRESS, conf->reason) : CV_EXIT_OK;
}

static int check_object(struct cv_conf *conf, const struct cv_app_source *source)
{
    if (source->object == NULL || access(source->object, R_OK) == 0)
        return CV_EXIT_OK;
    (void)snprintf(conf->reason, sizeof(conf->reason), "cannot open %s: %s", source->object,
                   strerror(errno));
    return say(conf, CV_EXIT_LOAD, conf->reason);
}

/* Without one of its own choosing a server goes on: it obeys signals all the same. Why there is
 * none then stands in `why`. */
static int open_control(struct cv_conf *conf, struct cv_control_file *control, char *why,
                        size_t cap)
{
    const char *where = conf->text[CV_SET_CONTROL];
    if (strcmp(where, "off") == 0)
        return CV_EXIT_OK;
    if (strcmp(where, "auto") == 0) {
        if (cv_control_open(control, conf->name, why, cap) == 0)
            why[0] = '\0';
        return CV_EXIT_OK;
    }
    int rc = cv_control_open_at(control, where, conf->reason, sizeof(conf->reason));
    return rc < 0 ? say(conf, CV_EXIT_ADDRESS, conf->reason) : CV_EXIT_OK;
}

/* ---- The first process ---- */

/* What it opens for all. */
struct front {
    struct cv_listeners listeners;
    struct cv_control_file control;
    struct cv_logs logs;
    struct cv_outer outer;
    struct cv_privilege user;
    struct cv_pidfile pidfile;
    struct cv_foreign_run foreign; /* of source->command */
    int ready;                     /* of cv_daemon_start() */
    char **argv;
};

/* The last step before the server begins: what is wrong until then is said where it was started,
 * and nowhere else. */
static int begin_logs(struct cv_conf *conf, struct cv_logs *logs)
{
    struct cv_log_files files;
    *logs = (struct cv_logs){conf->text[CV_SET_LOG_FILE], conf->text[CV_SET_ACCESS_LOG_FILE], -1};
    int rc = cv_logs_open(logs, &files, conf->reason, sizeof(conf->reason));
    if (rc < 0)
        return say(conf, CV_EXIT_OS, conf->reason);
    bool is_daemon = conf->value[CV_SET_DAEMON] != 0;
    if (is_daemon && files.log < 0)
        (void)say(conf, 0, "LOG_FILE is not set: what the server says from here on is lost");
    rc = cv_logs_begin(logs, &files, is_daemon);
    cv_log_open(conf->name, cv_conf_log_level(conf));
    return rc < 0 ? say(conf, CV_EXIT_OS, strerror(-rc)) : CV_EXIT_OK;
}

static int open_all(struct cv_conf *conf, const struct cv_app_source *source, struct front *front)
{
    char no_control[sizeof(conf->reason)] = "";
    bool is_single = conf->value[CV_SET_SINGLE_PROCESS] != 0;
    front->control = (struct cv_control_file){.fd = -1, .folder = -1};
    front->argv = entry_argv();
    int code = check_object(conf, source);
    if (code == CV_EXIT_OK && source->command != NULL) {
        code = cv_foreign_find(&front->foreign, conf, source);
        if (code != CV_EXIT_OK)
            return say(conf, code, conf->reason);
    }
    if (code == CV_EXIT_OK && front->argv == NULL)
        code = say(conf, CV_EXIT_OS, "cannot read /proc/self/cmdline: is /proc mounted?");
    if (code == CV_EXIT_OK)
        code = open_listeners(conf, &front->outer, &front->listeners);
    if (code == CV_EXIT_OK && !is_single)
        code = open_control(conf, &front->control, no_control, sizeof(no_control));
    if (code == CV_EXIT_OK)
        code = begin_logs(conf, &front->logs);
    if (code != CV_EXIT_OK) {
        cv_listen_unlink(&front->listeners);
        cv_control_unlink(&front->control);
        return code;
    }
    if (front->outer.listen_fds > 0)
        cv_info("LISTEN_FDS has passed %d: host, port and listen do not count",
                front->outer.listen_fds);
    if (no_control[0] != '\0')
        cv_warn("%s", no_control);
    return CV_EXIT_OK;
}

static int serve(struct cv_conf *conf, const struct cv_app_source *source, struct front *front)
{
    int code = open_all(conf, source, front);
    if (code != CV_EXIT_OK)
        return code;
    if (conf->value[CV_SET_SINGLE_PROCESS] != 0)
        return cv_life_single(conf, source, &front->listeners, &front->logs);

    bool is_foreign = source->command != NULL;
    if (is_foreign)
        cv_foreign_prepare(&front->foreign, &front->listeners);
    const char *settings = conf->text[CV_SET_CONFIG];
    int64_t method = is_foreign ? CV_START_SPAWN : conf->value[CV_SET_START_METHOD];
    struct fork_arg fork_arg = {conf, source};
    struct cv_supervise how = {.name = conf->name,
                               .argv = front->argv,
                               .object = source->object,
                               .foreign = is_foreign ? &front->foreign.app : NULL,
                               .settings = settings[0] != '\0' && !is_foreign ? settings : NULL,
                               .abi = COVEY_ABI,
                               .method = (enum cv_start_method)method,
                               .containment = (enum cv_containment)conf->value[CV_SET_CONTAINMENT],
                               .log_level = cv_conf_log_level(conf),
                               .fleet = fleet_config(conf),
                               .slow_listener = ns_of(conf, CV_SET_SLOW_LISTENER),
                               .listeners = &front->listeners,
                               .is_per_slot = conf->value[CV_SET_PER_SLOT_LISTENERS] != 0,
                               .control = &front->control,
                               .user = &front->user,
                               .logs = &front->logs,
                               .ready = front->ready,
                               .pidfile = front->pidfile,
                               .outer = front->outer,
                               .worker = live_in_fork,
                               .arg = &fork_arg};
    return cv_supervise(&how);
}

/* Goes on in the background, if that is wanted. */
static int become_daemon(struct cv_conf *conf, struct front *front)
{
    const char *why = NULL;
    front->ready = -1;
    if (conf->value[CV_SET_DAEMON] == 0)
        return CV_EXIT_OK;
    if (conf->value[CV_SET_SINGLE_PROCESS] != 0)
        why = "DAEMON and SINGLE_PROCESS exclude each other: a single process is for debuggers";
    else if (getpid() == 1)
        why =
            "process 1 of a container cannot go into the background, for the container would end: "
            "start it without DAEMON";
    else if (front->outer.address_len != 0 || front->outer.listen_fds > 0)
        why = "it was started by a service manager (NOTIFY_SOCKET, LISTEN_FDS), which keeps it in "
              "the background itself: start it without DAEMON";
    if (why != NULL)
        return say(conf, CV_EXIT_USAGE, why);
    int rc = cv_daemon_start(conf->name, &front->ready);
    return rc < 0 ? say(conf, CV_EXIT_OS, strerror(-rc)) : CV_EXIT_OK;
}

static int run(struct cv_conf *conf, const struct cv_app_source *source)
{
    static struct front front; /* also for leak checkers: what is in it is kept on purpose */
    if (cv_threads_any())
        return say(conf, CV_EXIT_USAGE,
                   "the program has started threads before covey_main(): start them in "
                   "before_server_start, which "
                   "runs in each worker");
    int rc =
        cv_privilege_find(&front.user, conf->text[CV_SET_USER], conf->reason, sizeof(conf->reason));
    if (rc < 0)
        return say(conf, rc == -EPERM ? CV_EXIT_OS : CV_EXIT_USAGE, conf->reason);
    if (cv_outer_take(&front.outer, conf->reason, sizeof(conf->reason)) < 0)
        return say(conf, CV_EXIT_CONFIG, conf->reason);
    int code = become_daemon(conf, &front);
    if (code != CV_EXIT_OK)
        return code;
    rc = cv_pidfile_take(&front.pidfile, conf->text[CV_SET_PIDFILE], conf->reason,
                         sizeof(conf->reason));
    if (rc < 0)
        return say(conf, rc == -EAGAIN ? CV_EXIT_ADDRESS : CV_EXIT_OS, conf->reason);
    code = serve(conf, source, &front);
    cv_pidfile_remove(&front.pidfile);
    return code;
}

/* A worker whose settings cannot be read is a program that differs from the one its master was
 * started from. */
static _Noreturn void live_as_worker(struct cv_conf *conf, int conf_rc,
                                     const struct cv_app_source *source, struct cv_child *child)
{
    if (conf_rc < 0) {
        cv_child_failed(child, CV_EXIT_CONFIG, conf->reason);
        exit(CV_EXIT_CONFIG);
    }
    exit(cv_life_worker(conf, source, child));
}

int cv_entry(const char *program, const char *usage, char *const *flags,
             const struct covey_options *options, const struct cv_app_source *source)
{
    static struct cv_conf conf;
    static struct cv_child child;
    enum cv_conf_request request;
    int opened = cv_fd_ensure_stdio();
    int born = cv_child_boot(&child);
    int rc = cv_conf_read_pinned(&conf, program, options, born == 1 ? child.boot.settings : -1,
                                 flags, &request);
    if (born == 1 && child.boot.settings >= 0)
        (void)close(child.boot.settings);
    if (born == -EPROTO)
        exit(say(&conf, CV_EXIT_CONFIG,
                 "the master that started this worker is another version of covey"));
    if (born == -ESRCH)
        exit(say(&conf, CV_EXIT_PEER_LOST, "the master that started this worker is gone"));
    if (born < 0)
        exit(say(&conf, CV_EXIT_OS, strerror(-born)));
    if (born == 1)
        live_as_worker(&conf, rc, source, &child);

    if (opened < 0)
        return say(&conf, CV_EXIT_OS, "cannot open /dev/null");
    if (rc < 0)
        return say(&conf, rc == -EBADMSG ? CV_EXIT_CONFIG : CV_EXIT_USAGE, conf.reason);
    if (request == CV_CONF_HELP) {
        cv_conf_help(&conf, usage);
        return CV_EXIT_OK;
    }
    if (request == CV_CONF_VERSION) {
        printf("%s (covey %s)\n", conf.name, covey_version());
        return CV_EXIT_OK;
    }
    return run(&conf, source);
}

/* ---- The public calls ---- */

int covey_main_with(int argc, char **argv, const struct covey_options *options)
{
    const char *program = argc > 0 && argv[0] != NULL ? argv[0] : "covey-app";
    char usage[256];
    (void)snprintf(usage, sizeof(usage), "%s [flags] [-- what is left to the app]", program);
    struct cv_app_source source = {.setup = options->setup};
    return cv_entry(program, usage, argc > 0 ? argv + 1 : argv, options, &source);
}

int covey_run_with(const struct covey_options *options)
{
    struct cv_app_source source = {.setup = options->setup};
    return cv_entry(program_invocation_name, program_invocation_name, NULL, options, &source);
}
