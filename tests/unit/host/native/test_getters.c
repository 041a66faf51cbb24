/* What a handler is given: path, parameters, query, fields, body, memory, contexts. */
#include "rig.h"

static char order[64];
static _Atomic int n_deferred;

static void note(void *arg)
{
    size_t len = strlen(order);
    snprintf(order + len, sizeof(order) - len, "%s", (const char *)arg);
    n_deferred++;
}

static int line(covey_req *req)
{
    return covey_textf(req, 200, "%s %s", covey_method(req), covey_path(req));
}

static int params(covey_req *req)
{
    const char *absent = covey_param(req, "absent");
    return covey_textf(req, 200, "%s|%s|%lld|%s|%lld", covey_param(req, "s"), covey_param(req, "i"),
                       (long long)covey_param_int(req, "i"), absent != NULL ? absent : "NULL",
                       (long long)covey_param_int(req, "s"));
}

static int rest(covey_req *req)
{
    return covey_text(req, 200, covey_param(req, "rest"));
}

static int query(covey_req *req)
{
    char *all = covey_sprintf(req, "%s", "");
    const char *name, *value;
    for (size_t at = 0; covey_query_next(req, &at, &name, &value);)
        all = covey_sprintf(req, "%s[%s=%s]", all, name, value);
    const char *a = covey_query(req, "a");
    return covey_textf(req, 200, "%s %s", a != NULL ? a : "NULL", all);
}

static int header(covey_req *req)
{
    const char *value = covey_header(req, covey_query(req, "name"));
    return covey_textf(req, 200, "%s", value != NULL ? value : "NULL");
}

static int fields(covey_req *req)
{
    char *all = covey_sprintf(req, "%s", "");
    const char *name, *value;
    for (size_t at = 0; covey_header_next(req, &at, &name, &value);)
        all = covey_sprintf(req, "%s[%s=%s]", all, name, value);
    /* Strings stay as they are, whatever was asked for before. */
    return covey_textf(req, 200, "%s %s %s %s", all, covey_method(req), covey_path(req),
                       covey_header(req, "host"));
}

static int body(covey_req *req)
{
    size_t len = 99;
    const char *at = covey_body(req, &len);
    if (at == NULL)
        return covey_textf(req, 200, "none %zu", len);
    return covey_textf(req, 200, "%zu %s %d", len, at, at[len] == '\0');
}

/* All of the body but its first and last byte; or a copy of it, which is gone when it is sent. */
static int middle(covey_req *req)
{
    size_t len;
    const char *at = covey_body(req, &len);
    if (covey_query(req, "copy") == NULL)
        return covey_bytes(req, 200, NULL, at + 1, len - 2);
    char copy[64];
    memcpy(copy, at, len);
    int rc = covey_bytes(req, 200, NULL, copy + 1, len - 2);
    memset(copy, '?', len);
    return rc;
}

static int read_collected(covey_req *req)
{
    char all[64] = "", piece[4];
    ssize_t n;
    size_t len = 0;
    while ((n = covey_body_read(req, piece, sizeof(piece))) > 0) {
        memcpy(all + len, piece, (size_t)n);
        len += (size_t)n;
    }
    return covey_textf(req, 200, "%zd %s", n, all);
}

static int ip(covey_req *req)
{
    return covey_text(req, 200, covey_client_ip(req));
}

static int memory(covey_req *req)
{
    char *big = covey_alloc(req, 1 << 20);
    memset(big, 'x', 1 << 20);
    static char a[] = "a", b[] = "b", c[] = "c";
    covey_defer(req, note, a);
    covey_defer(req, note, b);
    covey_defer(req, note, c);
    covey_set_ctx(req, big);
    return covey_ctx(req) == big && covey_app_ctx(covey_app_of(req)) == order
               ? covey_text(req, 200, order)
               : -EIO;
}

static int contexts(covey_req *req)
{
    static char one[] = "one", two[] = "two";
    char name[] = "session";
    bool ok = covey_ctx_of(req, "session") == NULL && covey_set_ctx_of(req, name, one) == 0;
    name[0] = 'S'; /* it was copied */
    ok &= covey_set_ctx_of(req, "trace", one) == 0 && covey_set_ctx_of(req, "trace", two) == 0;
    ok &= covey_ctx_of(req, "session") == one && covey_ctx_of(req, "trace") == two;
    ok &= covey_ctx(req) == NULL && covey_ctx_of(req, "Session") == NULL;
    ok &= covey_set_ctx_of(req, NULL, one) == -EINVAL && covey_ctx_of(req, NULL) == NULL;
    return ok ? covey_text(req, 200, "each has its own") : -EIO;
}

static int setup(covey_app *app)
{
    covey_app_set_ctx(app, order);
    covey_get(app, "/contexts", contexts);
    covey_get(app, "/line/<rest:path>", line);
    covey_route(app, "BREW", "/line/<rest:path>", line);
    covey_get(app, "/p/<s>/<i:int>", params);
    covey_get(app, "/rest/<rest:path>", rest);
    covey_get(app, "/query", query);
    covey_get(app, "/header", header);
    covey_get(app, "/fields", fields);
    covey_route(app, "GET POST", "/body", body, .body_max = 100);
    covey_post(app, "/unlimited", body, .body_max = COVEY_OFF);
    covey_post(app, "/default", body);
    covey_post(app, "/collected", read_collected);
    covey_post(app, "/middle", middle);
    covey_get(app, "/ip", ip);
    covey_get(app, "/memory", memory);
    return 0;
}

static struct rig rig;

static int start(void **state)
{
    (void)state;
    order[0] = '\0';
    n_deferred = 0;
    rig_init(&rig, setup);
    rig.config.server.limits.body_max = 1000;
    rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void test_a_body_past_its_limit_is_a_413(void **state)
{
    (void)state;
    char big[1102];
    memset(big, 'x', sizeof(big));
    big[1101] = '\0';
    assert_status(rig_ask(&rig, "POST /body", "", big + 1000), 413);
    assert_status(rig_ask(&rig, "POST /body", "", big + 1001), 200);
    assert_status(rig_ask(&rig, "POST /default", "", big + 100), 413);
    assert_status(rig_ask(&rig, "POST /default", "", big + 101), 200);
    assert_status(rig_ask(&rig, "POST /unlimited", "", big), 200);
}

static void test_method_and_decoded_path(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/line/a%20b/%2F?x=1"), "GET /line/a b//");
    assert_body(rig_get(&rig, "/line/a?x=1"), "GET /line/a");
    assert_body(rig_ask(&rig, "BREW /line/a", "", NULL), "BREW /line/a");
    assert_body(rig_get(&rig, "http://x/line/b?y"), "GET /line/b");
    assert_status(rig_ask(&rig, "HEAD /line/a", "", NULL), 200);
}

static void test_parameters(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/p/x%2fy/-42"), "x/y|-42|-42|NULL|0");
    assert_body(rig_get(&rig, "/p/12/9223372036854775807"),
                "12|9223372036854775807|9223372036854775807|NULL|12");
    assert_body(rig_get(&rig, "/rest/a/b%20c"), "a/b c");
}

static void test_query_arguments(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/query"), "NULL ");
    assert_body(rig_get(&rig, "/query?"), "NULL ");
    assert_body(rig_get(&rig, "/query?a=1&b&a=2&&c=x%26y+z&=v"), "1 [a=1][b=][a=2][c=x&y z][=v]");
    assert_body(rig_get(&rig, "/query?%61=%C3%A9"), "\xc3\xa9 [a=\xc3\xa9]");
}

static void test_header_fields(void **state)
{
    (void)state;
    assert_body(rig_ask(&rig, "GET /header?name=X-One", "x-one:  1 2  \r\n", NULL), "1 2");
    assert_body(rig_ask(&rig, "GET /header?name=X-Two", "", NULL), "NULL");
    assert_body(
        rig_ask(&rig, "GET /header?name=x-a", "X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-a: \r\n", NULL),
        "1, 3, ");
    assert_body(rig_ask(&rig, "GET /header?name=cookie", "Cookie: a=1\r\nCookie: b=2\r\n", NULL),
                "a=1; b=2");
    assert_body(rig_ask(&rig, "GET /fields", "X-A: 1\r\nX-B:\r\n", NULL),
                "[Host=x][Connection=close][X-A=1][X-B=] GET /fields x");
}

static void test_whole_bodies(void **state)
{
    (void)state;
    assert_body(rig_ask(&rig, "POST /body", "", "hello"), "5 hello 1");
    assert_body(rig_ask(&rig, "POST /body", "", ""), "none 0");
    assert_body(rig_get(&rig, "/body"), "none 0");
    assert_body(rig_ask(&rig, "POST /body",
                        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n", NULL),
                "5 abcde 1");
    assert_body(rig_ask(&rig, "POST /collected", "", "0123456789"), "0 0123456789");
}

static void test_a_part_of_the_body_is_an_answer_as_any_other_bytes_are(void **state)
{
    const char *chunked = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n";
    (void)state;
    assert_body(rig_ask(&rig, "POST /middle", "", "hello"), "ell");
    assert_body(rig_ask(&rig, "POST /middle?copy", "", "hello"), "ell");
    assert_body(rig_ask(&rig, "POST /middle", chunked, NULL), "bcd");
    assert_body(rig_ask(&rig, "POST /middle?copy", chunked, NULL), "bcd");
    assert_body(rig_ask(&rig, "POST /middle", "", "ab"), "");
}

static void test_the_clients_address(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/ip"), "127.0.0.1");
}

static void test_deferred_calls_run_in_reverse_after_the_handler(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/memory"), "");
    rig_until(n_deferred == 3);
    assert_string_equal(order, "cba");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

static void test_named_contexts(void **state)
{
    (void)state;
    assert_body(rig_get(&rig, "/contexts"), "each has its own");
    assert_body(rig_get(&rig, "/contexts"), "each has its own"); /* none is left of the first */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_body_past_its_limit_is_a_413),
        TEST(test_method_and_decoded_path),
        TEST(test_parameters),
        TEST(test_query_arguments),
        TEST(test_header_fields),
        TEST(test_whole_bodies),
        TEST(test_a_part_of_the_body_is_an_answer_as_any_other_bytes_are),
        TEST(test_the_clients_address),
        TEST(test_deferred_calls_run_in_reverse_after_the_handler),
        TEST(test_named_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
