"""Recycling: a worker that has had its requests, its time or its memory is replaced, and nobody notices."""

import asyncio
import signal
import time

import pytest

from client import Connection, eventually
from load import Load
from test_control import control, status

APP = """
char *kept; /* not static, so that it counts as read */
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int grow(covey_req *req)
{
    size_t size = (size_t)covey_param_int(req, "mib") << 20;
    kept = malloc(size);
    memset(kept, 1, size);
    return covey_text(req, 200, "grown");
}
static int begin(covey_app *app)
{
    if (access(covey_config_str(app, "FAIL_IF", "/nowhere/at/all"), F_OK) == 0)
        return covey_setup_fail(app, "the disk is full");
    return covey_sleep_ms(1); /* the loop turns before the worker is ready */
}
static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, begin);
    covey_get(app, "/pid", pid);
    covey_get(app, "/grow/<mib:int>", grow);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


def test_without_limits_nobody_is_replaced(jobs, program):
    server = jobs.server(program, workers=2).wait_serving()
    server.reach_all()
    assert "to take its place" not in server.err


def test_requests_are_counted_and_shown(jobs):
    server = jobs.server(workers=1).wait_serving()
    before = status(server)["workers"][0]["requests"]
    for _ in range(5):
        server.get("/pid")
    assert status(server)["workers"][0]["requests"] == before + 5


def test_after_its_requests_a_worker_is_replaced_and_none_is_lost(jobs, program, method):
    """All are spent again and again, at about the same time; as many as wanted serve at every moment."""
    server = jobs.server(program, workers=4, method=method, max_requests=100)
    server.reach_all()
    least = 4

    async def load():
        nonlocal least
        clients = Load(server.address)
        until = time.monotonic() + 4
        while time.monotonic() < until:
            await asyncio.sleep(0.05)
            least = min(least, (await asyncio.to_thread(status, server))["ready"])
        await clients.finish()
        return clients

    clients = asyncio.run(load())
    assert not clients.failures
    assert least == 4
    assert len(clients.workers) > 8, "hardly anybody was replaced"
    assert "MAX_REQUESTS" in server.err and "serves on until another has taken its place" in server.err
    assert "ended with" not in server.err  # that would be a failure


def test_an_idle_worker_is_replaced_when_it_is_old(jobs, program):
    server = jobs.server(program, workers=2, max_age=2)
    first = set(server.reach_all())
    eventually("both are others", lambda: len(server.workers()) == 2 and not first & set(server.workers()))
    assert "MAX_AGE" in server.err


def test_a_worker_that_has_grown_is_replaced(jobs, program):
    server = jobs.server(program, workers=1, max_memory="64M").wait_serving()
    with Connection(server.address) as connection:
        first = int(connection.get("/pid").text)
        assert connection.get("/grow/100").text == "grown"
        assert int(connection.get("/pid").text) == first  # it goes on until another serves
    eventually("it is another", lambda: set(server.workers()) and first not in server.workers())
    assert "MAX_MEMORY" in server.err


def test_a_successor_that_does_not_start_leaves_the_old_one(jobs, program, tmp_path):
    mark = tmp_path / "fail"
    server = jobs.server(program, workers=1, max_requests=5, fail_if=mark).wait_serving()
    mark.touch()
    first = int(server.get("/pid").text)
    for _ in range(10):
        assert int(server.get("/pid").text) == first
    eventually("its successors fail", lambda: server.err.count("exit code 3") >= 2)
    assert int(server.get("/pid").text) == first
    mark.unlink()
    eventually("one starts", lambda: set(server.workers()) and first not in server.workers(), 20)


def test_restart_starts_the_new_one_first(jobs, program, tmp_path):
    mark = tmp_path / "fail"
    server = jobs.server(program, workers=1, fail_if=mark).wait_serving()
    first = int(server.get("/pid").text)
    mark.touch()
    assert "does not get ready" in control(server, "restart", 0, code=1)
    assert int(server.get("/pid").text) == first
    mark.unlink()
    eventually("it is another at last", lambda: set(server.workers()) and first not in server.workers(), 20)


def test_a_stop_does_not_wait_for_successors(jobs, program):
    server = jobs.server(program, workers=2, max_requests=3)
    server.reach_all()
    for _ in range(20):
        server.get("/pid")
    server.stop(signal.SIGTERM)
