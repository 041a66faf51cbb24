/* Heads with their bodies, as a connection reads them: h1, then Content-Length or chunk. */
#include "fuzz/message.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* clang-format off */
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\n"

static const struct message_case {
    struct cv_span raw;
    int rc;
    const char *body;
    size_t behind; /* bytes that are not the message's */
} cases[] = {
#define CASE(rc, body, behind, raw) {{raw, sizeof(raw) - 1}, rc, body, sizeof(behind) - 1}
    CASE(CV_H1_DONE, "", "", POST "\r\n"),
    CASE(CV_H1_DONE, "", NEXT, POST "\r\n" NEXT),
    CASE(CV_H1_DONE, "", NEXT, POST "Content-Length: 0\r\n\r\n" NEXT),
    CASE(CV_H1_DONE, "hello", "", POST "Content-Length: 5\r\n\r\nhello"),
    CASE(CV_H1_DONE, "hello", NEXT, POST "Content-Length: 5\r\n\r\nhello" NEXT),
    CASE(CV_H1_MORE, "hell", "", POST "Content-Length: 5\r\n\r\nhell"),
    CASE(CV_H1_DONE, "GET /", " HTTP/1.1\r\n", POST "Content-Length: 5\r\n\r\nGET / HTTP/1.1\r\n"),
    CASE(CV_H1_DONE, "", "", CHUNKED "0\r\n\r\n"),
    CASE(CV_H1_DONE, "", NEXT, CHUNKED "0\r\n\r\n" NEXT),
    CASE(CV_H1_DONE, "hello", NEXT, CHUNKED "5\r\nhello\r\n0\r\n\r\n" NEXT),
    CASE(CV_H1_DONE, "hello", "\r\n", CHUNKED "2\r\nhe\r\n03\r\nllo\r\n000\r\n\r\n\r\n"),
    CASE(CV_H1_DONE, "0\r\n\r\n", "", CHUNKED "5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
    CASE(CV_H1_DONE, "hello", "", CHUNKED "5;a=\"b;c\"\r\nhello\r\n0 ;d\r\nE: f\r\nG:\r\n\r\n"),
    CASE(CV_H1_MORE, "hello", "", CHUNKED "5\r\nhello\r\n0\r\n"),
    CASE(CV_H1_MORE, "hel", "", CHUNKED "5\r\nhel"),
    CASE(-400, "hello", "x\r\n0\r\n\r\n", CHUNKED "5\r\nhellox\r\n0\r\n\r\n"),
    CASE(-400, "", "hello", CHUNKED "g\r\nhello"),
};
/* clang-format on */

static const struct cv_h1_limits limits = {512, 128, 8};

static void test_bodies_end_where_their_length_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message whole;
        message_init(&whole, cases[i].raw.len);
        message_feed(&whole, &limits, cases[i].raw.at, cases[i].raw.len);
        assert_int_equal(whole.rc, cases[i].rc);
        assert_int_equal(whole.body_len, strlen(cases[i].body));
        assert_memory_equal(whole.body, cases[i].body, whole.body_len);
        if (whole.rc >= 0)
            assert_int_equal(whole.used, cases[i].raw.len - cases[i].behind);
        message_done(&whole);
    }
}

static void test_a_message_cut_at_any_two_bytes_is_the_same_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cv_span raw = cases[i].raw;
        struct message whole;
        message_init(&whole, raw.len);
        message_feed(&whole, &limits, raw.at, raw.len);
        assert_true(message_same_bytewise(&whole, &limits, raw));
        for (size_t first = 0; first <= raw.len; first++) {
            for (size_t second = first; second <= raw.len; second++) {
                if (!message_same_when_cut(&whole, &limits, raw, first, second))
                    fail_msg("cut at %zu and %zu: %s", first, second, raw.at);
            }
        }
        message_done(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_end_where_their_length_says),
        cmocka_unit_test(test_a_message_cut_at_any_two_bytes_is_the_same_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
