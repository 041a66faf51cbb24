/* Fuzz target: a request, head and body. However it is cut it is the same one; every offset is
 * inside; a head is read to its last byte and no further; written out again it is read as the same
 * head. */
#include "fuzz/message.h"
#include "fuzz/target.h"

#include "http/chars.h"
#include "http/text.h"

#include <stdio.h>

static const struct cv_h1_limits usual = {8192, 4096, CV_H1_FIELDS_MAX};
static const struct cv_h1_limits tight = {96, 24, 3};

static void check_inside(const struct cv_h1_head *head, uint32_t at, uint32_t len)
{
    CHECK(at <= head->len && len <= head->len - at);
}

static void check_fields(const struct cv_h1_head *head, const char *bytes)
{
    for (size_t i = 0; i < head->n_fields; i++) {
        const struct cv_h1_field *field = &head->fields[i];
        check_inside(head, field->name_at, field->name_len);
        check_inside(head, field->value_at, field->value_len);
        struct cv_span value = cv_h1_span(bytes, field->value_at, field->value_len);
        CHECK(cv_is_token(cv_h1_span(bytes, field->name_at, field->name_len)));
        CHECK(cv_is_field_value(value));
        CHECK(value.len == 0 || (value.at[0] != ' ' && value.at[value.len - 1] != '\t'));
        CHECK(field->known < CV_FIELD_COUNT);
    }
}

static void check_head(const struct cv_h1_head *head, const char *bytes,
                       const struct cv_h1_limits *limits)
{
    CHECK(head->len <= limits->head_max && head->target_len <= limits->target_max);
    CHECK(head->n_fields <= limits->fields_max);
    CHECK(head->method_len > 0 && head->target_len > 0 && head->path_len > 0);
    check_inside(head, head->method_at, head->method_len);
    check_inside(head, head->target_at, head->target_len);
    check_inside(head, head->path_at, head->path_len);
    check_inside(head, head->query_at, head->query_len);
    CHECK(bytes[head->path_at] == '/' || head->method == CV_METHOD_OPTIONS);
    CHECK(!head->expect_continue || head->has_body);
    CHECK(head->has_body == (head->chunked || head->content_length > 0));
    CHECK(head->minor <= 1 && !(head->minor == 0 && head->chunked));
    check_fields(head, bytes);
}

static size_t put(char *to, struct cv_span text, const char *behind)
{
    memcpy(to, text.at, text.len);
    memcpy(to + text.len, behind, strlen(behind));
    return text.len + strlen(behind);
}

/* As the parser has understood it; never longer than it came, but for a blank per field. */
static size_t write_head(const struct cv_h1_head *head, const char *bytes, char *to)
{
    size_t n = put(to, cv_h1_span(bytes, head->method_at, head->method_len), " ");
    n += put(to + n, cv_h1_span(bytes, head->target_at, head->target_len), " HTTP/1.");
    n += put(to + n, cv_span(&"01"[head->minor], 1), "\r\n");
    for (size_t i = 0; i < head->n_fields; i++) {
        const struct cv_h1_field *field = &head->fields[i];
        n += put(to + n, cv_h1_span(bytes, field->name_at, field->name_len), ": ");
        n += put(to + n, cv_h1_span(bytes, field->value_at, field->value_len), "\r\n");
    }
    return n + put(to + n, cv_span("", 0), "\r\n");
}

static void check_rewritten(const struct cv_h1_head *head, const char *bytes)
{
    const struct cv_h1_limits roomy = {2 * usual.head_max, usual.target_max, usual.fields_max};
    char *copy = malloc(roomy.head_max);
    CHECK(copy != NULL);
    size_t len = write_head(head, bytes, copy);

    struct cv_h1 again;
    cv_h1_init(&again);
    CHECK(cv_h1_parse(&again, &roomy, cv_span(copy, len)) == CV_H1_DONE);
    CHECK(again.head.len == len && again.head.n_fields == head->n_fields);
    CHECK(again.head.method == head->method && again.head.minor == head->minor);
    CHECK(again.head.keep_alive == head->keep_alive && again.head.has_body == head->has_body);
    CHECK(again.head.chunked == head->chunked);
    CHECK(again.head.content_length == head->content_length);
    CHECK(cv_span_eq(cv_h1_span(copy, again.head.path_at, again.head.path_len),
                     cv_h1_span(bytes, head->path_at, head->path_len)));
    CHECK(cv_span_eq(cv_h1_span(copy, again.head.query_at, again.head.query_len),
                     cv_h1_span(bytes, head->query_at, head->query_len)));
    free(copy);
}

/* Nothing behind the head changes it, and nothing less is one. */
static void check_extent(const struct message *whole, const char *bytes,
                         const struct cv_h1_limits *limits)
{
    uint32_t len = whole->parser.head.len;
    struct cv_h1 parser;

    cv_h1_init(&parser);
    CHECK(cv_h1_parse(&parser, limits, cv_span(bytes, len - 1)) == CV_H1_MORE);
    CHECK(cv_h1_parse(&parser, limits, cv_span(bytes, len)) == CV_H1_DONE);
    CHECK(parser.head.len == len);
}

static void check(const uint8_t *data, size_t size, const struct cv_h1_limits *limits)
{
    struct cv_span stream = cv_span(data, size);
    struct message whole;

    message_init(&whole, size);
    message_feed(&whole, limits, stream.at, size);
    if (whole.has_head) {
        check_head(&whole.parser.head, stream.at, limits);
        check_extent(&whole, stream.at, limits);
        check_rewritten(&whole.parser.head, stream.at);
    }

    size_t cut = mix(data, size);
    size_t first = cut % (size + 1);
    size_t second = first + (cut >> 24) % (size - first + 1);
    CHECK(message_same_when_cut(&whole, limits, stream, first, second));
    if (size <= 256)
        CHECK(message_same_bytewise(&whole, limits, stream));
    message_done(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size, &usual);
    check(data, size, &tight);
    return 0;
}
