#include "serve/access_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "serve/exchange.h"
#include "serve/inside.h"

#define WRITE_AT 16384
#define LINES_MAX 65536
#define WRITE_AFTER CV_SECOND
#define TARGET_MAX 1024

static void drop_line(struct cv_access_log *log)
{
    if (log->dropped++ == 0)
        cv_warn("the access log does not take its lines: they are dropped, and counted, until it "
                "does");
}

static void say_dropped(struct cv_access_log *log)
{
    if (log->dropped > 0)
        cv_warn("%" PRIu64 " lines of the access log were dropped: it was not taken", log->dropped);
    log->dropped = 0;
}

static void write_lines(struct cv_access_log *log)
{
    cv_buf_consume(&log->lines, cv_log_raw(log->fd, log->lines.at, log->lines.len));
    if (log->lines.len == 0)
        say_dropped(log);
}

static void fire(struct cv_timer *timer)
{
    struct cv_server *server = CV_CONTAINER_OF(timer, struct cv_server, access_log.timer);
    cv_timer_move(server->loop, &server->access_log.timer, CV_NEVER);
    write_lines(&server->access_log);
    if (server->access_log.lines.len > 0)
        cv_timer_move(server->loop, &server->access_log.timer,
                      cv_loop_now(server->loop) + WRITE_AFTER);
}

int cv_access_log_init(struct cv_server *server, int fd, bool ids)
{
    struct cv_access_log *log = &server->access_log;
    log->fd = fd;
    log->ids = ids;
    log->timer.fire = fire;
    cv_buf_init(&log->lines, LINES_MAX);
    return cv_timer_set(server->loop, &log->timer, CV_NEVER);
}

void cv_access_log_done(struct cv_server *server)
{
    struct cv_access_log *log = &server->access_log;
    write_lines(log);
    for (size_t i = 0; i < log->lines.len; i++)
        log->dropped += log->lines.at[i] == '\n';
    say_dropped(log);
    cv_timer_stop(server->loop, &log->timer);
    cv_buf_done(&log->lines);
}

/* "2026-11-24 13:35:32", made once a second. */
static const char *stamp(struct cv_access_log *log)
{
    time_t now = (time_t)cv_clock_wall_s();
    if (log->stamp_at != now) {
        struct tm parts = {0};
        (void)localtime_r(&now, &parts);
        if (strftime(log->stamp, sizeof(log->stamp), "%Y-%m-%d %H:%M:%S", &parts) == 0)
            log->stamp[0] = '\0';
        log->stamp_at = now;
    }
    return log->stamp;
}

/* Writes the target so that it cannot be taken for anything else; its length. */
static int put_target(char *to, struct cv_span target)
{
    static const char digits[] = "0123456789ABCDEF";
    char *at = to;
    for (size_t i = 0; i < target.len && i < TARGET_MAX; i++) {
        unsigned char byte = (unsigned char)target.at[i];
        if (byte > ' ' && byte < 0x7f && byte != '"' && byte != '\\') {
            *at++ = (char)byte;
            continue;
        }
        *at++ = '\\';
        *at++ = 'x';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    return (int)(at - to);
}

/* The time since the request has come, in ms. */
static struct cv_span write_ms(char to[32], const struct cv_exchange *x)
{
    int64_t us = (cv_clock_ns() - x->started) / 1000;
    int n = snprintf(to, 32, "%" PRId64 ".%03d", us / 1000, (int)(us % 1000));
    return cv_span(to, (size_t)n);
}

static struct cv_span write_number(char to[32], uint64_t number)
{
    return cv_span(to, cv_num_write_u64(to, number));
}

static struct cv_span text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? cv_span_str(text) : cv_span(NULL, 0);
}

/* The bounds of its members leave room for all of them. */
static int add_object(struct cv_access_log *log, const struct cv_exchange *x)
{
    char to[CV_LOG_LINE_MAX];
    char number[32];
    struct cv_json_line line;
    const struct cv_h1_head *head = x->head;
    cv_log_begin_json(&line, to, sizeof(to), CV_LOG_INFO);
    cv_json_text(&line, "log", CV_SPAN("access"), SIZE_MAX);
    cv_json_text(&line, "client", text_or_null(cv_exchange_peer(x)), CV_PEER_TEXT);
    cv_json_text(&line, "method", cv_h1_span(x->bytes, head->method_at, head->method_len), 64);
    cv_json_text(&line, "target", cv_h1_span(x->bytes, head->target_at, head->target_len),
                 2 * TARGET_MAX);
    cv_json_text(&line, "protocol", head->minor > 0 ? CV_SPAN("HTTP/1.1") : CV_SPAN("HTTP/1.0"),
                 SIZE_MAX);
    cv_json_number(&line, "status",
                   x->status != 0 ? write_number(number, (uint64_t)x->status) : CV_SPAN("null"));
    cv_json_number(&line, "bytes", write_number(number, x->sent));
    cv_json_number(&line, "ms", write_ms(number, x));
    cv_json_text(&line, "route", text_or_null(x->name), 512);
    if (log->ids)
        cv_json_text(&line, "request_id", text_or_null(x->id), 256);
    return cv_buf_append(&log->lines, cv_span(to, cv_json_close(&line)));
}

static int add_line(struct cv_access_log *log, const struct cv_exchange *x)
{
    char target[4 * TARGET_MAX];
    char status[12] = "-";
    const struct cv_h1_head *head = x->head;
    int target_len = put_target(target, cv_h1_span(x->bytes, head->target_at, head->target_len));
    const char *peer = cv_exchange_peer(x);
    char ms[32];
    struct cv_span took = write_ms(ms, x);
    if (x->status != 0)
        (void)snprintf(status, sizeof(status), "%d", x->status);
    const char *id = x->id != NULL ? x->id : "-";
    return cv_buf_printf(
        &log->lines, "%s %s \"%.*s %.*s HTTP/1.%d\" %s %" PRIu64 " %.*sms %s%s%s\n", stamp(log),
        peer[0] != '\0' ? peer : "-", (int)head->method_len, x->bytes + head->method_at, target_len,
        target, head->minor, status, x->sent, (int)took.len, took.at,
        x->name != NULL ? x->name : "-", log->ids ? " " : "", log->ids ? id : "");
}

void cv_access_log_add(struct cv_server *server, const struct cv_exchange *x)
{
    struct cv_access_log *log = &server->access_log;
    if (log->fd < 0)
        return;
    size_t before = log->lines.len;
    if ((cv_log_is_json() ? add_object(log, x) : add_line(log, x)) < 0)
        drop_line(log);
    /* Only when the mark is passed: a descriptor that takes nothing is tried once a second. */
    if (before < WRITE_AT && log->lines.len >= WRITE_AT)
        write_lines(log);
    if (log->lines.len > 0 && log->timer.at == CV_NEVER)
        cv_timer_move(server->loop, &server->access_log.timer, server->now + WRITE_AFTER);
}
