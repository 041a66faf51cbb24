"""One server of those that are compared, running: how it is watched, asked and ended.

A server is a job of the tests' harness (tests/lib): a reaper above it knows when nothing of it is left, whatever it
has started, and kills what is. It listens on a free port of the loopback device and has a temporary folder.
"""

import contextlib
import itertools
import os
import pathlib
import shutil
import socket
import struct
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/lib"))

import harness  # noqa: E402
import peers  # noqa: E402
import proc  # noqa: E402
from client import Closed, Connection, eventually  # noqa: E402

LIMIT = 120.0  # for anything that is to happen
LOST = (OSError, Closed, ValueError)


class Server(harness.Job):
    """As a context manager it leaves no process and no file behind.

    `quick`: told to wait for a second at most when it stops. `boot`: seconds each worker blocks at its start.
    `reloads`: reload() will be used. `cpu`: all of it runs there.
    """

    def __init__(self, peer, workers=1, quick=False, boot=0, reloads=False, cpu=None):
        self.peer, self.n_workers, self.reloads = peer, workers, reloads
        self.port, self.spare_port = harness.free_port(), harness.free_port()
        self.address = ("127.0.0.1", self.port)
        peers.WORK.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-bench-", dir=peers.WORK))
        clock, clock_end = os.pipe()
        env = peer.env(self) | (peer.quick_env if quick else {}) | ({"COVEY_BOOT_DELAY": boot} if boot else {})

        def prepare():
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
            os.write(clock_end, struct.pack("d", time.monotonic()))

        try:
            super().__init__(self.folder, peer.argv(self, quick), env=env, prepare=prepare)
            self.started = struct.unpack("d", os.read(clock, 8))[0]
        finally:
            os.close(clock)
            os.close(clock_end)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()
        if error is not None:
            print(f"{self.peer.name}: {self.tail()}", file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Processes

    def workers(self):
        """Pids of the workers."""
        return [process.pid for process in self.tree() if not process.zombie and self.peer.is_worker(self, process)]

    def supervisors(self):
        """Pids of all others."""
        workers = set(self.workers())
        return [process.pid for process in self.tree() if not process.zombie and process.pid not in workers]

    def wait_workers(self, limit=LIMIT):
        """Pids of the workers, once all are there."""
        def enough():
            if self.code is not None:
                raise RuntimeError(f"{self.peer.name} has ended with {self.code}")
            found = self.workers()
            return found if len(found) == self.n_workers else None

        return eventually(f"{self.n_workers} workers of {self.peer.name}", enough, limit)

    def cpu_seconds(self):
        """User and system time of the whole tree so far, by the scheduler's clock, which counts nanoseconds."""
        ns = 0
        for process in self.tree():
            for task in os.listdir(f"/proc/{process.pid}/task"):
                ns += int((proc.read(f"/proc/{process.pid}/task/{task}/schedstat").split() or [0])[0])
        return ns / 1e9

    # Clients

    def wait_listening(self, limit=10.0):
        """Until clients can connect."""
        eventually(f"{self.peer.name} listens", lambda: proc.listens(self.port) or self.code is not None, limit)

    def wait_first_answer(self, limit=LIMIT):
        """Asks, on a new connection each time, until it has answered 200; seconds since the program was started."""
        until = self.started + limit
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(self.address, 20) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if client.recv(4096)[8:12] == b" 200":
                    return time.monotonic() - self.started
            time.sleep(0.0002)
        raise TimeoutError(f"no answer from {self.peer.name}")

    def ask_many(self, path, count):
        """Asks on as many connections at once, so that no worker can answer all; [(connection, text)]."""
        asked, answered = [], []
        for _ in range(count):
            with contextlib.suppress(*LOST):
                connection = Connection(self.address, 20)
                asked.append(connection)
                connection.ask("GET", path)
        for connection in asked:
            try:
                answer = connection.response()
                if answer.status == 200:
                    answered.append((connection, answer.text))
            except LOST:
                connection.close()
        return answered

    def reach(self, path="/pid", limit=30.0):
        """Asks until every worker has answered with its pid. {pid: connection}; closed ones if it keeps none alive."""
        found, until = {}, time.monotonic() + limit
        while set(self.wait_workers(limit)) - found.keys():
            if time.monotonic() > until:
                raise TimeoutError(f"{self.peer.name}: workers {self.workers()}, only {set(found)} answer")
            for connection, text in self.ask_many(path, 4 * self.n_workers):
                if found.setdefault(int(text), connection) is not connection:
                    connection.close()
        return found

    def wait_successor(self, former, limit=LIMIT):
        """Asks until a worker that is not one of `former` has answered. Mostly one request at a time, but now and then
        several at once, lest one old worker takes them all."""
        until = time.monotonic() + limit
        for width in itertools.cycle((1, 1, 1, 8)):
            answers = self.ask_many("/pid", width)
            now = time.monotonic()
            for connection, _ in answers:
                connection.close()
            if {int(text) for _, text in answers} - set(former):
                return now
            if now > until:
                raise TimeoutError(f"{self.peer.name} has no new worker")
