/* HTTP/1 request heads.
 *
 * A loop over steps. Each step reads one token from where the last byte was looked at, up to the
 * token's end or the end of the input, and says what comes next:
 *
 *     BLANK <-> BLANK_LF          empty lines before the request
 *     METHOD -> TARGET -> VERSION
 *     LINE -> NAME -> VALUE_BLANK -> VALUE -> VALUE_LF -> LINE
 *     LINE -> END_LF              the head is complete
 *
 * A token is judged where it ends, by the bytes up to there alone; that is why cutting the input
 * elsewhere changes nothing, not even which error is found.
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

enum state {
    BLANK,
    BLANK_LF,
    METHOD,
    TARGET,
    VERSION,
    LINE,
    NAME,
    VALUE_BLANK,
    VALUE,
    VALUE_LF,
    END_LF,
};

struct input {
    const char *base; /* first byte of the head: what offsets count from */
    const char *at;   /* next byte to look at */
    const char *end;
};

static uint32_t offset(const struct input *in)
{
    return (uint32_t)(in->at - in->base);
}

/* The next step begins at the next byte, and so does its token. */
static void go(struct cv_h1 *parser, const struct input *in, enum state state)
{
    parser->state = (uint8_t)state;
    parser->mark = offset(in);
}

void cv_h1_init(struct cv_h1 *parser)
{
    /* The fields (1,600 bytes) are written before they are read. */
    memset(parser, 0, offsetof(struct cv_h1, head) + offsetof(struct cv_h1_head, fields));
}

/* ---- Request line ---- */

static int read_blank(struct cv_h1 *parser, struct input *in)
{
    if (*in->at != '\r') {
        go(parser, in, METHOD);
        return 0;
    }
    if (parser->blank_lines++ == BLANK_LINES_MAX)
        return -400;
    in->at++;
    go(parser, in, BLANK_LF);
    return 0;
}

static int read_blank_lf(struct cv_h1 *parser, struct input *in)
{
    if (*in->at++ != '\n')
        return -400;
    go(parser, in, BLANK);
    return 0;
}

static int read_method(struct cv_h1 *parser, struct input *in)
{
    in->at = cv_chars_skip(in->at, in->end, CV_CHAR_TOKEN);
    if (in->at == in->end)
        return 0;

    struct cv_h1_head *head = &parser->head;
    head->method_at = parser->mark;
    head->method_len = offset(in) - parser->mark;
    if (*in->at != ' ' || head->method_len == 0)
        return -400;
    if (head->method_len > METHOD_MAX)
        return -501;
    enum cv_method method = cv_method_find(cv_h1_span(in->base, head->method_at, head->method_len));
    head->method = (uint8_t)method;
    if (method == CV_METHOD_CONNECT)
        return -501; /* covey is no proxy; its target has a form of its own */

    in->at++;
    go(parser, in, TARGET);
    return 0;
}

static int read_target(struct cv_h1 *parser, const struct cv_h1_limits *limits, struct input *in)
{
    in->at = cv_chars_skip(in->at, in->end, CV_CHAR_TARGET);
    uint32_t len = offset(in) - parser->mark;
    if (len > limits->target_max)
        return -414;
    if (in->at == in->end)
        return 0;
    if (*in->at != ' ' || len == 0)
        return -400;

    parser->head.target_at = parser->mark;
    parser->head.target_len = len;
    in->at++;
    go(parser, in, VERSION);
    return 0;
}

/* Where a part of the head begins, as an offset. */
static uint32_t offset_of(const char *base, struct cv_span part)
{
    return (uint32_t)(part.at - base);
}

static int split_target(struct cv_h1 *parser, const char *base)
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

static int end_request_line(struct cv_h1 *parser, struct input *in)
{
    const char *version = in->base + parser->mark;

    if (version[5] != '1')
        return -505;
    parser->head.minor = version[7] != '0'; /* a later minor may be read as 1.1 */
    go(parser, in, LINE);
    return split_target(parser, in->base);
}

static int read_version(struct cv_h1 *parser, struct input *in)
{
    static const char form[] = "HTTP/1.1\r\n"; /* any digits */
    enum { LEN = sizeof(form) - 1 };

    if (offset(in) == parser->mark && in->end - in->at >= LEN && memcmp(in->at, form, LEN) == 0) {
        in->at += LEN;
        return end_request_line(parser, in);
    }
    while (in->at < in->end) {
        char wanted = form[offset(in) - parser->mark];
        char c = *in->at++;
        bool fits = wanted == '1' ? c >= '0' && c <= '9' : c == wanted;
        if (!fits)
            return -400;
        if (wanted == '\n')
            return end_request_line(parser, in);
    }
    return 0;
}

/* ---- Fields ---- */

static int read_line(struct cv_h1 *parser, const struct cv_h1_limits *limits, struct input *in)
{
    if (*in->at == '\r') {
        in->at++;
        go(parser, in, END_LF);
        return 0;
    }
    if (parser->head.n_fields >= limits->fields_max)
        return -431;
    go(parser, in, NAME);
    return 0;
}

/* A blank where a name should begin (a folded line) or before the colon is no token's byte. */
static int read_name(struct cv_h1 *parser, struct input *in)
{
    in->at = cv_chars_skip(in->at, in->end, CV_CHAR_TOKEN);
    if (in->at == in->end)
        return 0;

    uint32_t len = offset(in) - parser->mark;
    if (*in->at != ':' || len == 0)
        return -400;
    if (len > UINT16_MAX)
        return -431;

    struct cv_h1_field *field = &parser->head.fields[parser->head.n_fields];
    field->name_at = parser->mark;
    field->name_len = (uint16_t)len;
    in->at++;
    go(parser, in, VALUE_BLANK);
    return 0;
}

static int read_value_blank(struct cv_h1 *parser, struct input *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t'))
        in->at++;
    if (in->at < in->end)
        go(parser, in, VALUE);
    return 0;
}

static int read_value(struct cv_h1 *parser, struct input *in)
{
    in->at = cv_chars_skip_value(in->at, in->end);
    if (in->at == in->end)
        return 0;
    if (*in->at != '\r')
        return -400;

    const char *start = in->base + parser->mark;
    const char *last = in->at;
    while (last > start && (last[-1] == ' ' || last[-1] == '\t'))
        last--;

    struct cv_h1_field *field = &parser->head.fields[parser->head.n_fields];
    field->value_at = parser->mark;
    field->value_len = (uint32_t)(last - start);
    in->at++;
    go(parser, in, VALUE_LF);
    return 0;
}

/* Whether a name of the literal's length is that literal, which consists of small letters and '-'.
 * Among a token's bytes only those and the capitals become them by | 0x20. */
static inline bool name_is(struct cv_span name, const char *literal)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((name.at[i] | 0x20) != literal[i])
            return false;
    }
    return true;
}

static enum cv_field find_field(struct cv_span name)
{
    static const struct {
        const char *name;
        enum cv_field field;
    } by_len[] = {
        [4] = {"host", CV_FIELD_HOST},
        [7] = {"upgrade", CV_FIELD_UPGRADE},
        [10] = {"connection", CV_FIELD_CONNECTION},
        [12] = {"content-type", CV_FIELD_CONTENT_TYPE},
        [14] = {"content-length", CV_FIELD_CONTENT_LENGTH},
        [17] = {"transfer-encoding", CV_FIELD_TRANSFER_ENCODING},
    };

    if (name.len == 6) {
        if (name_is(name, "accept"))
            return CV_FIELD_ACCEPT;
        if (name_is(name, "cookie"))
            return CV_FIELD_COOKIE;
        return name_is(name, "expect") ? CV_FIELD_EXPECT : CV_FIELD_OTHER;
    }
    if (name.len >= CV_COUNT(by_len) || by_len[name.len].name == NULL)
        return CV_FIELD_OTHER;
    return name_is(name, by_len[name.len].name) ? by_len[name.len].field : CV_FIELD_OTHER;
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

static int take_transfer_encoding(struct cv_h1 *parser, struct cv_span value)
{
    if (parser->head.minor == 0 || value.len == 0)
        return -400;
    if (!cv_span_ieq(value, CV_SPAN("chunked")))
        return -501;
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
    parser->close |= cv_list_has(value, CV_SPAN("close"));
    parser->keep_alive |= cv_list_has(value, CV_SPAN("keep-alive"));
    return 0;
}

static int take_field(struct cv_h1 *parser, const char *base)
{
    struct cv_h1_field *field = &parser->head.fields[parser->head.n_fields++];
    struct cv_span value = cv_h1_span(base, field->value_at, field->value_len);
    enum cv_field known = find_field(cv_h1_span(base, field->name_at, field->name_len));

    field->known = (uint16_t)known;
    switch (known) {
    case CV_FIELD_HOST: return take_host(parser, value);
    case CV_FIELD_CONNECTION: return take_connection(parser, value);
    case CV_FIELD_CONTENT_LENGTH: return take_content_length(parser, value);
    case CV_FIELD_TRANSFER_ENCODING: return take_transfer_encoding(parser, value);
    case CV_FIELD_EXPECT: return take_expect(parser, value);
    case CV_FIELD_OTHER:
    case CV_FIELD_UPGRADE:
    case CV_FIELD_ACCEPT:
    case CV_FIELD_CONTENT_TYPE:
    case CV_FIELD_COOKIE:
    case CV_FIELD_COUNT: break;
    }
    return 0;
}

static int read_value_lf(struct cv_h1 *parser, struct input *in)
{
    if (*in->at++ != '\n')
        return -400;
    go(parser, in, LINE);
    return take_field(parser, in->base);
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

static int end_head(struct cv_h1 *parser, const struct input *in)
{
    struct cv_h1_head *head = &parser->head;

    if (head->minor > 0 && !has_come(parser, CV_FIELD_HOST))
        return -400;
    if (parser->authority_len > 0 && !host_agrees(parser, in->base))
        return -400;
    if (head->chunked && has_come(parser, CV_FIELD_CONTENT_LENGTH))
        return -400;

    head->len = offset(in);
    head->has_body = head->chunked || head->content_length > 0;
    head->expect_continue = head->expect_continue && head->has_body;
    head->keep_alive = !parser->close && (head->minor > 0 || parser->keep_alive);
    return CV_H1_DONE;
}

static int read_end_lf(struct cv_h1 *parser, struct input *in)
{
    if (*in->at++ != '\n')
        return -400;
    return end_head(parser, in);
}

static int step(struct cv_h1 *parser, const struct cv_h1_limits *limits, struct input *in)
{
    switch ((enum state)parser->state) {
    case BLANK: return read_blank(parser, in);
    case BLANK_LF: return read_blank_lf(parser, in);
    case METHOD: return read_method(parser, in);
    case TARGET: return read_target(parser, limits, in);
    case VERSION: return read_version(parser, in);
    case LINE: return read_line(parser, limits, in);
    case NAME: return read_name(parser, in);
    case VALUE_BLANK: return read_value_blank(parser, in);
    case VALUE: return read_value(parser, in);
    case VALUE_LF: return read_value_lf(parser, in);
    case END_LF: return read_end_lf(parser, in);
    }
    return -400;
}

int cv_h1_parse(struct cv_h1 *parser, const struct cv_h1_limits *limits, struct cv_span bytes)
{
    CV_ASSERT(parser->seen <= bytes.len && limits->fields_max <= CV_H1_FIELDS_MAX);

    /* Never looking past the limit keeps what we say independent of how much came at once. */
    size_t len = bytes.len < limits->head_max ? bytes.len : limits->head_max;
    struct input in = {bytes.at, bytes.at + parser->seen, bytes.at + len};
    int rc = CV_H1_MORE;

    while (rc == CV_H1_MORE && in.at < in.end)
        rc = step(parser, limits, &in);
    parser->seen = offset(&in);
    if (rc == CV_H1_MORE && parser->seen == limits->head_max)
        return parser->state == TARGET ? -414 : -431;
    return rc;
}
