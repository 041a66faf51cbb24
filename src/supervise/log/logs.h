/* The log files: opened by the first process, opened anew by the master (which may be root where
 * workers are not), put in the place of the old ones in every process.
 *
 * The log is standard error itself, so that libraries and what workers start write there too. The
 * access log has a descriptor of its own, of the same number in every process.
 */
#ifndef CV_SUPERVISE_LOGS_H
#define CV_SUPERVISE_LOGS_H

#include "supervise/shared/channel.h"

#include <stdbool.h>
#include <stddef.h>

struct cv_logs {
    const char *log;    /* path; "": standard error as it is */
    const char *access; /* path; "": standard output */
    int access_fd;      /* the access log's; -1: there is no file */
};

/* Open and not in place yet; -1: none. */
struct cv_log_files {
    int log;
    int access;
};

static inline bool cv_logs_are_files(const struct cv_logs *logs)
{
    return logs->log[0] != '\0' || logs->access[0] != '\0';
}

/* Opens what has a path, to append, and makes it where there is none (0640). All or nothing: 0, or
 * -errno with a sentence in `reason`. Waits for nobody (a FIFO without a reader is refused). */
CV_MUST_CHECK int cv_logs_open(const struct cv_logs *logs, struct cv_log_files *ret, char *reason,
                               size_t cap);

/* The first time, in the first process, before cv_log_open(): takes the files over. Standard input
 * and output of a daemon are /dev/null and the log, and without a log file standard error is
 * /dev/null too. Until cv_log_witness(-1) warnings and errors are also said where standard error
 * was. 0 or -errno. */
CV_MUST_CHECK int cv_logs_begin(struct cv_logs *logs, struct cv_log_files *files, bool is_daemon);

/* Later: puts the files in the place of the old ones, and closes them. Standard output follows the
 * log if it was the same file: true. */
bool cv_logs_replace(const struct cv_logs *logs, struct cv_log_files *files);

/* Sends the files along with CV_MSG_LOGS number `serial`; they stay the caller's. 0, -EAGAIN,
 * -errno. */
CV_MUST_CHECK int cv_logs_send(int channel, uint32_t serial, const struct cv_log_files *files);

/* On the other side: the files that came with that message. False if they have not all come (there
 * was no descriptor left for them); then none is left open. */
bool cv_logs_received(const struct cv_message *message, const struct cv_files *came,
                      struct cv_log_files *ret);

#endif
