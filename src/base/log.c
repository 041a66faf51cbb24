#include "base/log.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NAME_MAX_JSON 128 /* bytes of a server's and a process's name in JSON */

static char name[64] = "covey";
static char server[64];
static char process[64];
static bool is_json;
static enum cv_log_level threshold = CV_LOG_INFO;
static int log_fd = STDERR_FILENO;
static int witness_fd = -1;
static const char *(*tag_of_line)(void); /* NULL: lines have none */
static _Atomic uint64_t dropped;
static _Atomic uint64_t unreported; /* dropped lines that no line has told of yet */

static const char *const level_names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
static const char *const level_words[] = {"debug", "info", "warn", "error"};

/* A pipe, terminal or file is opened anew through /proc, which gives a description with flags of
 * its own. A socket cannot be; there MSG_DONTWAIT would do, but write() must serve all: poll()
 * decides. */
int cv_log_reopen(int fd)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct stat st;
    if (fstat(fd, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        int own = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0)
            return own;
    }
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy >= 0 ? copy : -errno;
}

void cv_log_open(const char *who, enum cv_log_level least)
{
    (void)snprintf(name, sizeof(name), "%s", who);
    threshold = least;
    int own = cv_log_reopen(STDERR_FILENO);
    if (own < 0)
        return;
    if (log_fd != STDERR_FILENO)
        (void)close(log_fd);
    log_fd = own;
}

void cv_log_json(const char *of)
{
    is_json = of != NULL;
    (void)snprintf(server, sizeof(server), "%s", is_json ? of : "");
}

void cv_log_process(const char *who)
{
    (void)snprintf(process, sizeof(process), "%s", who);
}

bool cv_log_is_json(void)
{
    return is_json;
}

static bool is_same_file(int a, int b)
{
    struct stat at;
    struct stat bt;
    return fstat(a, &at) == 0 && fstat(b, &bt) == 0 && at.st_dev == bt.st_dev &&
           at.st_ino == bt.st_ino;
}

/* The number of the log's own descriptor stays: another thread may be writing to it. */
bool cv_log_replace(int fd)
{
    bool follows = is_same_file(STDOUT_FILENO, STDERR_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    if (follows)
        (void)dup2(fd, STDOUT_FILENO);
    if (log_fd == STDERR_FILENO)
        return follows;
    int own = cv_log_reopen(STDERR_FILENO);
    if (own < 0)
        return follows;
    (void)dup3(own, log_fd, O_CLOEXEC);
    (void)close(own);
    return follows;
}

void cv_log_witness(int fd)
{
    if (witness_fd >= 0)
        (void)close(witness_fd);
    witness_fd = fd;
}

void cv_log_tag(const char *(*tag)(void))
{
    tag_of_line = tag;
}

bool cv_log_on(enum cv_log_level level)
{
    return level >= threshold;
}

int cv_log_fd(void)
{
    return log_fd;
}

const char *cv_log_name(void)
{
    return name;
}

uint64_t cv_log_dropped(void)
{
    return atomic_load(&dropped);
}

/* Whether a write to a description that may be blocking would wait. */
static bool would_wait(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK) != 0)
        return false;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    return poll(&ready, 1, 0) <= 0;
}

size_t cv_log_raw(int fd, const char *lines, size_t len)
{
    size_t done = 0;
    while (done < len && !would_wait(fd)) {
        ssize_t put = write(fd, lines + done, len - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    return done;
}

/* Writes time, level, name and tag at the head of a line; the length. */
static size_t put_head(char *line, size_t cap, enum cv_log_level level)
{
    struct timespec now;
    struct tm parts;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &parts);
    size_t len = strftime(line, cap, "%Y-%m-%d %H:%M:%S", &parts);
    const char *tag = tag_of_line != NULL ? tag_of_line() : NULL;
    int n = snprintf(line + len, cap - len, ".%03ld %s %s: %s%s%s", now.tv_nsec / 1000000,
                     level_names[level], name, tag != NULL ? "[" : "", tag != NULL ? tag : "",
                     tag != NULL ? "] " : "");
    return len + (size_t)n;
}

/* The length of the line; 0: there is none. */
static CV_PRINTF(3, 0) size_t
    make_text(char line[CV_LOG_LINE_MAX], enum cv_log_level level, const char *format, va_list args)
{
    size_t len = put_head(line, CV_LOG_LINE_MAX, level);
    int n = vsnprintf(line + len, CV_LOG_LINE_MAX - len - 1, format, args);
    if (n < 0)
        return 0;
    size_t end = len + (size_t)n;
    if (end > CV_LOG_LINE_MAX - 2)
        end = CV_LOG_LINE_MAX - 2;
    for (size_t i = len; i < end; i++) /* one event, one line, whatever the text holds */
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = line[i] == '\t' ? '\t' : ' ';
    line[end++] = '\n';
    return end;
}

void cv_log_begin_json(struct cv_json_line *line, char *to, size_t cap, enum cv_log_level level)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    cv_json_open(line, to, cap);
    cv_json_time(line, "time", &now);
    cv_json_text(line, "level", cv_span_str(level_words[level]), SIZE_MAX);
    cv_json_text(line, "server", cv_span_str(server), NAME_MAX_JSON);
    cv_json_text(line, "process", cv_span_str(process), NAME_MAX_JSON);
}

/* The same. By itself, so that its second buffer is on no stack that needs only one. */
static __attribute__((noinline)) CV_PRINTF(3, 0) size_t
    make_json(char to[CV_LOG_LINE_MAX], enum cv_log_level level, const char *format, va_list args)
{
    char text[CV_LOG_LINE_MAX];
    struct cv_json_line line;
    const char *tag = tag_of_line != NULL ? tag_of_line() : NULL;
    int n = vsnprintf(text, sizeof(text), format, args);
    if (n < 0)
        return 0;
    size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    cv_log_begin_json(&line, to, CV_LOG_LINE_MAX, level);
    if (tag != NULL)
        cv_json_text(&line, "request_id", cv_span_str(tag), SIZE_MAX);
    cv_json_text(&line, "message", cv_span(text, len), SIZE_MAX);
    return cv_json_close(&line);
}

size_t cv_log_line(char *to, size_t cap, const char *text)
{
    struct cv_json_line line;
    struct cv_span all = cv_span_str(text);
    if (!is_json) {
        size_t len = all.len < cap ? all.len : cap - 1;
        memcpy(to, text, len);
        to[len] = '\n';
        return len + 1;
    }
    cv_log_begin_json(&line, to, cap, CV_LOG_ERROR);
    cv_json_text(&line, "message", all, SIZE_MAX);
    return cv_json_close(&line);
}

/* Whether the line has been taken. */
static bool emit(enum cv_log_level level, const char *format, va_list args)
{
    char line[CV_LOG_LINE_MAX];
    size_t end =
        is_json ? make_json(line, level, format, args) : make_text(line, level, format, args);
    if (end == 0)
        return false;
    if (witness_fd >= 0 && level >= CV_LOG_WARN && !is_same_file(witness_fd, STDERR_FILENO))
        (void)cv_log_raw(witness_fd, line, end);
    return cv_log_raw(log_fd, line, end) > 0;
}

static bool emit_f(enum cv_log_level level, const char *format, ...) CV_PRINTF(2, 3);
static bool emit_f(enum cv_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool taken = emit(level, format, args);
    va_end(args);
    return taken;
}

/* What could not be told of now is told of later. */
static void report_dropped(void)
{
    uint64_t lost = atomic_exchange(&unreported, 0);
    if (lost > 0 &&
        !emit_f(CV_LOG_WARN, "%llu lines were dropped: standard error did not take them",
                (unsigned long long)lost))
        atomic_fetch_add(&unreported, lost);
}

void cv_log_v(enum cv_log_level level, const char *format, va_list args)
{
    if (level < threshold || level >= CV_LOG_OFF)
        return;
    int saved = errno;
    report_dropped();
    if (!emit(level, format, args)) {
        atomic_fetch_add(&dropped, 1);
        atomic_fetch_add(&unreported, 1);
    }
    errno = saved;
}

void cv_log(enum cv_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cv_log_v(level, format, args);
    va_end(args);
}
