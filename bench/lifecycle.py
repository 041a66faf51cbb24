"""What a server does besides answering: starting, stopping, replacing, reloading, doing nothing.

Each row is measured for covey and for every peer, in rounds that go from one to the next, so that a change of the
machine's speed hits all alike. A server that did not do it within the limit is not asked again. The values go to
build/bench/lifecycle.json; tables.py makes the table of them.
"""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time

import harness
import peers
import proc
import servers

MANY = 1000
SETTLED = 1.0  # seconds after the first answers: Sanic cannot be stopped before its workers have reported
IDLE_AFTER = 45.0  # seconds after the last request: covey's last timer of a start is hang_timeout, 30 s
STOP_LIMIT = 40.0
CRASH_LIMIT = 30.0
RELOADS, RELOAD_SECONDS, RELOAD_LIMIT = 20, 12.0, 60.0


class NotWithin(Exception):
    """It did not happen within the limit, or does not exist (the message)."""


FAILURES = (NotWithin, AssertionError, OSError, RuntimeError)


def reason(error):
    """What stands in the table in place of a value."""
    return str(error) if isinstance(error, NotWithin) else "failed: " + str(error).splitlines()[0][:80]


class Rows:
    """{row: {server: values}}; one that failed has a sentence in place of its values."""

    def __init__(self):
        self.found = {}

    def put(self, row, server, value):
        print(f"  {server}: {row}: {value}", file=sys.stderr, flush=True)
        if self.failed(row, server):
            return
        if isinstance(value, str):
            self.found.setdefault(row, {})[server] = value
        else:
            self.found.setdefault(row, {}).setdefault(server, []).append(value)

    def failed(self, row, server):
        return isinstance(self.found.get(row, {}).get(server), str)

    def rounds(self, row, count, measure):
        """`measure(peer)` returns a value, or {row: value}; `count` rounds over all servers."""
        for _ in range(count):
            for name in peers.versions():
                if self.failed(row, name):
                    continue
                try:
                    values = measure(peers.ALL[name])
                except FAILURES as error:
                    values = reason(error)
                for key, value in (values if isinstance(values, dict) else {row: values}).items():
                    self.put(key, name, value)


def settled(server):
    """All workers have answered, and whatever else its start includes is over."""
    server.wait_first_answer()
    for connection in server.reach().values():
        connection.close()
    time.sleep(SETTLED)


def first_answer(workers):
    def measure(peer):
        with servers.Server(peer, workers) as server:
            return server.wait_first_answer()
    return measure


def gone(server, since):
    """Seconds until nothing is left, or a sentence."""
    try:
        return server.wait_gone(since, max(0.1, since + STOP_LIMIT - time.monotonic()))
    except AssertionError:
        return f"not within {STOP_LIMIT:.0f} s"


def start_and_stop(peer):
    with servers.Server(peer, 8) as server:
        started = server.wait_first_answer()
        settled(server)
        return {"start 8": started, "stop idle": gone(server, server.send(server.pid, signal.SIGTERM))}


def successor(peer):
    """From the SIGKILL of one of two workers until one that was not there before has answered."""
    with servers.Server(peer, 2) as server:
        settled(server)
        before = server.workers()
        killed = server.send(before[0], signal.SIGKILL)
        try:
            return server.wait_successor(before, CRASH_LIMIT) - killed
        except TimeoutError:
            raise NotWithin(f"not within {CRASH_LIMIT:.0f} s") from None


def blocked_stops(rows, names, rounds):
    """TERM while one of two workers is blocked by its handler, for all servers at once: they only wait."""
    running = []
    with contextlib.ExitStack() as stack:
        for _, row, name in itertools.product(range(rounds), ("stop blocked", "stop blocked, 1 s"), names):
            try:
                server = stack.enter_context(servers.Server(peers.ALL[name], 2, quick=row.endswith("1 s")))
                settled(server)
                running.append((row, name, server))
            except FAILURES as error:
                rows.put(row, name, reason(error))
        for _, _, server in running:  # all at the end: some kill a worker that has been blocked for 30 s
            stack.enter_context(servers.Connection(server.address)).ask("GET", "/block")
        time.sleep(1)
        sent = [server.send(server.pid, signal.SIGTERM) for _, _, server in running]
        for (row, name, server), since in zip(running, sent):
            rows.put(row, name, gone(server, since))


# Reloads under load

ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
NOT_OK = re.compile(r"Non-2xx or 3xx responses: (\d+)")


def wrk(port, connections, *options):
    command = ["wrk", "-t1", f"-c{connections}", "-d600s", "--timeout", "30s", *options, f"http://127.0.0.1:{port}/"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def count(load):
    """(answered, failed) of a wrk that is told to end."""
    load.send_signal(signal.SIGINT)
    output = load.communicate(timeout=60)[0]
    errors = ERRORS.search(output)
    failed = sum(map(int, errors.groups())) if errors else 0
    failed += int(NOT_OK.search(output)[1]) if NOT_OK.search(output) else 0
    return int(re.search(r"(\d+) requests in", output)[1]), failed


def reload_once(server, until):
    """Until none of the workers there were is left, and as many others are there. False: not until then."""
    before = set(server.workers())
    server.peer.reload(server)
    while time.monotonic() < until:
        now = set(server.workers())
        if len(now) == server.n_workers and not now & before:
            time.sleep(server.peer.reload_pause)
            return True
        time.sleep(0.01)
    return False


def reloads(peer):
    """Reloads while kept-alive connections and new ones ask without a pause."""
    if peer.no_reload:
        raise NotWithin(peer.no_reload)
    with servers.Server(peer, 2, reloads=True) as server:
        settled(server)
        loads = [wrk(server.port, 8), wrk(server.port, 4, "-H", "Connection: close")]
        try:
            began = time.monotonic()
            done = 0
            for number in range(RELOADS):
                time.sleep(max(0, began + RELOAD_SECONDS * number / RELOADS - time.monotonic()))
                if not reload_once(server, began + RELOAD_LIMIT):
                    break
                done += 1
            time.sleep(0.5)
            answered, failed = map(sum, zip(*map(count, loads)))
        finally:
            for load in loads:
                load.kill()
                load.wait()
        return {"reloads": {"reloads": done, "answered": answered, "failed": failed}}


# Doing nothing

def wakeups(pids):
    """How often threads of the processes have been switched away from so far."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            status = proc.read(f"/proc/{pid}/task/{task}/status").decode()
            total += sum(int(number) for number in re.findall(r"ctxt_switches:\s*(\d+)", status))
    return total


def pss(pids):
    """Kilobytes of memory, what is shared divided by those who share it."""
    return sum(int(re.search(rb"^Pss: +(\d+) kB", proc.read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)[1]) for pid in pids)


def idle(rows, names, seconds=10.0):
    """8 workers that have answered 1,000 requests, then nobody asks; all servers at once."""
    running = {}
    with contextlib.ExitStack() as stack:
        for name in names:
            try:
                running[name] = stack.enter_context(servers.Server(peers.ALL[name], 8))
                settled(running[name])
                for connection, _ in itertools.chain(*(running[name].ask_many("/", 20) for _ in range(50))):
                    connection.close()
            except FAILURES as error:
                rows.put("wake-ups above", name, reason(error))
                running.pop(name, None)
        time.sleep(IDLE_AFTER)
        groups = {name: (server.supervisors(), server.workers()) for name, server in running.items()}
        before = {name: list(map(wakeups, group)) for name, group in groups.items()}
        time.sleep(seconds)
        for name, (above, workers) in groups.items():
            per_second = [(wakeups(group) - old) / seconds for group, old in zip((above, workers), before[name])]
            rows.put("wake-ups above", name, per_second[0])
            rows.put("wake-ups worker", name, per_second[1] / len(workers))
            rows.put("memory worker", name, pss(workers) / len(workers))
            rows.put("memory above", name, pss(above))


# Very many

def ready_in_status(server):
    answer = subprocess.run([harness.BUILD / "covey", "status", "--json"], env=server.env, capture_output=True, timeout=60)
    return json.loads(answer.stdout)["ready"] if answer.returncode == 0 else 0


def thousand(peer):
    """MANY workers: covey's own word that all are ready, the peers' processes; and the stop."""
    with servers.Server(peer, MANY) as server:
        if isinstance(peer, peers.Covey):
            servers.eventually("all are ready", lambda: ready_in_status(server) == MANY, servers.LIMIT, 0.05)
        else:
            server.wait_first_answer()
            server.wait_workers()
        started = time.monotonic() - server.started
        time.sleep(SETTLED)
        return {"start 1000": started, "stop 1000": gone(server, server.send(server.pid, signal.SIGTERM))}


NO_HANDLERS = ("nginx",)  # nothing of it can be blocked by a user's code
TOO_MANY = ("gunicorn", "Sanic", "uvicorn", "Granian")  # minutes, or more memory than there is


def measure():
    """{row: {server: values}}, in about a quarter of an hour on two cores."""
    rows, names = Rows(), list(peers.versions())
    for name in names:
        first_answer(1)(peers.ALL[name])  # what only a first run does: compiling apps, filling caches
    rows.rounds("start 1", 5, first_answer(1))
    rows.rounds("start 8", 5, start_and_stop)
    rows.rounds("start 64", 3, first_answer(64))
    rows.rounds("start 256", 2, first_answer(256))
    rows.rounds("successor", 5, successor)
    for row, name in itertools.product(("stop blocked", "stop blocked, 1 s"), NO_HANDLERS):
        rows.put(row, name, "runs no handlers")
    blocked_stops(rows, [name for name in names if name not in NO_HANDLERS], 2)
    rows.rounds("reloads", 1, reloads)
    idle(rows, names)
    for row, name in itertools.product(("start 1000", "stop 1000"), TOO_MANY):
        rows.put(row, name, "not tried")
    rows.rounds("start 1000", 2, thousand)
    return rows.found
