/* A real server on loopback: a cv_native on a thread of its own, and a raw client.
 *
 * Handlers run on the server's thread, where cmocka must not fail a test: they answer with what
 * they saw, or note it in globals that the test reads after rig_stop(). The log is read back from a
 * memfd in place of standard error.
 */
#ifndef TEST_NATIVE_RIG_H
#define TEST_NATIVE_RIG_H

#include "base/clock.h"
#include "base/exit.h"
#include "host/native/native.h"

#include <covey/covey.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#define RIG_WAIT_MS 20000 /* bound of everything that must happen */

struct rig {
    struct cv_native_config config; /* to be changed between rig_init() and rig_start() */
    struct cv_native *native;
    pthread_t thread;
    int listener;
    int port;
    _Atomic bool is_ready;
    _Atomic bool is_over;
    _Atomic int code;
    char reason[1024];
    int log; /* memfd */
    int stderr_saved;
    enum cv_drain drain_kind;
    int64_t drain_until;
    bool is_main;
    bool is_halved;      /* setup() runs before there is a loop */
    char progress[1024]; /* what progress() was told, one a line */
    _Atomic int n_drained;
};

static inline void rig_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Waits for a flag that another thread sets. */
#define rig_until(condition)                                                                       \
    do {                                                                                           \
        int64_t rig_limit_ = cv_clock_ns() + RIG_WAIT_MS * CV_MS;                                  \
        while (!(condition)) {                                                                     \
            if (cv_clock_ns() > rig_limit_)                                                        \
                fail_msg("did not happen: %s", #condition);                                        \
            rig_nap();                                                                             \
        }                                                                                          \
    } while (0)

static void rig_on_ready(void *arg)
{
    struct rig *rig = arg;
    rig->is_ready = true;
}

static void rig_on_drained(void *arg)
{
    struct rig *rig = arg;
    rig->n_drained++;
}

static void rig_on_progress(void *arg, const char *what)
{
    struct rig *rig = arg;
    size_t len = strlen(rig->progress);
    if (what != NULL)
        snprintf(rig->progress + len, sizeof(rig->progress) - len, "%s\n", what);
}

static const char *rig_setting(void *arg, const char *name)
{
    (void)arg;
    char key[64];
    snprintf(key, sizeof(key), "RIG_%s", name);
    return getenv(key);
}

static int rig_listen(int *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

/* Defaults that no test runs into. */
static inline void rig_init(struct rig *rig, covey_setup_fn *setup)
{
    memset(rig, 0, sizeof(*rig));
    rig->listener = rig_listen(&rig->port);
    rig->config = (struct cv_native_config){
        .setup = setup,
        .server = {.limits = {.head = {.head_max = 8192, .target_max = 4096, .fields_max = 100},
                              .head_timeout = 30000,
                              .request_timeout = 30000,
                              .response_timeout = 30000,
                              .send_timeout = 30000,
                              .rate_span = 10000,
                              .keep_alive_timeout = 30000,
                              .body_max = 1 << 20,
                              .linger_timeout = 1000,
                              .connections_max = 1000,
                              .fibers_max = 1000},
                   .listeners = &rig->listener,
                   .n_listeners = 1,
                   .keep_alive = true,
                   .access_log = -1},
        .offload_threads = 4,
        .stop_timeout = 5000,
        .setting = rig_setting,
        .ready = rig_on_ready,
        .drained = rig_on_drained,
        .progress = rig_on_progress,
        .arg = rig,
    };
    rig->log = memfd_create("log", MFD_CLOEXEC);
    rig->stderr_saved = dup(STDERR_FILENO);
    assert_true(rig->log >= 0 && rig->stderr_saved >= 0);
    dup2(rig->log, STDERR_FILENO);
}

static void *rig_run(void *arg)
{
    struct rig *rig = arg;
    int code = rig->is_halved ? cv_native_declare(&rig->config, &rig->native)
                              : cv_native_open(&rig->config, &rig->native);
    if (code == 0 && rig->is_halved)
        code = cv_native_attach(rig->native, &rig->config);
    if (code == 0)
        code = rig->is_main ? cv_native_main(rig->native) : cv_native_serve(rig->native);
    snprintf(rig->reason, sizeof(rig->reason), "%s", cv_native_reason(rig->native));
    cv_native_close(rig->native);
    rig->code = code;
    rig->is_over = true;
    return NULL;
}

static inline void rig_launch(struct rig *rig)
{
    assert_int_equal(pthread_create(&rig->thread, NULL, rig_run, rig), 0);
}

/* Runs it and waits until it accepts. */
static inline void rig_start(struct rig *rig)
{
    rig_launch(rig);
    rig_until(rig->is_ready || rig->is_over);
    if (!rig->is_ready)
        fail_msg("did not start: %s", rig->reason);
}

static void rig_do_drain(void *arg)
{
    struct rig *rig = arg;
    cv_native_drain(rig->native, rig->drain_kind, rig->drain_until);
}

/* Asks it to end within `ms`. */
static inline void rig_drain(struct rig *rig, enum cv_drain kind, int64_t ms)
{
    rig->drain_kind = kind;
    rig->drain_until = cv_clock_ns() + ms * CV_MS;
    assert_int_equal(cv_loop_wake(cv_native_loop(rig->native), rig_do_drain, rig), 0);
}

/* Waits for its end; the exit code. */
static inline int rig_join(struct rig *rig)
{
    rig_until(rig->is_over);
    pthread_join(rig->thread, NULL);
    dup2(rig->stderr_saved, STDERR_FILENO);
    close(rig->stderr_saved);
    return rig->code;
}

/* What it has logged so far. */
static inline const char *rig_log(struct rig *rig)
{
    static char text[65536];
    ssize_t len = pread(rig->log, text, sizeof(text) - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static inline void rig_assert_logged(struct rig *rig, const char *text)
{
    if (strstr(rig_log(rig), text) == NULL)
        fail_msg("not in the log: %s\n%s", text, rig_log(rig));
}

/* Drains, waits and forgets. The log can be read before this only. */
static inline void rig_stop(struct rig *rig)
{
    rig_drain(rig, CV_DRAIN_STOP, 2000);
    int code = rig_join(rig);
    close(rig->log);
    if (code != 0)
        fail_msg("exit code %d: %s", code, rig->reason);
}

/* ---- The client ---- */

static inline int rig_connect(struct rig *rig)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)rig->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = RIG_WAIT_MS / 1000};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static inline void rig_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the other side closes; NUL-terminated. `*ret_rc` (may be NULL): 0 or -errno. */
static inline const char *rig_read_all(int fd, int *ret_rc)
{
    static char text[1 << 20];
    size_t len = 0;
    ssize_t n;
    while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
        len += (size_t)n;
    if (n < 0 && errno == EAGAIN)
        fail_msg("nothing more came, and no end: %.*s", (int)len, text);
    if (ret_rc != NULL)
        *ret_rc = n < 0 ? -errno : 0;
    text[len] = '\0';
    return text;
}

/* One request with these lines (and a body) on a connection of its own; the whole answer. */
static inline const char *rig_ask(struct rig *rig, const char *line, const char *fields,
                                  const char *body)
{
    char request[16384];
    int fd = rig_connect(rig);
    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", line,
             fields);
    if (body != NULL)
        snprintf(request + strlen(request), sizeof(request) - strlen(request),
                 "Content-Length: %zu\r\n", strlen(body));
    snprintf(request + strlen(request), sizeof(request) - strlen(request), "\r\n%s",
             body != NULL ? body : "");
    rig_send(fd, request);
    const char *answer = rig_read_all(fd, NULL);
    close(fd);
    return answer;
}

static inline const char *rig_get(struct rig *rig, const char *target)
{
    char line[8192];
    snprintf(line, sizeof(line), "GET %s", target);
    return rig_ask(rig, line, "", NULL);
}

/* ---- What the answer must be ---- */

/* Not inlined: with sanitizers gcc would warn of NULLs that cannot be. */
#define RIG_CHECK static __attribute__((noinline, unused))

RIG_CHECK void assert_status(const char *answer, int status)
{
    char start[16];
    snprintf(start, sizeof(start), "HTTP/1.1 %d ", status);
    if (strncmp(answer, start, strlen(start)) != 0)
        fail_msg("not a %d: %s", status, answer);
}

RIG_CHECK void assert_has(const char *answer, const char *text)
{
    if (strstr(answer, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, answer);
}

RIG_CHECK void assert_lacks(const char *answer, const char *text)
{
    if (strstr(answer, text) != NULL)
        fail_msg("\"%s\" is in: %s", text, answer);
}

RIG_CHECK void assert_body(const char *answer, const char *body)
{
    const char *blank = strstr(answer, "\r\n\r\n");
    if (blank == NULL || strcmp(blank + 4, body) != 0)
        fail_msg("the body is not \"%s\": %s", body, answer);
}

#endif
