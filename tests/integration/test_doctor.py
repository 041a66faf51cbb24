"""covey doctor on leftovers that are made here: real zombies, and the processes of sanic-org/sanic#2997.

It looks at the whole machine, on which others work too: each test looks only for its own processes in what it
says, and names them when it lets it clean.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import proc
from client import eventually
from harness import BUILD, free_port
from terminal import Terminal

COVEY = BUILD / "covey"
ZOMBIE = """
import os, time
pid = os.fork()
if pid == 0:
    os._exit(3)
print(pid, flush=True)
time.sleep(600)
"""
# What Sanic does: a worker by multiprocessing's spawn that is blocked in its start and holds the port.
SPAWN = """
import multiprocessing, os, signal, socket, sys, time

def work(listener, lock, stubborn):
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), "/dev/shm/sem." + lock._semlock.name[1:], flush=True)
    time.sleep(600)

if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    context = multiprocessing.get_context("spawn")
    lock = context.Lock()  # a named semaphore, which the resource tracker removes
    worker = context.Process(target=work, args=(listener, lock, "stubborn" in sys.argv))
    worker.start()
    worker.join()
"""


def doctor(*words, env=None):
    """(exit code, what it says)."""
    done = subprocess.run([COVEY, "doctor", *map(str, words)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env=env)
    assert done.stderr == "" or done.returncode == 2, done.stderr
    return done.returncode, done.stdout + done.stderr


def findings(env=None):
    """({pid: finding}, {path: finding}) of everything it finds."""
    code, text = doctor("--json", env=env)
    found = json.loads(text)["findings"]
    assert code == any(one["kind"] != "hint" for one in found)
    return ({one["pid"]: one for one in found if "pid" in one}, {one["path"]: one for one in found if "path" in one})


def lines_about(pid, text):
    return [line for line in text.splitlines() if line.split()[1:2] == [str(pid)]]


class Leftovers:
    """What is left of a Python program whose main process was killed: a worker, and its resource tracker."""

    def __init__(self, jobs, tmp_path, *words):
        script = tmp_path / "app.py"
        script.write_text(SPAWN)
        self.port = free_port()
        self.job = jobs.job([sys.executable, script, self.port, *words])
        worker, self.lock = eventually("the worker runs", lambda: self.job.out.endswith("\n") and self.job.out.split(), 30)
        self.worker = int(worker)
        others = [process.pid for process in self.job.tree() if process.pid not in (self.job.pid, self.worker)]
        self.tracker, = [pid for pid in others if "resource_tracker" in proc.cmdline(pid)]

    def orphan(self):
        self.job.send(self.job.pid, signal.SIGKILL)
        self.job.wait_code()

    def gone(self):
        self.job.wait_gone(time.monotonic(), 10)


# Zombies

def test_zombie_is_found_with_the_parent_that_should_have_asked(jobs):
    job = jobs.job([sys.executable, "-c", ZOMBIE])
    dead = int(eventually("the child has ended", lambda: job.out.strip(), 20))
    eventually("it is a zombie", lambda: proc.stat(dead).zombie)

    code, text = doctor()
    assert code == 1
    line, = lines_about(dead, text)
    assert line.startswith(f"zombie {dead} ") and f"its parent {job.pid} (" in line
    found = findings()[0][dead]
    assert (found["kind"], found["ppid"], found["uid"]) == ("zombie", job.pid, os.getuid())

    code, text = doctor("--clean", dead)
    assert code == 1 and "a zombie cannot be killed" in text
    assert proc.stat(job.pid) and proc.stat(dead)  # nobody was touched
    job.send(job.pid, signal.SIGKILL)
    job.wait_gone(time.monotonic(), 10)


# Orphans

def test_workers_of_a_living_program_are_not_told(jobs, tmp_path):
    left = Leftovers(jobs, tmp_path)
    found = findings()[0]
    assert left.worker not in found and left.tracker not in found and left.job.pid not in found
    _, text = doctor("--clean", left.worker)
    assert f"{left.worker}: not among what is left behind; left alone" in text
    assert proc.stat(left.worker) and not proc.stat(left.worker).zombie
    left.orphan()
    left.job.send(left.worker, signal.SIGKILL)
    left.gone()


def test_orphaned_worker_and_its_tracker_are_found_and_ended(jobs, tmp_path):
    left = Leftovers(jobs, tmp_path)
    left.orphan()  # a subreaper that is no init, the job's, takes them in
    assert proc.stat(left.worker).ppid not in (1, left.job.pid)

    found = findings()[0]
    worker, tracker = found[left.worker], found[left.tracker]
    assert worker["kind"] == tracker["kind"] == "orphan"
    assert worker["what"] == "a worker of Python's multiprocessing"
    assert tracker["what"] == "a resource tracker of Python's multiprocessing"
    assert worker["listens"] == [f"127.0.0.1:{left.port}"] and worker["to_do"] == f"kill {left.worker}"
    line, = lines_about(left.worker, doctor()[1])
    assert f"It still listens on 127.0.0.1:{left.port}" in line

    code, text = doctor("--clean", left.worker)
    assert code == 0 and text.endswith("  ended\n"), text
    left.gone()  # the tracker has noticed: it tidies up and ends by itself
    assert left.job.reaped[left.worker][0] == -signal.SIGTERM
    assert not {left.worker, left.tracker} & findings()[0].keys()


def test_worker_that_ignores_term_is_killed(jobs, tmp_path):
    left = Leftovers(jobs, tmp_path, "stubborn")
    left.orphan()
    code, text = doctor("--clean", left.worker)
    assert code == 0 and "ended" in text
    left.gone()
    assert left.job.reaped[left.worker][0] == -signal.SIGKILL


def test_tracker_alone_can_be_ended_and_leaves_memory_that_is_found(jobs, tmp_path):
    left = Leftovers(jobs, tmp_path)
    left.orphan()
    before = findings()[1]
    code, _ = doctor("--clean", left.tracker, left.worker)
    assert code == 0
    left.gone()
    assert left.lock not in before, "the worker has it mapped"
    found = findings()[1][left.lock]
    assert found["kind"] == "memory" and found["size"] == 32
    code, text = doctor("--clean", left.lock)
    assert code == 0 and text.endswith("  removed\n") and not os.path.exists(left.lock)


# Files

def test_socket_file_without_a_listener_is_found_and_removed(tmp_path):
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    left, used = tmp_path / "left.sock", tmp_path / "used.sock"
    with socket.socket(socket.AF_UNIX) as alive, socket.socket(socket.AF_UNIX) as dead:
        alive.bind(str(used))
        alive.listen()
        dead.bind(str(left))
        dead.close()
        found = findings(env)[1]
        assert found[str(left)]["kind"] == "socket" and str(used) not in found

        code, text = doctor("--clean", used, left, env=env)
        assert code == 1 and f"{used}: not among what is left behind" in text
        assert used.exists() and not left.exists()


# Asking

@pytest.fixture
def terminal(tmp_path):
    one = Terminal(tmp_path / "terminal")
    yield one
    one.close()


def test_nothing_is_ended_unless_the_user_says_yes(jobs, tmp_path, terminal):
    left = Leftovers(jobs, tmp_path)
    left.orphan()

    def answer(wanted):
        """Says no to everything but `wanted`: others' leftovers are none of our business."""
        terminal.enter(f"{COVEY} doctor --clean; echo code=$?")
        while True:
            asked = terminal.expect(r"(?:(\w+) (\d+|/\S*) [^\n]*\n  (?:End|Remove) it\? \[y/N\] )|code=(\d+)\n", 30)
            if asked[3]:
                return int(asked[3])
            terminal.type("y\n" if asked[2] == str(wanted) else "\n")

    assert answer(None) == 1
    assert not proc.stat(left.worker).zombie and not proc.stat(left.tracker).zombie
    answer(left.worker)
    left.gone()
    assert left.job.reaped[left.worker][0] == -signal.SIGTERM


# covey's own

def test_running_server_has_nothing_to_be_told(jobs, tmp_path):
    server = jobs.server("testbed", boot_delay=0)
    server.wait_serving()
    processes, files = findings({**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)})
    assert not {process.pid for process in server.tree()} & processes.keys()
    assert not [path for path in files if path.startswith(f"{tmp_path}/")]


def test_process_with_the_tag_of_a_server_that_is_gone_is_found_and_ended():
    stray = subprocess.Popen(["sleep", "600"], env={**os.environ, "_COVEY_TAG": "0123456789abcdef-1"})
    try:
        found = findings()[0][stray.pid]
        assert (found["kind"], found["what"]) == ("orphan", "left by a worker of covey")
        code, text = doctor("--clean", stray.pid)
        assert code == 0 and "ended" in text
        assert stray.wait(10) == -signal.SIGTERM
    finally:
        stray.kill()
        stray.wait()


# Wrong use

@pytest.mark.parametrize("words, part", [
    (["--bogus"], "--bogus"),
    (["12"], "12"),
    (["--clean", "--yes"], "--yes"),
    (["--json", "--clean", "12"], "exclude each other"),
    (["--clean"], "on a terminal"),
])
def test_wrong_use_is_said_in_one_sentence(words, part):
    code, text = doctor(*words)
    assert code == 2 and part in text and text.count("\n") == 1


def test_what_is_not_left_behind_is_never_touched():
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        for name in (1, 2, os.getpid(), sleeper.pid, "/etc/passwd", 0):
            code, text = doctor("--clean", name)
            assert code == 1 and "left alone" in text
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()
