/* HTTP/1 request heads.
 *
 * A state machine over tokens: each state reads on in one token, from the byte where the last call
 * stopped. A token is judged where it ends, by the bytes up to there alone: that is why cutting the
 * input elsewhere changes nothing, not even which error is found.
 *
 *     BLANK <-> BLANK_LF          empty lines before the request
 *     METHOD -> TARGET -> VERSION
 *     LINE -> NAME -> VALUE_BLANK -> VALUE -> VALUE_LF -> LINE
 *     LINE -> END_LF              the head is complete
 */
#include "http/h1.h"

#include "base/assert.h"
#include "base/macros.h"
#include "base/num.h"
#include "http/chars.h"
#include "http/target.h"
#include "http/text.h"

/* Empty lines that some old clients send behind a body (RFC 9112, section 2.2). */
#define BLANK_LINES_MAX 4

/* A longer method is none that anybody implements. */
#define METHOD_MAX 32

enum start_state { BLANK, BLANK_LF, METHOD, TARGET, VERSION, FIELDS };
enum field_state { LINE = FIELDS, NAME, VALUE_BLANK, VALUE, VALUE_LF, END_LF };

/* A token: where it began, and the first byte that is not of it. */
struct token {
    const char *base; /* first byte of the head: what offsets count from */
    const char *at;
    const char *end;
};

static uint32_t token_at(struct token token)
{
    return (uint32_t)(token.at - token.base);
}

static uint32_t token_len(struct token token)
{
    return (uint32_t)(token.end - token.at);
}

void cv_h1_init(struct cv_h1 *parser)
{
    /* The fields (1,600 bytes) are written before they are read. */
    memset(parser, 0, offsetof(struct cv_h1, head) + offsetof(struct cv_h1_head, fields));
}

/* ---- Request line ---- */

static int end_method(struct cv_h1 *parser, struct token token)
{
    struct cv_h1_head *head = &parser->head;
    uint32_t len = token_len(token);

    if (*token.end != ' ' || len == 0)
        return -400;
    if (len > METHOD_MAX)
        return -501;
    enum cv_method method = cv_method_find(cv_span(token.at, len));
    head->method = (uint8_t)method;
    head->method_at = token_at(token);
    head->method_len = len;
    return method == CV_METHOD_CONNECT ? -501 : 0; /* covey is no proxy */
}

static int end_target(struct cv_h1 *parser, struct token token)
{
    if (*token.end != ' ' || token_len(token) == 0)
        return -400;
    parser->head.target_at = token_at(token);
    parser->head.target_len = token_len(token);
    return 0;
}

/* Where a part of the head begins, as an offset. */
static uint32_t offset_of(const char *base, struct cv_span part)
{
    return (uint32_t)(part.at - base);
}

/* With the splitting in it, which the framework calls too: as a call it would take 24 instructions
 * more. */
CV_FLATTEN static int split_target(struct cv_h1 *parser, const char *base)
{
    struct cv_h1_head *head = &parser->head;
    struct cv_span target = cv_h1_span(base, head->target_at, head->target_len);
    struct cv_target parts;

    int rc = cv_target_split(target, head->method, &parts);
    if (rc < 0)
        return rc;
    parser->authority_at = offset_of(base, parts.authority);
    parser->authority_len = (uint32_t)parts.authority.len;
    head->path_at = offset_of(base, parts.path);
    head->path_len = (uint32_t)parts.path.len;
    head->query_at = offset_of(base, parts.query);
    head->query_len = (uint32_t)parts.query.len;
    return 0;
}

static const char version_form[] = "HTTP/1.1\r\n"; /* any digits */
#define VERSION_LEN (sizeof(version_form) - 1)

/* The first byte of [at, end) that does not fit in a version that began at `from`, or its end. */
static const char *skip_version(const char *from, const char *at, const char *end)
{
    if (at == from && end - at >= (ptrdiff_t)VERSION_LEN &&
        memcmp(at, version_form, VERSION_LEN) == 0)
        return at + VERSION_LEN;

    for (; at < end && at < from + VERSION_LEN; at++) {
        char wanted = version_form[at - from];
        bool fits = wanted == '1' ? *at >= '0' && *at <= '9' : *at == wanted;
        if (!fits)
            break;
    }
    return at;
}

static int end_version(struct cv_h1 *parser, struct token token)
{
    if (token_len(token) != VERSION_LEN)
        return -400;
    if (token.at[5] != '1')
        return -505;
    parser->head.minor = token.at[7] != '0'; /* a later minor may be read as 1.1 */
    return split_target(parser, token.base);
}

/* ---- Names of fields ---- */

/* Whether some bytes are those of a literal, which consists of small letters and '-', but for the
 * case of the letters: these alone have 0x40, and their capitals lack only 0x20. */
#define DEFINE_IS_LIKE(type, each)                                                                 \
    static inline bool is_like_##type(const char *at, const char *small)                           \
    {                                                                                              \
        type##_t given, wanted;                                                                    \
        memcpy(&given, at, sizeof(given));                                                         \
        memcpy(&wanted, small, sizeof(wanted));                                                    \
        return (given | (wanted & (each)) >> 1) == wanted;                                         \
    }
DEFINE_IS_LIKE(uint32, 0x40404040)
DEFINE_IS_LIKE(uint64, 0x4040404040404040)

/* The same for `len` >= 4 bytes. The last word may overlap the one before. */
static inline bool is_like(const char *at, const char *small, size_t len)
{
    if (len < 8)
        return is_like_uint32(at, small) && is_like_uint32(at + len - 4, small + len - 4);
    for (size_t i = 0; i + 8 < len; i += 8) {
        if (!is_like_uint64(at + i, small + i))
            return false;
    }
    return is_like_uint64(at + len - 8, small + len - 8);
}

#define IS_LIKE(at, literal) is_like(at, literal, sizeof(literal) - 1)

static enum cv_field find_field(struct cv_span name)
{
    switch (name.len) {
    case 4: return IS_LIKE(name.at, "host") ? CV_FIELD_HOST : CV_FIELD_OTHER;
    case 6:
        if (IS_LIKE(name.at, "accept"))
            return CV_FIELD_ACCEPT;
        if (IS_LIKE(name.at, "cookie"))
            return CV_FIELD_COOKIE;
        return IS_LIKE(name.at, "expect") ? CV_FIELD_EXPECT : CV_FIELD_OTHER;
    case 7: return IS_LIKE(name.at, "upgrade") ? CV_FIELD_UPGRADE : CV_FIELD_OTHER;
    case 10: return IS_LIKE(name.at, "connection") ? CV_FIELD_CONNECTION : CV_FIELD_OTHER;
    case 12: return IS_LIKE(name.at, "content-type") ? CV_FIELD_CONTENT_TYPE : CV_FIELD_OTHER;
    case 14: return IS_LIKE(name.at, "content-length") ? CV_FIELD_CONTENT_LENGTH : CV_FIELD_OTHER;
    case 17:
        return IS_LIKE(name.at, "transfer-encoding") ? CV_FIELD_TRANSFER_ENCODING : CV_FIELD_OTHER;
    default: return CV_FIELD_OTHER;
    }
}

/* ---- Fields ---- */

/* A blank where a name should begin (a folded line) or before the colon is no token's byte. */
static int end_name(struct cv_h1 *parser, struct token token)
{
    struct cv_h1_field *field = &parser->head.fields[parser->head.n_fields];
    uint32_t len = token_len(token);

    if (*token.end != ':' || len == 0)
        return -400;
    if (len > UINT16_MAX)
        return -431;
    field->name_at = token_at(token);
    field->name_len = (uint16_t)len;
    field->known = (uint16_t)find_field(cv_span(token.at, len));
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static int end_value(struct cv_h1 *parser, struct token token)
{
    struct cv_h1_field *field = &parser->head.fields[parser->head.n_fields];

    if (*token.end != '\r')
        return -400;
    while (token.end > token.at && is_blank(token.end[-1]))
        token.end--;
    field->value_at = token_at(token);
    field->value_len = token_len(token);
    return 0;
}

/* For fields that say where the message ends or whom it is for: two of them would be two
 * interpretations, even if they agree. */
static int only_once(struct cv_h1 *parser, enum cv_field field)
{
    uint16_t bit = (uint16_t)(1u << field);

    if ((parser->once & bit) != 0)
        return -400;
    parser->once |= bit;
    return 0;
}

static bool has_come(const struct cv_h1 *parser, enum cv_field field)
{
    return (parser->once & 1u << field) != 0;
}

static int take_host(struct cv_h1 *parser, struct cv_span value)
{
    if (value.len > 0 && !cv_target_is_authority(value))
        return -400;
    return only_once(parser, CV_FIELD_HOST);
}

static int take_content_length(struct cv_h1 *parser, struct cv_span value)
{
    if (cv_num_u64(value, INT64_MAX, &parser->head.content_length) < 0)
        return -400;
    return only_once(parser, CV_FIELD_CONTENT_LENGTH);
}

/* Codings that are not "chunked" alone. Where that is not the last one, or comes twice, nobody
 * knows where the body ends (RFC 9112, section 6.3); below it, a coding is only one that we do not
 * have. */
static int refuse_coding(struct cv_span value)
{
    size_t last = value.len;

    while (last > 0 && value.at[last - 1] != ',')
        last--;
    struct cv_span below = cv_span(value.at, last);
    struct cv_span top = cv_span(value.at + last, value.len - last);
    bool ends = cv_list_has(top, CV_SPAN("chunked")) && !cv_list_has(below, CV_SPAN("chunked"));
    return ends ? -501 : -400;
}

static int take_transfer_encoding(struct cv_h1 *parser, struct cv_span value)
{
    if (parser->head.minor == 0)
        return -400;
    if (!cv_span_ieq(value, CV_SPAN("chunked")))
        return refuse_coding(value);
    parser->head.chunked = true;
    return only_once(parser, CV_FIELD_TRANSFER_ENCODING);
}

static int take_expect(struct cv_h1 *parser, struct cv_span value)
{
    if (parser->head.minor == 0)
        return 0;
    if (!cv_span_ieq(value, CV_SPAN("100-continue")))
        return -417;
    parser->head.expect_continue = true;
    return 0;
}

static int take_connection(struct cv_h1 *parser, struct cv_span value)
{
    if (value.len == 10 && IS_LIKE(value.at, "keep-alive")) { /* what is nearly always said */
        parser->keep_alive = true;
        return 0;
    }
    parser->close |= cv_list_has(value, CV_SPAN("close"));
    parser->keep_alive |= cv_list_has(value, CV_SPAN("keep-alive"));
    return 0;
}

static int take_field(struct cv_h1 *parser, const char *base)
{
    const struct cv_h1_field *field = &parser->head.fields[parser->head.n_fields++];
    struct cv_span value = cv_h1_span(base, field->value_at, field->value_len);

    switch ((enum cv_field)field->known) {
    case CV_FIELD_HOST: return take_host(parser, value);
    case CV_FIELD_CONNECTION: return take_connection(parser, value);
    case CV_FIELD_CONTENT_LENGTH: return take_content_length(parser, value);
    case CV_FIELD_TRANSFER_ENCODING: return take_transfer_encoding(parser, value);
    case CV_FIELD_EXPECT: return take_expect(parser, value);
    case CV_FIELD_COOKIE: parser->head.has_cookies = true; break;
    case CV_FIELD_OTHER:
    case CV_FIELD_UPGRADE:
    case CV_FIELD_ACCEPT:
    case CV_FIELD_CONTENT_TYPE:
    case CV_FIELD_COUNT: break;
    }
    return 0;
}

/* ---- The whole head ---- */

/* The target's authority counts, not Host (RFC 9112, section 3.2.2). A client must send the same in
 * both; where they differ, an app that looks at Host would see another request than we do. */
static bool host_agrees(const struct cv_h1 *parser, const char *base)
{
    struct cv_span authority = cv_h1_span(base, parser->authority_at, parser->authority_len);

    for (size_t i = 0; i < parser->head.n_fields; i++) {
        const struct cv_h1_field *field = &parser->head.fields[i];
        if (field->known == CV_FIELD_HOST)
            return cv_span_ieq(cv_h1_span(base, field->value_at, field->value_len), authority);
    }
    return true;
}

static int end_head(struct cv_h1 *parser, const char *base, const char *end)
{
    struct cv_h1_head *head = &parser->head;

    if (head->minor > 0 && !has_come(parser, CV_FIELD_HOST))
        return -400;
    if (parser->authority_len > 0 && !host_agrees(parser, base))
        return -400;
    if (head->chunked && has_come(parser, CV_FIELD_CONTENT_LENGTH))
        return -400;

    head->len = (uint32_t)(end - base);
    head->has_body = head->chunked || head->content_length > 0;
    head->expect_continue = head->expect_continue && head->has_body;
    head->keep_alive = !parser->close && (head->minor > 0 || parser->keep_alive);
    return CV_H1_DONE;
}

/* Where the next call goes on. */
static void stop(struct cv_h1 *parser, unsigned state, const char *at, const char *from,
                 const char *base)
{
    parser->state = (uint8_t)state;
    parser->seen = (uint32_t)(at - base);
    parser->mark = (uint32_t)(from - base);
}

/* In both loops a state that has its token falls through to the next, and one that has not leaves
 * with `at` at the end of the input. */
static int read_request_line(struct cv_h1 *parser, const struct cv_h1_limits *limits,
                             const char *base, const char *end)
{
    enum start_state state = parser->state;
    const char *at = base + parser->seen;
    const char *from = base + parser->mark;
    int rc = 0;

    while (rc == 0 && at < end && state != FIELDS) {
        switch (state) {
        case BLANK_LF:
            rc = *at++ == '\n' ? 0 : -400;
            state = BLANK;
            break;
        case BLANK:
            if (*at == '\r') {
                rc = parser->blank_lines++ < BLANK_LINES_MAX ? 0 : -400;
                state = BLANK_LF;
                at++;
                break;
            }
            state = METHOD;
            from = at;
            __attribute__((fallthrough));
        case METHOD:
            at = cv_chars_skip_each(at, end, CV_CHAR_TOKEN); /* of few bytes */
            if (at == end)
                break;
            rc = end_method(parser, (struct token){base, from, at});
            if (rc < 0)
                break;
            state = TARGET;
            from = ++at;
            __attribute__((fallthrough));
        case TARGET:
            at = cv_chars_skip(at, end, CV_CHAR_TARGET);
            if (at - from > limits->target_max)
                rc = -414;
            else if (at < end)
                rc = end_target(parser, (struct token){base, from, at});
            if (rc < 0 || at == end)
                break;
            state = VERSION;
            from = ++at;
            __attribute__((fallthrough));
        case VERSION:
            at = skip_version(from, at, end);
            if (at == end && at < from + VERSION_LEN)
                break;
            rc = end_version(parser, (struct token){base, from, at});
            state = FIELDS;
            __attribute__((fallthrough));
        case FIELDS: break;
        }
    }
    stop(parser, state, at, from, base);
    return rc;
}

static int read_fields(struct cv_h1 *parser, const struct cv_h1_limits *limits, const char *base,
                       const char *end)
{
    enum field_state state = parser->state;
    const char *at = base + parser->seen;
    const char *from = base + parser->mark;
    int rc = CV_H1_MORE;

    while (rc == CV_H1_MORE && at < end) {
        switch (state) {
        case LINE:
            if (*at == '\r') {
                state = END_LF;
                at++;
                break;
            }
            if (parser->head.n_fields >= limits->fields_max) {
                rc = -431;
                break;
            }
            state = NAME;
            from = at;
            __attribute__((fallthrough));
        case NAME:
            at = cv_chars_skip(at, end, CV_CHAR_TOKEN);
            if (at == end)
                break;
            rc = end_name(parser, (struct token){base, from, at});
            if (rc < 0)
                break;
            state = VALUE_BLANK;
            at++;
            __attribute__((fallthrough));
        case VALUE_BLANK:
            at = skip_blanks(at, end);
            if (at == end)
                break;
            state = VALUE;
            from = at;
            __attribute__((fallthrough));
        case VALUE:
            at = cv_chars_skip(at, end, CV_CHAR_VALUE);
            if (at == end)
                break;
            rc = end_value(parser, (struct token){base, from, at});
            if (rc < 0)
                break;
            state = VALUE_LF;
            if (++at == end)
                break;
            __attribute__((fallthrough));
        case VALUE_LF:
            rc = *at++ == '\n' ? take_field(parser, base) : -400;
            state = LINE;
            break;
        case END_LF: rc = *at++ == '\n' ? end_head(parser, base, at) : -400; break;
        }
    }
    stop(parser, state, at, from, base);
    return rc;
}

int cv_h1_parse(struct cv_h1 *parser, const struct cv_h1_limits *limits, struct cv_span bytes)
{
    CV_ASSERT(parser->seen <= bytes.len && limits->fields_max <= CV_H1_FIELDS_MAX);

    /* Never looking past the limit keeps what we say independent of how much came at once. */
    const char *end = bytes.at + (bytes.len < limits->head_max ? bytes.len : limits->head_max);
    int rc = CV_H1_MORE;

    if (parser->state < FIELDS)
        rc = read_request_line(parser, limits, bytes.at, end);
    if (rc == CV_H1_MORE && parser->state >= FIELDS)
        rc = read_fields(parser, limits, bytes.at, end);
    if (rc == CV_H1_MORE && parser->seen == limits->head_max)
        return parser->state == TARGET ? -414 : -431;
    return rc;
}
