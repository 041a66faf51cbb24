/* The log: one line, one write, never a wait; in text, or as an object of JSON.
 *
 * Each process writes through its own non-blocking description of standard error (the shell's is
 * not touched). A line is at most 4 KiB; what does not fit into the pipe or terminal is dropped,
 * and the next line that fits says how many were. Usable from any thread.
 *
 *     2026-11-24 13:35:32.123 INFO  hello: worker 2: listening on http://127.0.0.1:8000
 *     {"time":"2026-11-24T12:35:32.123Z","level":"info","server":"hello","process":"worker 2",
 *      "message":"listening on http://127.0.0.1:8000"}
 */
#ifndef CV_BASE_LOG_H
#define CV_BASE_LOG_H

#include "base/json_line.h"
#include "base/macros.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum cv_log_level { CV_LOG_DEBUG, CV_LOG_INFO, CV_LOG_WARN, CV_LOG_ERROR, CV_LOG_OFF };

#define CV_LOG_LINE_MAX 4096

/* Opens this process's own description of fd 2 and sets the name that stands in each line (copied).
 * May be called again (after fork; with a new name). Before the first call lines go to fd 2 as it
 * is. */
void cv_log_open(const char *who, enum cv_log_level least);

/* From now on lines are objects of JSON that name this server (copied); NULL: text. And the process
 * in it that writes them (copied). To be called before other threads log. */
void cv_log_json(const char *server);
void cv_log_process(const char *process);

/* Puts `fd`, which stays the caller's, in the place of standard error, and writes there from now
 * on: without a gap, whatever other threads log meanwhile. Standard output follows if it was the
 * same file: true. */
bool cv_log_replace(int fd);

/* While a server starts: warnings and errors are written to `fd` as well, unless that is the same
 * file as standard error. Takes the descriptor over; -1: no longer (the last one is closed). */
void cv_log_witness(int fd);

/* From now on `tag` is asked, by whichever thread writes a line, what stands in brackets in front
 * of its text; NULL: nothing. To be called before other threads log. */
void cv_log_tag(const char *(*tag)(void));

bool cv_log_on(enum cv_log_level level);
void cv_log(enum cv_log_level level, const char *format, ...) CV_PRINTF(2, 3);
void cv_log_v(enum cv_log_level level, const char *format, va_list args) CV_PRINTF(2, 0);

/* Writes bytes that are already lines (the access log) the same way to `fd`, which must be
 * non-blocking. Returns the number of bytes taken. */
size_t cv_log_raw(int fd, const char *lines, size_t len);

/* An own non-blocking description of `fd` (1 or 2), or a dup of it where it cannot be reopened.
 * -errno on error. The caller closes it. */
int cv_log_reopen(int fd);

/* Begins an object with what all of them say: time, level, server, process. */
void cv_log_begin_json(struct cv_json_line *line, char *to, size_t cap, enum cv_log_level level);
bool cv_log_is_json(void);

/* For a signal handler: makes a line of `text`, as it stands, or as an object; its length. */
size_t cv_log_line(char *line, size_t cap, const char *text);

/* For a signal handler: the descriptor lines go to, and the name that stands in them. */
int cv_log_fd(void);
const char *cv_log_name(void);

/* Lines dropped since start. */
uint64_t cv_log_dropped(void);

#define cv_debug(...) cv_log(CV_LOG_DEBUG, __VA_ARGS__)
#define cv_info(...) cv_log(CV_LOG_INFO, __VA_ARGS__)
#define cv_warn(...) cv_log(CV_LOG_WARN, __VA_ARGS__)
#define cv_error(...) cv_log(CV_LOG_ERROR, __VA_ARGS__)

#endif
