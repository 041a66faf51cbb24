#include "cli/entry.h"

#include "base/exit.h"
#include "base/fd.h"
#include "base/threads.h"
#include "cli/foreign.h"
#include "cli/how.h"
#include "cli/status/inspect.h"
#include "supervise/guardian/daemon.h"
#include "supervise/handover/file.h"
#include "supervise/sockets/adopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Checks before anything is started ---- */

static int say(const struct cv_conf *conf, int code, const char *reason)
{
    (void)fprintf(stderr, "%s: %s\n", conf->name, reason);
    return code;
}

/* Makes out what is to be done, and what would keep the program from it, as far as that can be told
 * without touching anything. 0, or an exit code with the reason in conf. */
static int check(struct cv_conf *conf, const struct cv_app_source *source, struct cv_supervise *ret)
{
    if (cv_threads_any()) {
        (void)snprintf(conf->reason, sizeof(conf->reason),
                       "the program has started threads before covey_main(): start them in "
                       "before_server_start, which runs in each worker");
        return CV_EXIT_USAGE;
    }
    if (source->object == NULL || access(source->object, R_OK) == 0)
        return cv_how(conf, source, ret);
    (void)snprintf(conf->reason, sizeof(conf->reason), "cannot open %s: %s", source->object,
                   strerror(errno));
    return CV_EXIT_LOAD;
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

/* The inspector's, behind the workers'. */
static int open_inspector(struct cv_conf *conf, struct cv_listeners *listeners)
{
    static struct cv_listeners own;
    const char *where = conf->text[CV_SET_INSPECT];
    if (where[0] == '\0')
        return CV_EXIT_OK;
    if (cv_listen_parse(&own, where, conf->reason, sizeof(conf->reason)) < 0)
        return say(conf, CV_EXIT_USAGE, conf->reason);
    if (own.n > 1 || listeners->n == CV_LISTEN_MAX) {
        (void)snprintf(conf->reason, sizeof(conf->reason), "INSPECT: %s",
                       own.n > 1 ? "one address, please" : "there are too many addresses");
        return say(conf, CV_EXIT_USAGE, conf->reason);
    }
    int rc =
        cv_listen_open(&own, (int)conf->value[CV_SET_BACKLOG], conf->reason, sizeof(conf->reason));
    if (rc < 0)
        return say(conf, CV_EXIT_ADDRESS, conf->reason);
    (void)snprintf(own.item[0].owner, sizeof(own.item[0].owner), "%s", CV_INSPECTOR);
    listeners->item[listeners->n++] = own.item[0];
    return CV_EXIT_OK;
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

/* The last step before the server begins: what is wrong until then is said where it was started,
 * and nowhere else. */
static int begin_logs(struct cv_conf *conf, struct cv_logs *logs)
{
    struct cv_log_files files;
    int rc = cv_logs_open(logs, &files, conf->reason, sizeof(conf->reason));
    if (rc < 0)
        return say(conf, CV_EXIT_OS, conf->reason);
    bool is_daemon = conf->value[CV_SET_DAEMON] != 0;
    if (is_daemon && files.log < 0)
        (void)say(conf, 0, "LOG_FILE is not set: what the server says from here on is lost");
    rc = cv_logs_begin(logs, &files, is_daemon);
    bool is_single = conf->value[CV_SET_SINGLE_PROCESS] != 0;
    cv_conf_open_log(conf, conf->name, is_single ? "single" : "guardian");
    return rc < 0 ? say(conf, CV_EXIT_OS, strerror(-rc)) : CV_EXIT_OK;
}

static int open_all(struct cv_conf *conf, struct cv_supervise *how)
{
    char no_control[sizeof(conf->reason)] = "";
    bool is_single = conf->value[CV_SET_SINGLE_PROCESS] != 0;
    int code = open_listeners(conf, &how->outer, how->listeners);
    if (code == CV_EXIT_OK && !is_single)
        code = open_inspector(conf, how->listeners);
    if (code == CV_EXIT_OK && !is_single)
        code = open_control(conf, how->control, no_control, sizeof(no_control));
    if (code == CV_EXIT_OK)
        code = begin_logs(conf, how->logs);
    if (code != CV_EXIT_OK) {
        cv_listen_unlink(how->listeners);
        cv_control_unlink(how->control);
        return code;
    }
    if (how->outer.listen_fds > 0)
        cv_info("LISTEN_FDS has passed %d: host, port and listen do not count",
                how->outer.listen_fds);
    if (no_control[0] != '\0')
        cv_warn("%s", no_control);
    return CV_EXIT_OK;
}

static int serve(struct cv_conf *conf, const struct cv_app_source *source, struct cv_supervise *how)
{
    int code = open_all(conf, how);
    if (code != CV_EXIT_OK)
        return code;
    if (conf->value[CV_SET_SINGLE_PROCESS] != 0)
        return cv_life_single(conf, source, how->listeners, how->logs);
    if (how->foreign != NULL)
        cv_foreign_prepare(how->foreign->path, how->listeners);
    return cv_supervise(how);
}

/* Goes on in the background, if that is wanted. */
static int become_daemon(struct cv_conf *conf, struct cv_supervise *how)
{
    const char *why = NULL;
    if (conf->value[CV_SET_DAEMON] == 0)
        return CV_EXIT_OK;
    if (conf->value[CV_SET_SINGLE_PROCESS] != 0)
        why = "DAEMON and SINGLE_PROCESS exclude each other: a single process is for debuggers";
    else if (getpid() == 1)
        why =
            "process 1 of a container cannot go into the background, for the container would end: "
            "start it without DAEMON";
    else if (how->outer.address_len != 0 || how->outer.listen_fds > 0)
        why = "it was started by a service manager (NOTIFY_SOCKET, LISTEN_FDS), which keeps it in "
              "the background itself: start it without DAEMON";
    if (why != NULL)
        return say(conf, CV_EXIT_USAGE, why);
    int rc = cv_daemon_start(conf->name, &how->ready);
    return rc < 0 ? say(conf, CV_EXIT_OS, strerror(-rc)) : CV_EXIT_OK;
}

static int run(struct cv_conf *conf, const struct cv_app_source *source)
{
    static struct cv_supervise how;
    int code = check(conf, source, &how);
    if (code != CV_EXIT_OK)
        return say(conf, code, conf->reason);
    if (cv_outer_take(&how.outer, conf->reason, sizeof(conf->reason)) < 0)
        return say(conf, CV_EXIT_CONFIG, conf->reason);
    code = become_daemon(conf, &how);
    if (code != CV_EXIT_OK)
        return code;
    int rc = cv_pidfile_take(&how.pidfile, conf->text[CV_SET_PIDFILE], conf->reason,
                             sizeof(conf->reason));
    if (rc < 0)
        return say(conf, rc == -EAGAIN ? CV_EXIT_ADDRESS : CV_EXIT_OS, conf->reason);
    code = serve(conf, source, &how);
    cv_pidfile_remove(&how.pidfile);
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

/* ---- An upgrade ---- */

/* Says whether this program could take over. */
static _Noreturn void try(struct cv_conf *conf, int conf_rc, const struct cv_app_source *source,
                          const struct cv_handed *handed)
{
    static struct cv_supervise how;
    bool is_fine = conf_rc == 0 && check(conf, source, &how) == CV_EXIT_OK;
    if (is_fine && conf->value[CV_SET_SINGLE_PROCESS] != 0) {
        (void)snprintf(conf->reason, sizeof(conf->reason),
                       "the settings ask for a single process, which nothing supervises");
        is_fine = false;
    }
    is_fine = is_fine && cv_supervise_try(&how, handed, conf->reason, sizeof(conf->reason)) == 0;
    cv_handed_answer(handed, is_fine ? "" : conf->reason);
    _exit(CV_EXIT_OK);
}

/* Goes on as the guardian or master that this process has been. */
static int take_over(struct cv_conf *conf, int conf_rc, const struct cv_app_source *source,
                     const struct cv_handed *handed)
{
    static struct cv_supervise how;
    if (conf_rc < 0 || cv_how(conf, source, &how) != CV_EXIT_OK)
        exit(say(conf, CV_EXIT_CONFIG, conf->reason));
    cv_conf_open_log(conf, conf->name, "guardian"); /* a master says so then */
    int code = cv_supervise_resume(&how, handed);
    cv_pidfile_remove(&how.pidfile);
    return code;
}

int cv_entry(const char *program, const char *usage, char *const *flags,
             const struct covey_options *options, const struct cv_app_source *source)
{
    static struct cv_conf conf;
    static struct cv_child child;
    static struct cv_handed handed;
    enum cv_conf_request request;
    int opened = cv_fd_ensure_stdio();
    int born = cv_child_boot(&child);
    int taken = born == 0 ? cv_handed_take(&handed) : 0;
    int pinned = born == 1 ? child.boot.settings : taken == 1 ? handed.settings : -1;
    int rc = cv_conf_read_pinned(&conf, program, options, pinned, flags, &request);
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
    if (taken == -EPROTO)
        exit(say(&conf, CV_EXIT_CONFIG,
                 "the server that is to be upgraded is another version of covey: restart instead"));
    if (taken < 0)
        exit(say(&conf, CV_EXIT_OS, strerror(-taken)));
    if (taken == 1 && handed.role == CV_HANDED_TRIAL)
        try(&conf, rc, source, &handed);
    if (taken == 1)
        return take_over(&conf, rc, source, &handed);

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
