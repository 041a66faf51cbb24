/* Access lines: their form, when they are written, what becomes of those that nobody takes. */
#include "rig.h"

#include "logged.h"

static char lines[1 << 20];

/* A rig whose access log goes to a pipe. */
static struct rig *rig_logging(int pipe_fds[2], void (*host)(struct rig *, const struct cv_event *))
{
    struct rig *rig = rig_new(host);
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
    rig->config.access_log = pipe_fds[1];
    rig_start(rig);
    return rig;
}

/* What has been written, as text. */
static const char *written(int fd)
{
    ssize_t n = read(fd, lines, sizeof(lines) - 1);
    lines[n > 0 ? n : 0] = '\0';
    return lines;
}

/* Behind date and time. */
static const char *without_stamp(const char *line)
{
    assert_true(strlen(line) > 20);
    assert_int_equal(line[10], ' ');
    assert_int_equal(line[19], ' ');
    return line + 20;
}

static void done(struct rig *rig, int pipe_fds[2])
{
    rig_free(rig);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* So many requests with a line of more than 1,000 bytes each. */
static void ask_much(struct rig *rig, unsigned n)
{
    static char long_request[1200];
    int fd = rig_connect(rig);
    snprintf(long_request, sizeof(long_request), "GET /%01000d HTTP/1.1\r\nHost: x\r\n\r\n", 0);
    for (unsigned i = 1; i <= n; i++) {
        say_text(fd, long_request);
        rig_until(rig, rig->requests == i);
        fetch(rig, fd);
    }
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0);
}

static unsigned count_lines(const char *text)
{
    unsigned n = 0;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static void test_lines_that_nobody_takes_are_dropped_past_a_bound(void **state)
{
    (void)state;
    int pipe_fds[2];
    struct rig *rig = rig_logging(pipe_fds, host_target);
    static char fill[4096];
    while (write(pipe_fds[1], fill, sizeof(fill)) > 0)
        continue;
    ask_much(rig, 100);
    while (read(pipe_fds[0], fill, sizeof(fill)) > 0)
        continue;
    cv_server_free(rig->server);
    rig->server = NULL;
    size_t len = strlen(written(pipe_fds[0]));
    assert_in_range(len, 30000, 65536);
    assert_int_equal(lines[len - 1], '\n'); /* whole lines only */
    done(rig, pipe_fds);
}

static void test_it_is_said_once_that_lines_are_dropped_and_once_how_many(void **state)
{
    (void)state;
    int pipe_fds[2];
    struct rig *rig = rig_logging(pipe_fds, host_target);
    static char fill[4096];
    while (write(pipe_fds[1], fill, sizeof(fill)) > 0)
        continue;
    ask_much(rig, 100);
    assert_logged("the access log does not take its lines");
    assert_int_equal(lines_logged(), 1);
    while (read(pipe_fds[0], fill, sizeof(fill)) > 0)
        continue;
    rig_until(rig, lines_logged() == 2);
    char said[64];
    snprintf(said, sizeof(said), ": %u lines of the access log were dropped",
             100 - count_lines(written(pipe_fds[0])));
    assert_logged(said);
    cv_server_free(rig->server);
    rig->server = NULL;
    assert_int_equal(lines_logged(), 2);
    done(rig, pipe_fds);
}

static void test_what_a_full_disk_has_never_taken_is_counted_at_the_end(void **state)
{
    (void)state;
    struct rig *rig = rig_new(host_target);
    rig->config.access_log = open("/dev/full", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    rig_start(rig);
    ask_much(rig, 100);
    cv_server_free(rig->server);
    rig->server = NULL;
    assert_logged(": 100 lines of the access log were dropped");
    assert_int_equal(lines_logged(), 2);
    close(rig->config.access_log);
    rig_free(rig);
}

static void test_a_line_says_who_what_and_how(void **state)
{
    (void)state;
    int pipe_fds[2];
    struct rig *rig = rig_logging(pipe_fds, host_target);
    say_and_hear_all(rig, "GET /hello/you?x=1 HTTP/1.0\r\n\r\n");
    assert_string_equal(written(pipe_fds[0]), ""); /* collected */
    cv_server_free(rig->server);
    rig->server = NULL;
    const char *line = without_stamp(written(pipe_fds[0]));
    const char *expected = "127.0.0.1 \"GET /hello/you?x=1 HTTP/1.0\" 200 14 ";
    assert_memory_equal(line, expected, strlen(expected));
    assert_string_equal(line + strlen(line) - 5, "ms -\n");
    done(rig, pipe_fds);
}

static void host_named(struct rig *rig, const struct cv_event *event)
{
    if (event->kind == CV_EV_REQUEST)
        cv_exchange_set_name(event->exchange, "the_route");
    host_target(rig, event);
}

static void host_with_ids(struct rig *rig, const struct cv_event *event)
{
    if (event->kind == CV_EV_REQUEST && rig->requests > 1)
        cv_exchange_set_id(event->exchange, "an-id");
    host_target(rig, event);
}

static void test_ids_end_the_lines_where_they_are_wanted(void **state)
{
    (void)state;
    static const char *const ends[][2] = {{"ms -\n", "ms -\n"}, {"ms - -\n", "ms - an-id\n"}};
    for (int wanted = 0; wanted <= 1; wanted++) {
        int pipe_fds[2];
        struct rig *rig = rig_new(host_with_ids);
        assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
        rig->config.access_log = pipe_fds[1];
        rig->config.access_ids = wanted;
        rig_start(rig);
        say_and_hear_all(rig, "GET / HTTP/1.0\r\n\r\n");
        say_and_hear_all(rig, "GET / HTTP/1.0\r\n\r\n");
        cv_server_free(rig->server);
        rig->server = NULL;
        const char *first = strstr(written(pipe_fds[0]), "ms ");
        const char *second = strstr(first + 1, "ms ");
        assert_memory_equal(first, ends[wanted][0], strlen(ends[wanted][0]));
        assert_string_equal(second, ends[wanted][1]);
        done(rig, pipe_fds);
    }
}

static void test_lines_are_written_after_a_second(void **state)
{
    (void)state;
    int pipe_fds[2];
    struct rig *rig = rig_logging(pipe_fds, host_named);
    say_and_hear_all(rig, "GET / HTTP/1.0\r\n\r\n");
    lines[0] = '\0';
    rig_until(rig, lines[0] != '\0' || written(pipe_fds[0])[0] != '\0');
    assert_non_null(strstr(lines, "ms the_route\n"));
    done(rig, pipe_fds);
}

static void test_an_exchange_without_an_answer_has_no_status(void **state)
{
    (void)state;
    int pipe_fds[2];
    struct rig *rig = rig_logging(pipe_fds, host_hold);
    int fd = rig_connect(rig);
    say_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_until(rig, rig->held != NULL);
    cv_exchange_abort(rig->held);
    cv_exchange_release(rig->held);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    cv_server_free(rig->server);
    rig->server = NULL;
    assert_non_null(strstr(written(pipe_fds[0]), "\" - 0 "));
    close(fd);
    done(rig, pipe_fds);
}

static void test_a_target_cannot_forge_a_line(void **state)
{
    (void)state;
    int pipe_fds[2];
    struct rig *rig = rig_logging(pipe_fds, host_target);
    say_and_hear_all(rig, "GET /\"\\ HTTP/1.0\r\n\r\n");
    if (strstr(rig->got, "200 OK") != NULL) { /* else the parser has refused it */
        cv_server_free(rig->server);
        rig->server = NULL;
        assert_non_null(strstr(written(pipe_fds[0]), "/\\x22\\x5C HTTP/1.0"));
    }
    done(rig, pipe_fds);
}

/* One request, logged as an object: what it says behind the process. */
static const char *object_of(const char *request,
                             void (*host)(struct rig *, const struct cv_event *), bool ids)
{
    int pipe_fds[2];
    struct rig *rig = rig_new(host);
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
    rig->config.access_log = pipe_fds[1];
    rig->config.access_ids = ids;
    cv_log_json("shop");
    cv_log_process("worker 2");
    rig_start(rig);
    say_and_hear_all(rig, request);
    cv_server_free(rig->server);
    rig->server = NULL;
    cv_log_json(NULL);
    (void)written(pipe_fds[0]);
    done(rig, pipe_fds);
    const char *common = strstr(lines, "\"level\":\"info\",\"server\":\"shop\","
                                       "\"process\":\"worker 2\",\"log\":\"access\",");
    assert_non_null(common);
    return strstr(common, "\"client\"");
}

static void assert_begins(const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with)) != 0)
        fail_msg("it does not begin with %s: %s", with, text);
}

static void test_a_line_may_be_an_object(void **state)
{
    (void)state;
    const char *said = object_of("GET /hello/you?x=1 HTTP/1.0\r\n\r\n", host_named, false);
    assert_begins(said, "\"client\":\"127.0.0.1\",\"method\":\"GET\",\"target\":\"/hello/you?x=1\","
                        "\"protocol\":\"HTTP/1.0\",\"status\":200,\"bytes\":14,\"ms\":");
    assert_non_null(strstr(said, ",\"route\":\"the_route\"}\n"));
    said = object_of("GET / HTTP/1.0\r\n\r\n", host_target, true);
    assert_non_null(strstr(said, ",\"route\":null,\"request_id\":null}\n"));
}

/* Whatever a client makes long, what stands behind it is there. */
static void test_a_long_target_is_cut_and_the_object_whole(void **state)
{
    static char request[4096];
    (void)state;
    snprintf(request, sizeof(request), "GET /%03000d HTTP/1.0\r\n\r\n", 0);
    const char *said = object_of(request, host_named, true);
    assert_non_null(strstr(said, "000\",\"protocol\":\"HTTP/1.0\",\"status\":200,"));
    assert_non_null(strstr(said, ",\"request_id\":null}\n"));
    assert_in_range(strlen(lines), 2048, CV_LOG_LINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_that_nobody_takes_are_dropped_past_a_bound),
        logging(test_it_is_said_once_that_lines_are_dropped_and_once_how_many),
        logging(test_what_a_full_disk_has_never_taken_is_counted_at_the_end),
        cmocka_unit_test(test_a_line_says_who_what_and_how),
        cmocka_unit_test(test_ids_end_the_lines_where_they_are_wanted),
        cmocka_unit_test(test_lines_are_written_after_a_second),
        cmocka_unit_test(test_an_exchange_without_an_answer_has_no_status),
        cmocka_unit_test(test_a_target_cannot_forge_a_line),
        cmocka_unit_test(test_a_line_may_be_an_object),
        cmocka_unit_test(test_a_long_target_is_cut_and_the_object_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
