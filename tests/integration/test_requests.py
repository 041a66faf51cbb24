"""What requests say of themselves: cookies, credentials, preferences, where they come from."""

import base64
import email.utils
import re

import pytest

import proc
from client import Connection
from harness import sanitized
from server import Server

APP = r"""
#include <jansson.h>
static int cookies(covey_req *req)
{
    char text[4096] = "";
    const char *name, *value;
    size_t len = 0;
    for (size_t at = 0; covey_cookie_next(req, &at, &name, &value);)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%s;", name, value);
    return covey_text(req, 200, text);
}
static int cookie(covey_req *req)
{
    const char *first = covey_cookie(req, "id"), *value;
    char text[4096] = "";
    size_t len = 0;
    for (size_t at = 0; (value = covey_cookie_list(req, "id", &at)) != NULL;)
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", value);
    return covey_textf(req, 200, "%s:%s", first != NULL ? first : "-", text);
}
static int credentials(covey_req *req)
{
    const struct covey_credentials *found = covey_credentials(req);
    const char *token = covey_token(req);
    if (found == NULL)
        return covey_text(req, 200, "none");
    return covey_textf(req, 200, "%s|%s|%s|%s|%s", found->scheme, found->token,
                       found->username != NULL ? found->username : "-", found->password != NULL ? found->password : "-",
                       token != NULL ? token : "-");
}
static int accepts(covey_req *req)
{
    const char *best = covey_accepts(req, "application/json", "text/html", "text/plain");
    return covey_text(req, 200, best != NULL ? best : "none");
}
static int origin(covey_req *req)
{
    return covey_textf(req, 200, "%s|%s|%s|%s|%s|%s|%d|%s|%s", covey_client_ip(req), covey_remote_addr(req), covey_ip(req),
                       covey_scheme(req), covey_host(req), covey_server_name(req), covey_server_port(req),
                       covey_server_path(req), covey_url(req));
}
static int forwarded(covey_req *req)
{
    const char *value = covey_forwarded(req, covey_query(req, "name"));
    return covey_text(req, 200, value != NULL ? value : "NULL");
}
static int ends(covey_req *req)
{
    const struct covey_conn_info *info = covey_conn_info(req);
    return covey_textf(req, 200, "%s|%d|%s|%d|%s", info->client_ip, info->client_port, info->server_ip,
                       info->server_port, info->server);
}
static int number(covey_req *req) { return covey_textf(req, 200, "%u", covey_conn_info(req)->requests); }
static int id(covey_req *req)
{
    const char *first = covey_request_id(req);
    return covey_textf(req, 200, "%s%s", first, covey_request_id(req) == first ? "" : " and another");
}
static int on_a_thread(void *text)
{
    covey_info("a thread says %s", (const char *)text);
    return 0;
}
static void later(void *arg)
{
    (void)arg;
    covey_info("a task");
}
static int logs(covey_req *req)
{
    const char *text = covey_query(req, "say");
    covey_info("a handler says %s", text);
    int rc = covey_sleep_ms(20);
    if (rc == 0)
        rc = covey_offload(on_a_thread, covey_sprintf(req, "%s", text));
    if (rc == 0)
        rc = covey_add_task(covey_app_of(req), later);
    return rc < 0 ? rc : covey_fail(req, 500, "%s", text);
}
static int raw(covey_req *req)
{
    size_t len;
    const char *head = covey_head(req, &len);
    return covey_textf(req, 200, "%s|%s|%s|%d%d%d|%.*s", covey_target(req), covey_query_string(req), covey_http_version(req),
                       covey_is_safe(req), covey_is_idempotent(req), covey_is_cacheable(req), (int)len, head);
}
static int type(covey_req *req)
{
    const char *charset = covey_charset(req);
    return covey_textf(req, 200, "%s|%s", covey_content_type(req), charset != NULL ? charset : "-");
}
static int as_json(covey_req *req)
{
    return covey_jsonf(req, 200, "{s:s?, s:s?}", "q", covey_utf8(req, covey_query(req, "q")), "none", covey_utf8(req, NULL));
}
static int body_json(covey_req *req)
{
    json_t *first, *again;
    int rc = covey_body_json(req, &first);
    if (rc < 0 || (rc = covey_body_json(req, &again)) < 0)
        return rc;
    return first == again ? covey_json(req, 200, json_incref(first)) : covey_fail(req, 500, "read twice");
}
static int json_in_between(covey_req *req)
{
    char before[3], behind[3];
    json_t *json;
    if (covey_body_read(req, before, 3) != 3)
        return -EIO;
    int rc = covey_body_json(req, &json);
    if (rc == 0 && covey_body_read(req, behind, 3) != 3)
        return -EIO;
    return rc < 0 ? rc : covey_textf(req, 200, "%.3s%.3s", before, behind);
}
static int versioned(covey_req *req)
{
    int rc = covey_validate(req, covey_query(req, "etag"), covey_query_int(req, "modified", 0));
    return rc != 0 ? rc : covey_text(req, 200, "made anew");
}
static int setup(covey_app *app)
{
    covey_route(app, "GET POST PUT PATCH DELETE", "/raw", raw);
    covey_post(app, "/type", type);
    covey_get(app, "/as-json", as_json);
    covey_post(app, "/json", body_json);
    covey_post(app, "/streamed-json", body_json, .stream = true);
    covey_post(app, "/spooled-json", body_json, .spool_above = 1);
    covey_post(app, "/json-in-between", json_in_between, .spool_above = 1);
    covey_route(app, "GET PUT", "/versioned", versioned);
    covey_get(app, "/cookies", cookies);
    covey_get(app, "/cookie", cookie);
    covey_get(app, "/credentials", credentials);
    covey_get(app, "/accepts", accepts);
    covey_get(app, "/origin", origin);
    covey_get(app, "/forwarded", forwarded);
    covey_get(app, "/ends", ends);
    covey_get(app, "/number", number);
    covey_get(app, "/id", id);
    covey_get(app, "/logs", logs);
    return 0;
}
"""


@pytest.fixture(scope="module")
def served(app, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("requests") / "job", app(APP, name="requests"), workers=1)
    try:
        yield server.wait_serving()
        server.stop()
    finally:
        server.close()


@pytest.fixture
def connection(served):
    with served.connect() as connection:
        yield connection


def ask(connection, path, *lines):
    """A request with exactly these fields behind Host."""
    connection.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: Example.com:81", *lines, "", ""]).encode())
    answer = connection.response()
    assert answer.status == 200, answer.text
    return answer.text


# The head as it came, and the body


@pytest.mark.parametrize("method, promises", [
    ("GET", "111"), ("POST", "001"), ("PUT", "010"), ("DELETE", "010"), ("PATCH", "000"),
])
def test_the_head_as_it_came(connection, method, promises):
    head = f"{method} /%72aw?a=%20b HTTP/1.1\r\nHost: t\r\nX-a:  b \r\n\r\n"
    connection.send(b"\r\n" + head.encode())
    assert connection.response().text == f"/%72aw?a=%20b|a=%20b|1.1|{promises}|{head}"


def test_an_old_version(served):
    with served.connect() as connection:
        connection.send(b"GET /raw HTTP/1.0\r\n\r\n")
        assert connection.response().text == "/raw||1.0|111|GET /raw HTTP/1.0\r\n\r\n"


@pytest.mark.parametrize("type, wanted", [
    ("text/plain; charset=UTF-8", "text/plain; charset=UTF-8|UTF-8"), ('a/b;x=1; CHARSET="x"', 'a/b;x=1; CHARSET="x"|x'),
    ("text/plain; charset=a; charset=b", "text/plain; charset=a; charset=b|-"), ("text/plain", "text/plain|-"), ("text/plain; charset", "text/plain; charset|-"), (None, "application/octet-stream|-"),
])
def test_what_the_body_is(connection, type, wanted):
    fields = {"Content_Type": type} if type else {}
    assert connection.post("/type", b"", **fields).text == wanted


def test_what_is_no_utf8_can_be_answered_in_json(connection):
    assert connection.get("/as-json?q=a%C3%A4").text == '{"q":"a\u00e4","none":null}'
    assert connection.get("/as-json?q=a%ffb%c0%af%C3").text == '{"q":"a\ufffdb\ufffd\ufffd\ufffd","none":null}'


@pytest.mark.parametrize("path", ["/json", "/streamed-json", "/spooled-json"])
def test_a_body_in_json(connection, path):
    text = '{"a":[1,2.5,null,"\u00e4"],"b":{"c":true}}'
    assert connection.post(path, text.encode()).text == text
    assert connection.post(path, b" 1 ").text == "1"
    long = "[" + ",".join(str(i) for i in range(50000)) + "]"  # a thread's work
    assert connection.post(path, long.encode()).text == long
    deep = "[" * 100 + "]" * 100
    assert connection.post(path, deep.encode()).text == deep


def test_json_is_of_the_whole_body_wherever_it_is_read(connection):
    assert connection.post("/json-in-between", b"[ 1, 22222" + b" " * 100000 + b"]").text == "[ 1, 2"


@pytest.mark.parametrize("path", ["/json", "/streamed-json"])
@pytest.mark.parametrize("body, sentence", [
    (b"", "must be JSON, and is empty"), (b"{", "is no JSON: line 1, column 1: "), (b"[1] 2", "is no JSON: line 1"),
    (b'"\xff"', "is no JSON"), (b'"\\u0000"', "is no JSON"), (b"[" * 101 + b"]" * 101, "nested more than 100 deep"),
    (b"[" * 1000000, "nested more than 100 deep"), (b'{"a":' * 500000, "nested more than 100 deep"),
])
def test_a_body_that_is_no_json(connection, path, body, sentence):
    answer = connection.post(path, body)
    assert (answer.status, sentence in answer.text) == (400, True), answer.text


@pytest.mark.parametrize("path", ["/json", "/streamed-json"])
@pytest.mark.parametrize("one", [b"{}", b"[]", b"1", b'""'])
def test_json_of_too_many_values_costs_no_memory(served, path, one):
    (worker,) = served.workers()
    before = int(proc.status(worker)["VmHWM"].split()[0])
    with served.connect() as connection:
        answer = connection.post(path, b"[" + (one + b",") * 2000000 + one + b"]")
    assert (answer.status, "(JSON_MAX_VALUES)" in answer.text) == (413, True), answer.text
    grown = int(proc.status(worker)["VmHWM"].split()[0]) - before
    assert sanitized() or grown < 40000  # KiB: the body's, not that of its values

# Conditions


def test_answers_of_handlers_have_validators(connection):
    answer = connection.get("/versioned?etag=v7&modified=784111777")
    assert (answer.status, answer.header("ETag"), answer.header("Last-Modified")) == (
        200, '"v7"', "Sun, 06 Nov 1994 08:49:37 GMT")
    assert connection.get("/versioned").header("ETag") is None


def test_nothing_was_modified_in_the_future(connection):
    answer = connection.get("/versioned?modified=4102444800")
    dates = [email.utils.parsedate_to_datetime(answer.header(name)) for name in ("Last-Modified", "Date")]
    assert dates[0] <= dates[1]


@pytest.mark.parametrize("query, fields, status", [
    ("etag=v7", {"If_None_Match": '"v7"'}, 304), ("etag=v7", {"If_None_Match": 'W/"v7", "x"'}, 304),
    ("etag=v7", {"If_None_Match": '"v8"'}, 200), ("etag=v7", {"If_Match": '"v8"'}, 412), ("etag=v7", {"If_Match": '"v7"'}, 200),
    ("modified=784111777", {"If_Modified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 304),
    ("modified=784111778", {"If_Modified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 200),
    ("modified=784111778", {"If_Unmodified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 412),
    ("etag=v7", {"If_Modified_Since": "Sun, 06 Nov 2044 08:49:37 GMT"}, 200), ("etag=a%22b", {}, 500),
])
def test_conditions_on_answers_of_handlers(connection, query, fields, status):
    answer = connection.get(f"/versioned?{query}", **fields)
    assert answer.status == status
    assert answer.header("ETag") == ('"v7"' if "v7" in query and status < 400 else None)


def test_a_change_is_not_overwritten(connection):
    assert connection.request("PUT", "/versioned?etag=v7", b"", If_Match='"v6"').status == 412
    assert connection.request("PUT", "/versioned?etag=v7", b"", If_Match='"v7"').status == 200
    assert connection.request("PUT", "/versioned?etag=v7", b"", If_None_Match="*").status == 412


# Cookies


def test_cookies(connection):
    assert ask(connection, "/cookies", 'Cookie: a=1; b="x\\"\\054y"; no name=2; c=', "Cookie: a=3") == 'a=1;b=x",y;c=;a=3;'
    assert ask(connection, "/cookies") == ""
    assert ask(connection, "/cookie", "Cookie: " + ";".join(f"c{i}=1" for i in range(1000)) + ";id=2") == "2: 2"


@pytest.mark.parametrize("nonsense", [
    b";", b";;", b"=", b"=1", b"a=1;;b=2", b"a=1; ;", b"a=1; =2", b"a=\x00", b"a=\x01", b"a=\x7f", b"a=1\rb=2", b"a=1\n",
    b"a=1\r\nCookie: =", b"; " * 2000, b"=" * 4000], ids=lambda nonsense: repr(nonsense[:20]))
def test_a_cookie_field_that_no_browser_sends_is_refused(served, nonsense):
    with served.connect() as connection:
        connection.send(b"GET /id HTTP/1.1\r\nHost: a\r\nCookie: " + nonsense + b"\r\n\r\n")
        assert connection.response().status == 400


def test_the_refusal_says_what_is_wrong(connection):
    connection.send(b"GET /cookies HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nCookie: a=1; =2\r\n\r\n")
    assert "A cookie of the Cookie field is empty, or begins with '='" in connection.response().text


def test_what_browsers_hold_of_other_apps_is_skipped(connection):
    assert ask(connection, "/cookies", 'Cookie: a=1; b[c]=2; {"x":1}=3; \xe4=4; d="; e=f g, h;') == 'a=1;d=";e=f g, h;'


def test_a_prefixed_cookie_comes_first(connection):
    assert ask(connection, "/cookie", "Cookie: id=1; id=2") == "1: 1 2"
    assert ask(connection, "/cookie", "Cookie: id=1; __Secure-id=2; __Secure-id=3") == "2: 2 3"
    assert ask(connection, "/cookie", "Cookie: id=1; __Secure-id=2; __Host-id=4") == "4: 4"
    assert ask(connection, "/cookie", "Cookie: other=1") == "-:"


# Credentials


def test_credentials(connection):
    basic = base64.b64encode(b"user:pass:word").decode()
    assert ask(connection, "/credentials", f"Authorization: bAsIc {basic}") == f"bAsIc|{basic}|user|pass:word|-"
    assert ask(connection, "/credentials", "Authorization: Bearer abc") == "Bearer|abc|-|-|abc"
    assert ask(connection, "/credentials", "Authorization: token abc") == "token|abc|-|-|abc"
    assert ask(connection, "/credentials", "Authorization: Basic !") == "Basic|!|-|-|-"
    assert ask(connection, "/credentials", "Authorization: Bearer") == "Bearer||-|-|-"


def test_no_credentials(connection):
    assert ask(connection, "/credentials") == "none"
    assert ask(connection, "/credentials", "Authorization: @") == "none"
    assert ask(connection, "/credentials", "Authorization: Bearer a", "Authorization: Bearer b") == "none"


# Preferences


@pytest.mark.parametrize("accept, best", [
    (None, "application/json"), ("*/*", "application/json"), ("text/*", "text/html"), ("image/png", "none"),
    ("text/html;q=0.5, text/plain", "text/plain"), ("application/json;q=0, */*", "text/html"), ("nonsense", "application/json"),
])
def test_what_the_client_accepts(connection, accept, best):
    assert ask(connection, "/accepts", *([f"Accept: {accept}"] if accept else [])) == best


# Proxies

LIES = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Real-IP: 6.6.6.6",
        "Forwarded: for=6.6.6.6;proto=https;host=evil;secret=x"]


def test_by_default_nothing_is_believed(connection):
    assert ask(connection, "/origin?x=1", *LIES) == (
        "127.0.0.1||127.0.0.1|http|Example.com:81|Example.com|81|/origin|http://Example.com:81/origin?x=1")
    assert ask(connection, "/forwarded?name=for", *LIES) == "NULL"


def test_a_number_of_proxies(jobs, app):
    server = jobs.server(app(APP, name="requests"), workers=1, proxies_count=2).wait_serving()
    with server.connect() as connection:
        assert ask(connection, "/origin", "X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-For: 10.0.0.1",
                   "X-Forwarded-Proto: https", "X-Forwarded-Host: Shop.example", "X-Forwarded-Path: /a%2Fb") == (
            "192.0.2.7|192.0.2.7|127.0.0.1|https|shop.example|shop.example|443|/a/b|https://shop.example/origin")
        assert ask(connection, "/origin", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https").startswith(
            "127.0.0.1||127.0.0.1|http|")
        assert ask(connection, "/forwarded?name=port", "X-Forwarded-For: [::1]:80, 10.0.0.1",
                   "X-Forwarded-Port: 8443") == "8443"


def test_a_field_of_the_proxys_own(jobs, app):
    server = jobs.server(app(APP, name="requests"), workers=1, real_ip_header="X-Real-IP").wait_serving()
    with server.connect() as connection:
        assert ask(connection, "/origin", "X-Real-IP: 6.6.6.6", "X-Real-IP: 2001:DB8::1", "X-Scheme: https",
                   "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Port: 8443").startswith("2001:db8::1|2001:db8::1|127.0.0.1|https|")
        assert ask(connection, "/origin", "X-Forwarded-For: 6.6.6.6").startswith("127.0.0.1||")


def test_the_secret_of_forwarded(jobs, app):
    server = jobs.server(app(APP, name="requests"), workers=1, forwarded_secret="s3cret").wait_serving()
    with server.connect() as connection:
        lie = 'Forwarded: for="evil;secret=x, for=6.6.6.6;secret=wrong'
        good = 'Forwarded: For="[2001:db8::1]:80";Proto=https;host="shop.example:8443";path="/x";by=s3cret, for=10.0.0.1'
        assert ask(connection, "/origin", lie, good).startswith(
            "2001:db8::1|2001:db8::1|127.0.0.1|https|shop.example:8443|shop.example|8443|/x|https://shop.example:8443/origin")
        assert ask(connection, "/forwarded?name=by", good) == "s3cret"
        assert ask(connection, "/forwarded?name=secret", "Forwarded: secret=s3cret;for=a") == "NULL"
        assert ask(connection, "/origin", *LIES).startswith("127.0.0.1||127.0.0.1|http|")


def test_the_servers_own_name(jobs, app):
    server = jobs.server(app(APP, name="requests"), workers=1, server_name="https://www.example.com:444/",
                         proxies_count=1).wait_serving()
    with server.connect() as connection:
        assert ask(connection, "/origin", *LIES) == ("6.6.6.6|6.6.6.6|127.0.0.1|https|www.example.com:444|www.example.com|444|"
                                                    "/origin|https://www.example.com:444/origin")


# The connection, ids


def test_the_host_of_a_target(connection):
    connection.send(b"GET http://Shop.example:81/origin HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert connection.response().text.endswith("|Shop.example:81|Shop.example|81|/origin|http://Shop.example:81/origin")
    connection.send(b"GET /origin HTTP/1.0\r\n\r\n")
    assert connection.response().text.endswith("|||80|/origin|http:///origin")


def test_both_ends_of_a_connection(served, connection):
    port = connection.socket.getsockname()[1]
    assert ask(connection, "/ends") == f"127.0.0.1|{port}|127.0.0.1|{served.port}|127.0.0.1:{served.port}"


def test_both_ends_of_a_unix_socket(jobs, app, tmp_path):
    path = str(tmp_path / "socket")
    server = jobs.server(app(APP, name="requests"), ["--listen", f"unix:{path}"], workers=1, address=path).wait_serving()
    with Connection(server.address) as connection:
        assert ask(connection, "/ends") == f"|0||0|{path}"


def test_requests_of_a_connection_are_counted(served, connection):
    assert [ask(connection, "/number") for _ in range(3)] == ["1", "2", "3"]
    connection.send(2 * b"GET /number HTTP/1.1\r\nHost: t\r\n\r\n")
    assert [connection.response().text for _ in range(2)] == ["4", "5"]
    with served.connect() as another:
        assert ask(another, "/number") == "1"


def test_ids(connection):
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    made = {ask(connection, "/id") for _ in range(10)}
    assert len(made) == 10 and all(re.fullmatch(uuid, text) for text in made)
    assert ask(connection, "/id", "X-Request-ID: abc-1") == "abc-1"
    for wrong in ("a b", "x" * 129, "\u00e4", ""):
        assert re.fullmatch(uuid, ask(connection, "/id", f"X-Request-ID: {wrong}"))


def test_ids_from_a_field_of_ones_own(jobs, app):
    server = jobs.server(app(APP, name="requests"), workers=1, request_id_header="X-Trace").wait_serving()
    with server.connect() as connection:
        assert ask(connection, "/id", "X-Trace: t1", "X-Request-ID: r1") == "t1"


def test_ids_in_the_log(jobs, app):
    server = jobs.server(app(APP, name="requests"), workers=1, log_request_id=1, access_log=1).wait_serving()
    with server.connect() as one, server.connect() as other:
        for turn in (1, 2):
            one.ask("GET", "/logs?say=one", X_Request_ID=f"first-{turn}")
            other.send(2 * f"GET /logs?say=other HTTP/1.1\r\nHost: t\r\nX-Request-ID: second-{turn}\r\n\r\n".encode())
            assert {one.response().status, other.response().status, other.response().status} == {500}
        assert one.get("/nowhere").status == 404
    server.stop()
    for turn in (1, 2):
        for id, text, times in ((f"first-{turn}", "one", 1), (f"second-{turn}", "other", 2)):
            assert server.err.count(f": [{id}] a handler says {text}\n") == times
            assert server.err.count(f": [{id}] a thread says {text}\n") == times
            assert server.err.count(f": [{id}] GET /logs: 500 Internal Server Error: {text}\n") == times
            assert len(re.findall(rf'"GET /logs\?say={text} HTTP/1.1" 500 .*ms /logs {id}\n', server.out)) == times
    assert server.err.count(": a task\n") == 6
    assert re.search(r'"GET /nowhere HTTP/1.1" 404 .*ms - [0-9a-f-]{36}\n', server.out)


def test_without_the_setting_no_line_has_an_id(jobs, app):
    server = jobs.server(app(APP, name="requests"), workers=1, access_log=1).wait_serving()
    with server.connect() as connection:
        assert connection.get("/logs?say=it", X_Request_ID="first").status == 500
        assert connection.get("/id").status == 200
    server.stop()
    assert ": a handler says it\n" in server.err
    assert re.search(r'"GET /id HTTP/1.1" 200 .*ms /id\n', server.out)
