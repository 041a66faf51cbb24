#include "plain.h"

#include "http/chunk.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define HEX DIGITS "abcdefABCDEF"
#define UNRESERVED LETTERS DIGITS "-._~"
#define SUB_DELIMS "!$&'()*+,;="
#define TOKEN LETTERS DIGITS "!#$%&'*+-.^_`|~"
/* With what browsers leave as it is. */
#define TARGET UNRESERVED SUB_DELIMS "%:@/?[]\\^`{|}"

/* ---- Words and lines ---- */

static bool one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool consists_of(struct cv_span text, const char *set)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!one_of(text.at[i], set))
            return false;
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_value(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c != '\t' && (c < ' ' || c == 127))
            return false;
    }
    return true;
}

static bool begins_with(struct cv_span text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && cv_span_ieq(cv_span(text.at, len), cv_span(with, len));
}

static bool is_word(struct cv_span text, const char *word)
{
    return text.len == strlen(word) && begins_with(text, word);
}

/* What is in front of the first `c`; false if there is none. */
static bool cut_at(struct cv_span text, char c, struct cv_span *ret_before,
                   struct cv_span *ret_after)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == c) {
            *ret_before = cv_span(text.at, i);
            *ret_after = cv_span(text.at + i + 1, text.len - i - 1);
            return true;
        }
    }
    return false;
}

/* The next line without its CRLF; false if there is none. */
static bool next_line(struct cv_span *rest, struct cv_span *ret)
{
    for (size_t i = 0; i + 1 < rest->len; i++) {
        if (rest->at[i] == '\r' && rest->at[i + 1] == '\n') {
            *ret = cv_span(rest->at, i);
            *rest = cv_span(rest->at + i + 2, rest->len - i - 2);
            return true;
        }
    }
    return false;
}

static struct cv_span trim(struct cv_span text)
{
    while (text.len > 0 && is_blank(text.at[0]))
        text = cv_span(text.at + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

static bool split_field(struct cv_span line, struct cv_span *ret_name, struct cv_span *ret_value)
{
    if (!cut_at(line, ':', ret_name, ret_value))
        return false;
    *ret_value = trim(*ret_value);
    return ret_name->len > 0 && consists_of(*ret_name, TOKEN) && is_value(*ret_value);
}

/* ---- The request line ---- */

static bool is_ipv6(struct cv_span text)
{
    char address[64] = "";
    struct in6_addr ignored;
    if (text.len >= sizeof(address) || !consists_of(text, HEX ":."))
        return false;
    memcpy(address, text.at, text.len);
    return inet_pton(AF_INET6, address, &ignored) == 1;
}

static bool is_port(struct cv_span text)
{
    long port = 0;
    for (size_t i = 0; i < text.len && i < 6; i++)
        port = port * 10 + text.at[i] - '0';
    return text.len <= 5 && consists_of(text, DIGITS) && port <= 65535;
}

static bool is_authority(struct cv_span text)
{
    struct cv_span host = text;
    struct cv_span port = {NULL, 0};
    if (begins_with(text, "[")) {
        struct cv_span behind;
        if (!cut_at(cv_span(text.at + 1, text.len - 1), ']', &host, &behind))
            return false;
        if (behind.len > 0 && behind.at[0] != ':')
            return false;
        if (behind.len > 0)
            port = cv_span(behind.at + 1, behind.len - 1);
        return is_ipv6(host) && is_port(port);
    }
    (void)cut_at(text, ':', &host, &port);
    return host.len > 0 && consists_of(host, UNRESERVED SUB_DELIMS) && is_port(port);
}

static bool read_target(struct plain *p, struct cv_span *ret_authority)
{
    struct cv_span rest = p->target;
    *ret_authority = cv_span(rest.at, 0);
    if (is_word(rest, "*")) {
        p->path = rest;
        return is_word(p->method, "OPTIONS") && p->method.at[0] == 'O' && p->method.at[6] == 'S';
    }
    if (!begins_with(rest, "/")) {
        size_t scheme = begins_with(rest, "http://") ? 7 : begins_with(rest, "https://") ? 8 : 0;
        if (scheme == 0)
            return false;
        size_t end = scheme;
        while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
            end++;
        *ret_authority = cv_span(rest.at + scheme, end - scheme);
        rest = cv_span(rest.at + end, rest.len - end);
        if (!is_authority(*ret_authority))
            return false;
    }
    p->path = rest;
    (void)cut_at(rest, '?', &p->path, &p->query);
    if (p->path.len == 0)
        p->path = CV_SPAN("/");
    return true;
}

static bool read_version(struct plain *p, struct cv_span text)
{
    if (text.len != 8 || memcmp(text.at, "HTTP/1.", 7) != 0 || !one_of(text.at[7], DIGITS))
        return false;
    p->minor = text.at[7] == '0' ? 0 : 1;
    return true;
}

static bool read_request_line(struct plain *p, const struct cv_h1_limits *limits,
                              struct cv_span line, struct cv_span *ret_authority)
{
    struct cv_span rest, version;
    if (!cut_at(line, ' ', &p->method, &rest) || !cut_at(rest, ' ', &p->target, &version))
        return false;
    if (p->method.len == 0 || p->method.len > 32 || !consists_of(p->method, TOKEN))
        return false;
    if (p->method.len == 7 && memcmp(p->method.at, "CONNECT", 7) == 0)
        return false;
    if (p->target.len == 0 || p->target.len > limits->target_max || !consists_of(p->target, TARGET))
        return false;
    return read_version(p, version) && read_target(p, ret_authority);
}

/* ---- Fields ---- */

/* What the fields say together. */
struct said {
    int hosts, lengths, codings;
    struct cv_span host;
    bool close, keep_alive;
};

static bool read_length(struct plain *p, struct cv_span value)
{
    uint64_t length = 0;
    if (value.len == 0 || !consists_of(value, DIGITS))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        uint64_t digit = (uint64_t)(value.at[i] - '0');
        if (length > (INT64_MAX - digit) / 10)
            return false;
        length = length * 10 + digit;
    }
    p->content_length = length;
    return true;
}

static void read_connection(struct said *said, struct cv_span list)
{
    struct cv_span member;
    bool more = true;
    while (more) {
        struct cv_span rest;
        more = cut_at(list, ',', &member, &rest);
        if (!more)
            member = list;
        said->close |= is_word(trim(member), "close");
        said->keep_alive |= is_word(trim(member), "keep-alive");
        list = rest;
    }
}

static bool read_field(struct plain *p, struct said *said, struct cv_span name,
                       struct cv_span value)
{
    if (is_word(name, "host")) {
        said->hosts++;
        said->host = value;
        return value.len == 0 || is_authority(value);
    }
    if (is_word(name, "content-length")) {
        said->lengths++;
        return read_length(p, value);
    }
    if (is_word(name, "transfer-encoding")) {
        said->codings++;
        return is_word(value, "chunked");
    }
    if (is_word(name, "expect") && p->minor > 0) {
        p->expects = true;
        return is_word(value, "100-continue");
    }
    if (is_word(name, "connection"))
        read_connection(said, value);
    return true;
}

static bool agree(const struct plain *p, const struct said *said, struct cv_span authority)
{
    if (said->hosts > 1 || said->lengths > 1 || said->codings > 1)
        return false;
    if (p->minor > 0 && said->hosts == 0)
        return false;
    if (said->codings > 0 && (said->lengths > 0 || p->minor == 0))
        return false;
    return authority.len == 0 || said->hosts == 0 || cv_span_ieq(authority, said->host);
}

static enum verdict read_head(struct plain *p, const struct cv_h1_limits *limits,
                              struct cv_span bytes)
{
    struct cv_span rest = bytes;
    struct cv_span line, authority;
    struct said said = {0};
    int empty = 0;

    do {
        if (!next_line(&rest, &line))
            return INCOMPLETE;
    } while (line.len == 0 && ++empty <= 4);
    if (!read_request_line(p, limits, line, &authority))
        return REFUSED;
    for (;;) {
        struct cv_span name, value;
        if (!next_line(&rest, &line))
            return INCOMPLETE;
        if (line.len == 0)
            break;
        if (!split_field(line, &name, &value) || ++p->n_fields > limits->fields_max)
            return REFUSED;
        if (!read_field(p, &said, name, value))
            return REFUSED;
    }
    p->head_len = bytes.len - rest.len;
    p->chunked = said.codings > 0;
    p->keep_alive = !said.close && (p->minor > 0 || said.keep_alive);
    p->expects = p->expects && (p->chunked || p->content_length > 0);
    return agree(p, &said, authority) && p->head_len <= limits->head_max ? ACCEPTED : REFUSED;
}

/* ---- Bodies ---- */

static void keep(struct plain *p, struct cv_span data)
{
    memcpy(p->body + p->body_len, data.at, data.len);
    p->body_len += data.len;
}

static size_t span_of(struct cv_span text, const char *set)
{
    size_t n = 0;
    while (n < text.len && one_of(text.at[n], set))
        n++;
    return n;
}

static void skip(struct cv_span *text, size_t n)
{
    *text = cv_span(text->at + n, text->len - n);
}

static bool skip_quoted(struct cv_span *text)
{
    for (size_t i = 1; i < text->len; i++) {
        if (text->at[i] == '\\') {
            i++;
        } else if (text->at[i] == '"') {
            skip(text, i + 1);
            return true;
        }
    }
    return false;
}

/* *( BWS ";" BWS name [ BWS "=" BWS value ] ), of text that has no control characters. */
static bool is_extensions(struct cv_span text)
{
    while (text.len > 0) {
        skip(&text, span_of(text, " \t"));
        if (!begins_with(text, ";"))
            return false;
        skip(&text, 1);
        skip(&text, span_of(text, " \t"));
        size_t name = span_of(text, TOKEN);
        if (name == 0)
            return false;
        skip(&text, name);
        struct cv_span value = text;
        skip(&value, span_of(value, " \t"));
        if (!begins_with(value, "="))
            continue;
        skip(&value, 1);
        skip(&value, span_of(value, " \t"));
        size_t token = span_of(value, TOKEN);
        if (token > 0)
            skip(&value, token);
        else if (!begins_with(value, "\"") || !skip_quoted(&value))
            return false;
        text = value;
    }
    return true;
}

/* The line in front of a chunk: its size, and how many bytes are behind it. */
static bool read_size(struct cv_span line, uint64_t *ret_size, size_t *ret_extra)
{
    size_t digits = span_of(line, HEX);
    struct cv_span extra = cv_span(line.at + digits, line.len - digits);
    if (digits == 0 || digits > 16 || !is_value(extra))
        return false;
    char text[17] = "";
    memcpy(text, line.at, digits);
    *ret_size = strtoull(text, NULL, 16);
    *ret_extra = extra.len;
    return *ret_size <= INT64_MAX && is_extensions(extra);
}

static enum verdict read_trailers(struct plain *p, struct cv_span *rest, size_t extra)
{
    struct cv_span line, name, value;
    (void)p;
    for (;;) {
        if (!next_line(rest, &line))
            return INCOMPLETE;
        if (line.len == 0)
            return ACCEPTED;
        extra += line.len;
        if (!split_field(line, &name, &value) || extra > CV_CHUNK_EXTRA_MAX)
            return REFUSED;
    }
}

static enum verdict read_chunks(struct plain *p, struct cv_span *rest)
{
    size_t extra = 0;
    for (;;) {
        struct cv_span line;
        uint64_t size = 0;
        size_t more = 0;
        if (!next_line(rest, &line))
            return INCOMPLETE;
        if (!read_size(line, &size, &more) || (extra += more) > CV_CHUNK_EXTRA_MAX)
            return REFUSED;
        if (size == 0)
            return read_trailers(p, rest, extra);
        if (rest->len < size)
            return INCOMPLETE;
        keep(p, cv_span(rest->at, (size_t)size));
        *rest = cv_span(rest->at + size, rest->len - (size_t)size);
        if (rest->len < 2)
            return INCOMPLETE;
        if (memcmp(rest->at, "\r\n", 2) != 0)
            return REFUSED;
        *rest = cv_span(rest->at + 2, rest->len - 2);
    }
}

static enum verdict read_body(struct plain *p, struct cv_span *rest)
{
    if (p->chunked)
        return read_chunks(p, rest);
    if (rest->len < p->content_length)
        return INCOMPLETE;
    keep(p, cv_span(rest->at, (size_t)p->content_length));
    *rest = cv_span(rest->at + p->content_length, rest->len - (size_t)p->content_length);
    return ACCEPTED;
}

void plain_read(struct plain *ret, const struct cv_h1_limits *limits, struct cv_span bytes)
{
    *ret = (struct plain){.body = malloc(bytes.len + 1)};
    if (ret->body == NULL)
        abort();
    ret->head = ret->all = read_head(ret, limits, bytes);
    if (ret->head != ACCEPTED)
        return;
    struct cv_span rest = cv_span(bytes.at + ret->head_len, bytes.len - ret->head_len);
    ret->all = read_body(ret, &rest);
    ret->used = bytes.len - rest.len;
}
