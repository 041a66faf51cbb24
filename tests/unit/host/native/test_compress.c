/* Which answers are compressed, and what is said of it. */
#include "rig.h"

#include "base/num.h"

#define TEXT_LEN 3000

static char text[200001];
static _Atomic int last_code;

static int long_text(covey_req *req)
{
    covey_set_header(req, "ETag", "\"1\"");
    return covey_bytes(req, 200, "text/plain", text, TEXT_LEN);
}

static int very_long(covey_req *req)
{
    return covey_text(req, 200, text);
}

static int taken(covey_req *req)
{
    return covey_bytes_take(req, 200, "text/plain", strndup(text, TEXT_LEN), TEXT_LEN, free);
}

static int64_t number(covey_req *req, const char *name, int64_t otherwise)
{
    const char *given = covey_query(req, name);
    if (given != NULL)
        (void)!cv_num_i64(cv_span_str(given), &otherwise);
    return otherwise;
}

static int of_type(covey_req *req)
{
    const char *name = covey_query(req, "name");
    if (name != NULL && covey_set_header(req, name, covey_query(req, "value")) < 0)
        return -EIO;
    return covey_bytes(req, (int)number(req, "status", 200), covey_query(req, "type"), text,
                       TEXT_LEN);
}

static int noise(covey_req *req)
{
    static unsigned char bytes[4000];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
    return covey_bytes(req, 200, "text/plain", bytes, sizeof(bytes));
}

static int short_text(covey_req *req)
{
    return covey_text(req, 200, "short");
}

static int streamed(covey_req *req)
{
    int rc = covey_respond(req, 200, .type = "text/plain");
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = covey_send(req, text, TEXT_LEN);
    return rc;
}

static int with_length(covey_req *req)
{
    int64_t length = number(req, "length", 0);
    covey_respond(req, 200, .type = "text/plain", .length = length);
    last_code = covey_send(req, text, TEXT_LEN);
    int rc = covey_end(req);
    if (last_code == 0)
        last_code = rc;
    return 0;
}

static int events(covey_req *req)
{
    int rc = covey_sse_begin(req);
    return rc == 0 ? covey_sse_send(req, text) : rc;
}

static int validated(covey_req *req)
{
    int rc = covey_validate(req, "1", 0);
    return rc != 0 ? rc : covey_bytes(req, 200, "text/plain", text, TEXT_LEN);
}

static int setup(covey_app *app)
{
    covey_get(app, "/validated", validated, .compress = 1);
    covey_get(app, "/plain", validated);
    covey_get(app, "/text", long_text, .compress = 1);
    covey_get(app, "/very-long", very_long, .compress = 1);
    covey_get(app, "/taken", taken, .compress = 1);
    covey_get(app, "/type", of_type, .compress = 1);
    covey_get(app, "/noise", noise, .compress = 1);
    covey_get(app, "/short", short_text, .compress = 1);
    covey_get(app, "/streamed", streamed, .compress = 1);
    covey_get(app, "/with-length", with_length, .compress = 1);
    covey_get(app, "/events", events, .compress = 1);
    covey_get(app, "/by-setting", long_text);
    covey_get(app, "/never", long_text, .compress = COVEY_OFF);
    return 0;
}

static struct rig rig;

static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + i % 7);
    rig_init(&rig, setup);
    rig_start(&rig);
    return 0;
}

static int start_on(void **state)
{
    setenv("RIG_COMPRESS", "true", 1);
    setenv("RIG_COMPRESS_MIN_SIZE", "3", 1);
    setenv("RIG_COMPRESS_TYPES", "image/png", 1);
    setenv("RIG_COMPRESS_ZSTD_LEVEL", "0", 1);
    return start(state);
}

static int stop(void **state)
{
    (void)state;
    unsetenv("RIG_COMPRESS");
    unsetenv("RIG_COMPRESS_MIN_SIZE");
    unsetenv("RIG_COMPRESS_TYPES");
    unsetenv("RIG_COMPRESS_ZSTD_LEVEL");
    rig_stop(&rig);
    return 0;
}

static const char *ask(const char *target, const char *codings)
{
    char line[256], fields[256] = "";
    snprintf(line, sizeof(line), "GET %s", target);
    if (codings != NULL)
        snprintf(fields, sizeof(fields), "Accept-Encoding: %s\r\n", codings);
    return rig_ask(&rig, line, fields, NULL);
}

/* Whether a chunked answer comes to its end; what is in it are no strings. */
static bool is_whole(const char *target)
{
    static const char end[] = "\r\n0\r\n\r\n";
    char bytes[65536], request[256];
    size_t len = 0;
    ssize_t n;
    int fd = rig_connect(&rig);
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n",
             target);
    rig_send(fd, request);
    while ((n = recv(fd, bytes + len, sizeof(bytes) - len, 0)) > 0)
        len += (size_t)n;
    close(fd);
    return len >= strlen(end) && memcmp(bytes + len - strlen(end), end, strlen(end)) == 0;
}

static void test_what_is_not_compressed(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "/type?type=image/png",
        "/type?type=application/octet-stream",
        "/type?type=text/plain&name=Content-Encoding&value=x",
        "/type?type=text/plain&name=Content-Range&value=x",
        "/type?type=text/plain&name=Content-Digest&value=x",
        "/type?type=text/plain&name=Cache-Control&value=max-age=1,%20no-transform",
        "/type?type=text/plain&status=206",
        "/type?type=text/plain&status=204",
        "/type?type=text/event-stream",
        "/short",
        "/events",
        "/by-setting",
        "/never",
        "/nowhere",
    };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        const char *answer = ask(targets[i], "gzip, br, zstd");
        assert_lacks(answer, "Content-Encoding: gzip");
        assert_lacks(answer, "Content-Encoding: br");
        assert_lacks(answer, "Content-Encoding: zstd");
        assert_lacks(answer, "Vary: Accept-Encoding");
    }
}

static void test_who_does_not_take_it_is_told_that_it_varies(void **state)
{
    (void)state;
    static const char *const codings[] = {
        NULL, "", "identity", "gzip;q=0", "deflate", "gzip;q=x", "gzip;q=0.5, identity"};
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        const char *answer = ask("/text", codings[i]);
        assert_lacks(answer, "Content-Encoding");
        assert_has(answer, "Vary: Accept-Encoding\r\n");
        assert_has(answer, "ETag: \"1\"\r\n");
        assert_has(answer, "Content-Length: 3000\r\n");
    }
    assert_lacks(ask("/noise", "gzip"), "Content-Encoding");
}

static void test_what_is_compressed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* the encoder is used again */
        const char *answer = ask("/text", "gzip");
        assert_status(answer, 200);
        assert_has(answer, "Content-Encoding: gzip\r\n");
        assert_has(answer, "Vary: Accept-Encoding\r\n");
        assert_has(answer, "ETag: W/\"1\"\r\n");
        assert_lacks(answer, "Content-Length: 3000");
        assert_lacks(answer, "abcdefgabcdefgabcdefg");
    }
    assert_has(ask("/text", "gzip;q=0.5, br"), "Content-Encoding: br\r\n");
    assert_has(ask("/text", "gzip, br, zstd"), "Content-Encoding: zstd\r\n");
    assert_has(ask("/very-long", "gzip"), "Content-Encoding: gzip\r\n");
    assert_has(ask("/taken", "*"), "Content-Encoding: zstd\r\n");
    assert_has(ask("/type?type=application/problem%2Bjson", "gzip"), "Content-Encoding: gzip\r\n");
    assert_has(ask("/type?type=TEXT/HTML;charset=utf-8", "gzip"), "Content-Encoding: gzip\r\n");
}

static void test_vary_is_added_to(void **state)
{
    (void)state;
    const char *answer = ask("/type?type=text/plain&name=Vary&value=Cookie", "gzip");
    assert_has(answer, "Vary: Cookie\r\n");
    assert_has(answer, "Vary: Accept-Encoding\r\n");
    answer = ask("/type?type=text/plain&name=Vary&value=Cookie,%20accept-encoding", "gzip");
    assert_lacks(answer, "Vary: Accept-Encoding");
    answer = ask("/type?type=text/plain&name=Vary&value=*", "gzip");
    assert_lacks(answer, "Vary: Accept-Encoding");
}

static void test_what_has_not_changed_has_the_fields_of_what_was_sent(void **state)
{
    (void)state;
    const char *fields = "Accept-Encoding: gzip\r\nIf-None-Match: W/\"1\"\r\n";
    const char *answer = rig_ask(&rig, "GET /validated", fields, NULL);
    assert_status(answer, 304);
    assert_has(answer, "Vary: Accept-Encoding\r\n");
    assert_has(answer, "ETag: W/\"1\"\r\n");
    answer = rig_ask(&rig, "GET /validated", "If-None-Match: \"1\"\r\n", NULL);
    assert_status(answer, 304);
    assert_has(answer, "Vary: Accept-Encoding\r\n");
    assert_has(answer, "ETag: \"1\"\r\n");
    answer = rig_ask(&rig, "GET /plain", fields, NULL);
    assert_lacks(answer, "Vary");
    assert_has(answer, "ETag: \"1\"\r\n");
}

static void test_head_says_what_get_would(void **state)
{
    (void)state;
    const char *answer = rig_ask(&rig, "HEAD /text", "Accept-Encoding: gzip\r\n", NULL);
    assert_has(answer, "Content-Encoding: gzip\r\n");
    assert_body(answer, "");
    answer = rig_ask(&rig, "HEAD /streamed", "Accept-Encoding: gzip\r\n", NULL);
    assert_has(answer, "Content-Encoding: gzip\r\n");
    assert_body(answer, "");
}

static void test_streamed_answers(void **state)
{
    (void)state;
    const char *answer = ask("/streamed", "gzip");
    assert_has(answer, "Content-Encoding: gzip\r\n");
    assert_has(answer, "Transfer-Encoding: chunked\r\n");
    answer = ask("/with-length?length=3000", "gzip");
    assert_has(answer, "Content-Encoding: gzip\r\n");
    assert_has(answer, "Transfer-Encoding: chunked\r\n");
    assert_true(is_whole("/with-length?length=3000"));
    assert_int_equal(last_code, 0);
    assert_lacks(ask("/with-length?length=3000", NULL), "Content-Encoding");
}

static void test_a_length_is_held_to(void **state)
{
    (void)state;
    assert_false(is_whole("/with-length?length=3001"));
    assert_int_equal(last_code, -EIO);
    assert_false(is_whole("/with-length?length=2999"));
    assert_int_equal(last_code, -EMSGSIZE);
}

static void test_settings(void **state)
{
    (void)state;
    assert_lacks(ask("/by-setting", "gzip"), "Content-Encoding");
    const char *answer = ask("/type?type=image/png", "gzip;q=0.5, zstd");
    assert_has(answer, "Content-Encoding: gzip\r\n");
}

#define TEST(name, start) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_not_compressed, start),
        TEST(test_who_does_not_take_it_is_told_that_it_varies, start),
        TEST(test_what_is_compressed, start),
        TEST(test_vary_is_added_to, start),
        TEST(test_what_has_not_changed_has_the_fields_of_what_was_sent, start),
        TEST(test_head_says_what_get_would, start),
        TEST(test_streamed_answers, start),
        TEST(test_a_length_is_held_to, start),
        TEST(test_settings, start_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
