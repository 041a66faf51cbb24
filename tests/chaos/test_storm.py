"""A storm: workers are killed at random while the server reloads and scales under load.

What must hold. Nothing leaks (processes, zombies, descriptors of guardian and master), whatever was answered has been
counted and stays counted, and a request fails only because the worker that had accepted its connection was killed. How that is decided:

- All workers share one listening socket (or have one each, with PER_SLOT_LISTENERS), which belongs to the master. So a connection that no worker has
  accepted survives any worker's death in the listener's queue: it can only fail by being refused or by the
  master's fault, and such a failure is never excused (nor is a refused connect).
- A connection stays with the worker that accepted it. If it had an answer before, that answer was the
  worker's pid (GET /pid), and the failure is excused only if exactly that pid was killed while the
  connection lived.
- A connection without an answer yet does not know its worker. Therefore three of four victims are stopped
  (SIGSTOP) for a moment before the KILL, and the kernel's tables say which connections they hold
  (/proc/PID/fd against /proc/net/tcp): the failure is excused only if its client port is among them.
- Every fourth victim is killed without that look, so that unprepared deaths occur too. The kernel resets a
  dead process's connections at once; a failure without an answer is excused by such a kill only within a
  second after it.

STORM_SECONDS (60) is the length of the storm; its numbers of kills and reloads scale with it.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import time

import pytest

import proc
from client import eventually
from harness import BUILD
from load import Kill, Load, accepted, unexplained
from network import own_network
from server import Server

SECONDS = float(os.environ.get("STORM_SECONDS", "60"))
WORKERS = 4
MOST = 8


def serve(folder, method, **settings):
    """fork cannot reload a program with its own main(): there it is `covey run`."""
    if method != "fork":
        return Server(folder, "testbed", method=method, workers=WORKERS, **settings)
    return Server(folder, BUILD / "covey", ["run", BUILD / "examples" / "testbed.so"], method=method, workers=WORKERS,
                  **settings)


@pytest.fixture
def serving(tmp_path):
    made = []

    def make(method, **settings):
        made.append(serve(tmp_path / f"job{len(made)}", method, **settings))
        return made[-1]

    yield make
    for server in made:
        server.close()


class Storm:
    """Deals the blows; remembers the kills."""

    def __init__(self, server, seed):
        self.server, self.dice = server, random.Random(seed)
        self.kills, self.reloads, self.wanted, self.scaled = [], 0, WORKERS, 0.0

    async def rage(self, seconds, kills, reloads):
        """All blows at random times; kills that found nobody to hit (back-off) are made up for later."""
        blows = [(self.dice.uniform(0, seconds), self.kill) for _ in range(kills)]
        blows += [((number + self.dice.random()) * seconds / reloads, self.reload) for number in range(reloads)]
        blows += [(self.dice.uniform(0, seconds), self.scale) for _ in range(int(seconds * 1.5))]
        began = time.monotonic()
        for at, blow in sorted(blows, key=lambda item: item[0]):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            blow()
        self.calm()  # two workers that are killed again and again are soon kept from starting
        while len(self.kills) < kills and time.monotonic() < began + 4 * seconds:
            await asyncio.sleep(0.2)
            self.kill()
        assert len(self.kills) >= kills, f"only {len(self.kills)} kills: too few workers lived"

    def kill(self):
        victims = list(self.server.workers())
        if not victims:
            return
        pid = self.dice.choice(victims)
        try:
            ports = None
            if self.dice.randrange(4):
                self.server.send(pid, signal.SIGSTOP)
                eventually("it stops", lambda: getattr(proc.stat(pid), "state", "X") in "TZX", 2, 0.0005)
                ports = accepted(pid, self.server.port)
            self.kills.append(Kill(pid, self.server.send(pid, signal.SIGKILL), ports))
        except (ProcessLookupError, AssertionError):
            pass  # it went by itself (a reload, one worker fewer)

    def reload(self):
        self.server.send(self.server.guardian, signal.SIGHUP)
        self.reloads += 1

    def scale(self):
        if time.monotonic() < self.scaled + 0.05:
            return  # pending signals of one number do not queue: two would be one
        self.scaled = time.monotonic()
        more = self.wanted == 1 or (self.wanted < MOST and self.dice.random() < 0.5)
        self.wanted += 1 if more else -1
        self.server.send(self.server.guardian, signal.SIGTTIN if more else signal.SIGTTOU)

    def calm(self):
        """Back to the number of workers at the start."""
        while self.wanted != WORKERS:
            number = signal.SIGTTIN if self.wanted < WORKERS else signal.SIGTTOU
            self.wanted += 1 if self.wanted < WORKERS else -1
            self.server.send(self.server.guardian, number)
            time.sleep(0.05)


def settled(server):
    """Guardian, master, the workers wanted and their template, nothing else, no zombie."""
    templates = 1 if server.method == "preload" else 0
    return len(server.tree()) == 2 + WORKERS + templates and len(server.workers()) == WORKERS and not server.zombies()


def descriptors(server):
    return {name: proc.held(pid) for name, pid in (("guardian", server.guardian), ("master", server.master()))}


def answers_counted(server):
    """As `covey status` adds them up."""
    env = {**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)}
    found = subprocess.run([BUILD / "covey", "status", "--json", str(server.guardian)], env=env, text=True,
                           capture_output=True, timeout=30, check=True)
    requests = json.loads(found.stdout)["metrics"]["total"]["requests"]
    return sum(requests.values()) - requests["unanswered"]


@pytest.mark.limit(int(6 * SECONDS) + 120)
@pytest.mark.parametrize("method, share, settings",
                         [("spawn", 1.0, {}), ("fork", 0.25, {}), ("preload", 0.25, {}),
                          ("preload", 0.25, {"per_slot_listeners": 1})],
                         ids=["spawn", "fork", "preload", "per-slot"])
def test_storm(serving, method, share, settings):
    """Where scaling down closes a socket, what waits there for a worker that was killed goes to the others only with
    tcp_migrate_req."""
    with own_network(tcp_migrate_req=1) if settings else contextlib.nullcontext():
        rage(serving(method, **settings), share)


def rage(server, share):
    for connection in server.reach_all().values():
        connection.close()
    time.sleep(0.3)
    before = descriptors(server)
    seed = int(os.environ.get("STORM_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")

    async def play():
        load, storm = Load(server.address, seed=seed), Storm(server, seed)
        await asyncio.sleep(0.5)
        scale = share * SECONDS / 60
        await storm.rage(share * SECONDS, max(20, int(200 * scale)), max(4, int(20 * scale)))
        await asyncio.sleep(1)
        await load.finish()
        return load, storm

    load, storm = asyncio.run(play())
    print(f"{load.answers} answers on {load.connections} connections by {len(load.workers)} workers, slowest "
          f"{load.slowest:.2f} s; {len(storm.kills)} kills, {storm.reloads} reloads; {len(load.failures)} failed")
    wrong = unexplained(load.failures, storm.kills)
    assert not wrong, (f"{len(wrong)} of {len(load.failures)} failures no kill accounts for: {wrong[:5]}\n"
                       f"{server.tail()}")

    eventually("only guardian, master and workers are left", lambda: settled(server), 30)
    assert server.get("/").text == "Hello, World!"
    counted = answers_counted(server)
    assert counted >= load.answers, f"{load.answers} answers, but only {counted} are counted"
    eventually(f"descriptors as before: {before}, now {descriptors(server)}",
               lambda: descriptors(server) == before, 3)
    server.stop()


@pytest.mark.limit(180)
def test_reloads_without_kills_fail_no_request(serving, method):
    """Kept-alive, lazy and fresh connections over 20 reloads: not one failed request."""
    server = serving(method)
    for connection in server.reach_all().values():
        connection.close()

    async def play():
        load = Load(server.address)
        for _ in range(20):
            await asyncio.sleep(0.2)
            before = set(server.workers())
            server.send(server.guardian, signal.SIGHUP)
            until = time.monotonic() + 20
            while set(server.workers()) & before or len(server.workers()) != WORKERS:
                assert time.monotonic() < until, f"a reload does not end\n{server.tail()}"
                await asyncio.sleep(0.05)
        await load.finish()
        return load

    load = asyncio.run(play())
    print(f"{load.answers} answers on {load.connections} connections by {len(load.workers)} workers")
    assert not load.failures, f"{len(load.failures)} failures: {load.failures[:5]}"
    assert load.answers > 1000
    assert settled(server) or eventually("settled", lambda: settled(server), 5)
    server.stop()


@pytest.mark.limit(120)
def test_scaling_without_kills_fails_no_request(serving, method):
    """1..8 workers up and down under load: not one failed request."""
    server = serving(method)
    server.wait_workers()

    async def play():
        load = Load(server.address)
        for number in [signal.SIGTTIN] * 4 + [signal.SIGTTOU] * 7 + [signal.SIGTTIN] * 3:
            server.send(server.guardian, number)
            await asyncio.sleep(0.5)
        await load.finish()
        return load

    load = asyncio.run(play())
    assert not load.failures, f"{len(load.failures)} failures: {load.failures[:5]}"
    eventually("only guardian, master and workers are left", lambda: settled(server), 20)
    server.stop()
