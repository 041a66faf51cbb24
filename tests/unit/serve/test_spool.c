/* Request bodies on disk: which go there, what is there, and what becomes of those that cannot. */
#include "rig.h"

#include "folder.h"

#include "serve/exchange.h"
#include "serve/inside.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>

#define POST(length) "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define ABOVE 8

static const char *place; /* where bodies go; "." is a folder of the test's own */
static int file;          /* what cv_exchange_body_file() has said */
static int spooled;       /* and cv_exchange_spooled(), before that */
static char body[200000]; /* the file's bytes */
static ssize_t body_len;
static off_t file_len;
static char in_memory[64]; /* what cv_exchange_body() had */
static char long_piece[CV_BODY_AHEAD];

static void look(struct cv_exchange *x)
{
    struct cv_span whole = cv_exchange_body(x);
    snprintf(in_memory, sizeof(in_memory), "%.*s", (int)whole.len,
             whole.at != NULL ? whole.at : "");
    spooled = cv_exchange_spooled(x);
    file = cv_exchange_body_file(x);
    body_len = file >= 0 ? read(file, body, sizeof(body) - 1) : 0;
    body[body_len > 0 ? body_len : 0] = '\0';
    file_len = file >= 0 ? lseek(file, 0, SEEK_END) : -1;
}

/* Has the body spooled, looks at it, and answers "seen". */
static void host_spool(struct rig *rig, const struct cv_event *event)
{
    struct cv_exchange *x = event->exchange;
    if (event->kind == CV_EV_REQUEST) {
        rig->held = x;
        assert_int_equal(cv_exchange_spool(x, place, ABOVE), 0);
        if (cv_exchange_collect(x, 8 << 20) == 0)
            return;
    }
    if (event->kind != CV_EV_GONE) {
        look(x);
        (void)answer_text(x, file >= 0 ? "seen" : "no file");
    }
    cv_exchange_release(x);
}

static int set_up(void **state)
{
    place = ".";
    file = spooled = -1;
    body[0] = in_memory[0] = '\0';
    return make_folder(state);
}

static unsigned entries(const char *path)
{
    unsigned n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        n++;
    (void)closedir(folder);
    return n - 2; /* . and .. */
}

/* ---- What goes to disk ---- */

static void test_a_longer_body_is_in_a_file_and_not_in_memory(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    int fd = rig_post(rig, POST("9"), "012345678");
    hear(rig, fd, "seen");
    assert_true(spooled >= 0);
    assert_int_equal(file, spooled);
    assert_string_equal(body, "012345678");
    assert_string_equal(in_memory, "");
    close(fd);
    rig_free(rig);
}

static void test_a_body_up_to_the_mark_stays_in_memory_until_its_file_is_asked_for(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    int fd = rig_post(rig, POST("8"), "01234567");
    hear(rig, fd, "seen");
    assert_int_equal(spooled, -1);
    assert_string_equal(in_memory, "01234567");
    assert_string_equal(body, "01234567");
    close(fd);
    rig_free(rig);
}

static void test_a_body_that_came_with_its_head_has_a_file_too(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    int fd = rig_connect(rig);
    say_text(fd, POST("9") "012345678");
    hear(rig, fd, "seen");
    assert_string_equal(body, "012345678");
    close(fd);
    rig_free(rig);
}

static void test_an_empty_body_has_an_empty_file(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    int fd = rig_post(rig, CHUNKED, "0\r\n\r\n");
    hear(rig, fd, "seen");
    assert_int_equal(body_len, 0);
    close(fd);
    rig_free(rig);
}

/* In memory up to the mark, then all of it on disk. */
static void test_pieces_are_in_order(void **state)
{
    (void)state;
    static char piece[1 << 16];
    struct rig *rig = rig_of(host_spool);
    int fd = rig_post(rig, CHUNKED, "5\r\nabcde\r\n");
    rig_settle(rig);
    say_text(fd, "5\r\nfghij\r\n10000\r\n");
    memset(piece, 'x', sizeof(piece));
    say(fd, piece, sizeof(piece));
    say_text(fd, "\r\n1\r\n!\r\n0\r\n\r\n");
    hear(rig, fd, "seen");
    assert_int_equal(body_len, 10 + sizeof(piece) + 1);
    assert_memory_equal(body, "abcdefghij", 10);
    assert_memory_equal(body + 10, piece, sizeof(piece));
    assert_int_equal(body[body_len - 1], '!');
    close(fd);
    rig_free(rig);
}

/* ---- What is left ---- */

static void test_nobody_sees_the_file_and_it_goes_with_the_request(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    unsigned before = descriptors();
    int fd = rig_post(rig, POST("65539"), "abc");
    say(fd, long_piece, sizeof(long_piece) - 1);
    rig_until(rig, descriptors() == before + 3); /* both ends of the connection, and the file */
    assert_int_equal(entries("."), 0);
    say_text(fd, "z");
    hear(rig, fd, "seen");
    assert_int_equal(descriptors(), before + 2);
    close(fd);
    rig_free(rig);
}

static void test_a_client_that_leaves_takes_its_file_along(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    unsigned before = descriptors();
    int fd = rig_post(rig, POST("70000"), "abc");
    say(fd, long_piece, sizeof(long_piece));
    rig_until(rig, descriptors() == before + 3);
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0 && rig->gones == 1);
    assert_int_equal(descriptors(), before);
    rig_free(rig);
}

/* ---- What cannot be kept ---- */

static void test_without_room_it_is_507(void **state)
{
    (void)state;
    struct rlimit before;
    struct rig *rig = rig_of(host_spool);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 20, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int fd = rig_post(rig, POST("30"), "0123456789");
    rig_settle(rig);
    say_text(fd, "01234567890123456789");
    hear(rig, fd, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_got(rig, "HTTP/1.1 507 ");
    assert_got(rig, "Connection: close");
    assert_int_equal(rig->gone, CV_GONE_BODY);
    close(fd);
    rig_free(rig);
}

static void test_without_a_folder_it_is_503(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    unsigned before = descriptors();
    place = "none";
    int fd = rig_post(rig, POST("9"), "012345678");
    hear(rig, fd, NULL);
    assert_got(rig, "HTTP/1.1 503 ");
    assert_int_equal(rig->gone, CV_GONE_BODY);
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    assert_int_equal(descriptors(), before);
    rig_free(rig);
}

static void test_a_small_body_for_which_there_is_no_file_is_still_answered(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_spool);
    place = "none";
    int fd = rig_post(rig, POST("3"), "abc");
    hear(rig, fd, "no file");
    assert_int_equal(file, -EIO);
    say_text(fd, POST("3") "abc");
    forget(rig);
    hear(rig, fd, "no file");
    close(fd);
    rig_free(rig);
}

/* ---- A disk that takes its time: its only thread does something else until the gate opens ---- */

static sem_t gate;

static int wait_at_the_gate(void *arg)
{
    (void)arg;
    while (sem_wait(&gate) < 0)
        ;
    return 0;
}

static void open_gate(void)
{
    assert_int_equal(sem_post(&gate), 0);
}

static void nothing(struct cv_offload_call *call, int result)
{
    (void)call;
    assert_int_equal(result, 0);
}

static struct rig *rig_slow(struct rig *rig)
{
    static struct cv_offload_call first;
    first = (struct cv_offload_call){.fn = wait_at_the_gate, .done = nothing};
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(cv_offload_new(rig->loop, 1, 100, &rig->config.disk), 0);
    assert_int_equal(cv_offload_post(rig->config.disk, &first), 0);
    rig_start(rig);
    return rig;
}

static void others_are_served(struct rig *rig)
{
    int fd = rig_connect(rig);
    forget(rig);
    say_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(rig, fd, "seen");
    close(fd);
    forget(rig);
}

/* Sends without waiting what the server takes; how much that is of `left` bytes. */
static size_t push(struct rig *rig, int fd, size_t left)
{
    size_t done = 0;
    for (int idle = 0; idle < 5 && done < left;) {
        size_t n = left - done < sizeof(long_piece) ? left - done : sizeof(long_piece);
        ssize_t sent = send(fd, long_piece, n, MSG_DONTWAIT);
        assert_true(sent > 0 || errno == EAGAIN);
        idle = sent > 0 ? 0 : idle + 1;
        done += sent > 0 ? (size_t)sent : 0;
        rig_settle(rig);
    }
    return done;
}

static void test_a_body_is_whole_when_it_is_written(void **state)
{
    (void)state;
    struct rig *rig = rig_slow(rig_new(host_spool));
    int fd = rig_post(rig, POST("9"), "012345678");
    others_are_served(rig);
    assert_int_equal(rig->bodies, 0);
    open_gate();
    hear(rig, fd, "seen");
    assert_int_equal(rig->bodies, 1);
    assert_string_equal(body, "012345678");
    close(fd);
    rig_free(rig);
}

/* What the disk has not taken is neither read nor kept. */
static void test_a_client_waits_for_the_disk(void **state)
{
    (void)state;
    enum { LENGTH = 8000000 };
    struct rig *rig = rig_new(host_spool);
    rig->config.limits.bodies_memory = 400000;
    (void)rig_slow(rig);
    int fd = rig_connect(rig);
    say_text(fd, POST("8000000"));
    rig_settle(rig);
    size_t sent = push(rig, fd, LENGTH);
    assert_true(rig->server->metrics.page->received < 400000);
    others_are_served(rig);
    open_gate();
    while (sent < LENGTH)
        sent += push(rig, fd, LENGTH - sent);
    hear(rig, fd, "seen");
    assert_int_equal(file_len, LENGTH);
    close(fd);
    rig_free(rig);
}

static void test_a_client_may_leave_before_the_disk_is_ready(void **state)
{
    (void)state;
    struct rig *rig = rig_slow(rig_new(host_spool));
    unsigned before = descriptors();
    int fd = rig_post(rig, POST("9"), "012345678");
    rig_settle(rig);
    struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    assert_int_equal(rig->gones, 1);
    open_gate();
    rig_settle(rig);
    assert_int_equal(descriptors(), before);
    rig_free(rig);
}

static void test_a_server_may_end_before_the_disk_is_ready(void **state)
{
    (void)state;
    struct rig *rig = rig_slow(rig_new(host_spool));
    unsigned before = descriptors();
    int fd = rig_post(rig, POST("9"), "012345678");
    rig_settle(rig);
    open_gate();
    struct cv_exchange *held = rig->held;
    rig_free(rig);
    close(fd);
    assert_true(descriptors() < before);
    cv_exchange_release(held); /* the host has not been told */
}

/* Not the client's fault, but not for ever either. */
static void test_a_disk_that_takes_nothing_for_the_requests_time_is_503(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_spool);
    rig->config.limits.rate_span = 20;
    (void)rig_slow(rig);
    int fd = rig_connect(rig);
    forget(rig);
    say_text(fd, POST("8000000"));
    (void)push(rig, fd, 1 << 20);
    struct cv_limits *limits = &rig->server->limits;
    limits->body_rate_min = 1000;
    for (int i = 0; i < 5; i++)
        rig_step(rig, limits->rate_span);
    assert_int_equal(rig->gones, 0);
    limits->request_timeout = 1;
    hear(rig, fd, "\r\n\r\n");
    assert_got(rig, "HTTP/1.1 503 ");
    assert_int_equal(rig->gone, CV_GONE_BODY);
    open_gate();
    close(fd);
    rig_free(rig);
}

static void test_what_a_thread_cannot_write_is_503_as_well(void **state)
{
    (void)state;
    struct rig *rig = rig_slow(rig_new(host_spool));
    place = "none";
    int fd = rig_post(rig, POST("9"), "012345678");
    open_gate();
    hear(rig, fd, NULL);
    assert_got(rig, "HTTP/1.1 503 ");
    close(fd);
    rig_free(rig);
}

int main(void)
{
    memset(long_piece, 'x', sizeof(long_piece));
    (void)signal(SIGXFSZ, SIG_IGN); /* as in a worker */
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_folder)
        TEST(test_a_longer_body_is_in_a_file_and_not_in_memory),
        TEST(test_a_body_up_to_the_mark_stays_in_memory_until_its_file_is_asked_for),
        TEST(test_a_body_that_came_with_its_head_has_a_file_too),
        TEST(test_an_empty_body_has_an_empty_file),
        TEST(test_pieces_are_in_order),
        TEST(test_nobody_sees_the_file_and_it_goes_with_the_request),
        TEST(test_a_client_that_leaves_takes_its_file_along),
        TEST(test_without_room_it_is_507),
        TEST(test_without_a_folder_it_is_503),
        TEST(test_a_small_body_for_which_there_is_no_file_is_still_answered),
        TEST(test_a_body_is_whole_when_it_is_written),
        TEST(test_a_client_waits_for_the_disk),
        TEST(test_a_client_may_leave_before_the_disk_is_ready),
        TEST(test_a_server_may_end_before_the_disk_is_ready),
        TEST(test_a_disk_that_takes_nothing_for_the_requests_time_is_503),
        TEST(test_what_a_thread_cannot_write_is_503_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
