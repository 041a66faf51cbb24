/* Signals of guardian and master, as readable events.
 *
 * They are blocked before the first fork and read through a signalfd, so that none is lost between
 * fork and the child's own set-up. What is exec'd starts with the defaults.
 */
#ifndef CV_SUPERVISE_SIGNALS_H
#define CV_SUPERVISE_SIGNALS_H

#include "base/macros.h"

#include <signal.h>
#include <stdbool.h>

struct cv_signals {
    bool hangup_ignored; /* HUP was ignored at start (nohup) */
};

/* Sets every disposition to its default (PIPE: ignored) and blocks what is read through a signalfd.
 */
void cv_signals_take(struct cv_signals *ret);

/* A signalfd for what is blocked, for the calling process: to be opened after fork. The descriptor
 * or -errno. */
CV_MUST_CHECK int cv_signals_open(void);

/* For a child, before exec or before it goes on: all defaults, nothing blocked. Async-signal-safe.
 */
void cv_signals_reset(void);

/* The next signal: its number, 0 if none is pending. *ret_by_user: sent by kill(2) and its kin, not
 * by the terminal driver. */
int cv_signals_next(int fd, bool *ret_by_user);

#endif
