#include "supervise/notify/heard.h"

#include "base/num.h"

#include <string.h>

/* More than anyone can mean; in ns it fits. */
#define USEC_MAX (INT64_MAX / 1000)

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The bytes of the character at `at`, if it is whole, well-formed and prints; else 0. */
static size_t character(struct cv_span text, size_t at)
{
    const unsigned char *c = (const unsigned char *)text.at + at;
    size_t n = c[0] < 0x80   ? 1
               : c[0] < 0xc2 ? 0
               : c[0] < 0xe0 ? 2
               : c[0] < 0xf0 ? 3
               : c[0] < 0xf5 ? 4
                             : 0;
    if (n == 0 || n > text.len - at || (n == 1 && (c[0] < ' ' || c[0] == 0x7f)))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool is_c1 = c[0] == 0xc2 && c[1] < 0xa0;
    bool is_wrong = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) ||
                    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90);
    return is_c1 || is_wrong ? 0 : n;
}

/* What would steer a terminal, or break JSON, becomes '?'. */
static void keep_status(struct cv_heard *heard, struct cv_span text)
{
    size_t len = 0;
    size_t at = 0;
    while (at < text.len) {
        size_t n = character(text, at);
        size_t taken = n > 0 ? n : 1;
        if (len + taken >= sizeof(heard->status))
            break;
        memcpy(heard->status + len, n > 0 ? text.at + at : "?", taken);
        len += taken;
        at += taken;
    }
    heard->status[len] = '\0';
    heard->has_status = true;
}

static bool is_one(struct cv_span value)
{
    return cv_span_eq(value, CV_SPAN("1"));
}

static void note(struct cv_heard *heard, struct cv_span name, struct cv_span value)
{
    uint64_t usec;
    if (cv_span_eq(name, CV_SPAN("READY")))
        heard->is_ready |= is_one(value);
    else if (cv_span_eq(name, CV_SPAN("STOPPING")))
        heard->is_stopping |= is_one(value);
    else if (cv_span_eq(name, CV_SPAN("WATCHDOG")))
        heard->is_alive |= is_one(value);
    else if (cv_span_eq(name, CV_SPAN("STATUS")))
        keep_status(heard, value);
    else if (cv_span_eq(name, CV_SPAN("EXTEND_TIMEOUT_USEC")) &&
             cv_num_u64(value, USEC_MAX, &usec) == 0)
        heard->extend = (int64_t)usec * 1000;
}

static bool read_line(struct cv_heard *heard, struct cv_span line)
{
    size_t name = 0;
    while (name < line.len && is_name_byte(line.at[name]))
        name++;
    if (name == 0 || name == line.len || line.at[name] != '=')
        return false;
    note(heard, cv_span(line.at, name), cv_span(line.at + name + 1, line.len - name - 1));
    return true;
}

bool cv_heard_read(struct cv_heard *ret, struct cv_span message)
{
    struct cv_heard heard = {0};
    size_t at = 0;
    while (at < message.len) {
        const char *end = memchr(message.at + at, '\n', message.len - at);
        size_t len = end != NULL ? (size_t)(end - message.at) - at : message.len - at;
        if (len > 0 && !read_line(&heard, cv_span(message.at + at, len)))
            return false;
        at += len + 1;
    }
    *ret = heard;
    return true;
}
