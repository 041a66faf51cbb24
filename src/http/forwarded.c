#include "http/forwarded.h"

#include "base/num.h"
#include "http/chars.h"
#include "http/target.h"
#include "http/text.h"

/* ---- Lists, from the right ---- */

static char last_of(struct cv_span text)
{
    return text.len > 0 ? text.at[text.len - 1] : '\0';
}

static void drop_blanks(struct cv_span *text)
{
    while (last_of(*text) == ' ' || last_of(*text) == '\t')
        text->len--;
}

/* The token that ends the text; may be empty. */
static struct cv_span take_token(struct cv_span *text)
{
    size_t end = text->len;
    while (text->len > 0 && cv_chars_is(text->at[text->len - 1], CV_CHAR_TOKEN))
        text->len--;
    return cv_span(text->at + text->len, end - text->len);
}

/* The quoted string that ends the text. One with escapes is not looked into. */
static bool take_quoted(struct cv_span *text, struct cv_span *ret)
{
    const char *end = text->at + text->len - 1;
    const char *open = memrchr(text->at, '"', text->len - 1);
    if (open == NULL || memchr(open, '\\', (size_t)(end - open)) != NULL)
        return false;
    *ret = cv_span(open + 1, (size_t)(end - open) - 1);
    text->len = (size_t)(open - text->at);
    return last_of(*text) == '=';
}

/* The name=value that ends the text, with what stands in front of it. */
static bool take_pair(struct cv_span *text, struct cv_forwarded_pair *ret)
{
    if (last_of(*text) != '"')
        ret->value = take_token(text);
    else if (!take_quoted(text, &ret->value))
        return false;
    if (last_of(*text) != '=')
        return false;
    text->len--;
    ret->name = take_token(text);
    drop_blanks(text);
    char before = last_of(*text);
    return ret->name.len > 0 && (text->len == 0 || before == ';' || before == ',');
}

/* In a time that does not tell how much of it is right. */
static bool is_secret(struct cv_span text, struct cv_span secret)
{
    unsigned char differs = 0;
    if (text.len != secret.len)
        return false;
    for (size_t i = 0; i < text.len; i++)
        differs |= (unsigned char)(text.at[i] ^ secret.at[i]);
    return differs == 0;
}

static bool is_signed(const struct cv_forwarded_pair *pair, struct cv_span secret)
{
    bool may_be =
        cv_span_ieq(pair->name, CV_SPAN("secret")) || cv_span_ieq(pair->name, CV_SPAN("by"));
    return may_be && is_secret(pair->value, secret);
}

int cv_forwarded_find(struct cv_span field, struct cv_span secret,
                      struct cv_forwarded_pair pairs[CV_FORWARDED_PAIRS_MAX])
{
    bool found = false;
    int n = 0;
    for (;;) {
        drop_blanks(&field);
        if (found && (field.len == 0 || last_of(field) == ','))
            return n;
        if (field.len == 0 || n == CV_FORWARDED_PAIRS_MAX)
            return 0;
        if (last_of(field) == ',')
            n = 0; /* the next element */
        if (last_of(field) == ',' || last_of(field) == ';') {
            field.len--;
            continue;
        }
        if (!take_pair(&field, &pairs[n]))
            return 0;
        found |= is_signed(&pairs[n], secret);
        n++;
    }
}

struct cv_span cv_forwarded_member(struct cv_span list, uint32_t n)
{
    while (list.len > 0) {
        drop_blanks(&list);
        const char *comma = list.len > 0 ? memrchr(list.at, ',', list.len) : NULL;
        const char *from = comma != NULL ? comma + 1 : list.at;
        const char *end = list.at + list.len;
        while (from < end && (*from == ' ' || *from == '\t'))
            from++;
        if (from < end && --n == 0)
            return cv_span(from, (size_t)(end - from));
        list.len = comma != NULL ? (size_t)(comma - list.at) : 0;
    }
    return cv_span(NULL, 0);
}

/* ---- Values ---- */

static void write_lower(struct cv_span text, char *to)
{
    for (size_t i = 0; i < text.len; i++)
        to[i] = cv_lower(text.at[i]);
    to[text.len] = '\0';
}

static bool is_number(struct cv_span text)
{
    uint64_t port;
    return cv_num_u64(text, 65535, &port) == 0;
}

/* Without port and brackets: "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1". */
static struct cv_span bare_node(struct cv_span node)
{
    const char *colon = memchr(node.at, ':', node.len);
    if (node.at[0] == '[') {
        const char *end = memchr(node.at, ']', node.len);
        size_t behind = end != NULL ? (size_t)(end - node.at) + 1 : node.len;
        struct cv_span rest = cv_span(node.at + behind, node.len - behind);
        bool has_port =
            rest.len > 1 && rest.at[0] == ':' && is_number(cv_span(rest.at + 1, rest.len - 1));
        return end != NULL && (rest.len == 0 || has_port) ? cv_span(node.at + 1, behind - 2)
                                                          : cv_span(NULL, 0);
    }
    if (colon == NULL || memrchr(node.at, ':', node.len) != colon)
        return node;
    size_t len = (size_t)(colon - node.at);
    return is_number(cv_span(colon + 1, node.len - len - 1)) ? cv_span(node.at, len)
                                                             : cv_span(NULL, 0);
}

/* Addresses, and names that proxies give them. */
static bool write_node(struct cv_span value, char *to)
{
    if (value.len == 0 || cv_span_ieq(value, CV_SPAN("unknown")))
        return false;
    struct cv_span node = value.at[0] == '_' ? value : bare_node(value);
    for (size_t i = 0; i < node.len; i++) {
        if (!cv_chars_is(node.at[i], CV_CHAR_TOKEN) && node.at[i] != ':')
            return false;
    }
    if (value.at[0] != '_') {
        write_lower(node, to);
        return node.len > 0;
    }
    memcpy(to, node.at, node.len);
    to[node.len] = '\0';
    return true;
}

/* Those that a request can have come by. Any other, such as javascript, would make of the request's
 * URL a link that does what its client has written. */
static bool is_scheme(struct cv_span text)
{
    return cv_span_ieq(text, CV_SPAN("http")) || cv_span_ieq(text, CV_SPAN("https")) ||
           cv_span_ieq(text, CV_SPAN("ws")) || cv_span_ieq(text, CV_SPAN("wss"));
}

static bool write_path(struct cv_span value, char *to)
{
    int64_t len = value.len > 0 && value.at[0] == '/' ? cv_percent_decode(value, false, to) : -400;
    if (len < 0)
        return false;
    to[len] = '\0';
    return true;
}

bool cv_forwarded_write(struct cv_span name, struct cv_span value, char *to)
{
    if (cv_span_ieq(name, CV_SPAN("for")) || cv_span_ieq(name, CV_SPAN("by")))
        return write_node(value, to);
    if (cv_span_ieq(name, CV_SPAN("path")))
        return write_path(value, to);
    if (cv_span_ieq(name, CV_SPAN("port")) && !(is_number(value) && value.at[0] != '0'))
        return false;
    if (cv_span_ieq(name, CV_SPAN("proto")) && !is_scheme(value))
        return false;
    if (cv_span_ieq(name, CV_SPAN("host")) && !cv_target_is_authority(value))
        return false;
    if (cv_span_ieq(name, CV_SPAN("proto")) || cv_span_ieq(name, CV_SPAN("host"))) {
        write_lower(value, to);
        return true;
    }
    if (value.len > 0)
        memcpy(to, value.at, value.len);
    to[value.len] = '\0';
    return true;
}
