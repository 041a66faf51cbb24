#include "cli/tester/tester.h"

#include "app/options.h"
#include "base/clock.h"
#include "http/text.h"
#include "serve/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#define TIMEOUT_MS 60000

/* Most of what a request's head may need, and more than any body that fits into memory. */
#define SEND_MAX ((size_t)1 << 30)

/* What a request says of its body. */
enum framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKS };

/* ---- What was asked for ---- */

static struct covey_test_request read_request(const struct covey_test_request *given)
{
    struct covey_test_request request;
    if (!CV_OPTIONS_READ(&request, given))
        request = (struct covey_test_request){.size = 0}; /* begin() says so */
    if (request.method == NULL)
        request.method = "GET";
    if (request.client_ip == NULL)
        request.client_ip = "127.0.0.1";
    if (request.timeout == 0)
        request.timeout = TIMEOUT_MS;
    if (request.body != NULL && request.len == 0)
        request.len = strlen(request.body);
    return request;
}

static bool is_given(const struct covey_test_request *request, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < COVEY_TEST_HEADERS_MAX && request->headers[i] != NULL; i++) {
        const char *line = request->headers[i];
        if (strlen(line) > len && line[len] == ':' &&
            cv_span_ieq(cv_span(line, len), cv_span(name, len)))
            return true;
    }
    return false;
}

static bool has_usually_a_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static int write_cookies(const covey_test *t, const struct covey_test_request *request,
                         struct cv_buf *to)
{
    size_t before = to->len;
    int rc = cv_buf_append(to, CV_SPAN("Cookie: "));
    size_t begun = to->len;
    if (rc == 0)
        rc = cv_jar_write(&t->jar, request->path, time(NULL), to);
    if (rc == 0 && to->len > begun)
        return cv_buf_append(to, CV_SPAN("\r\n"));
    to->len = before;
    return rc;
}

static int write_framing(const struct covey_test_request *request, enum framing framing,
                         struct cv_buf *to)
{
    if (is_given(request, "Content-Length") || is_given(request, "Transfer-Encoding"))
        return 0;
    switch (framing) {
    case BODY_NONE: break;
    case BODY_CHUNKS: return cv_buf_append(to, CV_SPAN("Transfer-Encoding: chunked\r\n"));
    case BODY_LENGTH: return cv_buf_printf(to, "Content-Length: %zu\r\n", request->len);
    }
    return 0;
}

static int write_head(const covey_test *t, const struct covey_test_request *request,
                      enum framing framing, struct cv_buf *to)
{
    int rc = cv_buf_printf(to, "%s %s HTTP/1.1\r\n", request->method, request->path);
    if (rc == 0 && !is_given(request, "Host"))
        rc = cv_buf_append(to, CV_SPAN("Host: test\r\n"));
    if (rc == 0 && !is_given(request, "Cookie"))
        rc = write_cookies(t, request, to);
    if (rc == 0 && request->type != NULL && !is_given(request, "Content-Type"))
        rc = cv_buf_printf(to, "Content-Type: %s\r\n", request->type);
    if (rc == 0)
        rc = write_framing(request, framing, to);
    for (size_t i = 0; rc == 0 && i < COVEY_TEST_HEADERS_MAX && request->headers[i] != NULL; i++)
        rc = cv_buf_printf(to, "%s\r\n", request->headers[i]);
    return rc == 0 ? cv_buf_append(to, CV_SPAN("\r\n")) : rc;
}

/* ---- Both ways ---- */

static void hang_up(covey_test_stream *stream)
{
    if (stream->fd >= 0)
        (void)close(stream->fd);
    stream->fd = -1;
}

static void take_cookies(const covey_test_stream *stream)
{
    size_t at = 0;
    const char *name;
    const char *value;
    while (covey_test_header_next(&stream->answer->seen, &at, &name, &value)) {
        if (cv_string_ieq(name, "Set-Cookie") &&
            cv_jar_take(&stream->test->jar, value, stream->path, time(NULL)) < 0)
            cv_tester_answer_fail(stream->answer, "no memory for its cookies");
    }
}

/* Takes what has come. */
static void hear(covey_test_stream *stream)
{
    struct cv_tester_answer *answer = stream->answer;
    char room[16384];
    while (stream->fd >= 0 && !cv_tester_answer_is_over(answer)) {
        ssize_t n = recv(stream->fd, room, sizeof(room), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        bool is_new = answer->seen.status == 0;
        if (n > 0)
            cv_tester_answer_take(answer, cv_span(room, (size_t)n));
        else
            cv_tester_answer_end(answer);
        if (is_new)
            take_cookies(stream);
        if (n <= 0)
            hang_up(stream);
    }
}

static int64_t deadline(const covey_test_stream *stream)
{
    return stream->timeout < 0 ? CV_NEVER : cv_clock_ns() + stream->timeout * CV_MS;
}

static int step(covey_test_stream *stream, int64_t until)
{
    return cv_tester_refuse(stream->test) == NULL ? cv_tester_turn(stream->test, until) : -EPERM;
}

/* Lets the worker take one step, if there is time. */
static int go_on(covey_test_stream *stream, int64_t until)
{
    return cv_clock_ns() < until ? step(stream, until) : -ETIMEDOUT;
}

/* Lets the worker run until it is there, or will not come. 0 or why not. */
static int wait_for(covey_test_stream *stream, bool (*is_there)(const covey_test_stream *stream))
{
    int64_t until = deadline(stream);
    int rc = 0;
    hear(stream);
    while (rc == 0 && !is_there(stream) && !cv_tester_answer_is_over(stream->answer)) {
        rc = go_on(stream, until);
        hear(stream);
    }
    return rc;
}

/* Lets the worker run until it has taken them all: what does not fit waits for it. */
static int say(covey_test_stream *stream, struct cv_span bytes)
{
    int64_t until = deadline(stream);
    int rc = 0;
    while (rc == 0 && bytes.len > 0) {
        if (stream->fd < 0)
            return -ECONNRESET;
        ssize_t n = send(stream->fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            bytes = cv_span(bytes.at + n, bytes.len - (size_t)n);
        else if (errno != EAGAIN && errno != EINTR)
            rc = -ECONNRESET;
        if (rc == 0 && bytes.len > 0)
            rc = go_on(stream, until);
        hear(stream);
        if (bytes.len > 0 && cv_tester_answer_is_over(stream->answer))
            rc = -ECONNRESET; /* it will not be read any more */
    }
    return rc == 0 ? step(stream, 0) : rc;
}

/* ---- Beginning ---- */

static int find_peer(const char *ip, struct cv_peer *ret)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
    if (inet_pton(AF_INET, ip, &in->sin_addr) != 1) {
        address.ss_family = AF_INET6;
        if (inet_pton(AF_INET6, ip, &in6->sin6_addr) != 1)
            return -EINVAL;
    }
    *ret = cv_peer_of(&address);
    return 0;
}

static int connect_to(covey_test_stream *stream, const struct cv_peer *peer)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    stream->fd = ends[0];
    return cv_tester_connect(stream->test, ends[1], peer);
}

/* Connects, or lets the answer say why not. */
static void begin(covey_test_stream *stream, const struct covey_test_request *request)
{
    struct cv_peer peer;
    const char *refused = cv_tester_refuse(stream->test);
    int rc = 0;
    if (refused != NULL)
        cv_tester_answer_fail(stream->answer, "%s", refused);
    else if (request->size == 0)
        cv_tester_answer_fail(stream->answer, CV_OPTIONS_UNKNOWN);
    else if (request->path == NULL)
        cv_tester_answer_fail(stream->answer, "the request has no path");
    else if (find_peer(request->client_ip, &peer) < 0)
        cv_tester_answer_fail(stream->answer, ".client_ip is no address: %s", request->client_ip);
    else if ((rc = connect_to(stream, &peer)) < 0)
        cv_tester_answer_fail(stream->answer, "cannot connect: %s", strerror(-rc));
}

/* Sends the head, and what of the body is there. */
static void send_request(covey_test_stream *stream, const struct covey_test_request *request,
                         enum framing framing, struct cv_span body)
{
    struct cv_buf text;
    if (cv_tester_answer_is_over(stream->answer))
        return;
    cv_buf_init(&text, SEND_MAX);
    int rc = write_head(stream->test, request, framing, &text);
    if (rc == 0)
        rc = cv_buf_append(&text, body);
    if (rc < 0)
        cv_tester_answer_fail(stream->answer, "cannot write the request: %s", strerror(-rc));
    else
        stream->error = say(stream, cv_buf_span(&text));
    cv_buf_done(&text);
}

/* A client who is out of memory has no more to tell. */
static struct cv_tester_answer no_memory = {
    .seen = {.error = "out of memory", .head = "", .early = "", .body = ""},
    .state = CV_TESTER_BROKEN};
static covey_test_stream no_stream = {.answer = &no_memory, .fd = -1, .error = -ENOMEM};

static covey_test_stream *make(covey_test *t, const struct covey_test_request *request)
{
    covey_test_stream *stream = calloc(1, sizeof(*stream));
    struct cv_tester_answer *answer = calloc(1, sizeof(*answer));
    char *path = strdup(request->path != NULL ? request->path : "");
    if (stream == NULL || answer == NULL || path == NULL) {
        free(stream);
        free(answer);
        free(path);
        return &no_stream;
    }
    cv_tester_answer_init(answer, strcmp(request->method, "HEAD") == 0);
    answer->next = t->answers;
    t->answers = answer;
    *stream = (covey_test_stream){
        .test = t, .answer = answer, .path = path, .fd = -1, .timeout = request->timeout};
    cv_list_push(&t->streams, &stream->link);
    begin(stream, request);
    return stream;
}

static void free_stream(covey_test_stream *stream)
{
    if (stream == &no_stream)
        return;
    hang_up(stream);
    cv_list_remove(&stream->link);
    free(stream->path);
    free(stream);
}

/* ---- Whole requests ---- */

static bool is_whole(const covey_test_stream *stream)
{
    return cv_tester_answer_is_over(stream->answer);
}

/* Waits for the rest of the answer and frees the stream. */
static const struct covey_test_answer *conclude(covey_test_stream *stream)
{
    struct cv_tester_answer *answer = stream->answer;
    int rc = wait_for(stream, is_whole);
    if (rc == -ETIMEDOUT)
        cv_tester_answer_fail(answer, "%s within %lld ms",
                              answer->seen.status == 0 ? "no answer" : "not the whole answer",
                              (long long)stream->timeout);
    else if (rc < 0)
        cv_tester_answer_fail(answer, "the worker could not go on: %s", strerror(-rc));
    free_stream(stream);
    return &answer->seen;
}

const struct covey_test_answer *covey_test_request_with(covey_test *t,
                                                        const struct covey_test_request *given)
{
    struct covey_test_request request = read_request(given);
    bool has_body = request.body != NULL || has_usually_a_body(request.method);
    covey_test_stream *stream = make(t, &request);
    send_request(stream, &request, has_body ? BODY_LENGTH : BODY_NONE,
                 cv_span(request.body, request.body != NULL ? request.len : 0));
    return conclude(stream);
}

/* ---- Bit by bit ---- */

covey_test_stream *covey_test_open_with(covey_test *t, const struct covey_test_request *given)
{
    struct covey_test_request request = read_request(given);
    enum framing framing = request.len > 0                      ? BODY_LENGTH
                           : has_usually_a_body(request.method) ? BODY_CHUNKS
                                                                : BODY_NONE;
    covey_test_stream *stream = make(t, &request);
    stream->left = framing == BODY_CHUNKS ? UINT64_MAX : request.len;
    stream->in_chunks = framing == BODY_CHUNKS;
    send_request(stream, &request, framing, cv_span(NULL, 0));
    return stream;
}

static int say_chunk(covey_test_stream *stream, struct cv_span bytes)
{
    char line[18];
    int rc = say(stream, cv_span(line, cv_chunk_open(line, bytes.len)));
    if (rc == 0)
        rc = say(stream, bytes);
    return rc == 0 ? say(stream, CV_SPAN("\r\n")) : rc;
}

static int end_body(covey_test_stream *stream)
{
    if (!stream->in_chunks && stream->left > 0)
        return -EINVAL;
    bool in_chunks = stream->in_chunks;
    stream->in_chunks = false;
    stream->left = 0;
    return in_chunks ? say(stream, CV_SPAN(CV_CHUNK_LAST)) : 0;
}

int covey_test_write(covey_test_stream *stream, const void *bytes, size_t len)
{
    if (stream->error < 0)
        return stream->error;
    if (len > stream->left)
        return -EINVAL;
    if (len == 0)
        return end_body(stream);
    if (stream->in_chunks)
        return stream->error = say_chunk(stream, cv_span(bytes, len));
    stream->left -= len;
    return stream->error = say(stream, cv_span(bytes, len));
}

static bool has_head(const covey_test_stream *stream)
{
    return stream->answer->seen.status != 0;
}

const struct covey_test_answer *covey_test_look(covey_test_stream *stream)
{
    if (wait_for(stream, has_head) == -ETIMEDOUT)
        cv_tester_answer_fail(stream->answer, "no answer within %lld ms",
                              (long long)stream->timeout);
    return &stream->answer->seen;
}

static bool has_more(const covey_test_stream *stream)
{
    return stream->answer->body.len > stream->read_at;
}

ssize_t covey_test_read(covey_test_stream *stream, void *to, size_t cap)
{
    const struct cv_tester_answer *answer = stream->answer;
    int rc = has_more(stream) ? 0 : wait_for(stream, has_more);
    if (rc < 0)
        return rc;
    size_t n = answer->body.len - stream->read_at;
    if (n == 0)
        return answer->state == CV_TESTER_WHOLE ? 0 : -ECONNRESET;
    if (n > cap)
        n = cap;
    memcpy(to, answer->body.at + stream->read_at, n);
    stream->read_at += n;
    return (ssize_t)n;
}

const struct covey_test_answer *covey_test_finish(covey_test_stream *stream)
{
    if (stream->error == 0 && end_body(stream) == -EINVAL)
        cv_tester_answer_fail(stream->answer, "%llu bytes of the request's body were not sent",
                              (unsigned long long)stream->left);
    return conclude(stream);
}

void covey_test_leave(covey_test_stream *stream)
{
    covey_test *t = stream->test;
    free_stream(stream);
    if (t != NULL && cv_tester_refuse(t) == NULL)
        (void)!cv_tester_turn(t, 0);
}

/* ---- Cookies ---- */

const char *covey_test_cookie(const covey_test *t, const char *name)
{
    return cv_jar_find(&t->jar, name, time(NULL));
}

int covey_test_set_cookie(covey_test *t, const char *name, const char *value)
{
    if (!t->is_serving)
        return -EIO;
    if (value != NULL)
        return cv_jar_set(&t->jar, name, value);
    cv_jar_drop(&t->jar, name);
    return 0;
}
