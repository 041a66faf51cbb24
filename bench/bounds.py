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
import preload
import proc
from client import eventually
from harness import BUILD, free_port
from server import Server
from terminal import Terminal

ROUNDS = 10

STUCK = """
static int stuck(covey_req *req) { sleep(1000); return covey_text(req, 200, "never"); }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int chain(covey_req *req)
{
    if (fork() == 0) {
        setsid();
        for (;;)
            if (fork() != 0)
                _exit(0);
    }
    return pid(req);
}
static int setup(covey_app *app)
{
    covey_get(app, "/stuck", stuck);
    covey_get(app, "/pid", pid);
    covey_get(app, "/chain", chain);
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


def late(server):
    victim = next(iter(server.workers()))
    return replaced(server, victim, server.started_at)


def stray_ends(server):
    connection = server.connect()
    victim = int(connection.get("/child?double=1").text)
    assert server.strays()
    return no_strays(server, server.send(victim, signal.SIGKILL))


def chain_ends(server):
    victim = int(server.connect().get("/chain").text)
    time.sleep(0.1)
    return no_strays(server, server.send(victim, signal.SIGKILL))


def no_strays(server, since):
    """Twice in a row: between two links of a chain a look may find none."""
    eventually("what it left is gone", lambda: not server.strays() and not server.strays(), 10, 0.0005)
    return time.monotonic() - since


def master_hangs(server):
    victim = next(iter(server.workers()))
    pathlib.Path(server.env["HANGS"]).write_text(str(server.master()))
    return gone(server, lambda: server.send(victim, signal.SIGKILL))


def watchers_fail(server):
    """The guardian is stopped, the master dies: until no worker runs. Then the rest."""
    workers = list(server.workers())
    server.send(server.guardian, signal.SIGSTOP)
    since = server.send(server.master(), signal.SIGKILL)
    eventually("no worker runs", lambda: all(getattr(proc.stat(pid), "zombie", True) for pid in workers), 5, 0.0005)
    taken = time.monotonic() - since
    gone(server, lambda: server.send(server.guardian, signal.SIGCONT))
    return taken


def stuck_then(act):
    def run(server):
        stick(server)
        return act(server)
    return run


def terminal_closes(folder):
    """Row 12: the server is the foreground job of a bash."""
    terminal = Terminal(folder)
    try:
        terminal.enter(f"{BUILD / 'examples' / 'testbed'} --port {free_port()} --workers 4")
        terminal.wait_role("worker", 4)
        terminal.expect("listening on")
        return terminal.wait_gone(terminal.hang_up(), 60)
    finally:
        terminal.close()


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


def on_server(measure, program="testbed", booting=False, **settings):
    """Measures with a server of its own, in the folder that is given."""
    return lambda folder: one(folder, program, settings, booting, measure)


def cases(stuck_app, hangs):
    """(row, what, how)"""
    hanging = {"LD_PRELOAD": hangs, "HANGS": hangs.parent / "pid"}
    kill_of_group = lambda server: gone(server, lambda: server.send_group(signal.SIGKILL))  # noqa: E731
    yield 1, "KILL of a worker: replaced by a new process", on_server(crashed)
    yield 2, "TERM, a worker blocked, drain 1 s + stop 1 s", on_server(
        stuck_then(to_guardian(signal.SIGTERM)), stuck_app, graceful_shutdown_timeout=1, stop_timeout=1)
    yield 2, "INT, a worker blocked (int 3 s)", on_server(stuck_then(to_guardian(signal.SIGINT)), stuck_app)
    yield 3, "INT, every worker blocked in its start", on_server(
        to_guardian(signal.SIGINT), booting=True, boot_delay=100)
    yield 4, "a start that does not end, START_TIMEOUT 1 s: replaced, from the start of the server on", on_server(
        late, booting=True, boot_delay=100, start_timeout=1)
    yield 5, "a blocked loop, HANG_TIMEOUT 1 s: replaced", on_server(hung, stuck_app, hang_timeout=1)
    yield 6, "SIGSTOP of a worker, HANG_TIMEOUT 1 s: replaced", on_server(paused, hang_timeout=1)
    yield 7, "KILL of the master", on_server(to_master(signal.SIGKILL))
    yield 8, "KILL of the guardian", on_server(to_guardian(signal.SIGKILL))
    yield 9, "KILL of both at once", on_server(both_at_once)
    yield 10, "KILL of the job's process group", on_server(kill_of_group)
    yield 11, "INT, idle", on_server(to_guardian(signal.SIGINT))
    yield 11, "TERM, idle", on_server(to_guardian(signal.SIGTERM))
    yield 12, "the terminal is closed, idle", terminal_closes
    yield 13, "a master whose loop is blocked (10 s)", on_server(master_hangs, env=hanging)
    yield 13, "SIGSTOP of the master, HANG_TIMEOUT 1 s", on_server(to_master(signal.SIGSTOP), hang_timeout=1)
    yield 14, "the guardian stopped, KILL of the master: no worker runs", on_server(watchers_fail)
    yield 15, "a daemon of a killed worker: gone", on_server(stray_ends)
    yield 16, "an endless chain of forks of a killed worker: gone", on_server(chain_ends, stuck_app)


def report():
    print("### How long each end takes\n")
    print(f"Milliseconds from the signal, median of {ROUNDS} rounds (worst); 4 workers, `spawn`.\n")
    print("| row | what | ms |\n|---:|---|---:|")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        stuck_app = apps.compile_c(folder, STUCK)
        hangs = apps.compile_c(folder, preload.HANGS, name="hangs.so", shared=True, head="")
        for number, (row, what, how) in enumerate(cases(stuck_app, hangs)):
            ms = [how(folder / f"{number}-{round_}") * 1000 for round_ in range(ROUNDS)]
            print(f"| {row} | {what} | {statistics.median(ms):.1f} ({max(ms):.1f}) |", flush=True)
    print()
