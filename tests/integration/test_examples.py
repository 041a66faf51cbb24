"""Every example runs, as a program and as a shared object for `covey run`, and does what it says."""

import re
import signal

import pytest

from client import eventually
from harness import BUILD, ROOT
from server import READY, example

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.c"))


@pytest.fixture(params=["program", "shared object"])
def serve(request, jobs):
    """serve(name, path, ...): an example that answers `path`."""

    def start(name, path, **how):
        if request.param == "program":
            server = jobs.server(name, **how)
        else:
            server = jobs.server(BUILD / "covey", ["run", example(name + ".so")], **how)

        def answers():
            assert server.code is None, server.tail()
            try:
                return server.get(path).status == 200
            except ConnectionError:
                return False

        eventually(f"{name} answers", answers, READY)
        return server

    return start


def test_every_example_has_a_test_here():
    tests = "".join(name for name in globals() if name.startswith("test_"))
    assert [name for name in EXAMPLES if name not in tests] == []


def test_every_example_says_what_it_shows():
    page = (ROOT / "examples/README.md").read_text()
    for name in EXAMPLES:
        assert (ROOT / f"examples/{name}.c").read_text().startswith("/* "), name
        assert f"]({name}.c)" in page, name


def test_hello_answers(serve):
    server = serve("hello", "/")
    assert server.get("/").text == "Hello, World!"
    assert server.get("/nowhere").status == 404


def test_hello_has_at_most_9_lines_of_code():
    text = (ROOT / "examples/hello.c").read_text()
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 9


def test_slow_start_sleeps_before_it_serves(serve):
    server = serve("slow_start", "/hello/World", custom_delay=1, workers=1)
    assert server.get("/hello/World").text == "Hello, World!\n"
    assert "going to sleep for 1 seconds" in server.err
    assert "finished initialization" in server.err


def test_slow_start_ends_at_once_while_it_sleeps(jobs, method):
    server = jobs.server("slow_start", method=method, custom_delay=100)
    server.wait_booting()
    server.stop(signal.SIGINT, starting=True)


def test_testbed_answers(serve):
    server = serve("testbed", "/")
    assert server.get("/").text == "Hello, World!"
    assert server.get("/hello/covey").text == "Hello, covey!"
    assert int(server.get("/pid").text) in server.workers()
    assert server.get("/slow").text == "slow"
    assert server.get("/block").text == "blocked"


def test_testbed_echoes_a_body(serve):
    server = serve("testbed", "/")
    with server.connect() as connection:
        answer = connection.post("/echo", b"\0\r\nbytes", Content_Type="application/x-own")
    assert (answer.status, answer.body) == (200, b"\0\r\nbytes")
    assert answer.header("Content-Type") == "application/x-own"


@pytest.mark.parametrize("path", ["/child", "/child?double=1"])
def test_testbed_leaves_a_child_running(jobs, path):
    server = jobs.server("testbed", workers=1).wait_serving()
    assert server.strays() == []
    worker = int(server.get(path).text)
    assert worker in server.workers()
    (child,) = eventually("the child runs", server.strays)
    assert (child.ppid == worker) == (path == "/child")


def test_testbed_start_up_can_be_blocked(jobs):
    server = jobs.server("testbed", boot_delay=100)
    server.wait_booting()
    server.stop(starting=True)


def test_static_files_serves_a_directory(jobs, tmp_path):
    (tmp_path / "index.html").write_text("<h1>Hello</h1>")
    (tmp_path / "style.css").write_text("h1 { color: red }")
    server = jobs.server("static_files", workers=1, root=tmp_path).wait_serving()
    assert server.get("/").text == "<h1>Hello</h1>"
    assert server.get("/style.css").header("Content-Type") == "text/css; charset=utf-8"
    assert server.get("/nothing").status == 404


def test_middleware_shows_its_order(serve):
    server = serve("middleware", "/")
    assert server.get("/").header("X-Order") == "A, B, handler, D, C"
    stopped = server.get("/?stop")
    assert (stopped.status, stopped.text) == (403, "stopped\n")
    assert stopped.header("X-Order") == "A, D, C"


def test_streaming_goes_up_and_down(serve):
    server = serve("streaming", "/lines/1")
    with server.connect() as connection:
        assert connection.request("PUT", "/count", bytes(5_000_000)).text == "5000000 bytes\n"
        lines = connection.get("/lines/3")
        assert lines.text == "line 1\nline 2\nline 3\n"
        assert lines.header("Transfer-Encoding") == "chunked"


def test_streaming_answers_while_the_body_comes(serve):
    server = serve("streaming", "/lines/1")
    with server.connect() as connection, connection.socket.makefile("rb") as answer:
        connection.send(b"PUT /shout HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        while answer.readline() != b"\r\n":
            pass
        for word in (b"one", b"two"):
            connection.send(b"3\r\n" + word + b"\r\n")
            assert (answer.readline(), answer.readline()) == (b"3\r\n", word.upper() + b"\r\n")
