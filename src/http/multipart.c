#include "http/multipart.h"

#include "http/chars.h"
#include "http/parameters.h"
#include "http/part_head.h"

enum state {
    DATA,  /* of a part, or in front of the first */
    AFTER, /* right behind the delimiter */
    DASH,  /* behind it and a '-' */
    PAD,   /* behind it and blanks */
    LF,    /* behind it and a CR */
    HEAD,
    DONE,
    BROKEN
};

static int fail(struct cv_multipart *m, const char *reason)
{
    m->state = BROKEN;
    m->reason = reason;
    return -400;
}

/* A delimiter may follow at once: its line end has come already, in front of the body or with the
 * empty line of a part's head (RFC 2046, section 5.1.1: a part may have no body). */
static void begin_line(struct cv_multipart *m)
{
    m->state = DATA;
    m->matched = 2;
    m->line_is_past = true;
}

/* ---- The boundary ---- */

static bool is_boundary(struct cv_span text)
{
    static const char others[] = "'()+_,-./:=? ";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (!cv_chars_is_letter(c) && !cv_chars_is_digit(c) &&
            memchr(others, c, sizeof(others) - 1) == NULL)
            return false;
    }
    return text.len > 0 && text.len <= CV_BOUNDARY_MAX && text.at[text.len - 1] != ' ';
}

int cv_multipart_init(struct cv_multipart *m, struct cv_span content_type)
{
    struct cv_parameter boundary;

    memset(m, 0, offsetof(struct cv_multipart, head));
    if (!cv_parameter_find(content_type, CV_SPAN("boundary"), &boundary))
        return fail(m, "The form's Content-Type is malformed");
    if (boundary.value.at == NULL)
        return fail(m, "The form's Content-Type names no boundary");
    if (!is_boundary(boundary.value))
        return fail(m, "The form's boundary is not 1 to 70 of the bytes that one may have");
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.value.at, boundary.value.len);
    m->delimiter_len = 4 + (uint32_t)boundary.value.len;
    begin_line(m);
    return 0;
}

/* ---- Data, up to a delimiter ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many bytes stand before the first that a delimiter may begin with. */
static size_t bytes_before(const struct cv_multipart *m, struct cv_span in)
{
    const char *end = in.at + in.len;
    const char *at = in.at;
    while ((at = memchr(at, '\r', (size_t)(end - at))) != NULL) {
        if (memcmp(at, m->delimiter, least((size_t)(end - at), m->delimiter_len)) == 0)
            return (size_t)(at - in.at);
        at++;
    }
    return in.len;
}

/* How many bytes go on with what has matched of the delimiter; 0: it is none. */
static size_t bytes_matching(const struct cv_multipart *m, struct cv_span in)
{
    size_t n = least(in.len, m->delimiter_len - m->matched);
    return memcmp(in.at, m->delimiter + m->matched, n) == 0 ? n : 0;
}

static int deliver(const struct cv_multipart *m, struct cv_span data, struct cv_span *ret_data)
{
    if (!m->in_part || data.len == 0)
        return CV_MULTIPART_MORE;
    *ret_data = data;
    return CV_MULTIPART_DATA;
}

/* What has matched of a delimiter was data. */
static int give_back(struct cv_multipart *m, struct cv_span *ret_data)
{
    uint32_t not_data = m->line_is_past ? 2 : 0;
    struct cv_span held = cv_span(m->delimiter + not_data, m->matched - not_data);
    m->matched = 0;
    m->line_is_past = false;
    return deliver(m, held, ret_data);
}

static int read_data(struct cv_multipart *m, struct cv_span in, size_t *used,
                     struct cv_span *ret_data)
{
    if (m->matched == 0) {
        *used = bytes_before(m, in);
        if (*used > 0)
            return deliver(m, cv_span(in.at, *used), ret_data);
    }
    *used = bytes_matching(m, in);
    if (*used == 0)
        return give_back(m, ret_data);
    m->matched += (uint32_t)*used;
    if (m->matched < m->delimiter_len)
        return CV_MULTIPART_MORE;
    m->matched = 0;
    m->line_is_past = false;
    m->state = AFTER;
    bool was_in_part = m->in_part;
    m->in_part = false;
    return was_in_part ? CV_MULTIPART_PART_END : CV_MULTIPART_MORE;
}

/* ---- Behind a delimiter, and heads ---- */

static int read_delimiter_end(struct cv_multipart *m, char c)
{
    if (m->state == AFTER && c == '-')
        m->state = DASH;
    else if (m->state == DASH && c == '-')
        m->state = DONE;
    else if ((m->state == AFTER || m->state == PAD) && (c == ' ' || c == '\t'))
        m->state = PAD;
    else if ((m->state == AFTER || m->state == PAD) && c == '\r')
        m->state = LF;
    else if (m->state == LF && c == '\n')
        m->state = HEAD;
    else
        return fail(m, "A line of the form begins with the boundary, but is none");
    m->head_len = 0;
    return m->state == DONE ? CV_MULTIPART_END : CV_MULTIPART_MORE;
}

/* Whether the head ends in an empty line. */
static bool is_complete(const struct cv_multipart *m)
{
    const char *end = m->head + m->head_len;
    return m->head_len == 2 || (m->head_len >= 4 && memcmp(end - 4, "\r\n\r\n", 4) == 0);
}

static int read_head(struct cv_multipart *m, struct cv_span in, size_t *used)
{
    for (*used = 0; *used < in.len;) {
        char c = in.at[(*used)++];
        if (m->head_len == CV_PART_HEAD_MAX)
            return fail(m, "The head of a part of the form is longer than 8 KiB");
        m->head[m->head_len++] = c;
        if (c != '\n')
            continue;
        if (m->head_len < 2 || m->head[m->head_len - 2] != '\r')
            return fail(m, "A line in the head of a part of the form does not end in CR LF");
        if (!is_complete(m))
            continue;
        const char *reason = cv_part_head_read(m->head, m->head_len - 2, &m->part);
        if (reason != NULL)
            return fail(m, reason);
        m->in_part = true;
        begin_line(m);
        return CV_MULTIPART_PART;
    }
    return CV_MULTIPART_MORE;
}

/* One step, which uses some bytes or is an event. */
static int step(struct cv_multipart *m, struct cv_span in, size_t *used, struct cv_span *ret_data)
{
    switch ((enum state)m->state) {
    case DATA: return read_data(m, in, used, ret_data);
    case HEAD: return read_head(m, in, used);
    case DONE: *used = in.len; return CV_MULTIPART_MORE;
    case BROKEN: return -400;
    case AFTER:
    case DASH:
    case PAD:
    case LF: break;
    }
    *used = 1;
    return read_delimiter_end(m, in.at[0]);
}

int cv_multipart_next(struct cv_multipart *m, struct cv_span in, size_t *ret_used,
                      struct cv_span *ret_data)
{
    int event = CV_MULTIPART_MORE;
    *ret_used = 0;
    while (event == CV_MULTIPART_MORE && *ret_used < in.len) {
        size_t used = 0;
        event = step(m, cv_span(in.at + *ret_used, in.len - *ret_used), &used, ret_data);
        *ret_used += used;
    }
    return event;
}

int cv_multipart_finish(struct cv_multipart *m)
{
    if (m->state == BROKEN)
        return -400;
    return m->state == DONE ? 0 : fail(m, "The form ends before its last boundary");
}
