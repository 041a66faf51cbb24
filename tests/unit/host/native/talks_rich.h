/* The other worker of test_faults.c, which uses what the framework has, and its conversations. */
#ifndef TEST_NATIVE_TALKS_RICH_H
#define TEST_NATIVE_TALKS_RICH_H

#include "unit/host/native/talks.h"

static char rich_text[2001];  /* long enough to be compressed */
static bool rich_overwritten; /* what a condition guards */

/* ---- The app ---- */

static const char *rich_setting(void *arg, const char *name)
{
    static const char *const settings[][2] = {{"PROXIES_COUNT", "1"},
                                              {"SERVER_NAME", "https://example.com:8443"},
                                              {"COMPRESS_MIN_SIZE", "100"}};
    (void)arg;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (strcmp(settings[i][0], name) == 0)
            return settings[i][1];
    }
    return NULL;
}

static bool is_own(const char *segment, size_t len)
{
    return len == 2 && segment[0] == 'a';
}

static bool lets_in(covey_app *app, const char *origin)
{
    (void)app;
    return strcmp(origin, "https://b.example") == 0;
}

static int download(covey_req *req)
{
    return covey_file(req, "small", .download = "a\"b", .max_age = 60, .precompressed = true);
}

static int download_plainly(covey_req *req)
{
    return covey_file(req, "small", .download = "small.txt");
}

/* All that is written for the app when it asks. */
static int say(covey_req *req)
{
    const struct covey_conn_info *info = covey_conn_info(req);
    const char *const texts[] = {
        covey_url(req),
        covey_request_id(req),
        covey_server_name(req),
        covey_charset(req),
        covey_header(req, "X-A"),
        covey_accepts(req, "text/html", "text/plain"),
        covey_alloc(req, 100),
        covey_sprintf(req, "%s", covey_remote_addr(req)),
        covey_url_for(req, "own", COVEY_ARGS("a", "ab", "b c", "x y"), .anchor = "top",
                      .external = true),
        covey_url_for(req, "ext", COVEY_ARGS("b", "n", "ext", "tar")),
        covey_url_for(req, "path", COVEY_ARGS("path", "a/b")),
    };
    if (info == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i] == NULL)
            return -ENOMEM;
    }
    return covey_textf(req, 200, "%s %s %s %s %s %s", texts[0], texts[1], texts[4], texts[7],
                       texts[8], texts[9]);
}

static int many(covey_req *req)
{
    return covey_textf(req, 200, "%s %s", covey_query(req, "t"), covey_cookie(req, "t"));
}

static int json_text(covey_req *req)
{
    return covey_jsonf(req, 200, "{s:s}", "text", rich_text);
}

static int cookie_and_redirect(covey_req *req)
{
    int rc = covey_set_cookie(req, "sid", "1", .max_age = 10, .host_prefix = true);
    if (rc == 0)
        rc = covey_set_header(req, "Content-Type", "text/x");
    return rc < 0 ? rc : covey_redirect(req, 302, "/a b");
}

static int events(covey_req *req)
{
    int rc = covey_sse_begin(req);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = covey_sse_send(req, "now", .event = "e", .id = "i");
    return rc;
}

static int packed(covey_req *req)
{
    int rc = covey_set_header(req, "ETag", "\"1\"");
    return rc < 0 ? rc : covey_text(req, 200, rich_text);
}

static int packed_pieces(covey_req *req)
{
    int rc = covey_respond(req, 200, .type = "text/plain");
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = covey_send(req, rich_text, strlen(rich_text));
    return rc;
}

static int guarded(covey_req *req)
{
    int rc = covey_validate(req, "1", 784111777);
    if (rc == 0 && strcmp(covey_method(req), "PUT") == 0)
        rich_overwritten = true;
    return rc != 0 ? rc : covey_text(req, 200, rich_text);
}

static int wrong_request(covey_req *req)
{
    return covey_fail(req, 400, "<&\"'> %s", "\xff");
}

static int field(covey_req *req)
{
    const char *value = covey_form(req, "a");
    return value != NULL ? covey_text(req, 200, value) : covey_fail(req, 400, "no field");
}

static int url_without_request(covey_app *app)
{
    char *url = covey_app_url_for(app, "own", COVEY_ARGS("a", "ab"), .external = true);
    if (url == NULL)
        return -ENOMEM;
    free(url);
    return 0;
}

static int queue(covey_app *app)
{
    (void)app;
    return 0;
}

static int setup_rich(covey_app *app)
{
    static const char *const command[] = {"true", "x", NULL};
    covey_app *bp = covey_blueprint(app, "bp", .prefix = "/bp", .version = "v2", .host = "x",
                                    .version_prefix = "/ver", .error_format = "json");
    memset(rich_text, 'x', sizeof(rich_text) - 1);
    covey_listener(app, COVEY_BEFORE_SERVER_START, url_without_request);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, nothing);
    covey_pattern(app, "own", is_own);
    covey_get(app, "/hello", hello);
    covey_get(app, "/own/<a:own>", say, .name = "own");
    covey_get(app, "/ext/<b:ext=tar|zip>", say, .name = "ext", .version = "1");
    covey_get(app, "/path/<path:path>", say, .name = "path");
    covey_get(app, "/re/<c:[a-z]+>", say);
    covey_get(bp, "/own", say, .name = "own", .host = "x", .version = "3", .error_format = "text");
    covey_blueprint(app, "copy", .copy_of = bp, .prefix = "/copy");
    covey_get(app, "/many", many);
    covey_get(app, "/json", json_text);
    covey_get(app, "/redirect", cookie_and_redirect);
    covey_get(app, "/events", events);
    covey_get(app, "/packed", packed, .compress = 1);
    covey_get(app, "/packed-pieces", packed_pieces, .compress = 1);
    covey_route(app, "GET PUT", "/guarded", guarded, .compress = 1);
    covey_get(app, "/wrong", wrong_request);
    covey_post(app, "/field", field, .form = true);
    covey_get(app, "/download", download);
    covey_get(app, "/download-plainly", download_plainly);
    covey_static(app, "/tree", talks_folder, .index = "index", .listing = true, .name = "tree");
    covey_static(app, "/one", "small", .type = "text/x");
    covey_cors(app, "https://a.example", .allow = lets_in, .headers = "X-A", .max_age = 60);
    covey_manage(app, "queue", queue, .workers = 2);
    covey_manage_command(app, "command", command);
    return 0;
}

/* ---- Conversations ----
 *
 * With those of talks.h, every call in src/app and src/http that takes memory fails in one of them,
 * but for covey_conn_info()'s of an address: these connections have none. */

static const struct talk_act rich_life[] = {
    OPEN(0), SAY(0, GET("/many?t=1")), HEAR(0, 1, 200), STOP, ENDED(0), {TALK_END}};

#define ASKED                                                                                      \
    "Host: x\r\nX-A: 1\r\nX-A: 2\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: h\r\n"         \
    "Accept: text/html;q=0.5, text/plain\r\nContent-Type: text/x; charset=\"u\"\r\n"               \
    "X-Request-ID: 7\r\n\r\n"
#define NAMES(of) of "a" of "b" of "c" of "d" of "e" of "f" of "g" of "h" of "i" of "j"
#define MORE(of) of "k" of "l" of "m" of "n" of "o" of "p" of "q" of "r" of "s" of "t"

static const struct talk_act asked[] = {
    OPEN(0),
    SAY(0, "GET /own/a%62 HTTP/1.1\r\n" ASKED "GET /re/abc HTTP/1.1\r\n" ASKED),
    HEAR(0, 2, 200),
    SAY(0, GET("/own/ab")),
    HEAR(0, 3, 503), /* it asks for what has not come */
    SAY(0, "GET /many?" NAMES("x=1&") MORE("x=2&") "&t=1 HTTP/1.1\r\nHost: x\r\nCookie: " NAMES(
               "y=1; ") MORE("y=2; ") "; t=3\r\n\r\n"),
    HEAR(0, 4, 200),
    SAY(0, GET("/json")),
    HEAR(0, 5, 200),
    SAY(0, GET("/redirect")),
    HEAR(0, 6, 302),
    SAY(0, GET("/events")),
    HEAR(0, 7, 200),
    SAY(0, "PUT /guarded HTTP/1.1\r\nHost: x\r\nIf-Match: \"2\"\r\nIf-Match: \"3\"\r\n\r\n"),
    HEAR(0, 8, 412),
    SAY(0, "POST /field HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
           "Content-Type: application/x-www-form-urlencoded\r\n\r\na=%62"),
    HEAR(0, 9, 200),
    {TALK_END}};

#define FROM(method, more)                                                                         \
    method " /many?t=1 HTTP/1.1\r\nHost: x\r\nOrigin: https://b.example\r\n" more "\r\n"

static const struct talk_act origins[] = {
    OPEN(0),         SAY(0, FROM("GET", "Cookie: t=1\r\n")),
    HEAR(0, 1, 200), SAY(0, FROM("OPTIONS", "Access-Control-Request-Method: GET\r\n")),
    HEAR(0, 2, 204), {TALK_END}};

#define WRONG(accept) "GET /wrong HTTP/1.1\r\nHost: x\r\nAccept: " accept "\r\n\r\n"

/* One by one: the stack that is shown is another for a request that comes with others. */
static const struct talk_act wrongs[] = {OPEN(0),         SAY(0, WRONG("text/html")),
                                         HEAR(0, 1, 400), SAY(0, WRONG("application/json")),
                                         HEAR(0, 2, 400), SAY(0, WRONG("application/problem+json")),
                                         HEAR(0, 3, 400), SAY(0, WRONG("text/plain")),
                                         HEAR(0, 4, 400), {TALK_END}};

static const struct talk_act trees[] = {
    OPEN(0),         SAY(0, GET("/tree")),
    HEAR(0, 1, 301), SAY(0, GET("/one") GET("/download-plainly")),
    HEAR(0, 3, 200), SAY(0, "GET /tree/large HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n"),
    HEAR(0, 4, 206), SAY(0, "GET /tree/large HTTP/1.1\r\nHost: x\r\nRange: bytes=100000-\r\n\r\n"),
    HEAR(0, 5, 416), {TALK_END}};

/* What cannot be compressed is sent as it is, and what has gone meanwhile is not listed: only heads
 * are compared. */
#define HEAD(target, coding)                                                                       \
    "HEAD " target " HTTP/1.1\r\nHost: x\r\nAccept-Encoding: " coding "\r\n\r\n"

static const struct talk_act codings[] = {
    OPEN(0),
    SAY(0, HEAD("/packed", "gzip") HEAD("/packed", "br") HEAD("/packed", "zstd")),
    HEAR(0, 3, 200),
    SAY(0,
        HEAD("/packed-pieces", "gzip") HEAD("/packed-pieces", "br") HEAD("/packed-pieces", "zstd")),
    HEAR(0, 6, 200),
    SAY(0, "HEAD /guarded HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n"
           "If-None-Match: \"1\"\r\n\r\n"),
    HEAR(0, 7, 304),
    SAY(0, HEAD("/download", "gzip") HEAD("/tree/", "gzip")),
    HEAR(0, 9, 200),
    {TALK_END}};

#endif
