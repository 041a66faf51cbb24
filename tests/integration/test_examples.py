"""Every example runs, as a program and as a shared object for `covey run`. That it does what it says, its own test shows, in
tests/examples; what takes a server is shown here."""

import re
import signal
from pathlib import Path

import pytest

from client import eventually
from harness import BUILD, ROOT
from server import READY, example

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.c"))


@pytest.fixture(params=["program", "shared object"])
def serve(request, jobs):
    """serve(name, ...): an example that answers."""

    def start(name, **how):
        if request.param == "program":
            server = jobs.server(name, **how)
        else:
            server = jobs.server(BUILD / "covey", ["run", example(name + ".so")], **how)

        def answers():
            assert server.code is None, server.tail()
            try:
                return server.get("/").status < 500
            except ConnectionError:
                return False

        eventually(f"{name} answers", answers, READY)
        return server

    return start


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_serves(serve, name):
    serve(name)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_a_test_and_says_what_it_shows(name):
    assert (ROOT / f"tests/examples/test_{name}.c").exists()
    text = (ROOT / f"examples/{name}.c").read_text()
    assert text.startswith("/* ") and '#include "' not in text
    assert f"]({name}.c)" in (ROOT / "examples/README.md").read_text()


def test_hello_has_at_most_9_lines_of_code():
    text = (ROOT / "examples/hello.c").read_text()
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 9


def test_slow_start_sleeps_before_it_serves(serve):
    server = serve("slow_start", custom_delay=1, workers=1)
    assert server.get("/hello/World").text == "Hello, World!\n"
    assert "going to sleep for 1 seconds" in server.err
    assert "finished initialization" in server.err


def test_slow_start_ends_at_once_while_it_sleeps(jobs, method):
    server = jobs.server("slow_start", method=method, custom_delay=100)
    server.wait_booting()
    server.stop(signal.SIGINT, starting=True)


def test_testbed_answers(serve):
    server = serve("testbed")
    assert server.get("/").text == "Hello, World!"
    assert server.get("/hello/covey").text == "Hello, covey!"
    assert int(server.get("/pid").text) in server.workers()
    assert server.get("/slow").text == "slow"
    assert server.get("/block").text == "blocked"


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


@pytest.mark.skipif(not Path(example("hello_cpp")).exists(), reason="there was no C++ compiler")
def test_cpp_example_serves(jobs):
    server = jobs.server("hello_cpp").wait_serving()
    assert server.get("/hello/covey").text == "Hello, covey!"
    assert server.get("/").text == "Hello, World!"
