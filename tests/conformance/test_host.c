/* The fiber-free test host: a server driven by the contract of serve/handler.h alone.
 *
 *     test_host [--unix PATH] [--host ADDRESS] [--access-log] [--no-keep-alive] [LIMIT=VALUE ...]
 *
 * Listens on a free port of 127.0.0.1 (or ADDRESS), prints "port N" (or "unix"), serves until TERM
 * (a stop) or USR1 (a retirement) has drained it, and prints "drained". LIMITs are those of struct
 * cv_limits. Paths, whatever the method unless said otherwise:
 *
 *     /            Hello, World!
 *     /echo        the collected body
 *     /pipe        the body, streamed back as it comes
 *     /head        method, target and fields of the request as it was understood, a line each
 *     /refuse      403 without a look at the body
 *     /limited     reads a body of at most 10 bytes; 413 by the host
 *     /chunks      three pieces, length unknown;  /known: length known;  /short: fewer than said
 *     /big         1 MiB, lent;  /flood: streamed under back-pressure, 4 MiB
 *     /204 /304    no body;  /hints: 103 with a Link, then hinted
 *     /later       answers after 50 ms;  /never: does not answer;  /stalls: begins and stops there
 *     /drop        releases without an answer;  /abort: begins and aborts
 *     /pid         the process;  /peer: the client's address
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "serve/server.h"

#define FLOOD_BYTES (4 << 20)

struct job;

/* A route: what to do at first, and with each later event. An answered job is ended by its caller.
 */
struct route {
    const char *path;
    void (*start)(struct job *job);
    void (*event)(struct job *job, enum cv_event_kind kind);
};

struct job {
    struct cv_exchange *x;
    const struct route *route;
    struct cv_timer timer;
    size_t written;
};

static struct cv_loop *loop;
static struct cv_server *server;
static bool drained;
static char big[1 << 20];

static void end(struct job *job)
{
    cv_timer_stop(loop, &job->timer);
    cv_exchange_release(job->x);
    free(job);
}

static struct cv_answer text(int status, struct cv_span body)
{
    return (struct cv_answer){.status = status, .type = CV_SPAN("text/plain"), .body = body};
}

static void reply(struct job *job, int status, struct cv_span body)
{
    struct cv_answer answer = text(status, body);
    (void)cv_exchange_answer(job->x, &answer);
    end(job);
}

static void start_hello(struct job *job)
{
    reply(job, 200, CV_SPAN("Hello, World!"));
}

static void start_refuse(struct job *job)
{
    reply(job, 403, CV_SPAN("no"));
}

static void start_204(struct job *job)
{
    reply(job, 204, CV_SPAN("this is not sent"));
}

static void start_304(struct job *job)
{
    reply(job, 304, CV_SPAN("nor is this"));
}

static void start_hints(struct job *job)
{
    const struct cv_answer_field link = {CV_SPAN("Link"), CV_SPAN("</a.css>; rel=preload")};
    int rc = cv_exchange_inform(job->x, 103, &link, 1);
    reply(job, rc == 0 ? 200 : 500, CV_SPAN("hinted"));
}

static void start_pid(struct job *job)
{
    char pid[24];
    int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
    reply(job, 200, cv_span(pid, (size_t)n));
}

static void start_peer(struct job *job)
{
    reply(job, 200, cv_span_str(cv_exchange_peer(job->x)));
}

static void start_head(struct job *job)
{
    const struct cv_h1_head *head = cv_exchange_head(job->x);
    const char *at = cv_exchange_bytes(job->x);
    struct cv_buf out;
    cv_buf_init(&out, 1 << 20);
    int rc = cv_buf_printf(&out, "%.*s %.*s 1.%d\npath=%.*s\nquery=%.*s\n", (int)head->method_len,
                           at + head->method_at, (int)head->target_len, at + head->target_at,
                           head->minor, (int)head->path_len, at + head->path_at,
                           (int)head->query_len, at + head->query_at);
    for (unsigned i = 0; i < head->n_fields && rc == 0; i++) {
        const struct cv_h1_field *field = &head->fields[i];
        rc = cv_buf_printf(&out, "%.*s=%.*s\n", (int)field->name_len, at + field->name_at,
                           (int)field->value_len, at + field->value_at);
    }
    reply(job, rc == 0 ? 200 : 500, cv_buf_span(&out));
    cv_buf_done(&out);
}

/* ---- Bodies ---- */

static void start_echo(struct job *job)
{
    if (cv_exchange_collect(job->x, 1 << 20) == 1)
        reply(job, 200, cv_exchange_body(job->x));
}

static void echo_event(struct job *job, enum cv_event_kind kind)
{
    if (kind == CV_EV_BODY)
        reply(job, 200, cv_exchange_body(job->x));
    else if (kind == CV_EV_GONE && cv_exchange_gone(job->x) != CV_GONE_HALF)
        end(job);
}

static void start_pipe(struct job *job)
{
    char some[4096];
    ssize_t n;
    while ((n = cv_exchange_read(job->x, some, sizeof(some))) > 0) {
        if (!cv_exchange_begun(job->x)) {
            struct cv_answer answer = text(200, (struct cv_span){NULL, 0});
            answer.length = -1;
            (void)cv_exchange_begin(job->x, &answer);
        }
        if (cv_exchange_write(job->x, cv_span(some, (size_t)n)) > CV_WRITE_HIGH)
            return;
    }
    if (n == -EAGAIN)
        return;
    if (!cv_exchange_begun(job->x)) {
        reply(job, n == 0 ? 200 : 400, (struct cv_span){NULL, 0});
        return;
    }
    if (n == 0)
        (void)cv_exchange_end(job->x);
    end(job); /* aborts what has not been ended */
}

static void pipe_event(struct job *job, enum cv_event_kind kind)
{
    if (kind != CV_EV_GONE)
        start_pipe(job);
    else if (cv_exchange_gone(job->x) != CV_GONE_HALF)
        end(job);
}

static void start_limited(struct job *job)
{
    char some[4];
    ssize_t n = cv_exchange_limit(job->x, 10);
    while (n == 0 && (n = cv_exchange_read(job->x, some, sizeof(some))) > 0)
        n = 0;
    if (n == -EAGAIN)
        return;
    reply(job, n == -EMSGSIZE ? 413 : n < 0 ? 400 : 200, CV_SPAN("limited"));
}

static void limited_event(struct job *job, enum cv_event_kind kind)
{
    if (kind == CV_EV_BODY)
        start_limited(job);
    else if (cv_exchange_gone(job->x) != CV_GONE_HALF)
        end(job);
}

/* ---- Streamed and large answers ---- */

static void begin(struct job *job, int64_t length)
{
    struct cv_answer answer = text(200, (struct cv_span){NULL, 0});
    answer.length = length;
    (void)cv_exchange_begin(job->x, &answer);
}

static void stream(struct job *job, int64_t length)
{
    begin(job, length);
    (void)cv_exchange_write(job->x, CV_SPAN("one "));
    (void)cv_exchange_write(job->x, CV_SPAN("two "));
    (void)cv_exchange_write(job->x, CV_SPAN("three"));
    (void)cv_exchange_end(job->x);
    end(job);
}

static void start_chunks(struct job *job)
{
    stream(job, -1);
}

static void start_known(struct job *job)
{
    stream(job, 13);
}

static void start_short(struct job *job)
{
    stream(job, 14);
}

static void nothing_to_free(void *arg)
{
    (void)arg;
}

static void start_big(struct job *job)
{
    struct cv_answer answer = text(200, cv_span(big, sizeof(big)));
    answer.release = nothing_to_free;
    (void)cv_exchange_answer(job->x, &answer);
    end(job);
}

static void flood(struct job *job)
{
    while (job->written < FLOOD_BYTES) {
        ssize_t unsent = cv_exchange_write(job->x, cv_span(big, 16384));
        if (unsent < 0)
            return; /* gone: an event tells */
        job->written += 16384;
        if (unsent > CV_WRITE_HIGH)
            return;
    }
    (void)cv_exchange_end(job->x);
    end(job);
}

static void start_flood(struct job *job)
{
    begin(job, FLOOD_BYTES);
    flood(job);
}

static void flood_event(struct job *job, enum cv_event_kind kind)
{
    if (kind == CV_EV_WRITABLE)
        flood(job);
    else if (cv_exchange_gone(job->x) != CV_GONE_HALF)
        end(job);
}

/* ---- Waiting, failing ---- */

static void answer_late(struct cv_timer *timer)
{
    reply(CV_CONTAINER_OF(timer, struct job, timer), 200, CV_SPAN("late"));
}

static void start_later(struct job *job)
{
    job->timer.fire = answer_late;
    if (cv_timer_set(loop, &job->timer, cv_clock_ns() + 50 * CV_MS) < 0)
        end(job);
}

static void start_never(struct job *job)
{
    (void)job;
}

static void start_stalls(struct job *job)
{
    begin(job, 100);
}

static void wait_event(struct job *job, enum cv_event_kind kind)
{
    if (kind == CV_EV_GONE && cv_exchange_gone(job->x) != CV_GONE_HALF)
        end(job);
}

static void start_abort(struct job *job)
{
    begin(job, -1);
    (void)cv_exchange_write(job->x, CV_SPAN("half of "));
    cv_exchange_abort(job->x);
    end(job);
}

static const struct route routes[] = {
    {"/", start_hello, NULL},
    {"/echo", start_echo, echo_event},
    {"/pipe", start_pipe, pipe_event},
    {"/head", start_head, NULL},
    {"/refuse", start_refuse, NULL},
    {"/limited", start_limited, limited_event},
    {"/chunks", start_chunks, NULL},
    {"/known", start_known, NULL},
    {"/short", start_short, NULL},
    {"/big", start_big, NULL},
    {"/flood", start_flood, flood_event},
    {"/204", start_204, NULL},
    {"/304", start_304, NULL},
    {"/hints", start_hints, NULL},
    {"/later", start_later, wait_event},
    {"/never", start_never, wait_event},
    {"/stalls", start_stalls, wait_event},
    {"/drop", end, NULL},
    {"/abort", start_abort, NULL},
    {"/pid", start_pid, NULL},
    {"/peer", start_peer, NULL},
};

/* ---- The contract ---- */

static const struct route *find(const struct cv_exchange *x)
{
    const struct cv_h1_head *head = cv_exchange_head(x);
    struct cv_span path = cv_h1_span(cv_exchange_bytes(x), head->path_at, head->path_len);
    for (size_t i = 0; i < CV_COUNT(routes); i++) {
        if (cv_span_eq(path, cv_span_str(routes[i].path)))
            return &routes[i];
    }
    return NULL;
}

static void start(struct cv_exchange *x)
{
    struct job *job = calloc(1, sizeof(*job));
    const struct route *route = find(x);
    if (job == NULL) {
        cv_exchange_release(x);
        return;
    }
    job->x = x;
    job->route = route;
    cv_exchange_set_host(x, job);
    if (route == NULL) {
        reply(job, 404, CV_SPAN("no such path"));
        return;
    }
    cv_exchange_set_name(x, route->path);
    route->start(job);
}

static void handle(const struct cv_event *event)
{
    if (event->kind == CV_EV_DRAINED) {
        drained = true;
    } else if (event->kind == CV_EV_REQUEST) {
        start(event->exchange);
    } else {
        struct job *job = cv_exchange_host(event->exchange);
        job->route->event(job, event->kind);
    }
}

static void serve(void)
{
    while (!drained) {
        struct cv_event event;
        if (cv_loop_step(loop, CV_NEVER) < 0)
            break;
        while (cv_server_next(server, &event))
            handle(&event);
        cv_server_flush(server);
    }
}

/* ---- The program ---- */

static struct cv_watch signals;

static void on_signal(struct cv_watch *watch, unsigned events)
{
    (void)events;
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    cv_server_drain(server, info.ssi_signo == SIGTERM ? CV_DRAIN_STOP : CV_DRAIN_RETIRE,
                    cv_clock_ns() + 5 * CV_SECOND);
}

static int watch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    signals.ready = on_signal;
    return cv_loop_add(loop, &signals, fd, CV_READ);
}

static int listen_tcp(const char *host)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return -EINVAL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return -errno;
    printf("port %d\n", ntohs(address.sin_port));
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, 1024) < 0)
        return -errno;
    printf("unix\n");
    return fd;
}

static struct cv_server_config config = {
    .limits = {.head = {.head_max = 8192, .target_max = 4096, .fields_max = 100},
               .head_timeout = 60000,
               .request_timeout = 60000,
               .response_timeout = 60000,
               .send_timeout = 60000,
               .rate_span = 10000,
               .keep_alive_timeout = 120000,
               .body_max = -1,
               .linger_timeout = 2000},
    .keep_alive = true,
    .access_log = -1,
};

static int64_t connections_max, head_max = 8192, target_max = 4096, fields_max = 100;

/* NAME=VALUE. */
static bool set_limit(const char *text_)
{
    struct {
        const char *name;
        int64_t *value;
    } limits[] = {
        {"head_timeout=", &config.limits.head_timeout},
        {"request_timeout=", &config.limits.request_timeout},
        {"response_timeout=", &config.limits.response_timeout},
        {"send_timeout=", &config.limits.send_timeout},
        {"keep_alive_timeout=", &config.limits.keep_alive_timeout},
        {"linger_timeout=", &config.limits.linger_timeout},
        {"connections_max=", &connections_max},
        {"head_max=", &head_max},
        {"target_max=", &target_max},
        {"fields_max=", &fields_max},
    };
    for (size_t i = 0; i < CV_COUNT(limits); i++) {
        size_t len = strlen(limits[i].name);
        if (strncmp(text_, limits[i].name, len) == 0)
            return cv_num_i64(cv_span_str(text_ + len), limits[i].value) == 0;
    }
    return false;
}

/* A listener, or -errno. */
static int configure(char **argv)
{
    const char *host = "127.0.0.1";
    const char *path = NULL;
    for (char **arg = argv + 1; *arg != NULL; arg++) {
        if (strcmp(*arg, "--access-log") == 0)
            config.access_log = 2;
        else if (strcmp(*arg, "--debug") == 0)
            cv_log_open("test_host", CV_LOG_DEBUG);
        else if (strcmp(*arg, "--no-keep-alive") == 0)
            config.keep_alive = false;
        else if (strcmp(*arg, "--host") == 0 && arg[1] != NULL)
            host = *++arg;
        else if (strcmp(*arg, "--unix") == 0 && arg[1] != NULL)
            path = *++arg;
        else if (!set_limit(*arg))
            return -EINVAL;
    }
    config.limits.connections_max = (uint32_t)connections_max;
    config.limits.head.head_max = (uint32_t)head_max;
    config.limits.head.target_max = (uint32_t)target_max;
    config.limits.head.fields_max = (uint32_t)fields_max;
    return path != NULL ? listen_unix(path) : listen_tcp(host);
}

static int run(int listener)
{
    config.listeners = &listener;
    config.n_listeners = 1;
    int rc = cv_loop_new(&loop);
    if (rc == 0)
        rc = cv_server_new(loop, &config, &server);
    if (rc == 0)
        rc = watch_signals();
    if (rc == 0)
        rc = cv_server_start(server);
    if (rc == 0) {
        (void)fflush(stdout);
        serve();
        printf("drained\n");
    }
    cv_server_free(server);
    cv_loop_del(loop, &signals);
    cv_loop_free(loop);
    return rc;
}

int main(int argc, char **argv)
{
    (void)argc;
    memset(big, 'x', sizeof(big));
    int rc = configure(argv);
    if (rc >= 0)
        rc = run(rc);
    if (rc < 0)
        (void)fprintf(stderr, "test_host: %s\n", strerror(-rc));
    return rc < 0 ? 1 : 0;
}
