/* A server in the test's own process, with clients over loopback and a host that is one function.
 *
 * Clients are ordinary blocking sockets whose answers are fetched by stepping the server: nothing
 * here depends on timing, and every wait ends after PATIENCE.
 */
#ifndef RIG_H
#define RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/macros.h"
#include "serve/server.h"

#define PATIENCE (20 * CV_SECOND)
#define UNUSED __attribute__((unused))

struct rig {
    struct cv_loop *loop;
    struct cv_server *server;
    struct cv_server_config config;
    struct sockaddr_in address;
    void (*host)(struct rig *rig, const struct cv_event *event);

    struct cv_exchange *held; /* the last request that the host has kept */
    unsigned requests;
    unsigned bodies;
    unsigned writables;
    unsigned gones;
    unsigned drained;
    enum cv_gone gone; /* cause of the last CV_EV_GONE */

    char got[4 << 20]; /* what talk() has fetched, NUL-terminated */
    size_t got_len;
    bool got_end; /* the server has closed */
    int got_error;
};

/* ---- Hosts ---- */

static struct cv_answer text_answer(const char *text)
{
    return (struct cv_answer){
        .status = 200, .type = CV_SPAN("text/plain"), .body = cv_span_str(text)};
}

UNUSED static int answer_text(struct cv_exchange *x, const char *text)
{
    struct cv_answer answer = text_answer(text);
    return cv_exchange_answer(x, &answer);
}

/* Answers each request with its target. */
UNUSED static void host_target(struct rig *rig, const struct cv_event *event)
{
    (void)rig;
    if (event->kind != CV_EV_REQUEST)
        return;
    const struct cv_h1_head *head = cv_exchange_head(event->exchange);
    struct cv_answer answer = text_answer("");
    answer.body = cv_h1_span(cv_exchange_bytes(event->exchange), head->target_at, head->target_len);
    (void)cv_exchange_answer(event->exchange, &answer);
    cv_exchange_release(event->exchange);
}

/* Keeps the request for the test to answer. */
UNUSED static void host_hold(struct rig *rig, const struct cv_event *event)
{
    if (event->kind == CV_EV_REQUEST)
        rig->held = event->exchange;
}

/* Answers with the collected body. */
UNUSED static void host_echo(struct rig *rig, const struct cv_event *event)
{
    struct cv_exchange *x = event->exchange;
    rig->held = x;
    if (event->kind == CV_EV_REQUEST && cv_exchange_collect(x, 100000) == 0)
        return;
    if (event->kind != CV_EV_GONE) {
        struct cv_answer answer = text_answer("");
        answer.body = cv_exchange_body(x);
        (void)cv_exchange_answer(x, &answer);
    }
    rig->held = NULL;
    cv_exchange_release(x);
}

/* ---- The server ---- */

static int listener_on(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*address);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

/* A rig with generous limits; to be changed before rig_start(). */
static struct rig *rig_new(void (*host)(struct rig *rig, const struct cv_event *event))
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    rig->host = host;
    rig->config = (struct cv_server_config){
        .limits = {.head = {.head_max = 8192, .target_max = 4096, .fields_max = 100},
                   .head_timeout = 60000,
                   .request_timeout = 60000,
                   .response_timeout = 60000,
                   .send_timeout = 60000,
                   .rate_span = 10000,
                   .keep_alive_timeout = 60000,
                   .body_max = -1,
                   .linger_timeout = 2000},
        .keep_alive = true,
        .access_log = -1,
    };
    assert_int_equal(cv_loop_new(&rig->loop), 0);
    return rig;
}

static void rig_start(struct rig *rig)
{
    int fd = listener_on(&rig->address);
    rig->config.listeners = &fd;
    rig->config.n_listeners = 1;
    assert_int_equal(cv_server_new(rig->loop, &rig->config, &rig->server), 0);
    rig->config.listeners = NULL;
    assert_int_equal(cv_server_start(rig->server), 0);
}

UNUSED static struct rig *rig_of(void (*host)(struct rig *rig, const struct cv_event *event))
{
    struct rig *rig = rig_new(host);
    rig_start(rig);
    return rig;
}

UNUSED static void rig_free(struct rig *rig)
{
    cv_server_free(rig->server);
    cv_offload_free(rig->config.disk);
    cv_loop_free(rig->loop);
    free(rig);
}

static void rig_note(struct rig *rig, const struct cv_event *event)
{
    switch (event->kind) {
    case CV_EV_REQUEST: rig->requests++; break;
    case CV_EV_BODY: rig->bodies++; break;
    case CV_EV_WRITABLE: rig->writables++; break;
    case CV_EV_GONE:
        rig->gones++;
        rig->gone = cv_exchange_gone(event->exchange);
        break;
    case CV_EV_DRAINED: rig->drained++; return;
    }
    rig->host(rig, event);
}

/* What a host's loop does, waiting for at most `ms`. */
UNUSED static void rig_step(struct rig *rig, int64_t ms)
{
    struct cv_event event;
    assert_true(cv_loop_step(rig->loop, cv_clock_ns() + ms * CV_MS) >= 0);
    while (cv_server_next(rig->server, &event))
        rig_note(rig, &event);
    cv_server_flush(rig->server);
}

/* Steps until `condition` holds. */
#define rig_until(rig, condition)                                                                  \
    do {                                                                                           \
        int64_t end_ = cv_clock_ns() + PATIENCE;                                                   \
        while (!(condition) && cv_clock_ns() < end_)                                               \
            rig_step(rig, 5);                                                                      \
        assert_true(condition);                                                                    \
    } while (0)

/* Steps until nothing more happens. */
UNUSED static void rig_settle(struct rig *rig)
{
    for (int i = 0; i < 6; i++)
        rig_step(rig, 2);
}

/* ---- Clients ---- */

UNUSED static int rig_connect(struct rig *rig)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&rig->address, sizeof(rig->address)), 0);
    return fd;
}

UNUSED static void say(int fd, const char *bytes, size_t len)
{
    assert_int_equal(write(fd, bytes, len), len);
}

UNUSED static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* Fetches what is there without waiting. */
static void fetch(struct rig *rig, int fd)
{
    for (;;) {
        size_t room = sizeof(rig->got) - 1 - rig->got_len;
        ssize_t n = recv(fd, rig->got + rig->got_len, room, MSG_DONTWAIT);
        if (n == 0)
            rig->got_end = true;
        if (n < 0 && errno != EAGAIN) {
            rig->got_error = errno;
            rig->got_end = true;
        }
        if (n <= 0)
            break;
        rig->got_len += (size_t)n;
    }
    rig->got[rig->got_len] = '\0';
}

UNUSED static void forget(struct rig *rig)
{
    rig->got_len = 0;
    rig->got[0] = '\0';
    rig->got_end = false;
    rig->got_error = 0;
}

/* Says head and body one after the other, as clients do whose bodies do not come with the head. */
UNUSED static int rig_post(struct rig *rig, const char *head, const char *bytes)
{
    int fd = rig_connect(rig);
    forget(rig);
    say_text(fd, head);
    rig_settle(rig);
    say_text(fd, bytes);
    return fd;
}

/* Steps and fetches until the text has come, or the end of the connection for NULL. */
UNUSED static void hear(struct rig *rig, int fd, const char *text)
{
    int64_t end = cv_clock_ns() + PATIENCE;
    for (;;) {
        fetch(rig, fd);
        if (text != NULL ? strstr(rig->got, text) != NULL : rig->got_end)
            return;
        if (rig->got_end || cv_clock_ns() > end)
            break;
        rig_step(rig, 5);
    }
    fail_msg("did not hear %s in: %.300s", text != NULL ? text : "the end", rig->got);
}

/* Says something on a new connection and hears what comes up to its end. */
UNUSED static void say_and_hear_all(struct rig *rig, const char *text)
{
    int fd = rig_connect(rig);
    forget(rig);
    say_text(fd, text);
    hear(rig, fd, NULL);
    close(fd);
}

#define assert_got(rig, text)                                                                      \
    do {                                                                                           \
        if (strstr((rig)->got, text) == NULL)                                                      \
            fail_msg("no \"%s\" in: %.400s", text, (rig)->got);                                    \
    } while (0)
#define assert_not_got(rig, text) assert_null(strstr((rig)->got, text))

/* How often `text` stands in what was fetched. */
UNUSED static int count_of(const struct rig *rig, const char *text)
{
    int n = 0;
    for (const char *at = rig->got; (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    return n;
}

#endif
