/* Small grammars. Accept has a file of its own. */
#include "http/text.h"

#include "base/macros.h"
#include "http/chars.h"

/* By status - 100 (RFC 9110, section 15, and IANA's registry). */
static const char *const reasons[] = {
    [0] = "Continue",
    [1] = "Switching Protocols",
    [2] = "Processing",
    [3] = "Early Hints",
    [100] = "OK",
    [101] = "Created",
    [102] = "Accepted",
    [103] = "Non-Authoritative Information",
    [104] = "No Content",
    [105] = "Reset Content",
    [106] = "Partial Content",
    [107] = "Multi-Status",
    [108] = "Already Reported",
    [126] = "IM Used",
    [200] = "Multiple Choices",
    [201] = "Moved Permanently",
    [202] = "Found",
    [203] = "See Other",
    [204] = "Not Modified",
    [205] = "Use Proxy",
    [207] = "Temporary Redirect",
    [208] = "Permanent Redirect",
    [300] = "Bad Request",
    [301] = "Unauthorized",
    [302] = "Payment Required",
    [303] = "Forbidden",
    [304] = "Not Found",
    [305] = "Method Not Allowed",
    [306] = "Not Acceptable",
    [307] = "Proxy Authentication Required",
    [308] = "Request Timeout",
    [309] = "Conflict",
    [310] = "Gone",
    [311] = "Length Required",
    [312] = "Precondition Failed",
    [313] = "Content Too Large",
    [314] = "URI Too Long",
    [315] = "Unsupported Media Type",
    [316] = "Range Not Satisfiable",
    [317] = "Expectation Failed",
    [318] = "I'm a Teapot",
    [321] = "Misdirected Request",
    [322] = "Unprocessable Content",
    [323] = "Locked",
    [324] = "Failed Dependency",
    [325] = "Too Early",
    [326] = "Upgrade Required",
    [328] = "Precondition Required",
    [329] = "Too Many Requests",
    [331] = "Request Header Fields Too Large",
    [351] = "Unavailable For Legal Reasons",
    [400] = "Internal Server Error",
    [401] = "Not Implemented",
    [402] = "Bad Gateway",
    [403] = "Service Unavailable",
    [404] = "Gateway Timeout",
    [405] = "HTTP Version Not Supported",
    [406] = "Variant Also Negotiates",
    [407] = "Insufficient Storage",
    [408] = "Loop Detected",
    [410] = "Not Extended",
    [411] = "Network Authentication Required",
};

const char *cv_status_reason(int status)
{
    if (status < 100 || status - 100 >= (int)CV_COUNT(reasons) || reasons[status - 100] == NULL)
        return "Unknown";
    return reasons[status - 100];
}

bool cv_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static const struct cv_span methods[CV_METHOD_COUNT] = {
    [CV_METHOD_GET] = {"GET", 3},         [CV_METHOD_HEAD] = {"HEAD", 4},
    [CV_METHOD_POST] = {"POST", 4},       [CV_METHOD_PUT] = {"PUT", 3},
    [CV_METHOD_PATCH] = {"PATCH", 5},     [CV_METHOD_DELETE] = {"DELETE", 6},
    [CV_METHOD_OPTIONS] = {"OPTIONS", 7}, [CV_METHOD_CONNECT] = {"CONNECT", 7},
    [CV_METHOD_TRACE] = {"TRACE", 5},
};

const char *cv_method_name(enum cv_method method)
{
    return methods[method].at;
}

enum cv_method cv_method_find(struct cv_span name)
{
    for (enum cv_method method = CV_METHOD_GET; method < CV_METHOD_COUNT; method++) {
        if (cv_span_eq(methods[method], name))
            return method;
    }
    return CV_METHOD_OTHER;
}

bool cv_is_token(struct cv_span text)
{
    if (text.len == 0)
        return false;
    const char *end = text.at + text.len;
    return cv_chars_skip(text.at, end, CV_CHAR_TOKEN) == end;
}

bool cv_is_field_value(struct cv_span text)
{
    if (text.len == 0)
        return true;
    const char *end = text.at + text.len;
    return cv_chars_skip(text.at, end, CV_CHAR_VALUE) == end;
}

int64_t cv_percent_decode(struct cv_span text, bool plus, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.len ? cv_chars_hex(text.at[i + 1]) : -1;
            int low = high >= 0 ? cv_chars_hex(text.at[i + 2]) : -1;
            if (low < 0)
                return -400;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return -400;
        to[n++] = c;
    }
    return (int64_t)n;
}

static bool is_of_uri(char c)
{
    static const char marks[] = "-._~:/?#[]@!$&'()*+,;=%";
    return cv_chars_is_letter(c) || cv_chars_is_digit(c) || (c != '\0' && strchr(marks, c) != NULL);
}

static bool is_plain(char c)
{
    return cv_chars_is_letter(c) || cv_chars_is_digit(c) || c == '-' || c == '.' || c == '_';
}

static size_t escape(struct cv_span text, bool (*stays)(char), char *to)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (stays(text.at[i])) {
            to[n++] = text.at[i];
            continue;
        }
        to[n++] = '%';
        to[n++] = hex[c >> 4];
        to[n++] = hex[c & 15];
    }
    return n;
}

size_t cv_percent_escape(struct cv_span text, char *to)
{
    return escape(text, is_plain, to);
}

size_t cv_uri_escape(struct cv_span text, char *to)
{
    return escape(text, is_of_uri, to);
}

/* The bytes from *at up to the next `separator` or the end; moves *at behind it. */
static struct cv_span next_piece(struct cv_span text, char separator, size_t *at)
{
    size_t from = *at;
    const char *end = memchr(text.at + from, separator, text.len - from);
    size_t to = end != NULL ? (size_t)(end - text.at) : text.len;

    *at = end != NULL ? to + 1 : to;
    return cv_span(text.at + from, to - from);
}

bool cv_query_split(struct cv_span query, size_t *at, struct cv_span *ret_name,
                    struct cv_span *ret_value)
{
    while (*at < query.len) {
        struct cv_span piece = next_piece(query, '&', at);
        if (piece.len == 0)
            continue;
        size_t value = 0;
        *ret_name = next_piece(piece, '=', &value);
        *ret_value = cv_span(piece.at + value, piece.len - value);
        return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct cv_span cv_trim(struct cv_span text)
{
    while (text.len > 0 && is_blank(*text.at))
        text = cv_span(text.at + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

bool cv_list_has(struct cv_span list, struct cv_span token)
{
    for (size_t at = 0; at < list.len;) {
        if (cv_span_ieq(cv_trim(next_piece(list, ',', &at)), token))
            return true;
    }
    return false;
}
