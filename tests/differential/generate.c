#include "generate.h"

#include "base/macros.h"
#include "base/span.h"

#include <stdio.h>

struct writer {
    uint64_t dice;
    unsigned oddness; /* of 64 choices, how many are odd */
    char *at;
    size_t len;
};

/* Sebastiano Vigna's splitmix64. */
static uint64_t roll(struct writer *w)
{
    uint64_t z = w->dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(struct writer *w, size_t n)
{
    return (size_t)(roll(w) % n);
}

static bool is_odd(struct writer *w)
{
    return below(w, 64) < w->oddness;
}

static void put(struct writer *w, struct cv_span text)
{
    size_t room = GENERATE_MAX - w->len;
    size_t len = text.len < room ? text.len : room;
    memcpy(w->at + w->len, text.at, len);
    w->len += len;
}

/* Puts one of several literals. */
#define S(text)                                                                                    \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }
#define PICK(w, ...)                                                                               \
    do {                                                                                           \
        static const struct cv_span choices[] = {__VA_ARGS__};                                     \
        put(w, choices[below(w, CV_COUNT(choices))]);                                              \
    } while (0)

/* ---- Heads ---- */

static void put_eol(struct writer *w)
{
    if (is_odd(w))
        PICK(w, S("\n"), S("\r"), S("\r\r\n"), S("\n\r"), S("\r\n "), S("\r\n\t"), S(" \r\n"),
             S("\t\r\n"), S(""), S("\0\r\n"));
    else
        put(w, CV_SPAN("\r\n"));
}

static void put_many(struct writer *w, struct cv_span text, size_t times)
{
    while (times-- > 0)
        put(w, text);
}

static void put_host(struct writer *w)
{
    if (is_odd(w))
        PICK(w, S(""), S("a b"), S("a@b"), S("a/b"), S("[::1"), S("[]"), S("[:]"), S("[:::]"),
             S("[1]"), S("[::1]x"), S("a:b"), S("a:65536"), S("a:123456"), S(":80"), S("a%41"),
             S("a,b"), S("\xe4"), S("a:80:80"), S("[::g]"), S("a?b"), S("a#b"),
             S("[1:2:3:4:5:6:7:8:9]"), S("[::1.2.3]"));
    else
        PICK(w, S("a"), S("example.com"), S("EXAMPLE.com:80"), S("127.0.0.1:8000"), S("[::1]"),
             S("[2001:db8::1]:443"), S("[::ffff:1.2.3.4]"), S("a:"), S("a_b-c.d"), S("x"));
}

static void put_target(struct writer *w)
{
    if (is_odd(w)) {
        PICK(w, S("*"), S("a"), S("http://"), S("ftp://a/"), S("http:/a"), S("http://a b/"),
             S("http://@a/"), S("/\x80"), S("/#f"), S("/a b"), S("\\"), S("?"), S("/\x7f"),
             S("/\0"), S("//"), S("http://[::1]:80/"), S("HTTPS://A?q"), S("http://a:x/"),
             S("/\"<>"), S(""), S("/\t"));
        return;
    }
    switch (below(w, 8)) {
    case 0:
        PICK(w, S("http://"), S("https://"), S("HTTP://"));
        put_host(w);
        PICK(w, S(""), S("/"), S("/p?q"), S("?q"));
        break;
    case 1:
        put(w, CV_SPAN("/"));
        put_many(w, CV_SPAN("long/"), below(w, 12));
        break;
    default:
        PICK(w, S("/"), S("/a"), S("/a/b?c=d&e"), S("/%20%zz"), S("/?"), S("/a?b?c"),
             S("/a?{|}\\^`"), S("/a;b:@[]"), S("//x"), S("/../a"));
    }
}

static void put_request_line(struct writer *w)
{
    if (is_odd(w))
        PICK(w, S("\r\n"), S("\n"), S(" "), S("\r\n\r\n\r\n\r\n\r\n"), S("\0"), S("\r"));
    else
        put_many(w, CV_SPAN("\r\n"), below(w, 8) == 0 ? below(w, 5) : 0);
    if (is_odd(w))
        PICK(w, S(""), S("G(T"), S("CONNECT"), S("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), S("get"),
             S("G\x80T"), S("OPTIONS"));
    else
        PICK(w, S("GET"), S("POST"), S("HEAD"), S("PUT"), S("OPTIONS"), S("DELETE"), S("PATCH"),
             S("M-SEARCH"), S("TRACE"));
    if (is_odd(w))
        PICK(w, S("  "), S("\t"), S(""), S("\x0b"), S(" \t"));
    else
        put(w, CV_SPAN(" "));
    put_target(w);
    if (is_odd(w))
        PICK(w, S("  "), S("\t"), S(""), S(" a "), S("\r\n"));
    else
        put(w, CV_SPAN(" "));
    if (is_odd(w))
        PICK(w, S("HTTP/2.0"), S("HTTP/0.9"), S("http/1.1"), S("HTTP/1.10"), S("HTTP/11"),
             S("HTTP/1."), S("HTTP/1.x"), S(""), S("HTTP/1,1"), S("HTTP/01.1"), S("HTTP/ 1.1"));
    else
        PICK(w, S("HTTP/1.1"), S("HTTP/1.1"), S("HTTP/1.1"), S("HTTP/1.1"), S("HTTP/1.0"),
             S("HTTP/1.2"));
    put_eol(w);
}

static void put_name(struct writer *w)
{
    if (is_odd(w))
        PICK(w, S(""), S(" A"), S("A "), S("A\t"), S("A B"), S("A(b)"), S("\x80"), S("A\0"),
             S("Content-Length "), S("Transfer-Encoding\x0b"), S("Content_Length"),
             S("Content-Length\0"), S("\tHost"));
    else
        PICK(w, S("A"), S("Accept"), S("Cookie"), S("X-Forwarded-For"), S("User-Agent"),
             S("upgrade"), S("Content-Type"), S("!#$%&'*+-.^_`|~"), S("TE"), S("Trailer"));
}

static void put_value(struct writer *w)
{
    if (is_odd(w)) {
        PICK(w, S("\0"), S("\x7f"), S("a\rb"), S("a\nb"), S("\x0b"), S("a\x01"), S("\x1f"),
             S("a\r\n b"), S("\x0c"), S("aaaaaaa\r"));
        return;
    }
    PICK(w, S(""), S(" "), S("\t "), S("  "), S(" "));
    PICK(w, S("a"), S(""), S("text/html;q=0.8, */*"), S("a \t b"), S("\xe4\xff\x80"),
         S("\"quoted\\\"\""), S("a=b; c=d"), S("(comment)"));
    if (below(w, 16) == 0)
        put_many(w, CV_SPAN("0123456789abcdef"), below(w, 10));
    PICK(w, S(""), S(""), S(" "), S("\t"));
}

static void put_length(struct writer *w, size_t length)
{
    char text[32];
    PICK(w, S("Content-Length:"), S("content-length: "), S("CONTENT-LENGTH:\t"),
         S("Content-Length: "));
    if (is_odd(w))
        PICK(w, S("+5"), S("-1"), S("0x5"), S("5, 5"), S("5,6"), S(""), S("5 5"), S("5."),
             S("9223372036854775807"), S("9223372036854775808"), S("18446744073709551621"),
             S("\xb2"), S("5;"), S("\"5\""), S("5a"),
             S("\x0b"
               "5"));
    else
        put(w,
            cv_span(text, (size_t)snprintf(text, sizeof(text), "%0*zu", (int)below(w, 3), length)));
    put_eol(w);
}

static void put_coding(struct writer *w)
{
    if (is_odd(w))
        PICK(w, S("Transfer_Encoding: "), S("Transfer-Encoding : "), S("Transfer-Encoding\t: "),
             S(" Transfer-Encoding: "), S("Transfer-Encoding:\r\n "), S("Transfer-Encoding\0: "),
             S("TransferEncoding: "));
    else
        PICK(w, S("Transfer-Encoding: "), S("transfer-encoding:"), S("TRANSFER-ENCODING:\t"));
    if (is_odd(w))
        PICK(w, S("xchunked"), S("chunked, identity"), S("chunked, chunked"), S("chunked ,chunked"),
             S("\x0b"
               "chunked"),
             S("gzip"), S("gzip, chunked"), S(""), S("chunked;a=b"), S("\"chunked\""),
             S(",chunked"), S("chunked,"), S("chunked\0"), S("chu nked"), S("identity"),
             S("chunked\xa0"),
             S("\xe2\x84\xaa"
               "chunked"));
    else
        PICK(w, S("chunked"), S("Chunked"), S("CHUNKED "), S(" \tchunked\t"));
    put_eol(w);
}

static void put_field(struct writer *w)
{
    switch (below(w, 8)) {
    case 0:
        PICK(w, S("Connection: "), S("connection:"));
        PICK(w, S("close"), S("keep-alive"), S("Keep-Alive, Close"), S("upgrade"), S("closed"),
             S(""), S(" ,close"), S("a,\tCLOSE ,b"));
        break;
    case 1:
        PICK(w, S("Expect: "), S("expect:"));
        if (is_odd(w))
            PICK(w, S("miracles"), S(""), S("100-continue, x"), S("100 continue"));
        else
            PICK(w, S("100-continue"), S("100-Continue"));
        break;
    default:
        put_name(w);
        put(w, is_odd(w) ? CV_SPAN("") : CV_SPAN(":"));
        put_value(w);
    }
    put_eol(w);
}

/* ---- Bodies ---- */

static void put_extensions(struct writer *w)
{
    for (size_t n = 1 + below(w, 3); n > 0; n--) {
        PICK(w, S(";"), S(";"), S(" ;"), S("; "), S("\t;\t"));
        PICK(w, S("a"), S("name"), S("!#$%&'*+-.^_`|~"), S("5"));
        if (is_odd(w))
            PICK(w, S("="), S("= "), S("=\""), S(" "), S("=\"\\\""), S("=a b"), S("=\"a\"b"),
                 S(";"), S("==a"), S("\xe4"));
        else
            PICK(w, S(""), S(""), S("=b"), S(" = b"), S("=\"\""), S("=\"a;b\\\"\t\""),
                 S("\t=\"\xe4\""));
    }
}

static void put_size(struct writer *w, size_t size)
{
    char text[40];
    if (is_odd(w))
        PICK(w, S(""), S("+1"), S("-1"), S("0x1"), S(" 1"), S("g"), S("10000000000000001"),
             S("8000000000000000"), S("7fffffffffffffff"), S("00000000000000001"), S("1_0"),
             S("1."));
    put(w, cv_span(text, (size_t)snprintf(text, sizeof(text), below(w, 2) ? "%0*zx" : "%0*zX",
                                          (int)below(w, 4), size)));
    if (is_odd(w))
        PICK(w, S(" "), S("\t"), S(" a"), S(";a\nb"), S(";a\rb"), S(";\0"), S(";\"a\r\n\""),
             S("  \t;"), S("\x0b"), S(";\x7f"));
    else if (below(w, 4) == 0)
        put_extensions(w);
    put_eol(w);
}

static void put_chunks(struct writer *w)
{
    for (size_t n = below(w, 4); n > 0; n--) {
        size_t size = 1 + below(w, 20);
        put_size(w, size);
        put_many(w, CV_SPAN("x"), is_odd(w) ? below(w, 24) : size);
        put_eol(w);
    }
    put_size(w, 0);
    for (size_t n = below(w, 8) < 6 ? 0 : below(w, 4); n > 0; n--)
        put_field(w);
    put_eol(w);
}

static void put_request(struct writer *w)
{
    size_t framing = below(w, 4);
    size_t length = below(w, 24);
    size_t n_fields = below(w, 6);
    size_t host = below(w, n_fields + 1);
    size_t frame = below(w, n_fields + 1);

    put_request_line(w);
    for (size_t i = 0; i <= n_fields; i++) {
        if (i == host && !is_odd(w)) {
            PICK(w, S("Host:"), S("host: "), S("HOST: \t"));
            put_host(w);
            put_eol(w);
        }
        if (i == frame && framing == 1)
            put_length(w, length);
        if (i == frame && framing >= 2)
            put_coding(w);
        if (i < n_fields)
            put_field(w);
        if (is_odd(w) && is_odd(w))
            put_length(w, length);
    }
    put_eol(w);
    if (framing == 1)
        put_many(w, CV_SPAN("b"), length);
    if (framing >= 2)
        put_chunks(w);
}

/* ---- Mutations ---- */

static void mutate(struct writer *w)
{
    static const char bytes[] = "\0\t\n\v\f\r !\"#%,/0159:;?A[\\]az{|}~\x7f\x80\x85\xa0\xff";
    size_t at = below(w, w->len);
    size_t more = 1 + below(w, 8);
    switch (below(w, 6)) {
    case 0: w->at[at] = bytes[below(w, sizeof(bytes))]; break;
    case 1: w->at[at] = (char)roll(w); break;
    case 2: w->at[at] ^= (char)(1 << below(w, 8)); break;
    case 3: /* take some out */
        more = more < w->len - at ? more : w->len - at;
        memmove(w->at + at, w->at + at + more, w->len - at - more);
        w->len -= more;
        break;
    case 4: /* put one in */
        if (w->len == GENERATE_MAX)
            break;
        memmove(w->at + at + 1, w->at + at, w->len - at);
        w->at[at] = bytes[below(w, sizeof(bytes))];
        w->len++;
        break;
    default: w->len = at; break; /* torn */
    }
}

size_t generate(uint64_t seed, char *to)
{
    static const unsigned oddness[] = {0, 1, 3, 12};
    struct writer w = {.dice = seed * UINT64_C(0x2545f4914f6cdd1d), .at = to};
    w.oddness = oddness[below(&w, CV_COUNT(oddness))];
    put_request(&w);
    if (below(&w, 4) == 0)
        put(&w, CV_SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (size_t n = below(&w, 2) ? 0 : 1 + below(&w, 3); n > 0 && w.len > 0; n--)
        mutate(&w);
    return w.len;
}
