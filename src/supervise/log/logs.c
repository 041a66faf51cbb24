#include "supervise/log/logs.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Which of the files come with CV_MSG_LOGS: word[1]. */
enum { HAS_LOG = 1, HAS_ACCESS = 2 };

/* ---- Opening ---- */

static int open_one(const char *path, int *ret, char *reason, size_t cap)
{
    if (path[0] == '\0')
        return 0;
    *ret = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
    if (*ret >= 0)
        return 0;
    int error = errno;
    (void)snprintf(reason, cap, "cannot open the log file %s: %s", path,
                   error == ENXIO ? "nobody reads from that FIFO" : strerror(error));
    return -error;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

int cv_logs_open(const struct cv_logs *logs, struct cv_log_files *ret, char *reason, size_t cap)
{
    *ret = (struct cv_log_files){-1, -1};
    int rc = open_one(logs->log, &ret->log, reason, cap);
    if (rc == 0)
        rc = open_one(logs->access, &ret->access, reason, cap);
    /* Strangers will write to standard error, and expect that to wait. */
    if (rc == 0 && ret->log >= 0)
        rc = cv_fd_set_nonblock(ret->log, 0);
    if (rc < 0) {
        close_one(&ret->log);
        close_one(&ret->access);
    }
    return rc;
}

/* ---- In their place ---- */

static int put_null(int fd, int mode)
{
    CV_AUTOCLOSE int null = open("/dev/null", mode | O_CLOEXEC);
    return null >= 0 && dup2(null, fd) == fd ? 0 : -errno;
}

static int detach(bool has_log)
{
    int rc = put_null(STDIN_FILENO, O_RDONLY);
    if (rc == 0 && !has_log)
        rc = put_null(STDERR_FILENO, O_WRONLY);
    if (rc == 0 && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        rc = -errno;
    return rc;
}

int cv_logs_begin(struct cv_logs *logs, struct cv_log_files *files, bool is_daemon)
{
    bool has_log = files->log >= 0;
    if (has_log || is_daemon)
        cv_log_witness(cv_log_reopen(STDERR_FILENO));
    int rc = !has_log || dup2(files->log, STDERR_FILENO) >= 0 ? 0 : -errno;
    close_one(&files->log);
    logs->access_fd = files->access;
    files->access = -1;
    return rc == 0 && is_daemon ? detach(has_log) : rc;
}

bool cv_logs_replace(const struct cv_logs *logs, struct cv_log_files *files)
{
    bool follows = files->log >= 0 && cv_log_replace(files->log);
    if (files->access >= 0 && logs->access_fd >= 0)
        (void)dup3(files->access, logs->access_fd, O_CLOEXEC);
    close_one(&files->log);
    close_one(&files->access);
    return follows;
}

/* ---- Between processes ---- */

int cv_logs_send(int channel, uint32_t serial, const struct cv_log_files *files)
{
    struct cv_message message = {.kind = CV_MSG_LOGS, .word = {serial}};
    struct cv_files with = {.n = 0};
    if (files->log >= 0) {
        message.word[1] |= HAS_LOG;
        with.fd[with.n++] = files->log;
    }
    if (files->access >= 0) {
        message.word[1] |= HAS_ACCESS;
        with.fd[with.n++] = files->access;
    }
    return cv_channel_send_files(channel, &message, &with);
}

bool cv_logs_received(const struct cv_message *message, const struct cv_files *came,
                      struct cv_log_files *ret)
{
    unsigned expected = 0;
    *ret = (struct cv_log_files){-1, -1};
    if ((message->word[1] & HAS_LOG) != 0)
        ret->log = came->fd[expected++];
    if ((message->word[1] & HAS_ACCESS) != 0)
        ret->access = came->fd[expected++];
    if (came->n == expected)
        return true;
    for (unsigned i = 0; i < came->n; i++)
        (void)close(came->fd[i]);
    *ret = (struct cv_log_files){-1, -1};
    return false;
}
