/* What the workers of test_faults.c serve, and the conversations they have. */
#ifndef TEST_NATIVE_TALKS_H
#define TEST_NATIVE_TALKS_H

#include "unit/host/native/talk.h"

#include <covey/covey.h>

#include <errno.h>
#include <stdlib.h>

/* The working directory, with a file of either kind: kept in memory, sent by the kernel. */
static char talks_folder[] = "/tmp/covey-faults-XXXXXX";
#define TALKS_SMALL 2000
#define TALKS_LARGE 100000

/* ---- The app ---- */

static int hello(covey_req *req)
{
    return covey_textf(req, 200, "Hello, %s!", covey_query(req, "name"));
}

static int echo(covey_req *req)
{
    size_t len = 0;
    const void *body = covey_body(req, &len);
    return covey_bytes(req, 200, "text/plain", body, len);
}

static int echo_stream(covey_req *req)
{
    char piece[4000];
    ssize_t n = covey_body_read(req, piece, sizeof(piece));
    int rc = n > 0 ? covey_respond(req, 200, .type = "text/plain") : (int)n;
    while (rc == 0 && n > 0) {
        rc = covey_send(req, piece, (size_t)n);
        n = rc == 0 ? covey_body_read(req, piece, sizeof(piece)) : rc;
    }
    return (int)n;
}

static int spooled(covey_req *req)
{
    char body[2000];
    size_t len = 0;
    ssize_t n;
    while ((n = covey_body_read(req, body + len, sizeof(body) - len)) > 0)
        len += (size_t)n;
    int fd = n < 0 ? (int)n : covey_body_file(req);
    return fd < 0 ? fd : covey_bytes(req, 200, "text/plain", body, len);
}

static int lent(covey_req *req)
{
    char *bytes = malloc(40000);
    if (bytes == NULL)
        return -ENOMEM;
    memset(bytes, 'x', 40000);
    return covey_bytes_take(req, 200, "text/plain", bytes, 40000, free);
}

static int pieces(covey_req *req)
{
    static const char piece[10000];
    int rc = covey_respond(req, 200, .length = 20 * (int64_t)sizeof(piece));
    for (int i = 0; i < 20 && rc == 0; i++)
        rc = covey_send(req, piece, sizeof(piece));
    return rc;
}

static int slow(covey_req *req)
{
    int rc = covey_sleep_ms(100);
    return rc < 0 ? rc : covey_text(req, 200, "slow");
}

static int file(covey_req *req)
{
    return covey_file(req, covey_route_pattern(req)[1] == 'l' ? "large" : "small");
}

/* A field, a file on disk and one in memory, and what the head says. */
static int form(covey_req *req)
{
    const struct covey_upload *long_one = covey_upload(req, "long");
    const struct covey_upload *short_one = covey_upload(req, "short");
    const struct covey_conn_info *info = covey_conn_info(req);
    const char *cookie = covey_cookie(req, "id");
    const char *token = covey_token(req);
    if (long_one == NULL || short_one == NULL)
        return covey_fail(req, 400, "no files");
    if (cookie == NULL || token == NULL || info == NULL)
        return -ENOMEM;
    int rc = covey_upload_file(req, short_one);
    if (rc >= 0)
        rc = covey_upload_file(req, long_one);
    if (rc < 0)
        return rc;
    return covey_textf(req, 200, "%s %lld %s %s %s", covey_form(req, "a"), (long long)long_one->len,
                       (const char *)short_one->bytes, cookie, token);
}

static int body_json(covey_req *req)
{
    struct json_t *json;
    int rc = covey_body_json(req, &json);
    return rc < 0 ? rc : covey_text(req, 200, "JSON");
}

static int parts(covey_req *req)
{
    const struct covey_part *part;
    char bytes[100], text[200];
    size_t len = 0;
    int rc;
    while ((rc = covey_part_next(req, &part)) == 1) {
        ssize_t n = covey_part_read(req, bytes, sizeof(bytes));
        if (n < 0)
            return (int)n;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s;", part->name);
    }
    return rc < 0 ? rc : covey_text(req, 200, text);
}

static int nothing(covey_app *app)
{
    (void)app;
    return covey_sleep_ms(1);
}

/* ---- A blueprint ---- */

/* Counts the requests of its connection. */
static int count(covey_req *req)
{
    int *n = covey_conn_ctx(req);
    int rc = 0;
    if (n == NULL) {
        n = calloc(1, sizeof(*n));
        rc = n != NULL ? covey_conn_set_ctx(req, n, free) : -ENOMEM;
        if (rc < 0)
            free(n);
    }
    return rc < 0 ? rc : covey_text(req, 200, ++*n > 0 ? "counted" : "not");
}

static int note(covey_app *bp, const struct covey_signal_event *event)
{
    (void)bp;
    return event->data != NULL ? covey_sleep_ms(1) : 0;
}

static int tell(covey_req *req)
{
    char *text = malloc(2);
    if (text == NULL)
        return -ENOMEM;
    int rc = covey_dispatch(covey_blueprint_of(req), "a.b.c", .data = text);
    if (rc == 0)
        rc = covey_dispatch(covey_app_of(req), "a.b.d", .data = text, .background = true,
                            .release = free);
    else
        free(text);
    if (rc == 0)
        rc = covey_wait_signal(covey_app_of(req), "a.b.*", .timeout = 60000);
    return rc < 0 ? rc : covey_text(req, 200, "told");
}

static void tick(void *arg)
{
    (void)arg;
}

static int tasks(covey_req *req)
{
    covey_app *app = covey_app_of(req);
    int rc = covey_add_task(app, tick, .name = "late", .delay = 60000);
    if (rc == 0)
        rc = covey_add_task(app, tick, .name = "tick", .every = 1);
    if (rc == 0)
        rc = covey_sleep_ms(5);
    (void)covey_cancel_task(app, "late");
    (void)covey_cancel_task(app, "tick");
    return rc < 0 ? rc : covey_text(req, 200, "done");
}

static int pass(covey_req *req)
{
    return covey_set_header(req, "X-Passed", "yes");
}

static int instead(covey_req *req)
{
    int rc = covey_reset_response(req);
    return rc < 0 ? rc : covey_text(req, 200, "instead");
}

static int explain(covey_req *req)
{
    return covey_textf(req, covey_error_status(req), "%s", covey_error_text(req));
}

static int part(covey_app *bp)
{
    covey_listener(bp, COVEY_BEFORE_SERVER_START, nothing);
    covey_middleware(bp, COVEY_REQUEST, pass, .priority = 1);
    covey_middleware(bp, COVEY_RESPONSE, instead, .routes = "other");
    covey_on_error(bp, COVEY_CLIENT_ERROR, explain);
    covey_signal(bp, "a.b.<c>", note, .condition = "x", .exclusive = COVEY_OFF);
    covey_get(bp, "/count", count, .name = "count");
    covey_get(bp, "/other", count, .name = "other");
    covey_get(bp, "/tell", tell);
    covey_get(bp, "/tasks", tasks);
    covey_post(bp, "/echo", echo, .body_max = 5);
    return 0;
}

static int setup(covey_app *app)
{
    covey_app *first = covey_blueprint(app, "part", part, .prefix = "/part", .host = "x");
    covey_blueprint(first, "copy", .prefix = "/inner");
    covey_blueprint(app, "copy", .copy_of = first, .prefix = "/copy");
    covey_listener(app, COVEY_BEFORE_SERVER_START, nothing);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, nothing);
    covey_get(app, "/hello", hello);
    covey_post(app, "/echo", echo, .body_max = 5000);
    covey_post(app, "/stream", echo_stream, .stream = true);
    covey_post(app, "/spooled", spooled, .spool_above = 1000);
    covey_get(app, "/lent", lent);
    covey_get(app, "/pieces", pieces);
    covey_get(app, "/slow", slow);
    covey_get(app, "/late", slow, .response_timeout = 10);
    covey_get(app, "/small", file);
    covey_get(app, "/large", file);
    covey_static(app, "/files", talks_folder);
    covey_post(app, "/form", form, .form = true, .spool_above = 100);
    covey_post(app, "/parts", parts, .stream = true);
    covey_post(app, "/json", body_json, .stream = true);
    return 0;
}

/* With all of covey's own signals. */
static int setup_heard(covey_app *app)
{
    covey_signal(app, "http.lifecycle.<what>", note);
    covey_signal(app, "http.handler.<when>", note);
    covey_signal(app, "server.init.before", note);
    return setup(app);
}

/* ---- Conversations ---- */

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"
#define FOUR(text) text text text text
#define FILL(n) FOUR(FOUR(FOUR(FOUR(n))))
#define PAGE FILL("0123") /* 1,024 bytes */

static const struct talk_act life[] = {
    OPEN(0), SAY(0, GET("/hello?name=you")), HEAR(0, 1, 200), STOP, ENDED(0), {TALK_END}};

static const struct talk_act kept[] = {
    OPEN(0),         SAY(0, GET("/hello?name=a%20b")),
    HEAR(0, 1, 200), SAY(0, GET("/nowhere")),
    HEAR(0, 2, 404), SAY(0, "\r\nGET /hello HTTP/1.1\r\n"),
    NAP(10),         SAY(0, "Host: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
    HEAR(0, 3, 200), SAY(0, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
    HEAR(0, 4, 204), SAY(0, "GET /hello HTTP/1.0\r\n\r\n"),
    ENDED(0),        {TALK_END}};

static const struct talk_act pipelined[] = {
    OPEN(0),
    SAY(0,
        FOUR(GET("/hello") GET("/slow") GET("/lent")) "POST /echo HTTP/1.1\r\nHost: x\r\n"
                                                      "Content-Length: 3\r\n\r\nabc" GET("/hello")),
    HEAR(0, 14, 200),
    {TALK_END}};

static const struct talk_act bodies[] = {
    OPEN(0),
    SAY(0, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n" PAGE),
    HEAR(0, 1, 200),
    SAY(0, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"),
    NAP(10),
    SAY(0, "cde"),
    HEAR(0, 2, 200),
    SAY(0,
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nabcde\r\n4"),
    NAP(10),
    SAY(0, "00\r\n" PAGE "\r\n0\r\nTrailer: x\r\n\r\n" GET("/hello")),
    HEAR(0, 4, 200),
    SAY(0, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
    HEAR(0, 5, 100),
    SAY(0, "abc"),
    HEAR(0, 6, 200),
    SAY(0, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n"),
    HEAR(0, 7, 405),
    SAY(0, PAGE GET("/hello")),
    HEAR(0, 8, 200),
    {TALK_END}};

static const struct talk_act streams[] = {
    OPEN(0),
    SAY(0, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2048\r\n\r\n" PAGE),
    NAP(10),
    SAY(0, PAGE),
    HEAR(0, 1, 200),
    SAY(0, "POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
           "Expect: 100-continue\r\n\r\n"),
    HEAR(0, 2, 100),
    SAY(0, "400\r\n" PAGE "\r\n0\r\n\r\n"),
    HEAR(0, 3, 200),
    SAY(0, GET("/pieces")),
    HEAR(0, 4, 200),
    OPEN(1),
    SAY(1, "POST /stream HTTP/1.0\r\nContent-Length: 1024\r\n\r\n" PAGE),
    ENDED(1),
    {TALK_END}};

static const struct talk_act on_disk[] = {
    OPEN(0),
    SAY(0, "POST /spooled HTTP/1.1\r\nHost: x\r\nContent-Length: 1027\r\n\r\nabc"),
    NAP(10),
    SAY(0, PAGE),
    SAY(0, "POST /spooled HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
    HEAR(0, 2, 200),
    {TALK_END}};

static const struct talk_act files[] = {
    OPEN(0),
    SAY(0, GET("/small")),
    HEAR(0, 1, 200),
    SAY(0, GET("/files/small") GET("/files/none") GET("/files/large")),
    HEAR(0, 4, 200),
    SAY(0, "GET /large HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99,500-599,-10\r\n\r\n"),
    HEAR(0, 5, 206),
    SAY(0, "GET /small HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: Sun, 06 Nov 2044 08:49:37 "
           "GMT\r\n\r\n"),
    HEAR(0, 6, 304),
    NAP(5000),
    SAY(0, GET("/files/small")),
    HEAR(0, 7, 200),
    {TALK_END}};

#define PART(head, data) "--b\r\nContent-Disposition: form-data; " head "\r\n\r\n" data "\r\n"
#define A_FORM                                                                                     \
    PART("name=a", "1")                                                                            \
    PART("name=long; filename=l", PAGE) PART("name=short; filename=s", "short") "--b--\r\n"

static const struct talk_act forms[] = {
    OPEN(0),
    SAY(0, "POST /form HTTP/1.1\r\nHost: x\r\nCookie: id=7\r\nAuthorization: Bearer t\r\n"
           "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
           "4bf\r\n" A_FORM "\r\n0\r\n\r\n"),
    HEAR(0, 1, 200),
    SAY(0, "POST /parts HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
           "Content-Length: 1215\r\n\r\n" A_FORM),
    HEAR(0, 2, 200),
    SAY(0, "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
           "Content-Length: 5\r\n\r\n--b--"),
    HEAR(0, 3, 400),
    SAY(0, "POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"a\": [1, 2]}"),
    HEAR(0, 4, 200),
    {TALK_END}};

static const struct talk_act parts_of_it[] = {
    OPEN(0),
    SAY(0, GET("/part/count") GET("/copy/count") GET("/copy/other")),
    HEAR(0, 3, 200),
    SAY(0, GET("/part/count?%")),
    HEAR(0, 4, 400),
    OPEN(1),
    SAY(1, "POST /part/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nabc"),
    HEAR(1, 1, 413),
    SAY(1, "defgh"),
    SHUT(1),
    ENDED(1),
    OPEN(2),
    SAY(2, "POST /part/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc"),
    OPEN(3),
    SAY(3, GET("/part/tell") GET("/part/tasks")),
    HEAR(3, 2, 200),
    LEAVE(3), /* or its KEEP_ALIVE_TIMEOUT races with the REQUEST_TIMEOUT of the other */
    HEAR(2, 1, 408),
    ENDED(2),
    {TALK_END}};

static const struct talk_act heads[] = {
    OPEN(0),
    SAY(0, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nHEAD /large HTTP/1.1\r\nHost: x\r\n\r\n"),
    HEAR(0, 2, 200),
    SAY(0, "HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\nHEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\n"),
    HEAR(0, 4, 200),
    {TALK_END}};

static const struct talk_act late[] = {
    OPEN(0),
    OPEN(1),
    OPEN(2),
    OPEN(3),
    SAY(0, "GET / HTTP/1.1\r\nHo"),
    SAY(1, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"),
    SAY(2, "POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    SAY(3, GET("/late")),
    HEAR(3, 1, 503),
    ENDED(0),
    ENDED(1),
    ENDED(2),
    OPEN(4),
    SAY(4, GET("/hello")),
    HEAR(4, 1, 200),
    ENDED(4),
    {TALK_END}};

static const struct talk_act deaf[] = {
    OPEN(0),    DEAF(0),         SAY(0, GET("/large") GET("/lent") GET("/pieces")),
    OPEN(1),    DEAF(1),         SAY(1, GET("/pieces")),
    NAP(10000), HEAR(0, 3, 200), NAP(40000),
    ENDED(1),   {TALK_END}};

static const struct talk_act refused[] = {
    OPEN(0),
    SAY(0, "GARBAGE\r\n\r\n"),
    HEAR(0, 1, 400),
    ENDED(0),
    OPEN(1),
    SAY(1, "GET / HTTP/1.1\r\nHost: x\r\nX: " PAGE PAGE),
    HEAR(1, 1, 431),
    ENDED(1),
    OPEN(2),
    SAY(2, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5001\r\n\r\n" PAGE),
    HEAR(2, 1, 413),
    SHUT(2),
    ENDED(2),
    OPEN(3),
    SAY(3, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
    HEAR(3, 1, 400),
    ENDED(3),
    OPEN(4),
    SAY(4, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"),
    SHUT(4),
    ENDED(4),
    {TALK_END}};

static const struct talk_act leaving[] = {
    OPEN(0),
    SAY(0, GET("/slow")),
    OPEN(1),
    SAY(1, GET("/slow")),
    SHUT(1),
    OPEN(2),
    SAY(2, GET("/pieces")),
    OPEN(3),
    SAY(3, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"),
    NAP(10),
    LEAVE(0),
    LEAVE(2),
    LEAVE(3),
    ENDED(1),
    OPEN(4),
    SAY(4, GET("/hello")),
    SHUT(4),
    ENDED(4),
    {TALK_END}};

#define ASK(client) OPEN(client), SAY(client, GET("/slow") GET("/hello"))
#define GOT(client) HEAR(client, 2, 200)
static const struct talk_act crowd[] = {ASK(0), ASK(1), ASK(2), ASK(3), ASK(4), ASK(5), ASK(6),
                                        ASK(7), ASK(8), ASK(9), GOT(0), GOT(1), GOT(2), GOT(3),
                                        GOT(4), GOT(5), GOT(6), GOT(7), GOT(8), GOT(9), {TALK_END}};

static const struct talk_act drain[] = {OPEN(0),
                                        SAY(0, GET("/slow")),
                                        OPEN(1),
                                        SAY(1, GET("/hello")),
                                        HEAR(1, 1, 200),
                                        NAP(10),
                                        OPEN(2),
                                        SAY(2, GET("/hello")),
                                        STOP,
                                        ENDED(0),
                                        ENDED(1),
                                        ENDED(2),
                                        {TALK_END}};

#endif
