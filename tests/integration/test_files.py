"""Files as answers: their bytes, their validators and ranges, what changes under them, and no way out."""

import os
import re
import socket
import threading
import time

import pytest

import proc
from client import Connection, eventually
from harness import sanitized
from server import Server

APP = r"""
#define ROOT covey_config_str(covey_app_of(req), "ROOT", NULL)

static int from_root(covey_req *req)
{
    return covey_file(req, covey_param(req, "path"), .root = ROOT);
}
static int packed(covey_req *req)
{
    int rc = covey_set_header(req, "Vary", "Origin");
    return rc == 0 ? covey_file(req, covey_param(req, "path"), .root = ROOT, .precompressed = true) : rc;
}
static int trusted(covey_req *req)
{
    return covey_file(req, covey_query(req, "path"), .type = covey_query(req, "type"),
                      .download = covey_query(req, "download"), .max_age = 60);
}
static int missing(covey_req *req) { return covey_file(req, "missing", .status = 404); }
static int own_page(covey_req *req) { return covey_file(req, "page.html", .root = ROOT, .status = 404); }
static int twice(covey_req *req)
{
    int rc = covey_text(req, 200, "first");
    return rc == 0 ? covey_file(req, "page.html", .root = ROOT) : rc;
}
static int setup(covey_app *app)
{
    covey_get(app, "/f/<path:path>", from_root);
    covey_get(app, "/p/<path:path>", packed);
    covey_get(app, "/trusted", trusted);
    covey_get(app, "/missing", missing);
    covey_get(app, "/own", own_page);
    covey_get(app, "/twice", twice);
    const char *root = covey_config_str(app, "ROOT", NULL);
    covey_static(app, "/s", root, .index = "index.html", .max_age = 9);
    covey_static(app, "/hosted", root, .host = "files.example", .index = "index.html");
    covey_static(app, "/listed", root, .index = "index.html", .listing = true, .type = "text/x-own");
    if (covey_config_str(app, "ONE", NULL) != NULL)
        covey_static(app, "/one.html", covey_config_str(app, "ONE", NULL), .max_age = 5);
    covey_static(app, "/plain", root, .precompressed = true, .hidden = true);
    return 0;
}
"""
SIZES = [0, 1, 4095, 4096, 16383, 16384, 65535, 65536, 65537, 200000, 262144, 1 << 20, 5000000]


@pytest.fixture(scope="module")
def served(app, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    root = folder / "root"
    (root / "sub").mkdir(parents=True)
    for size in SIZES:
        (root / f"{size}.bin").write_bytes(os.urandom(size))
    (root / "page.html").write_text("<p>0123456789</p>")
    (root / "page.html.gz").write_bytes(b"gz of it")
    (root / "page.html.br").write_bytes(b"br of it")
    (root / "page.html.zst").write_bytes(b"zst of it")
    (root / "sub" / "index.html").write_text("index of sub")
    (root / "index.html").write_text("index")
    (root / ".env").write_text("hidden")
    (root / ".well-known").mkdir()
    (root / ".well-known" / "security.txt").write_text("well known")
    (root / "stale.css").write_text("new")
    (root / "stale.css.gz").write_bytes(b"old")
    os.utime(root / "stale.css.gz", (1, 1))
    (root / "sub" / "in").symlink_to("../page.html")
    (root / "out").symlink_to("../secret")
    (root / "etc").symlink_to("/etc")
    (root / "up").symlink_to("..")
    (root / "unreadable").touch(0)
    os.mkfifo(root / "fifo")
    (folder / "secret").write_text("secret")
    server = Server(folder / "job", app(APP, name="files"), workers=1, file_cache_valid="0", root=root,
                    one=root / "page.html")
    server.root = root
    try:
        server.wait_serving()
        yield server
        server.stop()
    finally:
        server.close()


@pytest.fixture
def connection(served):
    with served.connect() as made:
        yield made


# Contents

@pytest.mark.parametrize("size", SIZES)
def test_bytes_are_those_of_the_file(served, connection, size):
    wanted = (served.root / f"{size}.bin").read_bytes()
    for _ in range(3):  # from the disk, from the cache
        answer = connection.get(f"/f/{size}.bin")
        assert (answer.status, answer.body) == (200, wanted)
    answer = connection.request("HEAD", f"/f/{size}.bin")
    assert (answer.status, answer.header("Content-Length")) == (200, str(size))
    assert connection.get(f"/f/{size}.bin").body == wanted


def test_pipelined_answers_keep_their_order(served, connection):
    order = [65537, 1, 200000, 65536, 0, 5000000, 4096] * 3
    sender = threading.Thread(target=lambda: [connection.ask("GET", f"/f/{size}.bin") for size in order])
    sender.start()
    for size in order:
        assert connection.response().body == (served.root / f"{size}.bin").read_bytes()
    sender.join()


def test_fields(served, connection):
    answer = connection.get("/f/page.html")
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert answer.header("Accept-Ranges") == "bytes"
    assert re.fullmatch(r'"\d+-17"', answer.header("ETag"))
    assert answer.header("Last-Modified").endswith(" GMT")
    assert answer.header("Cache-Control") is None
    answer = connection.get(f"/trusted?path={served.root}/page.html&type=a/b&download=na%22me.txt")
    assert answer.header("Content-Type") == "a/b"
    assert answer.header("Cache-Control") == "max-age=60"
    assert answer.header("Content-Disposition") == "attachment; filename=\"na_me.txt\"; filename*=UTF-8''na%22me.txt"
    answer = connection.get(f"/trusted?path={served.root}/page.html&download=%c3%a4%0d%0aX:%201")
    assert answer.header("Content-Disposition") == (
        "attachment; filename=\"____X: 1\"; filename*=UTF-8''%C3%A4%0D%0AX%3A%201")


def test_a_status_of_ones_own_has_no_conditions(connection):
    etag = connection.get("/f/page.html").header("ETag")
    answer = connection.get("/own", If_None_Match=etag, Range="bytes=0-1")
    assert (answer.status, answer.body) == (404, b"<p>0123456789</p>")


def test_what_is_missing_is_404(connection):
    assert connection.get("/missing").status == 404
    assert connection.get("/f/nothing").status == 404
    assert connection.get("/f/page.html/").status == 404
    assert connection.get("/f/sub").status == 404
    assert connection.get("/f/fifo").status == 404
    assert connection.get("/f/" + "x" * 300).status == 404


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_403(connection):
    assert connection.get("/f/unreadable").status == 403


def test_the_first_answer_stands(connection):
    assert connection.get("/twice").text == "first"


# Conditions and ranges

def test_conditional_requests(served, connection):
    first = connection.get("/f/page.html")
    etag, modified = first.header("ETag"), first.header("Last-Modified")
    past = "Sun, 06 Nov 1994 08:49:37 GMT"
    table = [
        ({"If_None_Match": etag}, 304), ({"If_None_Match": "W/" + etag}, 304), ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"x"'}, 200), ({"If_Modified_Since": modified}, 304), ({"If_Modified_Since": past}, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": modified}, 200), ({"If_Match": etag}, 200),
        ({"If_Match": '"x"'}, 412), ({"If_Unmodified_Since": past}, 412), ({"If_Unmodified_Since": modified}, 200),
    ]
    for fields, status in table:
        for method in ("GET", "HEAD"):
            answer = connection.request(method, "/f/page.html", **fields)
            assert answer.status == status, (method, fields)
            if status == 304:
                assert answer.header("ETag") == etag and answer.header("Content-Length") is None
    assert connection.get("/f/page.html").body == first.body


@pytest.mark.parametrize("name", ["65536.bin", "5000000.bin"])
def test_ranges(served, connection, name):
    whole = (served.root / name).read_bytes()
    size = len(whole)
    for field, part in [("bytes=0-0", whole[:1]), ("bytes=100-", whole[100:]), ("bytes=-7", whole[-7:]),
                        ("bytes=5-9999999999", whole[5:]), (f"bytes={size - 1}-", whole[-1:])]:
        answer = connection.get(f"/f/{name}", Range=field)
        assert (answer.status, answer.body) == (206, part), field
        first = size - len(part) if field != "bytes=0-0" else 0
        assert answer.header("Content-Range") == f"bytes {first}-{first + len(part) - 1}/{size}"
    answer = connection.get(f"/f/{name}", Range=f"bytes={size}-")
    assert (answer.status, answer.header("Content-Range")) == (416, f"bytes */{size}")
    for nonsense in ["bytes=9-1", "bytes=", "bytes=-", "bytes=0-1;2-3", "bytes", "0-1", "bytes=a-b", "=", "bytes=0-9,x"]:
        answer = connection.get(f"/f/{name}", Range=nonsense)
        assert (answer.status, answer.header("Content-Range")) == (416, f"bytes */{size}"), nonsense
    assert connection.get(f"/f/{name}", Range="items=9-1").body == whole
    assert connection.request("HEAD", f"/f/{name}", Range="bytes=0-0").status == 200


def test_several_ranges_are_a_multipart(served, connection):
    whole = (served.root / "200000.bin").read_bytes()
    answer = connection.get("/f/200000.bin", Range="bytes=0-9,100000-179999,-5")
    assert answer.status == 206
    mark = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer.header("Content-Type"))[1].encode()
    parts = answer.body.split(b"--" + mark)
    assert parts[0] == b"" and parts[4] == b"--\r\n"
    for part, (first, last) in zip(parts[1:4], [(0, 9), (100000, 179999), (199995, 199999)]):
        head, body = part.split(b"\r\n\r\n", 1)
        assert f"Content-Range: bytes {first}-{last}/200000".encode() in head
        assert body == whole[first:last + 1] + b"\r\n"


def test_if_range(served, connection):
    etag = connection.get("/f/page.html").header("ETag")
    assert connection.get("/f/page.html", Range="bytes=0-0", If_Range=etag).status == 206
    assert connection.get("/f/page.html", Range="bytes=0-0", If_Range='"x"').status == 200


def test_precompressed_variants(connection):
    for accept, body, coding in [("gzip", "gz of it", "gzip"), ("gzip, br", "br of it", "br"),
                                 ("gzip, br;q=0.5", "gz of it", "gzip"), ("gzip, zstd;q=0.9", "gz of it", "gzip"),
                                 ("zstd", "zst of it", "zstd"), ("gzip;q=0", "<p>0123456789</p>", None),
                                 ("identity", "<p>0123456789</p>", None)]:
        answer = connection.get("/p/page.html", Accept_Encoding=accept)
        assert (answer.text, answer.header("Content-Encoding")) == (body, coding)
        assert answer.header("Vary") == "Origin, Accept-Encoding"
        assert connection.get("/plain/page.html", Accept_Encoding=accept).header("Vary") == "Accept-Encoding"
        assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert connection.get("/p/stale.css", Accept_Encoding="gzip").text == "new"


# What changes

def test_changes_are_seen(served, connection):
    path = served.root / "changing"
    for i, text in enumerate(["one", "two", "three", "x" * 70000, "four"]):
        if i % 2:
            path.write_text(text)
        else:
            (served.root / "next").write_text(text)
            (served.root / "next").rename(path)
        assert connection.get("/f/changing").text == text
    path.unlink()
    assert connection.get("/f/changing").status == 404


def test_a_kept_file_is_valid_for_a_while(jobs, app, tmp_path):
    (tmp_path / "a").write_text("old")
    server = jobs.server(app(APP, name="files"), workers=1, file_cache_valid="2s", root=tmp_path).wait_serving()
    assert server.get("/f/a").text == "old"
    (tmp_path / "a").write_text("new")
    assert server.get("/f/a").text == "old"
    eventually("the change is seen", lambda: server.get("/f/a").text == "new")


def test_a_file_that_shrinks_cuts_the_connection(served):
    path = served.root / "shrinking"
    path.write_bytes(bytes(64 << 20))
    with served.connect() as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.ask("GET", "/f/shrinking")
        connection._until(b"\r\n\r\n")
        os.truncate(path, 1 << 20)
        assert len(connection.rest()) < 64 << 20
    eventually("the log names it", lambda: "shrinking: the file has become shorter" in served.err)
    assert served.get("/f/page.html").status == 200


def test_a_slow_reader_costs_no_memory(served):
    path = served.root / "large"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    (worker,) = served.workers()
    before = int(proc.status(worker)["VmRSS"].split()[0])
    readers = [Connection(served.address) for _ in range(8)]
    for reader in readers:
        reader.ask("GET", "/f/large")
    for reader in readers:
        assert len(reader._exactly(1 << 20)) == 1 << 20
        reader.buffer = b""
    assert served.get("/f/page.html").status == 200
    assert int(proc.status(worker)["VmRSS"].split()[0]) - before < 4096  # KiB
    got = len(readers[0].socket.recv(65536))
    while got < 98 << 20:
        got += len(readers[0].socket.recv(1 << 20))
    for reader in readers:
        reader.close()
    path.unlink()


def test_a_stalled_reader_is_given_up(jobs, app, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64 << 20)
    server = jobs.server(app(APP, name="files"), workers=1, send_timeout="1s", root=tmp_path).wait_serving()
    (worker,) = server.workers()
    before = len(proc.fds(worker))
    with server.connect() as connection:
        connection.ask("GET", "/f/large")
        eventually("the file is being sent", lambda: len(proc.fds(worker)) > before)
        time.sleep(3)
        assert len(connection.rest()) < 64 << 20


def test_no_descriptor_is_leaked(served):
    (worker,) = served.workers()
    def ask_all():
        for path in ["65537.bin", "5000000.bin", "page.html", "nothing", "fifo", "sub", "out", "65537.bin"]:
            served.get(f"/f/{path}")
    ask_all()
    before = len(proc.fds(worker))
    for _ in range(20):
        ask_all()
    with served.connect() as connection:
        connection.ask("GET", "/f/5000000.bin")  # and goes away
    eventually("all are closed", lambda: len(proc.fds(worker)) <= before)


# No way out

@pytest.mark.parametrize("path", [
    "../secret", "..%2fsecret", "%2e%2e/secret", "%2e%2e%2fsecret", "sub/../../secret", "sub/%2e%2e/..%2fsecret",
    "/etc/passwd", "%2fetc%2fpasswd", "out", "etc/passwd", "up/secret", "up/root/../secret", "..", ".", "sub/..",
    "..\\secret", "..%5csecret", "....//secret", "%252e%252e/secret", "..;/secret", "page.html%20", "page.html/.",
    "..%c0%afsecret", "%c0%ae%c0%ae/secret"])
def test_nothing_leads_out(connection, path):
    assert connection.get(f"/f/{path}").status == 404
    assert connection.get(f"/s/{path}").status == 404
    assert connection.get(f"/plain/{path}").status == 404


def test_nul_is_refused(connection):
    assert connection.get("/f/page.html%00.png").status == 400


def test_links_inside_lead_inside(connection):
    assert connection.get("/f/sub/in").text == "<p>0123456789</p>"


def test_a_link_that_is_being_swapped_never_leads_out(served, connection):
    link, done = served.root / "swapped", threading.Event()
    link.symlink_to("sub")
    (served.root / "sub" / "secret").write_text("inside")

    def swap():
        spare = served.root / "spare"
        while not done.is_set():
            for target in ("..", "sub"):
                spare.symlink_to(target)
                spare.rename(link)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = {connection.get("/f/swapped/secret").text for _ in range(3000)}
    finally:
        done.set()
        thread.join()
    assert "secret" not in seen
    assert "inside" in seen


DOTS = [".", "%2e", "%2E", "%252e", "%c0%ae", "%e0%80%ae", "%ef%bc%8e"]
SLASHES = ["/", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "//", "/./", "/%2e/", "/;/", "/%20/", "/%09"]


@pytest.mark.parametrize("tree", ["/f/", "/s/", "/plain/", "/listed/"])
def test_no_spelling_leads_out(connection, tree):
    for dots in DOTS:
        for slash in SLASHES:
            for path in [f"{dots}{dots}{slash}secret", f"sub{slash}{dots}{dots}{slash}{dots}{dots}{slash}secret",
                         f"{slash}{dots}{dots}{slash}secret", f"{dots}{dots}{slash}root{slash}{dots}{dots}{slash}secret",
                         f"up{slash}secret", f"sub{slash}..;{slash}secret"]:
                answer = connection.get(tree + path)
                assert answer.status in (301, 400, 404), path
                assert b"secret" != answer.body


def test_a_directory_that_becomes_a_link_never_leads_out(served):
    """Small files (kept in memory), large ones (sent from a descriptor), and the listing."""
    inside, outside, link = served.root / "racing", served.root.parent / "racing", served.root / "link"
    for folder, text in [(inside, "inside"), (outside, "secret")]:
        folder.mkdir()
        (folder / "small").write_text(text)
        (folder / "large").write_text(text * 5000)
    link.symlink_to("../racing")
    done, spare = threading.Event(), served.root / "spare2"

    def swap():
        while not done.is_set():
            inside.rename(spare)
            link.rename(inside)
            inside.rename(link)
            spare.rename(inside)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        with served.connect() as connection:
            for _ in range(700):
                for path in ["/s/racing/small", "/f/racing/large", "/listed/racing/", "/plain/racing/large"]:
                    answer = connection.get(path)
                    assert answer.status in (200, 301, 404)
                    seen.add(answer.body[:6])
    finally:
        done.set()
        thread.join()
    assert b"secret" not in seen
    assert b"inside" in seen


# Trees

def test_a_tree(connection):
    assert connection.get("/s/page.html").text == "<p>0123456789</p>"
    assert connection.get("/s/page.html").header("Cache-Control") == "max-age=9"
    assert connection.get("/s/sub/in").text == "<p>0123456789</p>"
    assert connection.get("/plain/page.html", Accept_Encoding="gzip").text == "gz of it"
    assert connection.request("HEAD", "/s/page.html").status == 200
    assert connection.post("/s/page.html").status == 405


def test_an_index_and_the_way_to_it(connection):
    for path, text in [("/s/", "index"), ("/s/sub/", "index of sub")]:
        assert connection.get(path).text == text
    for path, to in [("/s", "/s/"), ("/s/sub", "/s/sub/"), ("/s/sub?a=b%20c", "/s/sub/?a=b%20c"), ("/s/s%75b", "/s/s%75b/")]:
        answer = connection.get(path)
        assert (answer.status, answer.header("Location")) == (301, to)
    for path in ["/plain", "/plain/", "/plain/sub", "/plain/sub/", "/s/nothing/", "/s/.well-known/"]:
        assert connection.get(path).status == 404


def test_hidden_names_are_served_on_demand(connection):
    assert connection.get("/s/.env").status == 404
    assert connection.get("/s/sub/.%2e/.env").status == 404
    assert connection.get("/s/.well-known/security.txt").text == "well known"
    assert connection.get("/plain/.env").text == "hidden"


@pytest.mark.parametrize("path", ["sub//in", "sub/./in", "sub%2fin", "sub%2Fin", "sub%5Cin", "sub/in/", "%0apage.html", "//page.html"])
def test_a_file_has_one_spelling(connection, path):
    assert connection.get(f"/s/{path}").status == 404


def test_a_missing_directory_ends_the_start(jobs, app):
    job = jobs.server(app(APP, name="files"), workers=1, root="/nowhere/at/all")
    assert job.wait_code() == 4
    assert "static /s: /nowhere/at/all: No such file or directory" in job.err


def test_a_tree_of_one_host(connection):
    for path, text in [("page.html", "<p>0123456789</p>"), ("", "index")]:
        connection.send(f"GET /hosted/{path} HTTP/1.1\r\nHost: files.example\r\n\r\n".encode())
        assert connection.response().text == text
        assert connection.get(f"/hosted/{path}").status == 404


def test_one_file(connection):
    answer = connection.get("/one.html")
    assert (answer.text, answer.header("Cache-Control")) == ("<p>0123456789</p>", "max-age=5")
    assert connection.get("/one.html/").status in (200, 404)  # as the app's slashes are
    for path in ["/one.html/..", "/one.html/secret", "/one"]:
        assert connection.get(path).status == 404


def test_a_directory_is_listed_where_that_is_wanted(served, connection):
    odd = served.root / "odd"
    odd.mkdir()
    (odd / "a <b>.txt").write_text("odd")
    (odd / ".hidden").write_text("")
    (odd / "out").symlink_to("../../secret")
    (odd / "in").symlink_to("../page.html")
    assert connection.get("/listed/odd").header("Location") == "/listed/odd/"
    answer = connection.get("/listed/odd/")
    assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=utf-8")
    assert re.findall(r'href="([^"]*)"', answer.text) == ["../", "./a%20%3Cb%3E.txt", "./in"]
    assert "a &lt;b&gt;.txt</a><td>3<td>" in answer.text
    assert connection.get("/listed/odd/a%20%3Cb%3E.txt").header("Content-Type") == "text/x-own"
    assert connection.get("/listed/sub/").text == "index of sub"
    assert connection.get("/listed/").text == "index"
    assert connection.request("HEAD", "/listed/odd/").status == 200
    for path in ["/listed/nothing/", "/listed/up/", "/listed/etc/", "/listed/page.html/", "/s/odd/", "/listed/.well-known/../"]:
        assert connection.get(path).status == 404


# Bodies on disk

SPOOL = r"""
#include <sys/resource.h>
#include <sys/stat.h>

static int count(covey_req *req)
{
    struct stat st;
    size_t len, sum = 0;
    unsigned char bytes[8192];
    (void)covey_body(req, &len);
    int fd = covey_body_file(req);
    if (fd < 0 || fstat(fd, &st) < 0)
        return covey_fail(req, 500, "no file");
    for (ssize_t n; (n = covey_body_read(req, bytes, sizeof(bytes))) > 0;) {
        for (ssize_t i = 0; i < n; i++)
            sum += bytes[i];
    }
    return covey_textf(req, 200, "%zu in memory, %lld on disk in %u names, sum %zu", len, (long long)st.st_size,
                       (unsigned)st.st_nlink, sum);
}
static int save(covey_req *req)
{
    char from[64];
    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", covey_body_file(req));
    if (linkat(AT_FDCWD, from, AT_FDCWD, covey_query(req, "to"), AT_SYMLINK_FOLLOW) < 0)
        return covey_fail(req, 500, "%s", strerror(errno));
    return covey_text(req, 200, "saved");
}
static int fill_disk(covey_app *app)
{
    const struct rlimit most = {1 << 20, 1 << 20}; /* which is a full disk, to a write() */
    if (!covey_config_bool(app, "FULL", false))
        return 0;
    return setrlimit(RLIMIT_FSIZE, &most);
}
static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, fill_disk);
    covey_post(app, "/", count, .spool_above = 100000, .body_max = 1 << 30);
    covey_post(app, "/save", save, .spool_above = 1, .body_max = 1 << 30);
    return 0;
}
"""


def chunks(body, size=50000):
    parts = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


def test_long_bodies_are_on_disk(jobs, app, tmp_path):
    folder = tmp_path / "uploads"
    folder.mkdir()
    server = jobs.server(app(SPOOL, name="spool"), workers=1, upload_dir=folder).wait_serving()
    (worker,) = server.workers()
    with server.connect() as connection:
        for size in (0, 10, 100000, 100001, 3000000):
            body = os.urandom(size)
            memory = size if size <= 100000 else 0
            wanted = f"{memory} in memory, {size} on disk in 0 names, sum {sum(body)}"
            assert connection.post("/", body).text == wanted
            connection.send(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body))
            assert connection.response().text == wanted
        before = int(proc.status(worker)["VmRSS"].split()[0])
        fds = len(proc.fds(worker))
        body = bytes(64 << 20)
        assert connection.post("/", body).text.startswith("0 in memory, 67108864 on disk")
        grown = int(proc.status(worker)["VmRSS"].split()[0]) - before  # KiB
        assert grown < 4096 or sanitized()  # AddressSanitizer holds back what is freed
        eventually("it is closed", lambda: len(proc.fds(worker)) <= fds)
        body = os.urandom(1000000)
        assert connection.post(f"/save?to={folder}/saved", body).text == "saved"
        assert (folder / "saved").read_bytes() == body
    assert os.listdir(folder) == ["saved"]


def test_a_full_disk_is_507(jobs, app, tmp_path):
    server = jobs.server(app(SPOOL, name="spool"), workers=1, upload_dir=tmp_path, full=1).wait_serving()
    with server.connect() as connection:
        connection.ask("POST", "/", None, Content_Length=5000000)
        try:
            connection.send(bytes(5000000))
        except OSError:
            pass
        assert connection.response().status == 507
    assert server.err.count("could not be written to UPLOAD_DIR") == 1
    with server.connect() as connection:
        assert connection.post("/", bytes(500000)).status == 200


def test_a_missing_upload_dir_is_503(jobs, app):
    server = jobs.server(app(SPOOL, name="spool"), workers=1, upload_dir="/nowhere").wait_serving()
    with server.connect() as connection:
        assert connection.post("/", bytes(200000)).status == 503
    assert "UPLOAD_DIR (/nowhere): No such file or directory" in server.err


def test_a_body_is_streamed_or_spooled(jobs, app):
    body = SPOOL.replace(".spool_above = 1,", ".spool_above = 1, .stream = true,")
    job = jobs.server(app(body, name="spool"), workers=1)
    assert job.wait_code() == 4
    assert "route /save: .stream takes a body as it comes, .spool_above waits for all of it" in job.err
