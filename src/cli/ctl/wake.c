#include "cli/ctl/wake.h"

#include "base/fd.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* Of the guardian: the master, and what it has adopted. */
#define CHILDREN_BYTES 16384

/* ---- Who they are ---- */

bool cv_ctl_read_stat(const char *text, struct cv_ctl_stat *ret)
{
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    int parent;
    int group;
    char state;
    if (at == NULL || sscanf(at + 1, " %c %d %d", &state, &parent, &group) != 3)
        return false;
    *ret = (struct cv_ctl_stat){.state = state, .parent = parent, .group = group};
    return true;
}

static bool look(pid_t pid, struct cv_ctl_stat *ret)
{
    char path[32];
    char text[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    return cv_fd_slurp(path, text, sizeof(text)) > 0 && cv_ctl_read_stat(text, ret);
}

static bool is_stopped(const struct cv_ctl_stat *stat)
{
    return stat->state == 'T' || stat->state == 't';
}

/* A child that leads a process group of its own, as the master does, and is stopped; 0: none. */
static pid_t stopped_master(pid_t guardian)
{
    char path[64];
    char text[CHILDREN_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", guardian, guardian);
    if (cv_fd_slurp(path, text, sizeof(text)) < 0)
        return 0;
    char *at = text;
    for (;;) {
        char *end;
        pid_t pid = (pid_t)strtol(at, &end, 10);
        struct cv_ctl_stat stat;
        if (end == at)
            return 0;
        if (look(pid, &stat) && stat.parent == guardian && stat.group == pid && is_stopped(&stat))
            return pid;
        at = end;
    }
}

pid_t cv_ctl_stopped(pid_t guardian, const char **ret_what)
{
    struct cv_ctl_stat stat;
    if (guardian <= 0 || !look(guardian, &stat))
        return 0;
    *ret_what = "guardian";
    if (is_stopped(&stat))
        return guardian;
    *ret_what = "master";
    return stopped_master(guardian);
}

/* ---- What is done ---- */

/* Whom it reaches is certain once the descriptor is there and it is still stopped. */
static void continue_one(pid_t pid)
{
    struct cv_ctl_stat stat;
    CV_AUTOCLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0 && look(pid, &stat) && stat.state == 'T')
        (void)syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
}

/* A guardian that Ctrl+Z has stopped continues the others itself. */
void cv_ctl_continue(pid_t guardian)
{
    struct cv_ctl_stat stat;
    if (guardian <= 0 || !look(guardian, &stat))
        return;
    pid_t master = stopped_master(guardian);
    if (stat.state == 'T')
        continue_one(guardian);
    if (master != 0)
        continue_one(master);
}
