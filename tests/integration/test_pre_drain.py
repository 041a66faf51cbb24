"""PRE_DRAIN: after TERM the server accepts on for a while and says that it is going away."""

import signal
import time

import pytest

from client import Connection, eventually
from harness import port_is_free
from manager import Manager

APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int die(covey_req *req) { (void)req; _exit(7); }
static int health(covey_req *req)
{
    return covey_text(req, covey_is_stopping(covey_app_of(req)) ? 503 : 200, "");
}
static int setup(covey_app *app)
{
    covey_get(app, "/pid", pid);
    covey_get(app, "/die", die);
    covey_get(app, "/health", health);
    return 0;
}
"""
PRE_DRAIN = 2.0


@pytest.fixture
def program(app):
    return app(APP)


@pytest.fixture
def warned(jobs, program, method):
    """A server in its PRE_DRAIN, a connection it had kept, and when TERM was sent."""
    server = jobs.server(program, method=method, pre_drain=PRE_DRAIN, graceful_shutdown_timeout=5)
    kept = next(iter(server.reach_all().values()))
    assert kept.get("/health").status == 200 and not kept.get("/pid").closes
    sent = server.send(server.guardian, signal.SIGTERM)
    eventually("the health route knows", lambda: server.get("/health").status == 503, 1.0)
    return server, kept, sent


def wait_refused(server):
    eventually("connections are refused", lambda: port_is_free(server.port), 10.0)
    return time.monotonic()


def test_it_accepts_on_and_says_that_it_is_going(warned):
    server, kept, sent = warned
    assert "accepted for another 2.0 s" in server.err
    assert kept.get("/pid").closes  # was kept alive until its next request
    assert kept.closed()
    served = 0
    while time.monotonic() - sent < PRE_DRAIN - 0.5:
        answer = server.get("/pid")
        assert answer.status == 200 and answer.closes
        served += 1
    assert served > 20
    assert len(server.workers()) == 2
    taken = server.wait_gone(sent, 10.0)
    assert PRE_DRAIN - 0.1 < taken < PRE_DRAIN + 1.0
    assert server.code == 0, server.tail()
    server.assert_all_ended()


def test_an_idle_connection_is_kept_until_the_drain(warned):
    server, kept, sent = warned
    assert kept.closed(within=PRE_DRAIN + 1.0)
    assert time.monotonic() - sent > PRE_DRAIN - 0.1
    server.wait_gone(sent, 10.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_faster_stop_ends_it(warned, number):
    server, _, _ = warned
    again = server.send(server.guardian, number)
    assert server.wait_gone(again, 5.0) < PRE_DRAIN / 2
    assert server.code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_other_stops_skip_it(jobs, program, number):
    server = jobs.server(program, pre_drain=30)
    server.reach_all()
    assert server.stop(number) < 3.1


def test_a_crash_meanwhile_is_not_replaced(warned):
    server, _, sent = warned
    with Connection(server.address) as connection:
        connection.ask("GET", "/die")
        assert connection.rest() == b""
    server.wait_workers(1)
    time.sleep(0.3)
    assert len(server.workers()) == 1 and server.get("/pid").status == 200
    server.wait_gone(sent, 10.0)
    assert server.code == 0


def test_term_to_a_worker_that_was_told_does_nothing(warned):
    """A manager that signals every process of the group must not undo it."""
    server, _, sent = warned
    for pid in server.workers():
        server.send(pid, signal.SIGTERM)
    time.sleep(0.3)
    assert len(server.workers()) == 2 and server.get("/pid").status == 200
    server.wait_gone(sent, 10.0)


def test_a_reload_has_none_of_it(jobs, program):
    server = jobs.server(program, pre_drain=30)
    old = set(server.reach_all())
    server.send(server.guardian, signal.SIGHUP)
    eventually("the workers are new", lambda: not old & set(server.workers()) and len(server.workers()) == 2, 10.0)
    assert not server.get("/pid").closes
    server.stop(signal.SIGQUIT)


def test_systemd_is_told_and_asked_for_time(jobs, program):
    manager = Manager()
    try:
        server = jobs.server(program, env=manager.env, pre_drain=PRE_DRAIN)
        manager.wait_states("READY")
        sent = server.send(server.guardian, signal.SIGTERM)
        manager.wait_states("READY", "STOPPING")
        assert manager.times("STOPPING=1")[0] - sent < 1.0
        eventually("more time is asked for",
                   lambda: [at for at in manager.times("EXTEND_TIMEOUT_USEC=2000000") if at > sent], PRE_DRAIN)
        assert server.get("/pid").status == 200
        server.wait_gone(sent, 10.0)
    finally:
        manager.close()
