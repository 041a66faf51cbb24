/* Fuzz target: the small grammars, each over the whole input, against what a plain loop says. */
#include "http/text.h"

#include "base/utf8.h"
#include "fuzz/target.h"
#include "http/chars.h"
#include "http/target.h"

#include <ctype.h>
#include <string.h>

static void check_classes(struct cv_span text)
{
    bool token = text.len > 0;
    bool value = true;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.at[i];
        token = token && c < 0x80 && (isalnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c)));
        value = value && (c == '\t' || (c >= ' ' && c != 0x7f));
    }
    CHECK(cv_is_token(text) == token);
    CHECK(cv_is_field_value(text) == value);
}

static void check_percent(struct cv_span text, bool plus)
{
    char *decoded = malloc(text.len + 1);
    char *in_place = malloc(text.len + 1);
    char *escaped = malloc(3 * text.len + 1);
    CHECK(decoded != NULL && in_place != NULL && escaped != NULL);

    memcpy(in_place, text.at, text.len);
    int64_t len = cv_percent_decode(text, plus, decoded);
    CHECK(cv_percent_decode(cv_span(in_place, text.len), plus, in_place) == len);
    CHECK(len == -400 || (len >= 0 && (size_t)len <= text.len));
    if (len >= 0) {
        CHECK(memcmp(in_place, decoded, (size_t)len) == 0);
        CHECK(memchr(decoded, 0, (size_t)len) == NULL);
        for (size_t i = 0; i < (size_t)len; i++)
            (void)snprintf(escaped + 3 * i, 4, "%%%02x", (uint8_t)decoded[i]);
        CHECK(cv_percent_decode(cv_span(escaped, 3 * (size_t)len), plus, in_place) == len);
        CHECK(memcmp(in_place, decoded, (size_t)len) == 0);
    }
    free(decoded);
    free(in_place);
    free(escaped);
}

static void check_utf8(struct cv_span text)
{
    char *to = malloc(3 * text.len + 1);
    CHECK(to != NULL);
    size_t len = cv_utf8_repair(text, to);
    size_t valid = cv_utf8_valid(text);
    CHECK(len <= 3 * text.len && cv_utf8_valid(cv_span(to, len)) == len);
    CHECK(valid <= text.len && (valid == text.len) == cv_span_eq(text, cv_span(to, len)));
    free(to);
}

static void check_query(struct cv_span query)
{
    struct cv_span name, value;
    const char *last = query.at;
    size_t at = 0;

    while (cv_query_split(query, &at, &name, &value)) {
        CHECK(name.at >= last && name.at + name.len <= value.at);
        CHECK(value.at + value.len <= query.at + query.len && at <= query.len);
        CHECK(memchr(name.at, '=', name.len) == NULL && memchr(name.at, '&', name.len) == NULL);
        CHECK(memchr(value.at, '&', value.len) == NULL);
        CHECK(name.len + value.len > 0 || *name.at == '=');
        last = value.at + value.len;
    }
    CHECK(at == query.len);
}

/* Blanks and empty members around a field mean nothing. */
static void check_accept(struct cv_span accept)
{
    char *wider = malloc(accept.len + 6);
    CHECK(wider != NULL);
    memcpy(wider, " ,\t", 3);
    memcpy(wider + 3, accept.at, accept.len);
    memcpy(wider + 3 + accept.len, " ,\t", 3);

    for (enum cv_format otherwise = 0; otherwise <= CV_FORMAT_PROBLEM; otherwise++) {
        enum cv_format format = cv_accept_format(accept, otherwise);
        int weight = cv_accept_weight(accept, CV_SPAN("text/html"));
        CHECK(weight >= 0 && weight <= 1000);
        CHECK(cv_accept_weight(cv_span(wider, accept.len + 6), CV_SPAN("text/html")) == weight);
        CHECK(format <= CV_FORMAT_PROBLEM);
        CHECK(cv_accept_format(cv_span(wider, accept.len + 6), otherwise) == format);
    }
    free(wider);
}

static void check_codings(struct cv_span accept)
{
    for (unsigned have = 0; have < 1u << CV_CODING_COUNT; have += 2) {
        enum cv_coding coding = cv_coding_choose(accept, have);
        CHECK(coding == CV_CODING_NONE || (have & 1u << coding) != 0);
        CHECK(coding == CV_CODING_NONE || cv_coding_weight(accept, cv_coding_name(coding)) > 0);
    }
}

static void check_list(struct cv_span list)
{
    char *longer = malloc(list.len + 7);
    CHECK(longer != NULL);
    memcpy(longer, list.at, list.len);
    memcpy(longer + list.len, " ,Close", 7);
    (void)cv_list_has(list, CV_SPAN("close"));
    CHECK(cv_list_has(cv_span(longer, list.len + 7), CV_SPAN("close")));
    free(longer);
}

static bool is_inside(struct cv_span part, struct cv_span whole)
{
    return part.at >= whole.at && part.at + part.len <= whole.at + whole.len;
}

static void check_target(struct cv_span text)
{
    struct cv_target parts;
    const char *end = text.at + text.len;

    if (text.len == 0 || cv_chars_skip(text.at, end, CV_CHAR_TARGET) != end ||
        cv_target_split(text, CV_METHOD_GET, &parts) < 0)
        return;
    CHECK(is_inside(parts.authority, text) && is_inside(parts.path, text));
    CHECK(is_inside(parts.query, text));
    CHECK(parts.path.len > 0 && parts.path.at[0] == '/');
    CHECK(memchr(parts.path.at, '?', parts.path.len) == NULL);
    CHECK(parts.authority.len == 0 || cv_target_is_authority(parts.authority));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_span text = cv_span(data, size);

    check_classes(text);
    check_percent(text, false);
    check_percent(text, true);
    check_utf8(text);
    check_query(text);
    check_accept(text);
    check_codings(text);
    check_list(text);
    check_target(text);
    (void)cv_method_find(text);
    return 0;
}
