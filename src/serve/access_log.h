/* One line per exchange, when it ends:
 *
 *     2026-11-24 13:35:32 127.0.0.1 "GET /hello/you?x=1 HTTP/1.1" 200 13 0.412ms hello
 *
 * local time, peer ("-" for a Unix socket), request line, status ("-" if there was no answer),
 * bytes of the answer's body, time from the complete head to the end, name of the route ("-" if it
 * has none). Quotes, backslashes and bytes outside ASCII in the target are written as \xHH; of a
 * target longer than 1,024 bytes the beginning is written. With `access_ids` the request's id ("-"
 * if it has none) ends the line.
 *
 * Where the log is JSON, so is each of these lines:
 *
 *     {"time":"2026-11-24T12:35:32.123Z","level":"info","server":"shop","process":"worker 2",
 *      "log":"access","client":"127.0.0.1","method":"GET","target":"/hello/you?x=1",
 *      "protocol":"HTTP/1.1","status":200,"bytes":13,"ms":0.412,"route":"hello"}
 *
 * Lines are collected and written at 16 KiB, after 1 s, and when the server is freed. What the
 * descriptor does not take waits for the next time, up to 64 KiB; then lines are dropped: the log
 * says so once, and how many it were once they are taken again, or at the end.
 */
#ifndef CV_SERVE_ACCESS_LOG_H
#define CV_SERVE_ACCESS_LOG_H

#include "base/buf.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct cv_exchange;
struct cv_server;

struct cv_access_log {
    int fd;   /* -1: off */
    bool ids; /* the last column */
    struct cv_buf lines;
    struct cv_timer timer;
    uint64_t dropped;
    int64_t stamp_at; /* second of `stamp` */
    char stamp[20];
};

/* 0 or -ENOMEM. `fd` stays the caller's. */
CV_MUST_CHECK int cv_access_log_init(struct cv_server *server, int fd, bool ids);

/* Writes what is left. */
void cv_access_log_done(struct cv_server *server);

void cv_access_log_add(struct cv_server *server, const struct cv_exchange *x);

#endif
