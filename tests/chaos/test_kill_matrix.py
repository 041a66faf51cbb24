"""The kill matrix: whatever is killed, with whatever signal, at whatever moment, everything ends.

phases   booting  every worker is blocked in its start-up listener
         idle     every worker serves and has nothing to do
         serving  one request that takes 1 s is in flight on each worker
         child    each worker has started `sleep 300`
         daemon   the same, double-forked and in a session of its own; +cgroup: each worker in a cgroup of its own
targets  guardian, master, group (the process group of the job, as Ctrl+C and kill -- -PGID hit it), worker
signals  INT, TERM, KILL; STOP: one worker is SIGSTOPped first, then TERM goes to the target

For guardian, master and group: one signal suffices; nothing is left, without a second look; in-flight requests
are answered unless it was KILL; the exit code is the documented one; and all was reaped by covey itself.
For one worker: INT is ignored. Else it goes, with its descendants and no others, is reaped and replaced, the
server goes on, and a TERM to the guardian afterwards ends everything.

COVEY_MATRIX_REPORT=FILE writes the table of what was measured.
"""

import os
import signal
import time

import pytest

import cgroups
import proc
from client import Closed, eventually
from server import KILL_BOUND, STARTING_BOUND, STOPPED_EXTRA, TERM_BOUND, Server, within

METHODS = ("spawn", "fork", "preload")
PHASES = ("booting", "idle", "serving", "child", "daemon")
SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "KILL": signal.SIGKILL, "STOP": signal.SIGTERM}
HANG_TIMEOUT = 1
HANG_BOUND = HANG_TIMEOUT + 2.1  # supervision: ABRT, up to 2 s later KILL

cells = pytest.mark.parametrize(
    "method, phase, name",
    [pytest.param(method, phase, name, id=f"{method}-{phase}-{name}")
     for method in METHODS for phase in PHASES for name in SIGNALS] +
    [pytest.param("spawn", "daemon+cgroup", name, id=f"spawn-daemon+cgroup-{name}") for name in SIGNALS])


@pytest.fixture(scope="module")
def report():
    """Collects one line per cell."""
    lines = []
    yield lambda *words: lines.append("| " + " | ".join(str(word) for word in words) + " |\n")
    if "COVEY_MATRIX_REPORT" in os.environ:
        with open(os.environ["COVEY_MATRIX_REPORT"], "w") as file:
            file.write("| method | phase | target | signal | all gone after | exit code | answered |\n")
            file.write("|---|---|---|---|---|---|---|\n")
            file.writelines(sorted(lines))


class Scene:
    """A server that has been brought into a phase."""

    def __init__(self, folder, method, phase):
        delay = {"boot_delay": 100} if phase == "booting" else {}
        self.phase, _, contained = phase.partition("+")
        if contained and not cgroups.can_be_made(cgroups.mount()):
            pytest.skip("no cgroup can be made here")
        args = ["--hang-timeout", HANG_TIMEOUT, *(["--containment", contained] if contained else [])]
        self.server = Server(folder, "testbed", args, method=method, **delay)
        self.connections, self.family = {}, {}
        try:
            if phase == "booting":
                self.family = {pid: [] for pid in self.server.wait_booting()}
            else:
                self.connections = self.server.reach_all()
                self.family = {pid: self._children(connection) for pid, connection in self.connections.items()}
            if phase == "serving":
                self._begin_requests()
        except BaseException:
            self.server.close()
            raise

    def _children(self, connection):
        """Has that worker start what the phase asks for; the new pids."""
        if self.phase not in ("child", "daemon"):
            return []
        before = {process.pid for process in self.server.tree()}
        path = "/child?double=1" if self.phase == "daemon" else "/child"
        assert connection.get(path).status == 200

        def sleeper():
            return [process.pid for process in self.server.tree()
                    if process.pid not in before and proc.cmdline(process.pid) == "sleep 300"]

        return eventually("the worker's child sleeps", sleeper, 5)

    def _begin_requests(self):
        for connection in self.connections.values():
            connection.ask("GET", "/slow")
        time.sleep(0.2)
        for connection in self.connections.values():
            connection.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.socket.recv(1)
            connection.socket.settimeout(20)

    def stop_one_worker(self):
        victim = next(iter(self.family))
        self.server.send(victim, signal.SIGSTOP)
        eventually("the worker is stopped", lambda: proc.stat(victim).state == "T", 5)
        return victim

    def answers(self):
        """{worker: True if its request was answered} in the phase `serving`, else nothing."""
        found = {}
        if self.phase == "serving":
            for pid, connection in self.connections.items():
                try:
                    found[pid] = connection.response().status == 200
                except Closed:
                    found[pid] = False
        return found

    def close(self):
        for connection in self.connections.values():
            connection.close()
        return self.server.close()


@pytest.fixture
def scenes(tmp_path):
    """scene(method, phase): a new scene; all are closed at the end."""
    made = []

    def scene(method, phase):
        made.append(Scene(tmp_path / f"job{len(made)}", method, phase))
        return made[-1]

    yield scene
    for one in made:
        one.close()


def expected_code(target, name):
    """(of the guardian, of the master if nobody of its own is left to reap it)"""
    if name != "KILL":
        return 0, None
    return (137, None) if target == "master" else (-signal.SIGKILL, 70)


def expected_bound(phase, name):
    if name == "KILL":
        return KILL_BOUND
    if phase == "booting":
        bound = STARTING_BOUND
    else:
        bound = 3.1 if name == "INT" else TERM_BOUND
    return bound + (STOPPED_EXTRA if name == "STOP" else 0)


@cells
@pytest.mark.parametrize("target", ["guardian", "master", "group"])
def test_one_signal_ends_everything(scenes, report, method, phase, target, name):
    def attempt(limit):
        scene = scenes(method, phase)
        server, master = scene.server, scene.server.master()
        if name == "STOP":
            scene.stop_one_worker()
        if target == "group":
            sent = server.send_group(SIGNALS[name])
        else:
            sent = server.send(server.guardian if target == "guardian" else master, SIGNALS[name])
        taken = server.wait_gone(sent, limit)

        server.assert_all_ended()
        code, code_of_master = expected_code(target, name)
        reaped = {pid: status for pid, (status, _) in server.reaped.items()}
        expected = {server.guardian: code} | ({master: code_of_master} if code_of_master else {})
        assert reaped == expected, f"left to init or wrong code: {reaped}, expected {expected}\n{server.tail()}"
        answers = scene.answers()
        if name != "KILL":
            assert all(answers.values()), f"in-flight requests answered: {answers}\n{server.tail()}"
        report(method, phase, target, name, f"{taken:.3f} s", code, f"{sum(answers.values())}/{len(answers)}")
        return taken

    within(expected_bound(phase, name), attempt)


@cells
def test_one_worker(scenes, report, method, phase, name):
    def attempt(limit):
        scene = scenes(method, phase)
        taken = ignore_int(scene) if name == "INT" else lose_worker(scene, name, limit)
        code = end(scene)
        report(method, phase, "worker", name, f"{taken:.3f} s", code, "")
        return taken

    bounds = {"KILL": KILL_BOUND, "STOP": HANG_BOUND, "INT": 60.0,
              "TERM": STARTING_BOUND if phase == "booting" else TERM_BOUND}
    within(bounds[name], attempt)


def ignore_int(scene):
    """INT to a worker changes nothing."""
    server, victim = scene.server, next(iter(scene.family))
    before = {process.pid for process in server.tree()}
    server.send(victim, signal.SIGINT)
    time.sleep(0.3)
    assert {process.pid for process in server.tree()} == before, server.tail()
    answers = scene.answers()
    assert all(answers.values()), answers
    for pid, connection in scene.connections.items():
        assert int(connection.get("/pid").text) == pid
    return 0.0


def lose_worker(scene, name, limit):
    """The victim goes with what it started, the others stay, a successor comes. Seconds until it was gone."""
    server, victim = scene.server, next(iter(scene.family))
    others = {pid: below for pid, below in scene.family.items() if pid != victim}
    doomed = {victim, *scene.family[victim]}
    if name == "STOP":
        scene.stop_one_worker()
    if name == "TERM" and scene.phase not in ("booting", "serving"):
        scene.connections.pop(victim).close()  # a retiring worker would wait for its next request
    sent = server.send(victim, SIGNALS[name])

    def left():
        return [str(process) for process in server.tree() if process.pid in doomed]

    eventually(f"worker {victim} and what it started is gone and reaped: {doomed}", lambda: not left(), limit, 0.002)
    taken = time.monotonic() - sent

    now = server.wait_booting() if scene.phase == "booting" else server.reach_all()
    assert victim not in now and set(others) < set(now), f"{now}\n{server.tail()}"
    alive = {process.pid for process in server.tree()}
    for pid, below in others.items():
        assert set(below) <= alive, f"the death of {victim} took what {pid} had started"
    assert not server.zombies()
    answers = scene.answers()
    assert all(answered for pid, answered in answers.items() if pid != victim or name == "TERM"), (
        f"victim {victim}, answered: {answers}\n{server.tail()}")
    if scene.phase != "booting":
        for connection in now.values():
            assert connection.get("/").text == "Hello, World!"
            connection.close()
    return taken


def end(scene):
    scene.server.stop(signal.SIGTERM, code=0, starting=scene.phase == "booting")
    return scene.server.code
