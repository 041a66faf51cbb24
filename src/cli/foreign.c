#include "cli/foreign.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/which.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static int stop_signal(const struct cv_conf *conf)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    return signals[conf->value[CV_SET_STOP_SIGNAL]]; /* in the order of its words */
}

int cv_foreign_find(struct cv_foreign_run *ret, struct cv_conf *conf,
                    const struct cv_app_source *source)
{
    int64_t settle = conf->value[CV_SET_READY_AFTER];
    const char *name = source->command[0];
    int rc = cv_which(name, ret->path);
    if (rc < 0) {
        (void)snprintf(conf->reason, sizeof(conf->reason), "cannot run \"%.200s\": %s", name,
                       rc == -EACCES ? "it may not be executed" : "there is no such program");
        return CV_EXIT_LOAD;
    }
    if (conf->value[CV_SET_SINGLE_PROCESS] != 0) {
        (void)snprintf(conf->reason, sizeof(conf->reason),
                       "a command cannot be run with --single-process");
        return CV_EXIT_USAGE;
    }
    ret->app = (struct cv_foreign_app){.path = ret->path,
                                       .argv = source->command,
                                       .notify = conf->value[CV_SET_NOTIFY] != 0,
                                       .ready_after = settle == CV_CONF_OFF ? 0 : settle * CV_MS,
                                       .stop_signal = stop_signal(conf)};
    return CV_EXIT_OK;
}

/* The kernel clears the parent-death signal of such a program when it is exec'd. */
static void warn_of_privileges(const char *path)
{
    struct stat st;
    char value[64];
    bool is_set_id = stat(path, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) != 0;
    if (is_set_id || getxattr(path, "security.capability", value, sizeof(value)) > 0)
        cv_warn("%s is a set-id program or has file capabilities: its workers may outlive a master "
                "that is killed",
                path);
}

void cv_foreign_prepare(const char *path, const struct cv_listeners *listeners)
{
    warn_of_privileges(path);
    /* A program that does not expect it would spin on a listener that does not block. */
    for (int i = 0; i < listeners->n; i++) {
        int flags = fcntl(listeners->item[i].fd, F_GETFL);
        if (flags >= 0)
            (void)fcntl(listeners->item[i].fd, F_SETFL, flags & ~O_NONBLOCK);
    }
}
