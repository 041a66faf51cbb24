/* Answers: framing, what has no body, lent bodies, back-pressure. */
#include "rig.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"
#define HEAD "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"

static unsigned released;

static void count_release(void *arg)
{
    (void)arg;
    released++;
}

/* A held request, on the connection returned. */
static int hold(struct rig *rig, const char *request)
{
    int fd = rig_connect(rig);
    rig->held = NULL;
    forget(rig);
    say_text(fd, request);
    rig_until(rig, rig->held != NULL);
    return fd;
}

static void begin(struct rig *rig, int64_t length)
{
    struct cv_answer answer = {.status = 200, .length = length};
    assert_int_equal(cv_exchange_begin(rig->held, &answer), 0);
}

static void write_text(struct rig *rig, const char *text)
{
    assert_true(cv_exchange_write(rig->held, cv_span_str(text)) >= 0);
}

/* ---- Failures ---- */

static void test_fewer_bytes_than_said_cut_the_connection(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold(rig, GET("/"));
    begin(rig, 5);
    write_text(rig, "four");
    assert_int_equal(cv_exchange_end(rig->held), -EIO);
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "Content-Length: 5\r\n");
    assert_got(rig, "\r\n\r\nfour");
    close(fd);
    rig_free(rig);
}

static void test_more_bytes_than_said_are_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold(rig, GET("/"));
    begin(rig, 5);
    assert_int_equal(cv_exchange_write(rig->held, CV_SPAN("sixsix")), -EMSGSIZE);
    write_text(rig, "fives");
    assert_int_equal(cv_exchange_end(rig->held), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, "\r\n\r\nfives");
    close(fd);
    rig_free(rig);
}

static void test_a_lent_body_is_released_once_also_if_the_peer_leaves(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    static char body[32 << 20]; /* more than the sockets hold */
    int fd = hold(rig, GET("/"));
    released = 0;
    struct cv_answer answer = {
        .status = 200, .body = cv_span(body, sizeof(body)), .release = count_release};
    assert_int_equal(cv_exchange_answer(rig->held, &answer), 0);
    cv_exchange_release(rig->held);
    rig_settle(rig);
    assert_int_equal(released, 0);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    assert_int_equal(released, 1);
    rig_free(rig);
}

/* ---- Framing ---- */

static void test_the_servers_own_fields_surround_the_hosts(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold(rig, GET("/"));
    const struct cv_answer_field fields[] = {{CV_SPAN("A"), CV_SPAN("1")},
                                             {CV_SPAN("Set-Cookie"), CV_SPAN("a=b")},
                                             {CV_SPAN("Set-Cookie"), CV_SPAN("c=d")}};
    struct cv_answer answer = {.status = 201,
                               .fields = fields,
                               .n_fields = CV_COUNT(fields),
                               .type = CV_SPAN("text/x"),
                               .body = CV_SPAN("made")};
    assert_int_equal(cv_exchange_answer(rig->held, &answer), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, "made");
    assert_ptr_equal(strstr(rig->got, "HTTP/1.1 201 Created\r\nDate: "), rig->got);
    assert_got(rig, "GMT\r\nContent-Type: text/x\r\nA: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: "
                    "c=d\r\nContent-Length: 4\r\n\r\nmade");
    close(fd);
    rig_free(rig);
}

static void test_hints_stand_in_front_of_the_head_and_not_behind(void **state)
{
    (void)state;
    const struct cv_answer_field link = {CV_SPAN("Link"), CV_SPAN("</a>; rel=preload")};
    struct rig *rig = rig_of(host_hold);
    int fd = rig_connect(rig);
    say_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_until(rig, rig->held != NULL);
    assert_int_equal(cv_exchange_inform(rig->held, 100, NULL, 0), -EINVAL);
    assert_int_equal(cv_exchange_inform(rig->held, 101, NULL, 0), -EINVAL);
    assert_int_equal(cv_exchange_inform(rig->held, 200, NULL, 0), -EINVAL);
    assert_int_equal(cv_exchange_inform(rig->held, 103, &link, 1), 0);
    hear(rig, fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n");
    forget(rig);
    assert_int_equal(answer_text(rig->held, "hello"), 0);
    assert_int_equal(cv_exchange_inform(rig->held, 103, &link, 1), -EALREADY);
    cv_exchange_release(rig->held);
    hear(rig, fd, "hello");
    assert_int_equal(count_of(rig, "HTTP/1.1 "), 1);
    close(fd);
    rig_free(rig);
}

static void test_an_unknown_length_is_chunked(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold(rig, GET("/"));
    begin(rig, -1);
    write_text(rig, "hello");
    write_text(rig, ""); /* would end it */
    write_text(rig, "0123456789abcdef");
    assert_int_equal(cv_exchange_end(rig->held), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, "0\r\n\r\n");
    assert_got(rig, "Transfer-Encoding: chunked\r\n");
    assert_got(rig, "\r\n\r\n5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    assert_not_got(rig, "Content-Length");
    close(fd);
    rig_free(rig);
}

static void test_to_http_1_0_an_unknown_length_ends_with_the_connection(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold(rig, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    begin(rig, -1);
    write_text(rig, "hello");
    assert_int_equal(cv_exchange_end(rig->held), 0);
    cv_exchange_release(rig->held);
    hear(rig, fd, NULL);
    assert_got(rig, "Connection: close\r\n\r\nhello");
    assert_not_got(rig, "chunked");
    assert_int_equal(rig->got_error, 0);
    close(fd);
    rig_free(rig);
}

static void test_a_head_request_gets_the_head_alone(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    int fd = hold(rig, HEAD GET("/next"));
    answer_text(rig->held, "not sent");
    cv_exchange_release(rig->held);
    rig_until(rig, rig->requests == 2);
    answer_text(rig->held, "next");
    cv_exchange_release(rig->held);
    hear(rig, fd, "\r\n\r\nnext");
    assert_got(rig, "Content-Length: 8\r\n\r\nHTTP/1.1 200 OK\r\n");
    assert_not_got(rig, "not sent");
    close(fd);
    rig_free(rig);
}

static void test_a_streamed_answer_to_head_has_no_body_either(void **state)
{
    (void)state;
    const int64_t lengths[] = {-1, 100};
    for (size_t i = 0; i < CV_COUNT(lengths); i++) {
        struct rig *rig = rig_of(host_hold);
        int fd = hold(rig, HEAD);
        begin(rig, lengths[i]);
        write_text(rig, "not sent");
        assert_int_equal(cv_exchange_end(rig->held), 0);
        cv_exchange_release(rig->held);
        hear(rig, fd, "\r\n\r\n");
        rig_settle(rig);
        fetch(rig, fd);
        assert_got(rig, i == 0 ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 100\r\n");
        assert_string_equal(strstr(rig->got, "\r\n\r\n"), "\r\n\r\n");
        assert_false(rig->got_end);
        close(fd);
        rig_free(rig);
    }
}

static void test_statuses_without_a_body_have_none(void **state)
{
    (void)state;
    const int statuses[] = {204, 304};
    for (size_t i = 0; i < CV_COUNT(statuses); i++) {
        struct rig *rig = rig_of(host_hold);
        int fd = hold(rig, GET("/"));
        struct cv_answer answer = {.status = statuses[i], .body = CV_SPAN("not sent")};
        assert_int_equal(cv_exchange_answer(rig->held, &answer), 0);
        cv_exchange_release(rig->held);
        hear(rig, fd, "\r\n\r\n");
        assert_string_equal(strstr(rig->got, "\r\n\r\n"), "\r\n\r\n");
        assert_not_got(rig, "Content-Length");
        assert_not_got(rig, "Transfer-Encoding");
        close(fd);
        rig_free(rig);
    }
}

/* ---- Large ones ---- */

static void test_a_lent_body_is_sent_and_released_once(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 10, 16383, 16384, 1 << 20};
    static char body[1 << 20];
    memset(body, 'x', sizeof(body));
    for (size_t i = 0; i < CV_COUNT(sizes); i++) {
        struct rig *rig = rig_of(host_hold);
        int fd = hold(rig, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        released = 0;
        struct cv_answer answer = {
            .status = 200, .body = cv_span(body, sizes[i]), .release = count_release};
        assert_int_equal(cv_exchange_answer(rig->held, &answer), 0);
        cv_exchange_release(rig->held);
        hear(rig, fd, NULL);
        assert_int_equal(released, 1);
        size_t head = (size_t)(strstr(rig->got, "\r\n\r\n") - rig->got) + 4;
        assert_int_equal(rig->got_len - head, sizes[i]);
        close(fd);
        rig_free(rig);
    }
}

static void test_a_host_that_writes_more_than_the_peer_takes_is_told_to_go_on(void **state)
{
    (void)state;
    struct rig *rig = rig_of(host_hold);
    static char some[16384];
    int fd = hold(rig, GET("/"));
    const size_t total = 3 << 20;
    begin(rig, total);
    size_t written = 0;
    ssize_t unsent = 0;
    while (written < total) {
        while (written < total && unsent <= CV_WRITE_HIGH) {
            unsent = cv_exchange_write(rig->held, cv_span(some, sizeof(some)));
            assert_in_range(unsent, 1, CV_WRITE_HIGH + sizeof(some) + 512);
            written += sizeof(some);
        }
        unsigned before = rig->writables;
        if (written < total)
            rig_until(rig, (fetch(rig, fd), rig->writables) > before);
        unsent = 0;
    }
    assert_int_equal(cv_exchange_end(rig->held), 0);
    cv_exchange_release(rig->held);
    rig_until(rig, (fetch(rig, fd), rig->got_len) > total);
    assert_true(rig->writables > 3);
    close(fd);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fewer_bytes_than_said_cut_the_connection),
        cmocka_unit_test(test_more_bytes_than_said_are_refused),
        cmocka_unit_test(test_a_lent_body_is_released_once_also_if_the_peer_leaves),
        cmocka_unit_test(test_the_servers_own_fields_surround_the_hosts),
        cmocka_unit_test(test_hints_stand_in_front_of_the_head_and_not_behind),
        cmocka_unit_test(test_an_unknown_length_is_chunked),
        cmocka_unit_test(test_to_http_1_0_an_unknown_length_ends_with_the_connection),
        cmocka_unit_test(test_a_head_request_gets_the_head_alone),
        cmocka_unit_test(test_a_streamed_answer_to_head_has_no_body_either),
        cmocka_unit_test(test_statuses_without_a_body_have_none),
        cmocka_unit_test(test_a_lent_body_is_sent_and_released_once),
        cmocka_unit_test(test_a_host_that_writes_more_than_the_peer_takes_is_told_to_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
