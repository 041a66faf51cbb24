/* The worker's half of supervision: what a process started by the master says and hears. */
#ifndef CV_SUPERVISE_CHILD_H
#define CV_SUPERVISE_CHILD_H

#include "base/span.h"
#include "supervise/log/words.h"
#include "supervise/process/privilege.h"
#include "supervise/shared/boot.h"
#include "supervise/shared/channel.h"
#include "supervise/shared/slots.h"

#include <stdbool.h>

struct cv_child {
    struct cv_boot boot;
    struct cv_slots slots; /* .own is this process's page; a template has none */
    int channel;           /* to be watched for reading: cv_child_hear() */
    int own_stdout; /* a description of standard output that follows it to a new log file; -1 */
    int64_t extended_until; /* CLOCK_MONOTONIC ms: what it has asked for to start */
};

/* Whether this process has been exec'd by a master: 1 with *ret filled in, 0 if not, or -errno
 * (-EPROTO: by another version of covey; -ESRCH: the master is gone already). Arms the parent-death
 * signal again. */
CV_MUST_CHECK int cv_child_boot(struct cv_child *ret);

/* The same for a process that the master has forked. 0 or -errno. */
CV_MUST_CHECK int cv_child_forked(struct cv_child *ret, const struct cv_boot *boot);

/* "worker 3", "main", "queue 0". */
struct cv_who cv_child_who(const struct cv_boot *boot);

/* Becomes that user, and arms the parent-death signal again, which that clears. 0 or -errno
 * (-ESRCH: the master is gone). */
CV_MUST_CHECK int cv_child_become(const struct cv_child *child,
                                  const struct cv_privilege *privilege);

/* Signals of a worker before its loop runs: TERM keeps its default action, so that a blocked
 * start-up ends at once; INT, HUP, QUIT and PIPE do nothing. They are handlers, not SIG_IGN: what
 * the app starts gets the defaults. */
void cv_child_signals(void);

/* What the app forks from now on gets back the limit of descriptors that the user had set (programs
 * that use select(2) break above 1024). posix_spawn(3) does not pass here: it keeps the raised one.
 */
void cv_child_restore_limit_in_forks(const struct cv_child *child);

/* From now on TERM is noted: `fd` (an eventfd) becomes readable. `interrupts`: what blocks in a
 * system call meanwhile fails with EINTR. */
CV_MUST_CHECK int cv_child_catch_term(bool interrupts, int *ret_fd);

/* Whether TERM has been noted. */
bool cv_child_has_term(void);

/* From now on TERM does nothing. */
void cv_child_ignore_term(void);

/* Declares the app. 0 or -errno. */
CV_MUST_CHECK int cv_child_hello(struct cv_child *child, uint32_t abi, struct cv_span manifest);

/* Waits for GO. 0; -ECANCELED if a DRAIN came instead, -EPIPE if the master is gone. */
CV_MUST_CHECK int cv_child_wait_go(struct cv_child *child);

/* Writes this process's beat: the time of the last wait's end while it runs, 0 while it waits. */
void cv_child_beat(struct cv_child *child, int64_t running_since);

/* Says what it is doing that may take long; "" once it is done. */
void cv_child_doing(struct cv_child *child, const char *what);

/* Asks for `ms` more to start. */
void cv_child_extend(struct cv_child *child, int64_t ms);

/* READY, DRAINED, LEAVING, SPENT. Failures are ignored: if the master is gone, so is this process
 * in a moment. */
void cv_child_tell(struct cv_child *child, enum cv_message_kind kind);

/* Gives the reason for the exit code that follows. */
void cv_child_failed(struct cv_child *child, int code, const char *reason);

/* The same, with the descriptors that come along and are not log files. */
CV_MUST_CHECK int cv_child_hear_files(struct cv_child *child, struct cv_message *ret,
                                      struct cv_files *ret_files);

/* The next message: 1, 0 when the master is gone, -EAGAIN. New log files (CV_MSG_LOGS) are in place
 * when it returns. */
CV_MUST_CHECK int cv_child_hear(struct cv_child *child, struct cv_message *ret);

#endif
