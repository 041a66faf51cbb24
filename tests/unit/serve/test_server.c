/* A server in which any one allocation fails: it must answer or close, and serve again afterwards.
 */
#include "rig.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- malloc() and its kin, of which the n-th fails. Sanitizers bring their own. ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_FAIL 0
#else
#define CAN_FAIL 1
#endif

static long fail_at; /* counts down; 0: nothing fails */
static bool has_failed;
static long alive;

#if CAN_FAIL
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

static bool fails(void)
{
    if (fail_at == 0 || --fail_at > 0)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

static void *counted(void *fresh)
{
    alive += fresh != NULL;
    return fresh;
}

void *malloc(size_t size)
{
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
    if (fails())
        return NULL;
    return old == NULL ? counted(__libc_malloc(size)) : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t n, size_t size)
{
    return realloc(old, n * size);
}

void free(void *old)
{
    alive -= old != NULL;
    __libc_free(old);
}
#endif

/* ---- A session that allocates whatever there is to allocate ---- */

static char lent[32768];

static void nothing(void *arg)
{
    (void)arg;
}

/* /lend: a large body; /stream: pieces; else the collected body. Failures are ignored: releasing
 * must make up for them. */
static void host_all(struct rig *rig, const struct cv_event *event)
{
    struct cv_exchange *x = event->exchange;
    const struct cv_h1_head *head = cv_exchange_head(x);
    struct cv_answer answer = {.status = 200, .length = -1};
    (void)rig;
    if (head->target_len == 5) {
        answer.body = cv_span(lent, sizeof(lent));
        answer.release = nothing;
        (void)cv_exchange_answer(x, &answer);
    } else if (head->target_len == 7) {
        if (cv_exchange_begin(x, &answer) == 0) {
            (void)cv_exchange_write(x, cv_span(lent, sizeof(lent)));
            (void)cv_exchange_end(x);
        }
    } else {
        if (event->kind == CV_EV_REQUEST && cv_exchange_collect(x, -1) == 0)
            return;
        answer.body = cv_exchange_body(x);
        (void)cv_exchange_answer(x, &answer);
    }
    cv_exchange_release(x);
}

/* Sends in pieces, so that heads and bodies are torn, and takes what comes. */
static void talk(struct rig *rig, const char *const pieces[], size_t n)
{
    int fd = rig_connect(rig);
    for (size_t i = 0; i < n; i++) {
        (void)send(fd, pieces[i], strlen(pieces[i]), MSG_NOSIGNAL);
        rig_settle(rig);
    }
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 10; i++) {
        rig_step(rig, 1);
        fetch(rig, fd);
    }
    close(fd);
    rig_settle(rig);
}

static void session(struct rig *rig)
{
    static const char *const heads[] = {"GET /str", "eam HTTP/1.1\r\nHost: x\r\n\r\nGET /lend HT",
                                        "TP/1.1\r\nHost: x\r\n\r\nbroken\r\n\r\n"};
    static const char *const body[] = {
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "\r\n",
        "5\r\nhel", "lo\r\n0\r\n\r\n" GET("/a") GET("/b")};
    talk(rig, heads, CV_COUNT(heads));
    talk(rig, body, CV_COUNT(body));
}

/* All steps of the session, with the n-th allocation failing. Whether there were that many. */
static bool survives(long n)
{
    struct rig *rig = rig_of(host_all);
    forget(rig);
    fail_at = n;
    has_failed = false;
    session(rig);
    fail_at = 0;
    say_and_hear_all(rig, "GET /again HTTP/1.0\r\n\r\n");
    assert_got(rig, "HTTP/1.1 200 OK\r\n");
    rig_until(rig, cv_server_connections(rig->server) == 0);
    assert_int_equal(cv_server_exchanges(rig->server), 0);
    rig_free(rig);
    return has_failed;
}

static void test_any_failing_allocation_is_survived_and_nothing_leaks(void **state)
{
    (void)state;
    if (!CAN_FAIL)
        skip();
    survives(0); /* what is kept for reuse is there from now on */
    long before = 0;
    long n = 1;
    while (survives(n)) {
        if (n == 1)
            before = alive;
        assert_in_range(alive, 0, before + 64); /* the arenas' reserve may grow, and is bounded */
        n++;
    }
    assert_true(n > 10);
}

static void test_a_server_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    if (!CAN_FAIL)
        skip();
    struct rig *rig = rig_new(host_all);
    int fd = listener_on(&rig->address);
    rig->config.listeners = &fd;
    rig->config.n_listeners = 1;
    for (long n = 1;; n++) {
        long before = alive;
        fail_at = n;
        int rc = cv_server_new(rig->loop, &rig->config, &rig->server);
        fail_at = 0;
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_in_range(alive, before, before + 1); /* the loop's room for timers stays */
        assert_true(n < 20);
    }
    rig_free(rig); /* closes the listener */
}

static void test_a_listener_that_is_none_is_an_error(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_all);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    rig->config.listeners = &fd;
    rig->config.n_listeners = 1;
    assert_int_equal(cv_server_new(rig->loop, &rig->config, &rig->server), 0);
    assert_int_equal(cv_server_start(rig->server), -EPERM);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_failing_allocation_is_survived_and_nothing_leaks),
        cmocka_unit_test(test_a_server_that_cannot_be_made_leaves_nothing),
        cmocka_unit_test(test_a_listener_that_is_none_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
