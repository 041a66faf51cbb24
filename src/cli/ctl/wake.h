/* A server that somebody has stopped (Ctrl+Z, SIGSTOP) hears no command: it is continued first. */
#ifndef CV_CLI_CTL_WAKE_H
#define CV_CLI_CTL_WAKE_H

#include "base/macros.h"

#include <stdbool.h>
#include <sys/types.h>

/* What /proc/PID/stat says. */
struct cv_ctl_stat {
    char state; /* 'T': stopped by a signal; 't': held by a debugger */
    pid_t parent;
    pid_t group;
};

/* Reads the text of that file. False if it is not of its form. Pure. */
bool cv_ctl_read_stat(const char *text, struct cv_ctl_stat *ret);

/* The guardian, or else its master, if one of them is stopped (or held by a debugger); 0: both run,
 * or are gone, or cannot be seen from here. *ret_what names it. */
pid_t cv_ctl_stopped(pid_t guardian, const char **ret_what);

/* Sends CONT to whichever of them is stopped by a signal, by pidfd. */
void cv_ctl_continue(pid_t guardian);

#endif
