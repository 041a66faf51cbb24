"""Queries and forms: what handlers get of them, what is refused, and what it may cost."""

import os
import threading
import time

import pytest

import proc
from client import eventually
from server import Server

APP = r"""
/* All arguments as "name=value;". */
static int query(covey_req *req)
{
    char text[4096] = "";
    const char *name, *value;
    size_t len = 0;
    for (size_t at = 0; covey_query_next(req, &at, &name, &value);)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%s;", name, value);
    return covey_text(req, 200, text);
}
static int tags(covey_req *req)
{
    char text[4096] = "";
    const char *value;
    size_t len = 0;
    for (size_t at = 0; (value = covey_query_list(req, "tag", &at)) != NULL;)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s;", value);
    return covey_textf(req, 200, "%s first %s", text, covey_query(req, "tag") != NULL ? covey_query(req, "tag") : "-");
}
/* How many arguments are found by their names. */
static int count(covey_req *req)
{
    const char *name, *value;
    size_t found = 0;
    for (size_t at = 0; covey_query_next(req, &at, &name, &value);)
        found += covey_query(req, name) == value;
    return covey_textf(req, 200, "%zu", found);
}
static int typed(covey_req *req)
{
    return covey_textf(req, 200, "%lld %d", (long long)covey_query_int(req, "n", -1), covey_query_bool(req, "b", false));
}

/* Fields as "name=value;", files as "name/filename/type/length/sum/memory or disk;". */
static int form(covey_req *req)
{
    char text[8192] = "";
    const char *name, *value;
    const struct covey_upload *upload;
    size_t len = 0;
    for (size_t at = 0; covey_form_next(req, &at, &name, &value);)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%s;", name, value);
    for (size_t at = 0; (upload = covey_upload_list(req, NULL, &at)) != NULL;) {
        unsigned char bytes[8192];
        unsigned long sum = 0;
        int fd = covey_upload_file(req, upload);
        for (ssize_t n; fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0;) {
            for (ssize_t i = 0; i < n; i++)
                sum += bytes[i];
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s/%s/%s/%lld/%lu/%s;", upload->name, upload->filename,
                                upload->type, (long long)upload->len, sum, upload->bytes != NULL ? "memory" : "disk");
    }
    return covey_text(req, 200, text);
}
static int getters(covey_req *req)
{
    const char *value;
    size_t count = 0;
    for (size_t at = 0; (value = covey_form_list(req, "a", &at)) != NULL;)
        count++;
    const struct covey_upload *upload = covey_upload(req, "f");
    return covey_textf(req, 200, "%s %zu %lld %d %s", covey_form(req, "a"), count, (long long)covey_form_int(req, "n", -1),
                       covey_form_bool(req, "b", false), upload != NULL ? (const char *)upload->bytes : "none");
}
static int late(covey_req *req)
{
    int rc = covey_sleep_ms(10000);
    return rc < 0 ? rc : form(req);
}
static int undeclared(covey_req *req) { return covey_text(req, 200, covey_form(req, "a") == NULL ? "NULL" : "?"); }
static int save(covey_req *req)
{
    char from[64];
    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", covey_upload_file(req, covey_upload(req, "f")));
    if (linkat(AT_FDCWD, from, AT_FDCWD, covey_form(req, "to"), AT_SYMLINK_FOLLOW) < 0)
        return covey_fail(req, 500, "%s", strerror(errno));
    return covey_text(req, 200, "saved");
}

/* Part by part: "name/filename/type:data;", at most 10 bytes of a part whose name begins with "skip". */
static int parts(covey_req *req)
{
    const struct covey_part *part;
    char text[8192] = "";
    size_t len = 0;
    int rc;
    while ((rc = covey_part_next(req, &part)) == 1) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s/%s/%s:", part->name,
                                part->filename != NULL ? part->filename : "-", part->type != NULL ? part->type : "-");
        bool skip = strncmp(part->name, "skip", 4) == 0;
        char bytes[7];
        ssize_t n;
        while ((n = covey_part_read(req, bytes, sizeof(bytes))) > 0) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s", (int)n, bytes);
            if (skip)
                break;
        }
        if (n < 0)
            return (int)n;
        len += (size_t)snprintf(text + len, sizeof(text) - len, ";");
    }
    return rc < 0 ? rc : covey_text(req, 200, text);
}

/* Reads the form before the handler does. */
static int guard(covey_req *req)
{
    if (strcmp(covey_path(req), "/guarded") != 0)
        return 0;
    const char *token = covey_form(req, "token");
    return token != NULL && strcmp(token, "right") == 0 ? 0 : covey_fail(req, 403, "wrong token");
}
static int setup(covey_app *app)
{
    covey_middleware(app, COVEY_REQUEST, guard);
    covey_get(app, "/query", query);
    covey_get(app, "/tags", tags);
    covey_get(app, "/typed", typed);
    covey_get(app, "/count", count);
    covey_route(app, "GET POST", "/form", form, .form = true, .spool_above = 1000);
    covey_post(app, "/default", form, .form = true);
    covey_post(app, "/short", form, .form = true, .body_max = 100);
    covey_post(app, "/guarded", form, .form = true);
    covey_post(app, "/hasty", form, .form = true, .response_timeout = 300);
    covey_post(app, "/late", late, .form = true, .response_timeout = 300);
    covey_post(app, "/getters", getters, .form = true);
    covey_post(app, "/save", save, .form = true);
    covey_post(app, "/undeclared", undeclared);
    covey_post(app, "/parts", parts, .stream = true);
    covey_post(app, "/collected", parts);
    return 0;
}
"""
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def served(app, tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    (folder / "uploads").mkdir()
    server = Server(folder / "job", app(APP, name="forms"), workers=1, upload_dir=folder / "uploads",
                    form_max_files=20, form_max_memory="64k")
    try:
        yield server.wait_serving()
        assert os.listdir(folder / "uploads") == []
        server.stop()
    finally:
        server.close()


@pytest.fixture
def connection(served):
    with served.connect() as connection:
        yield connection


def part(data, name="a", more=""):
    return b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name.encode(), more.encode(), data)


def file(data, name="f", filename="x.bin", type="application/octet-stream"):
    return part(data, name, f'; filename="{filename}"\r\nContent-Type: {type}')


def multipart(connection, path, *parts, **fields):
    return connection.post(path, b"".join(parts) + b"--b--\r\n", Content_Type=MULTIPART, **fields)


# Queries


def test_query_arguments(connection):
    assert connection.get("/query?a=1&b=x+y&a=%C3%A4&c&d=").text == "a=1;b=x y;a=\u00e4;c=;d=;"
    assert connection.get("/query").text == ""
    assert connection.get("/tags?tag=1&x=9&tag=2&tag=").text == "1;2;; first 1"
    assert connection.get("/tags?x=1").text == " first -"


def test_typed_query_arguments(connection):
    assert connection.get("/typed?n=-42&b=yes").text == "-42 1"
    assert connection.get("/typed?n=4x&b=maybe").text == "-1 0"
    assert connection.get("/typed?n=9223372036854775808&b").text == "-1 1"
    assert connection.get("/typed?b=off").text == "-1 0"


def test_a_query_of_too_many_arguments_is_400(connection):
    most = "&".join(["a"] * 1000)
    assert connection.get(f"/query?{most}").status == 200
    answer = connection.get(f"/query?{most}&b")
    assert (answer.status, "REQUEST_MAX_PARAMS" in answer.text) == (400, True)


def test_ten_thousand_arguments(jobs, app):
    query = "&".join(f"n{i}" for i in range(10000))
    many = {"request_max_header_size": "64k", "request_max_target": "64k"}
    server = jobs.server(app(APP, name="forms"), workers=1, **many).wait_serving()
    assert server.get(f"/count?{query}").status == 400
    server.stop()
    server = jobs.server(app(APP, name="forms"), workers=1, request_max_params=10000, **many).wait_serving()
    assert server.get(f"/count?{query}").text == "10000"
    assert server.get(f"/count?{query}&a").status == 400


# Forms


def test_an_urlencoded_form(connection):
    assert connection.post("/form", b"a=1&b=x+y&a=%26&c", Content_Type=URLENCODED).text == "a=1;b=x y;a=&;c=;"
    assert connection.post("/form", b"a=1", Content_Type=f"{URLENCODED}; charset=UTF-8").text == "a=1;"
    assert connection.post("/form", b"", Content_Type=URLENCODED).text == ""
    assert connection.get("/form").text == ""


def test_a_multipart_form(connection):
    small, large = os.urandom(1000), os.urandom(300000)
    answer = multipart(connection, "/form", part(b"1"), part("\u00e4\r\n".encode(), "b"), file(small),
                       part(b"2"), file(large, "g", "../y.txt", "text/plain"), file(b"", "none", ""))
    assert answer.text == (f"a=1;b=\u00e4\r\n;a=2;f/x.bin/application/octet-stream/1000/{sum(small)}/memory;"
                           f"g/y.txt/text/plain/300000/{sum(large)}/disk;")


def test_a_form_that_comes_in_pieces(connection):
    body = part(b"1") + file(bytes(5000)) + b"--b--\r\n"
    for piece in (1, 7, 1000):
        connection.send(b"POST /form HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), piece):
            some = body[at:at + piece]
            connection.send(b"%x\r\n%s\r\n" % (len(some), some))
        connection.send(b"0\r\n\r\n")
        assert connection.response().text == "a=1;f/x.bin/application/octet-stream/5000/0/disk;"


def test_getters_of_forms(connection):
    assert multipart(connection, "/getters", part(b"1"), part(b"2"), part(b"7", "n"), part(b"on", "b"),
                     file(b"file")).text == "1 2 7 1 file"
    assert connection.post("/getters", b"a=1&n=x", Content_Type=URLENCODED).text == "1 1 -1 0 none"


def test_a_type_is_text_where_the_client_says_nothing(connection):
    assert multipart(connection, "/form", part(b"x", "f", '; filename="n"')).text == "f/n/text/plain/1/120/memory;"


def test_many_short_files_go_to_disk_once_memory_is_used_up(connection):
    answer = multipart(connection, "/default", *(file(bytes(20000), f"f{i}") for i in range(5)))
    assert [word.split("/")[-1] for word in answer.text.split(";")[:-1]] == ["memory"] * 3 + ["disk"] * 2


def test_a_file_may_be_given_a_name(served, connection, tmp_path):
    data = os.urandom(200000)
    to = tmp_path / "saved"
    assert multipart(connection, "/save", part(str(to).encode(), "to"), file(data)).text == "saved"
    assert to.read_bytes() == data


def test_nothing_stays_open(served, connection):
    (worker,) = served.workers()
    assert connection.get("/query").status == 200
    before = len(proc.fds(worker))
    assert multipart(connection, "/form", *(file(bytes(2000), f"f{i}") for i in range(20))).status == 200
    eventually("all are closed", lambda: len(proc.fds(worker)) <= before)


def test_middleware_may_read_the_form(connection):
    assert connection.post("/guarded", b"token=right&a=1", Content_Type=URLENCODED).text == "token=right;a=1;"
    assert connection.post("/guarded", b"token=wrong", Content_Type=URLENCODED).status == 403


def test_a_route_must_declare_its_form(served, connection):
    assert connection.post("/undeclared", b"a=1", Content_Type=URLENCODED).text == "NULL"
    assert "POST /undeclared: covey_form() needs a route with .form = true" in served.err


REFUSED = [
    (415, b"a=1", f"{URLENCODED}\r\nContent-Type: {URLENCODED}", "must be application/x-www-form-urlencoded or multipart"),
    (415, b"--b--", f"{MULTIPART}\r\nContent-Type: multipart/form-data; boundary=c", "must be application/x-www-form-"),
    (400, b"--b--", f"{MULTIPART}; boundary=c", "Content-Type is malformed"),
    (415, b"--b--", "multipart/mixed; boundary=b", "must be application/x-www-form-urlencoded or multipart/form-data"),
    (415, b"{}", "application/json", "must be application/x-www-form-urlencoded or multipart/form-data"),
    (400, b"a=%zz", URLENCODED, "broken escape"),
    (400, b"a=%00", URLENCODED, "broken escape"),
    (413, b"&".join([b"a"] * 1001), URLENCODED, "REQUEST_MAX_PARAMS"),
    (413, b"a=" + b"x" * 65536, URLENCODED, "FORM_MAX_MEMORY"),
    (413, b"".join(part(b"") for _ in range(1001)) + b"--b--", MULTIPART, "REQUEST_MAX_PARAMS"),
    (413, b"".join(file(b"") for _ in range(21)) + b"--b--", MULTIPART, "FORM_MAX_FILES"),
    (413, part(b"x" * 65536) + b"--b--", MULTIPART, "FORM_MAX_MEMORY"),
    (413, b"".join(part(b"x" * 6000) for _ in range(11)) + b"--b--", MULTIPART, "FORM_MAX_MEMORY"),
    (413, b"".join(part(b"", "n" * 8000) for _ in range(9)) + b"--b--", MULTIPART, "FORM_MAX_MEMORY"),
    (400, part(b"a\0b") + b"--b--", MULTIPART, "NUL"),
    (400, part(b"1"), MULTIPART, "ends before its last boundary"),
    (400, b"", "multipart/form-data; boundary=b", "ends before its last boundary"),
    (400, part(b"1", "n" * 8192) + b"--b--", MULTIPART, "longer than 8 KiB"),
    (400, b"--b--", "multipart/form-data", "names no boundary"),
    (400, b"--b--", "multipart/form-data; boundary=" + "b" * 71, "1 to 70"),
    (400, b"--b\r\nX: 1\r\n\r\n\r\n--b--", MULTIPART, "no Content-Disposition"),
]


@pytest.mark.parametrize("status, body, type, sentence", REFUSED)
def test_what_is_refused(connection, status, body, type, sentence):
    connection.send(b"POST /form HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Type: "
                    + type.encode() + b"\r\n\r\n" + (b"%x\r\n%s\r\n" % (len(body), body) if body else b"")
                    + b"0\r\n\r\n")
    answer = connection.response()
    assert (answer.status, sentence in answer.text) == (status, True), answer.text


def test_a_form_past_its_routes_limit_is_413(connection):
    answer = connection.post("/short", b"a=" + b"x" * 100, Content_Type=URLENCODED)
    assert (answer.status, "too large (REQUEST_MAX_SIZE)" in answer.text) == (413, True)


def test_a_form_in_broken_chunks_is_400(connection):
    connection.send(b"POST /form HTTP/1.1\r\nHost: t\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\nnonsense\r\n")
    answer = connection.response()
    assert (answer.status, "The request body is malformed" in answer.text) == (400, True)


def test_the_time_for_an_answer_begins_behind_the_form(connection):
    body = part(b"1") + b"--b--\r\n"
    connection.ask("POST", "/hasty", None, Content_Type=MULTIPART, Content_Length=len(body))
    connection.send(body[:20])
    time.sleep(0.6)  # longer than .response_timeout
    connection.send(body[20:])
    assert connection.response().text == "a=1;"
    assert connection.post("/late", b"a=1", Content_Type=URLENCODED).status == 503


def test_others_are_served_while_a_long_form_comes(served, connection):
    body = file(bytes(48 << 20))
    sender = threading.Thread(target=connection.send, args=(
        b"POST /default HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n"
        % (len(body) + 5) + body,))
    sender.start()
    for _ in range(10):
        assert served.get("/typed").status == 200
    sender.join()
    connection.send(b"--b--")
    assert connection.response().text == f"f/x.bin/application/octet-stream/{48 << 20}/0/disk;"


# Part by part


@pytest.mark.parametrize("path", ["/parts", "/collected"])
def test_parts_as_they_come(connection, path):
    answer = multipart(connection, path, part(b"1"), file(b"some bytes", type="text/x"),
                       part(b"0123456789" * 1000, "skip"), part(b"2"))
    assert answer.text == "a/-/-:1;f/x.bin/text/x:some bytes;skip/-/-:0123456;a/-/-:2;"
    assert multipart(connection, path).text == ""


def test_parts_that_are_none(connection):
    assert connection.post("/parts", b"a=1", Content_Type=URLENCODED).status == 415
    answer = connection.post("/parts", part(b"1"), Content_Type=MULTIPART)
    assert (answer.status, answer.text) == (400, "400 Bad Request: The form ends before its last boundary\n")
    assert multipart(connection, "/parts", *[part(b"")] * 1001).status == 413


def test_a_part_is_there_before_the_body_is(connection):
    body = part(b"1") + file(bytes(100000))
    connection.send(b"POST /parts HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Type: multipart/form-data; "
                    b"boundary=b\r\nContent-Length: %d\r\n\r\n" % (len(body) + 5))
    assert connection.response().status == 100
    connection.send(body + b"--b--")
    assert connection.response().status == 200


# Limits of the start


def test_a_route_streams_or_has_a_form(jobs, app):
    job = jobs.server(app(APP.replace(".form = true, .body_max", ".form = true, .stream = true, .body_max"), name="forms"),
                      workers=1)
    assert job.wait_code() == 4
    assert "route /short: .form reads all of a body before the handler begins" in job.err


def test_a_full_or_missing_upload_dir(jobs, app):
    server = jobs.server(app(APP, name="forms"), workers=1, upload_dir="/nowhere").wait_serving()
    with server.connect() as connection:
        assert multipart(connection, "/form", file(bytes(900))).status == 200
    with server.connect() as connection:
        assert multipart(connection, "/form", file(bytes(2000))).status == 503
    assert "UPLOAD_DIR (/nowhere): No such file or directory" in server.err
