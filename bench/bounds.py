"""How long each end takes: the measured column of the table of guarantees in docs/supervision.md.

Uses the tests' harness (tests/lib), so "gone" is the kernel's word: no process of the job is left.
"""

import os
import pathlib
import signal
import statistics
import tempfile
import time

import servers  # noqa: F401  first: it makes tests/lib known

import apps
import proc
from client import eventually
from server import Server

ROUNDS = 10

STUCK = """
static int stuck(covey_req *req) { sleep(1000); return covey_text(req, 200, "never"); }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int setup(covey_app *app)
{
    covey_get(app, "/stuck", stuck);
    covey_get(app, "/pid", pid);
    return 0;
}
"""


def stick(server):
    """One worker is blocked in a handler; its pid."""
    connection = server.connect()
    pid = int(connection.get("/pid").text)
    connection.send(b"GET /stuck HTTP/1.1\r\nHost: bounds\r\n\r\n")
    eventually("it is blocked", lambda: proc.in_sleep(pid), 5)
    return pid


def gone(server, send):
    return server.wait_gone(send(), 60)


def to_guardian(number):
    return lambda server: gone(server, lambda: server.send(server.guardian, number))


def to_master(number):
    return lambda server: gone(server, lambda: server.send(server.master(), number))


def both_at_once(server):
    """Not through server.send(): looking for the one would give the other time."""
    fds = [os.pidfd_open(server.master()), os.pidfd_open(server.guardian)]

    def send():
        since = time.monotonic()
        for fd in fds:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            os.close(fd)
        return since
    return gone(server, send)


def replaced(server, victim, since):
    """Until the victim is reaped and another worker has its name."""
    slots = len(server.workers())
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) >= max(slots, 2),
               60, 0.0005)
    return time.monotonic() - since


def crashed(server):
    victim = next(iter(server.workers()))
    return replaced(server, victim, server.send(victim, signal.SIGKILL))


def paused(server):
    victim = next(iter(server.workers()))
    return replaced(server, victim, server.send(victim, signal.SIGSTOP))


def hung(server):
    since = time.monotonic()
    return replaced(server, stick(server), since)


def stray_ends(server):
    connection = server.connect()
    victim = int(connection.get("/child?double=1").text)
    strays = [process.pid for process in server.strays()]
    assert strays
    since = server.send(victim, signal.SIGKILL)
    eventually("the daemon is gone", lambda: not server.strays(), 10, 0.0005)
    return time.monotonic() - since


def stuck_then(act):
    def run(server):
        stick(server)
        return act(server)
    return run


def cases(stuck_app):
    """(row, what, program, settings, booting, measure)"""
    yield 1, "KILL of a worker: replaced by a new process", "testbed", {}, False, crashed
    yield 2, "TERM, a worker blocked, drain 1 s + stop 1 s", stuck_app, \
        {"graceful_shutdown_timeout": 1, "stop_timeout": 1}, False, stuck_then(to_guardian(signal.SIGTERM))
    yield 2, "INT, a worker blocked (int 3 s)", stuck_app, {}, False, stuck_then(to_guardian(signal.SIGINT))
    yield 3, "INT, every worker blocked in its start", "testbed", {"boot_delay": 100}, True, to_guardian(signal.SIGINT)
    yield 5, "SIGSTOP of a worker, HANG_TIMEOUT 1 s: replaced", "testbed", {"hang_timeout": 1}, False, paused
    yield 6, "KILL of the master", "testbed", {}, False, to_master(signal.SIGKILL)
    yield 7, "KILL of the guardian", "testbed", {}, False, to_guardian(signal.SIGKILL)
    yield 8, "KILL of both at once", "testbed", {}, False, both_at_once
    yield 9, "KILL of the job's process group", "testbed", {}, False, \
        lambda server: gone(server, lambda: server.send_group(signal.SIGKILL))
    yield 10, "INT, idle", "testbed", {}, False, to_guardian(signal.SIGINT)
    yield 10, "TERM, idle", "testbed", {}, False, to_guardian(signal.SIGTERM)
    yield 12, "a daemon of a killed worker: gone", "testbed", {}, False, stray_ends
    yield 20, "a blocked loop, HANG_TIMEOUT 1 s: replaced", stuck_app, {"hang_timeout": 1}, False, hung
    yield 22, "SIGSTOP of the master, HANG_TIMEOUT 1 s", "testbed", {"hang_timeout": 1}, False, to_master(signal.SIGSTOP)


def one(folder, program, settings, booting, measure):
    server = Server(folder, program, workers=4, **settings)
    try:
        if booting:
            server.wait_booting()
        else:
            server.wait_workers()
            server.wait_serving()
        return measure(server)
    finally:
        server.close()


def report():
    print("### How long each end takes\n")
    print(f"Milliseconds from the signal, median of {ROUNDS} rounds (worst); 4 workers, `spawn`.\n")
    print("| row | what | ms |\n|---:|---|---:|")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        stuck_app = apps.compile_c(folder, STUCK)
        for number, (row, what, *how) in enumerate(cases(stuck_app)):
            ms = [one(folder / f"{number}-{round_}", *how) * 1000 for round_ in range(ROUNDS)]
            print(f"| {row} | {what} | {statistics.median(ms):.1f} ({max(ms):.1f}) |", flush=True)
    print()
