"""Stops in corners: all idle, one after the other, before HELLO, with hundreds of workers."""

import signal
import time

import pytest

import proc
from client import Closed, eventually
from harness import sanitized
from server import INT_BOUND, KILL_BOUND, STARTING_BOUND, TERM_BOUND, within

APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int wait_ms(covey_req *req)
{
    int rc = covey_sleep_ms(covey_param_int(req, "ms"));
    return rc < 0 ? rc : covey_text(req, 200, "waited");
}
static int stubborn(covey_req *req)
{
    while (covey_sleep_ms(100) != 12345)
        ;
    return covey_text(req, 200, "never");
}
/* Blocks the loop a little after it has begun to serve, as a request would. */
static void block(void *arg)
{
    (void)arg;
    covey_sleep_ms(300);
    for (;;)
        sleep(1000);
}
static int after_start(covey_app *app)
{
    return covey_config_bool(app, "BLOCKS", false) ? covey_add_task(app, block) : 0;
}
static int setup(covey_app *app)
{
    sleep((unsigned)covey_config_int(app, "SETUP_DELAY", 0));
    covey_get(app, "/pid", pid);
    covey_get(app, "/wait/<ms:int>", wait_ms);
    covey_get(app, "/stubborn", stubborn);
    covey_listener(app, COVEY_AFTER_SERVER_START, after_start);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


@pytest.mark.timed
def test_idle_server_is_gone_within_200_ms(jobs):
    def attempt(limit):
        server = jobs.server("testbed", workers=8)
        server.reach_all()
        return server.stop()

    within(0.2, attempt)


def test_each_stronger_signal_speeds_up_and_nothing_starts_again(jobs, program):
    server = jobs.server(program).wait_serving()
    with server.connect() as connection:
        connection.ask("GET", "/wait/60000")
        time.sleep(0.1)
        before = set(server.workers())
        for number in (signal.SIGTERM, signal.SIGINT):
            server.send(server.guardian, number)
            time.sleep(0.6)
            assert set(server.workers()) <= before and server.workers(), "one still answers, none is new"
        sent = server.send(server.guardian, signal.SIGQUIT)
        server.wait_gone(sent, 10 * KILL_BOUND)
    assert server.code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_before_hello(jobs, program, method, number):
    """The process exists, but its setup has not come back: the master has not heard from it yet."""
    def attempt(limit):
        server = jobs.server(program, method=method, setup_delay=1000)
        server.wait_booting()
        taken = server.wait_gone(server.send(server.guardian, number), limit)
        assert server.code == 0
        return taken

    within(STARTING_BOUND, attempt)


def test_request_that_outlives_the_drain_is_named(jobs, program):
    server = jobs.server(program, ["--graceful-shutdown-timeout", "1", "--stop-timeout", "1.5"]).wait_serving()
    with server.connect() as connection:
        connection.ask("GET", "/stubborn")
        time.sleep(0.1)
        server.wait_gone(server.send(server.guardian, signal.SIGTERM), TERM_BOUND)
        with pytest.raises(Closed):
            connection.response()
    assert server.code == 0
    assert "GET /stubborn" in server.err, server.tail()


@pytest.mark.limit(240)
@pytest.mark.timed
def test_five_hundred_blocked_workers_end_in_one_bound(jobs, program):
    count = 50 if sanitized() else 500

    def attempt(limit):
        server = jobs.server(program, workers=count, method="fork", blocks="true", hang_timeout=600)
        server.wait_workers(count, 90)
        eventually("all are blocked", lambda: all(proc.in_sleep(pid) in (True, None) for pid in server.workers()), 60, 0.2)
        return server.wait_gone(server.send(server.guardian, signal.SIGINT), limit)

    within(INT_BOUND + 0.5, attempt)
