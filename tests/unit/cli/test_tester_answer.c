#include "cli/tester/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct cv_tester_answer answer;

/* Taken whole, then again byte by byte: both must come to the same. */
static const struct covey_test_answer *take(const char *bytes, size_t len, bool to_head, bool ends)
{
    static struct cv_tester_answer whole;
    cv_tester_answer_done(&whole);
    cv_tester_answer_done(&answer);
    cv_tester_answer_init(&whole, to_head);
    cv_tester_answer_init(&answer, to_head);
    cv_tester_answer_take(&whole, cv_span(bytes, len));
    for (size_t i = 0; i < len; i++)
        cv_tester_answer_take(&answer, cv_span(bytes + i, 1));
    if (ends) {
        cv_tester_answer_end(&whole);
        cv_tester_answer_end(&answer);
    }
    assert_int_equal(whole.state, answer.state);
    assert_int_equal(whole.seen.status, answer.seen.status);
    assert_string_equal(whole.seen.error, answer.seen.error);
    assert_string_equal(whole.seen.head, answer.seen.head);
    assert_string_equal(whole.seen.early, answer.seen.early);
    assert_int_equal(whole.seen.len, answer.seen.len);
    assert_memory_equal(whole.seen.body, answer.seen.body, answer.seen.len + 1);
    return &answer.seen;
}

#define TAKE(text) take(text, sizeof(text) - 1, false, false)

static void test_body_of_a_length(void **state)
{
    (void)state;
    const struct covey_test_answer *seen =
        TAKE("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:b\r\n\r\nabcNEXT");
    assert_int_equal(seen->status, 200);
    assert_string_equal(seen->error, "");
    assert_string_equal(seen->body, "abc");
    assert_string_equal(seen->head, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:b\r\n\r\n");
    assert_string_equal(covey_test_header(seen, "x-a"), "b");
    assert_null(covey_test_header(seen, "x"));
}

static void test_body_in_chunks(void **state)
{
    (void)state;
    const struct covey_test_answer *seen =
        TAKE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    assert_string_equal(seen->body, "abc");
    assert_string_equal(seen->error, "");
}

static void test_body_up_to_the_end(void **state)
{
    (void)state;
    const char text[] = "HTTP/1.1 200 OK\r\n\r\nabc";
    assert_string_equal(TAKE("HTTP/1.1 200 OK\r\n\r\nabc")->error, "the answer has not ended yet");
    const struct covey_test_answer *seen = take(text, sizeof(text) - 1, false, true);
    assert_string_equal(seen->error, "");
    assert_string_equal(seen->body, "abc");
}

static void test_answers_without_a_body(void **state)
{
    (void)state;
    const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    assert_string_equal(take(head, sizeof(head) - 1, true, false)->error, "");
    assert_string_equal(TAKE("HTTP/1.1 204 No Content\r\n\r\n")->error, "");
    assert_string_equal(TAKE("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n")->error, "");
    assert_string_equal(TAKE("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")->error, "");
}

static void test_early_answers_stand_apart(void **state)
{
    (void)state;
    const struct covey_test_answer *seen =
        TAKE("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
             "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n");
    assert_int_equal(seen->status, 204);
    assert_string_equal(
        seen->early, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
    assert_string_equal(seen->head, "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n");
    assert_null(covey_test_header(seen, "Link"));
}

static void test_fields_come_in_order(void **state)
{
    (void)state;
    const char *name;
    const char *value;
    size_t at = 0;
    const struct covey_test_answer *seen =
        TAKE("HTTP/1.1 204 No Content\r\nSet-Cookie: a=1\r\nSet-Cookie:  b=2\r\nEmpty:\r\n\r\n");
    assert_true(covey_test_header_next(seen, &at, &name, &value));
    assert_string_equal(value, "a=1");
    assert_true(covey_test_header_next(seen, &at, &name, &value));
    assert_string_equal(value, "b=2");
    assert_true(covey_test_header_next(seen, &at, &name, &value));
    assert_string_equal(name, "Empty");
    assert_string_equal(value, "");
    assert_false(covey_test_header_next(seen, &at, &name, &value));
}

static void test_cut_answers_say_so(void **state)
{
    (void)state;
    const char body[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc";
    assert_string_equal(take("", 0, false, true)->error,
                        "the connection was closed without an answer");
    const struct covey_test_answer *seen = take(body, sizeof(body) - 1, false, true);
    assert_int_equal(seen->status, 200);
    assert_string_equal(seen->body, "abc");
    assert_string_equal(seen->error, "the connection was closed after 3 bytes of the body");
}

static void test_malformed_answers_are_refused(void **state)
{
    (void)state;
    assert_string_equal(TAKE("SSH-2.0-OpenSSH_9.2\r\n\r\n")->error,
                        "no status line: SSH-2.0-OpenSSH_9.2");
    assert_string_equal(TAKE("HTTP/1.1 200 OK\r\nnothing\r\n\r\n")->error,
                        "no header field: nothing");
    assert_string_equal(TAKE("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n")->error,
                        "no length: -3");
    assert_string_equal(TAKE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx")->error,
                        "the chunks of the body are malformed");
}

static int tear_down(void **state)
{
    (void)state;
    cv_tester_answer_done(&answer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_of_a_length),
        cmocka_unit_test(test_body_in_chunks),
        cmocka_unit_test(test_body_up_to_the_end),
        cmocka_unit_test(test_answers_without_a_body),
        cmocka_unit_test(test_early_answers_stand_apart),
        cmocka_unit_test(test_fields_come_in_order),
        cmocka_unit_test(test_cut_answers_say_so),
        cmocka_unit_test(test_malformed_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
