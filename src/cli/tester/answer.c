#include "cli/tester/answer.h"

#include "base/num.h"
#include "http/text.h"

#include <stdio.h>

/* More than a test wants to see at once. */
#define HEAD_MAX ((size_t)1 << 20)
#define BODY_MAX ((size_t)1 << 30)

void cv_tester_answer_init(struct cv_tester_answer *answer, bool to_head)
{
    *answer = (struct cv_tester_answer){
        .seen = {.error = "nothing has come yet", .head = "", .early = "", .body = ""},
        .has_no_body = to_head};
    cv_buf_init(&answer->head, HEAD_MAX);
    cv_buf_init(&answer->early, HEAD_MAX);
    cv_buf_init(&answer->fields, HEAD_MAX);
    cv_buf_init(&answer->body, BODY_MAX);
}

void cv_tester_answer_done(struct cv_tester_answer *answer)
{
    cv_buf_done(&answer->head);
    cv_buf_done(&answer->early);
    cv_buf_done(&answer->fields);
    cv_buf_done(&answer->body);
}

void cv_tester_answer_fail(struct cv_tester_answer *answer, const char *format, ...)
{
    if (cv_tester_answer_is_over(answer))
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(answer->error, sizeof(answer->error), format, args);
    va_end(args);
    answer->seen.error = answer->error;
    answer->state = CV_TESTER_BROKEN;
}

/* Appends with a NUL behind it, which is not counted. */
static bool append(struct cv_tester_answer *answer, struct cv_buf *to, struct cv_span bytes,
                   const char **ret)
{
    if (cv_buf_reserve(to, bytes.len + 1) < 0 || cv_buf_append(to, bytes) < 0) {
        cv_tester_answer_fail(answer, "no memory for more than %zu bytes of it", to->len);
        return false;
    }
    to->at[to->len] = '\0';
    *ret = to->at;
    return true;
}

/* ---- The head ---- */

/* The NUL behind it counts here. */
static bool keep_text(struct cv_tester_answer *answer, struct cv_span text)
{
    const char *all;
    if (!append(answer, &answer->fields, text, &all))
        return false;
    answer->fields.len++;
    return true;
}

static bool keep_field(struct cv_tester_answer *answer, struct cv_span line)
{
    const char *colon = memchr(line.at, ':', line.len);
    if (colon == NULL) {
        cv_tester_answer_fail(answer, "no header field: %.*s", (int)line.len, line.at);
        return false;
    }
    size_t name = (size_t)(colon - line.at);
    size_t value = name + 1;
    while (value < line.len && line.at[value] == ' ')
        value++;
    return keep_text(answer, cv_span(line.at, name)) &&
           keep_text(answer, cv_span(line.at + value, line.len - value));
}

static bool keep_fields(struct cv_tester_answer *answer)
{
    struct cv_span rest = cv_buf_span(&answer->head);
    for (bool is_first = true; rest.len > 2; is_first = false) {
        const char *end = memmem(rest.at, rest.len, "\r\n", 2);
        size_t len = (size_t)(end - rest.at);
        if (!is_first && !keep_field(answer, cv_span(rest.at, len)))
            return false;
        rest = cv_span(rest.at + len + 2, rest.len - len - 2);
    }
    return true;
}

static void find_body(struct cv_tester_answer *answer)
{
    const char *coding = covey_test_header(&answer->seen, "Transfer-Encoding");
    const char *length = covey_test_header(&answer->seen, "Content-Length");
    int64_t n = 0;
    cv_chunk_init(&answer->chunk);
    if (answer->has_no_body || !cv_status_has_body(answer->seen.status)) {
        answer->state = CV_TESTER_WHOLE;
    } else if (coding != NULL) {
        answer->state = CV_TESTER_CHUNKS;
    } else if (length == NULL) {
        answer->state = CV_TESTER_TO_END;
    } else if (cv_num_i64(cv_span_str(length), &n) < 0 || n < 0) {
        cv_tester_answer_fail(answer, "no length: %s", length);
    } else {
        answer->left = (uint64_t)n;
        answer->state = n > 0 ? CV_TESTER_LENGTH : CV_TESTER_WHOLE;
    }
}

/* `head` holds one of them. */
static void read_head(struct cv_tester_answer *answer)
{
    int64_t status = 0;
    const char *start = answer->head.at;
    bool is_http = answer->head.len > 12 && memcmp(start, "HTTP/1.", 7) == 0;
    if (!is_http || cv_num_i64(cv_span(start + 9, 3), &status) < 0) {
        cv_tester_answer_fail(answer, "no status line: %.*s", (int)strcspn(start, "\r\n"), start);
        return;
    }
    if (status < 200) {
        if (append(answer, &answer->early, cv_buf_span(&answer->head), &answer->seen.early))
            cv_buf_consume(&answer->head, answer->head.len);
        return;
    }
    answer->seen.head = start;
    answer->seen.status = (int)status;
    answer->seen.error = "the answer has not ended yet";
    if (keep_fields(answer))
        find_body(answer);
}

/* How much of `bytes` belongs to heads. */
static size_t take_head(struct cv_tester_answer *answer, struct cv_span bytes)
{
    struct cv_buf *head = &answer->head;
    const char *at;
    size_t before = head->len;
    if (!append(answer, head, bytes, &at))
        return bytes.len;
    size_t from = before < 3 ? 0 : before - 3;
    const char *blank = memmem(at + from, head->len - from, "\r\n\r\n", 4);
    if (blank == NULL)
        return bytes.len;
    head->len = (size_t)(blank - at) + 4;
    head->at[head->len] = '\0';
    size_t used = head->len - before;
    read_head(answer);
    return used;
}

/* ---- The body ---- */

static size_t take_chunks(struct cv_tester_answer *answer, struct cv_span bytes)
{
    size_t used = 0;
    struct cv_span data;
    int found = cv_chunk_decode(&answer->chunk, bytes, &used, &data);
    if (found < 0)
        cv_tester_answer_fail(answer, "the chunks of the body are malformed");
    else if (found == CV_CHUNK_DATA)
        (void)append(answer, &answer->body, data, &answer->seen.body);
    else if (found == CV_CHUNK_END)
        answer->state = CV_TESTER_WHOLE;
    return used;
}

static size_t take_length(struct cv_tester_answer *answer, struct cv_span bytes)
{
    size_t used = bytes.len < answer->left ? bytes.len : (size_t)answer->left;
    if (!append(answer, &answer->body, cv_span(bytes.at, used), &answer->seen.body))
        return used;
    answer->left -= used;
    if (answer->left == 0)
        answer->state = CV_TESTER_WHOLE;
    return used;
}

/* How much of `bytes` was used. */
static size_t take_some(struct cv_tester_answer *answer, struct cv_span bytes)
{
    switch (answer->state) {
    case CV_TESTER_HEAD: return take_head(answer, bytes);
    case CV_TESTER_CHUNKS: return take_chunks(answer, bytes);
    case CV_TESTER_LENGTH: return take_length(answer, bytes);
    case CV_TESTER_TO_END:
        (void)append(answer, &answer->body, bytes, &answer->seen.body);
        return bytes.len;
    case CV_TESTER_WHOLE:
    case CV_TESTER_BROKEN: break;
    }
    return bytes.len;
}

void cv_tester_answer_take(struct cv_tester_answer *answer, struct cv_span bytes)
{
    while (bytes.len > 0 && !cv_tester_answer_is_over(answer)) {
        size_t used = take_some(answer, bytes);
        bytes = cv_span(bytes.at + used, bytes.len - used);
    }
    answer->seen.len = answer->body.len;
    if (answer->state == CV_TESTER_WHOLE)
        answer->seen.error = "";
}

void cv_tester_answer_end(struct cv_tester_answer *answer)
{
    if (answer->state == CV_TESTER_TO_END) {
        answer->state = CV_TESTER_WHOLE;
        answer->seen.error = "";
    }
    if (answer->seen.status == 0)
        cv_tester_answer_fail(answer, "the connection was closed without an answer");
    else
        cv_tester_answer_fail(answer, "the connection was closed after %zu bytes of the body",
                              answer->body.len);
}

/* ---- What tests ask ---- */

bool covey_test_header_next(const struct covey_test_answer *answer, size_t *at,
                            const char **ret_name, const char **ret_value)
{
    const struct cv_tester_answer *whole = (const struct cv_tester_answer *)(const void *)answer;
    if (*at >= whole->fields.len)
        return false;
    *ret_name = whole->fields.at + *at;
    *ret_value = *ret_name + strlen(*ret_name) + 1;
    *at = (size_t)(*ret_value + strlen(*ret_value) + 1 - whole->fields.at);
    return true;
}

const char *covey_test_header(const struct covey_test_answer *answer, const char *name)
{
    size_t at = 0;
    const char *found;
    const char *value;
    while (covey_test_header_next(answer, &at, &found, &value)) {
        if (cv_string_ieq(found, name))
            return value;
    }
    return NULL;
}
