/* Request heads: the table of heads.h, cut everywhere; the limits; what a parsed head says. */
#include "http/h1.h"

#include "fuzz/message.h"
#include "http/text.h"
#include "unit/http/heads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct cv_h1_limits limits = {512, 128, 8};

static int parse(struct cv_h1 *parser, const struct cv_h1_limits *with, struct cv_span raw)
{
    cv_h1_init(parser);
    return cv_h1_parse(parser, with, raw);
}

static struct cv_span value_of(const struct cv_h1 *parser, const char *raw, size_t n)
{
    const struct cv_h1_field *field = &parser->head.fields[n];
    assert_true(n < parser->head.n_fields);
    return cv_h1_span(raw, field->value_at, field->value_len);
}

static void sum_up(const struct cv_h1_head *head, const char *raw, char *to, size_t cap)
{
    const char *method = cv_method_name(head->method);
    char body[32] = "-";

    if (head->chunked)
        snprintf(body, sizeof(body), "chunked");
    else if (head->content_length > 0)
        snprintf(body, sizeof(body), "%llu", (unsigned long long)head->content_length);
    snprintf(to, cap, "%s %.*s %.*s %u %s %s%s %u", method != NULL ? method : "other",
             (int)head->path_len, raw + head->path_at,
             head->query_len > 0 ? (int)head->query_len : 1,
             head->query_len > 0 ? raw + head->query_at : "-", head->minor,
             head->keep_alive ? "keep" : "close", body, head->expect_continue ? "+expect" : "",
             head->n_fields);
}

static void test_every_head_is_judged_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(head_cases) / sizeof(head_cases[0]); i++) {
        const struct head_case *c = &head_cases[i];
        struct cv_h1 parser;
        char summary[256] = "";

        int rc = parse(&parser, &limits, c->raw);
        if (rc != c->rc)
            fail_msg("%d instead of %d for: %.*s", rc, c->rc, (int)c->raw.len, c->raw.at);
        if (rc != CV_H1_DONE)
            continue;
        sum_up(&parser.head, c->raw.at, summary, sizeof(summary));
        if (strcmp(summary, c->summary) != 0)
            fail_msg("\"%s\" instead of \"%s\" for: %s", summary, c->summary, c->raw.at);
    }
}

static void test_a_head_cut_anywhere_is_the_same_head(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(head_cases) / sizeof(head_cases[0]); i++) {
        struct cv_span raw = head_cases[i].raw;
        struct message whole;

        message_init(&whole, raw.len);
        message_feed(&whole, &limits, raw.at, raw.len);
        assert_true(message_same_bytewise(&whole, &limits, raw));
        for (size_t first = 0; first <= raw.len; first++) {
            /* A second cut anywhere behind it where the head is short, else none. */
            size_t step = raw.len <= 64 ? 1 : raw.len - first + 1;
            for (size_t second = first; second <= raw.len; second += step) {
                if (!message_same_when_cut(&whole, &limits, raw, first, second))
                    fail_msg("cut at %zu and %zu: %.*s", first, second, (int)raw.len, raw.at);
            }
        }
        message_done(&whole);
    }
}

static void test_no_proper_prefix_of_a_head_is_judged_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(head_cases) / sizeof(head_cases[0]); i++) {
        const struct head_case *c = &head_cases[i];
        struct cv_h1 parser;

        if (c->rc != CV_H1_DONE)
            continue;
        assert_int_equal(parse(&parser, &limits, c->raw), CV_H1_DONE);
        for (size_t len = 0; len < parser.head.len; len++) {
            struct cv_h1 less;
            assert_int_equal(parse(&less, &limits, cv_span(c->raw.at, len)), CV_H1_MORE);
        }
    }
}

static void test_a_control_character_is_refused_wherever_it_stands(void **state)
{
    static const char raw[] = "GET /p?q HTTP/1.1\r\nHost: a\r\nAccept: text/html, */*\r\n\r\n";
    (void)state;
    for (size_t at = 0; at < sizeof(raw) - 1; at++) {
        for (int c = 0; c < 0x21; c++) {
            char broken[sizeof(raw)];
            struct cv_h1 parser;

            memcpy(broken, raw, sizeof(raw));
            if (c == '\t' || c == ' ' || c == '\r' || c == '\n' || raw[at] == '\r' ||
                raw[at] == '\n')
                continue;
            broken[at] = (char)c;
            assert_int_equal(parse(&parser, &limits, cv_span(broken, sizeof(raw) - 1)), -400);
        }
    }
}

static void test_blanks_around_a_value_are_not_of_it(void **state)
{
    struct cv_span raw = CV_SPAN(GET "A: \t b \t c \t \r\nB: \t \r\nC:\r\nD:d\r\n" END);
    struct cv_h1 parser;
    (void)state;

    assert_int_equal(parse(&parser, &limits, raw), CV_H1_DONE);
    assert_true(cv_span_eq(value_of(&parser, raw.at, 0), CV_SPAN("b \t c")));
    assert_int_equal(value_of(&parser, raw.at, 1).len, 0);
    assert_int_equal(value_of(&parser, raw.at, 2).len, 0);
    assert_true(cv_span_eq(value_of(&parser, raw.at, 3), CV_SPAN("d")));
    assert_true(cv_span_eq(value_of(&parser, raw.at, 4), CV_SPAN("a")));
}

static void test_fields_the_server_looks_at_are_known_by_any_case(void **state)
{
    static const enum cv_field wanted[] = {
        CV_FIELD_HOST,    CV_FIELD_CONNECTION, CV_FIELD_CONTENT_LENGTH, CV_FIELD_EXPECT,
        CV_FIELD_UPGRADE, CV_FIELD_ACCEPT,     CV_FIELD_CONTENT_TYPE,   CV_FIELD_COOKIE,
    };
    struct cv_span raw = CV_SPAN("POST / HTTP/1.1\r\nhOST: a\r\nCONNECTION: x\r\ncontent-length: "
                                 "1\r\nExpect: 100-continue\r\n"
                                 "upgradE: x\r\nACCEPT: x\r\nContent-Type: x\r\ncookiE: x\r\n\r\n");
    struct cv_h1 parser;
    (void)state;

    assert_int_equal(parse(&parser, &limits, raw), CV_H1_DONE);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        assert_int_equal(parser.head.fields[i].known, wanted[i]);
}

static enum cv_field known_as(const char *raw, size_t len)
{
    struct cv_h1 parser;
    assert_int_equal(parse(&parser, &limits, cv_span(raw, len)), CV_H1_DONE);
    return parser.head.fields[0].known;
}

/* Each byte of each name in place of every other: what is no token is refused, however much it is
 * like one, and what is one is known only if it differs by case. */
static void test_names_like_known_ones_are_not_known(void **state)
{
    static const struct {
        const char *name, *value;
        enum cv_field field;
    } cases[] = {
        {"Host", "a", CV_FIELD_HOST},
        {"Connection", "x", CV_FIELD_CONNECTION},
        {"Content-Length", "1", CV_FIELD_CONTENT_LENGTH},
        {"Expect", "100-continue", CV_FIELD_EXPECT},
        {"Upgrade", "x", CV_FIELD_UPGRADE},
        {"Accept", "x", CV_FIELD_ACCEPT},
        {"Content-Type", "x", CV_FIELD_CONTENT_TYPE},
        {"Cookie", "x", CV_FIELD_COOKIE},
        {"Cookie2", "x", CV_FIELD_OTHER},
        {"Transfer-Encodings", "x", CV_FIELD_OTHER},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned n = 0; n < strlen(cases[i].name) * 256; n++) {
            char name[32], raw[128];
            char c = (char)(n % 256);
            snprintf(name, sizeof(name), "%s", cases[i].name);
            name[n / 256] = c != '\0' ? c : '\x01';
            int len = snprintf(raw, sizeof(raw), "POST / HTTP/1.0\r\n%s: %s\r\n\r\n", name,
                               cases[i].value);
            if (c != ':' && cv_is_token(cv_span_str(name)))
                assert_int_equal(known_as(raw, (size_t)len), cv_string_ieq(name, cases[i].name)
                                                                 ? cases[i].field
                                                                 : CV_FIELD_OTHER);
            else if (c != ':' || n / 256 == 0)
                assert_int_equal(parse(&(struct cv_h1){0}, &limits, cv_span(raw, (size_t)len)),
                                 -400);
        }
    }
}

static void test_a_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not(void **state)
{
    struct cv_span raw = CV_SPAN("GET /1234567 HTTP/1.1\r\nHost: a\r\n\r\n");
    struct cv_h1_limits exact = {(uint32_t)raw.len, 8, 1};
    struct cv_h1 parser;
    (void)state;

    assert_int_equal(parse(&parser, &exact, raw), CV_H1_DONE);
    exact.head_max--;
    assert_int_equal(parse(&parser, &exact, raw), -431);
    exact = (struct cv_h1_limits){(uint32_t)raw.len, 7, 1};
    assert_int_equal(parse(&parser, &exact, raw), -414);
    exact = (struct cv_h1_limits){(uint32_t)raw.len, 8, 0};
    assert_int_equal(parse(&parser, &exact, raw), -431);
}

static void test_a_target_longer_than_the_whole_head_may_be_is_414(void **state)
{
    const struct cv_h1_limits small = {16, 4096, 8};
    struct cv_h1 parser;
    (void)state;

    assert_int_equal(parse(&parser, &small, CV_SPAN("GET /123456789012345 HTTP/1.1\r\n")), -414);
}

static void test_a_name_too_long_for_its_field_is_431(void **state)
{
    static char raw[70000];
    const struct cv_h1_limits roomy = {2 * sizeof(raw), 128, 8};
    struct cv_h1 parser;
    (void)state;

    memset(raw, 'n', sizeof(raw));
    memcpy(raw, GET, sizeof(GET) - 1);
    raw[sizeof(GET) - 1 + UINT16_MAX + 1] = ':';
    assert_int_equal(parse(&parser, &roomy, cv_span(raw, sizeof(raw))), -431);
    raw[sizeof(GET) - 1 + UINT16_MAX] = ':';
    raw[sizeof(GET) - 1 + UINT16_MAX + 1] = 'v';
    assert_int_equal(parse(&parser, &roomy, cv_span(raw, 67000)), CV_H1_MORE);
    assert_int_equal(parser.head.fields[0].name_len, UINT16_MAX);
}

static void test_as_many_fields_as_the_array_holds_are_accepted(void **state)
{
    const struct cv_h1_limits most = {8192, 128, CV_H1_FIELDS_MAX};
    char raw[1024];
    size_t len = (size_t)snprintf(raw, sizeof(raw), "%s", GET HOST);
    struct cv_h1 parser;
    (void)state;

    for (int i = 1; i < CV_H1_FIELDS_MAX; i++)
        len += (size_t)snprintf(raw + len, sizeof(raw) - len, "A: b\r\n");
    snprintf(raw + len, sizeof(raw) - len, "\r\n");
    assert_int_equal(parse(&parser, &most, cv_span_str(raw)), CV_H1_DONE);
    assert_int_equal(parser.head.n_fields, CV_H1_FIELDS_MAX);
    snprintf(raw + len, sizeof(raw) - len, "A: b\r\n\r\n");
    assert_int_equal(parse(&parser, &most, cv_span_str(raw)), -431);
}

static void test_skipped_empty_lines_count_in_the_length_of_the_head(void **state)
{
    struct cv_span raw = CV_SPAN("\r\n\r\n" GET END "rest");
    struct cv_h1 parser;
    (void)state;

    assert_int_equal(parse(&parser, &limits, raw), CV_H1_DONE);
    assert_int_equal(parser.head.len, raw.len - 4);
    assert_int_equal(parser.head.method_at, 4);
}

static void test_a_parser_copied_halfway_goes_on_like_the_first(void **state)
{
    struct cv_span raw = CV_SPAN("POST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n");
    (void)state;
    for (size_t cut = 0; cut <= raw.len; cut++) {
        struct cv_h1 first, second;

        cv_h1_init(&first);
        int rc = cv_h1_parse(&first, &limits, cv_span(raw.at, cut));
        assert_int_equal(rc, cut < raw.len ? CV_H1_MORE : CV_H1_DONE);
        memcpy(&second, &first, sizeof(first));
        if (rc == CV_H1_MORE)
            assert_int_equal(cv_h1_parse(&second, &limits, raw), CV_H1_DONE);
        assert_int_equal(second.head.content_length, 7);
        assert_int_equal(second.head.len, raw.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_head_is_judged_as_the_table_says),
        cmocka_unit_test(test_a_head_cut_anywhere_is_the_same_head),
        cmocka_unit_test(test_no_proper_prefix_of_a_head_is_judged_complete),
        cmocka_unit_test(test_a_control_character_is_refused_wherever_it_stands),
        cmocka_unit_test(test_blanks_around_a_value_are_not_of_it),
        cmocka_unit_test(test_fields_the_server_looks_at_are_known_by_any_case),
        cmocka_unit_test(test_names_like_known_ones_are_not_known),
        cmocka_unit_test(test_a_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not),
        cmocka_unit_test(test_a_target_longer_than_the_whole_head_may_be_is_414),
        cmocka_unit_test(test_a_name_too_long_for_its_field_is_431),
        cmocka_unit_test(test_as_many_fields_as_the_array_holds_are_accepted),
        cmocka_unit_test(test_skipped_empty_lines_count_in_the_length_of_the_head),
        cmocka_unit_test(test_a_parser_copied_halfway_goes_on_like_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
