"""Signals at arbitrary moments of a start: before the master exists, between fork and exec, before HELLO.

The matrix strikes in states that can be waited for; these tests strike in the gaps between them. Each
attempt waits a little longer than the one before, so that the whole start is swept.
"""

import random
import signal
import time

import pytest

from client import Closed
from harness import files_below
from server import KILL_BOUND, STARTING_BOUND, TERM_BOUND, Server

STEPS = 30
SPAN = 0.06  # seconds: a start takes about 20 ms


def sweep(folder, method, strike):
    """Starts and strikes STEPS times. `strike(server)` returns (time, expected codes, bound)."""
    for step in range(STEPS):
        server = Server(folder / f"job{step}", "testbed", method=method)
        try:
            time.sleep(SPAN * step / STEPS)
            sent, codes, bound = strike(server)
            server.wait_gone(sent, 10 * bound if bound < 1 else bound + 2)
            assert server.code in codes, f"step {step}: exit code {server.code}\n{server.tail()}"
            socket = left_without_a_master(server)
            server.files |= socket
            server.assert_all_ended()
        finally:
            server.close()
        if socket:
            assert_the_next_removes(socket, server.folder, method)


def left_without_a_master(server):
    """The control socket of a server that was killed when it had it, and no second process yet: nobody could remove it."""
    if server.code >= 0 or set(server.reaped) != {server.pid}:
        return set()
    return (files_below(server.cwd) - server.files) & {"covey", f"covey/testbed-{server.pid}.sock"}


def assert_the_next_removes(socket, folder, method):
    server = Server(folder, "testbed", method=method)
    try:
        server.wait_serving()
        server.stop()
        assert not socket & files_below(server.cwd)
    finally:
        server.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_while_starting_leaves_nothing(tmp_path, method, number):
    """Before covey has its handlers the signal itself ends the process, which has no children then."""
    def strike(server):
        return server.send(server.guardian, number), {0, -number}, STARTING_BOUND

    sweep(tmp_path, method, strike)


def test_kill_of_guardian_while_starting_leaves_nothing(tmp_path, method):
    def strike(server):
        return server.send(server.guardian, signal.SIGKILL), {-signal.SIGKILL}, KILL_BOUND

    sweep(tmp_path, method, strike)


def test_kill_of_master_while_starting_leaves_nothing(tmp_path, method):
    def strike(server):
        while server.master() is None:
            time.sleep(0.001)
        return server.send(server.master(), signal.SIGKILL), {137}, KILL_BOUND

    sweep(tmp_path, method, strike)


def test_kill_of_workers_while_starting_is_survived(jobs, method):
    """Workers die in all moments of their start; the server gets ready and ends like any other."""
    server = jobs.server("testbed", method=method)
    dice = random.Random(1)
    for _ in range(8):
        time.sleep(dice.uniform(0, 0.05))
        for pid in server.workers():
            try:
                server.send(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    server.reach_all(timeout=30)
    server.stop()


@pytest.mark.limit(150)
def test_connection_that_has_woken_a_dying_worker_is_taken_by_another(jobs, method):
    """It comes in the same moment as the KILL and nobody comes after it: what waits in the queue is not forgotten."""
    for _ in range(6):
        server = jobs.server("testbed", method=method).wait_serving()
        for step in range(4):  # more would meet the back-off
            victims = list(server.wait_workers())
            time.sleep(0.02)
            server.send(victims[step % 2], signal.SIGKILL)
            try:
                assert server.get("/pid").status == 200
            except (Closed, ConnectionError):
                pass  # the victim had accepted it
        server.stop()


@pytest.mark.limit(90)
def test_stop_during_reload_leaves_nothing(tmp_path, method):
    """HUP, then TERM a little later, in every phase of the replacement."""
    for step in range(10):
        server = Server(tmp_path / f"job{step}", "testbed", method=method)
        try:
            server.reach_all()
            server.send(server.guardian, signal.SIGHUP)
            time.sleep(0.008 * step)
            sent = server.send(server.guardian, signal.SIGTERM)
            server.wait_gone(sent, TERM_BOUND)
            assert server.code == 0, server.tail()
            server.assert_all_ended()
        finally:
            server.close()
