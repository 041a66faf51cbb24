"""`covey run -- COMMAND`: programs that know nothing of covey, as workers."""

import asyncio
import json
import os
import pwd
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import proc
from client import eventually
from harness import BUILD, free_port
from load import Load
from server import INT_BOUND, KILL_BOUND, STARTING_BOUND, within

EXAMPLE = Path(__file__).parents[2] / "examples/foreign/server.py"

HEAD = """
import os, signal, socket, sys, time
def tell(text):
    name = os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text if isinstance(text, bytes) else text.encode(), name)
"""


@pytest.fixture
def script(tmp_path):
    """A program of one's own: script("time.sleep(100)") is its path."""
    def write(body, name="program.py"):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{HEAD}\n{body}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def run(jobs):
    """A server of that command; `flags` before the --."""
    def start(*command, workers=2, flags=(), **how):
        def wrap(words):
            return [words[0], "run", *words[1:], *flags, "--", *map(str, command)]

        return jobs.server(BUILD / "covey", method=None, workers=workers, wrap=wrap, **how)

    return start


def covey(server, *words, code=0):
    env = {**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)}
    done = subprocess.run([BUILD / "covey", *words], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, f"{done}\n{server.tail()}"
    return done.stdout + done.stderr


def status(server):
    return {entry["name"]: entry for entry in json.loads(covey(server, "status", "--json"))["workers"]}


def children(server):
    """The pids of the workers: what the master has started."""
    master = server.master()
    return [process.pid for process in server.tree() if process.ppid == master and not process.zombie]


def wait_ready(server, count):
    def ready():
        if server.master() is None or not os.path.isdir(os.path.join(server.cwd, "covey")):
            return None
        found = [entry["pid"] for entry in status(server).values() if entry["state"] == "READY"]
        return found if len(found) == count else None

    return eventually(f"{count} are ready", ready, 15)


# The example


def test_the_example_serves_with_all_its_workers(run):
    server = run(EXAMPLE, workers=4, flags=["--notify"])
    pids = set(wait_ready(server, 4))
    seen = set()
    eventually("all have answered", lambda: seen.add(int(server.get("/pid").text)) or seen == pids, 15)
    assert {entry["says"] for entry in status(server).values()} == {"serving"}
    assert "listening on http://127.0.0.1" in server.tail()
    assert server.stop() < 2


def test_one_that_is_killed_is_replaced(run):
    server = run(EXAMPLE, flags=["--notify"])
    before = set(wait_ready(server, 2))
    victim = min(before)
    server.send(victim, signal.SIGKILL)
    eventually("another serves", lambda: victim not in wait_ready(server, 2), 10)
    assert "ended with signal 9" in server.tail()
    server.stop()


def test_a_reload_under_load_loses_no_connection(run):
    server = run(EXAMPLE, flags=["--notify"])
    wait_ready(server, 2)

    async def reload_thrice():
        load = Load(server.address, kept=3, lazy=2, fresh=3)
        for _ in range(3):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(covey, server, "reload")
        await load.finish()
        return load

    load = asyncio.run(reload_thrice())
    assert load.answers > 100 and not load.failures, load.failures
    assert len(load.workers) > 4, "of several generations"
    server.stop()


def test_scale_and_restart(run):
    server = run(EXAMPLE, flags=["--notify"])
    wait_ready(server, 2)
    covey(server, "scale", "3")
    first = status(server)["worker 0"]["pid"]
    covey(server, "restart", "0")
    assert first not in wait_ready(server, 3)
    server.stop()


# What they are given


def test_listeners_pid_and_limits_are_as_systemd_would_have_them(run, script):
    tell = script("""
import resource
names = os.environ["LISTEN_FDNAMES"].split(":")
print(os.environ["LISTEN_PID"] == str(os.getpid()), os.environ["LISTEN_FDS"], names, sorted(map(int, os.listdir("/proc/self/fd")))[:6],
      [socket.socket(fileno=os.dup(fd)).getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for fd in (3, 4)],
      os.get_blocking(3), resource.getrlimit(resource.RLIMIT_NOFILE)[0], signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "WATCHDOG_USEC" in os.environ,
      "_COVEY_BOOT" in os.environ, file=sys.stderr)
time.sleep(1000)
""")
    path = tell.parent / "sock"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    server = run(tell, workers=1, flags=["--listen", f"127.0.0.1:{free_port()},unix:{path}"])
    line = eventually("it tells", lambda: [line for line in server.tail().splitlines() if line.startswith("True 2")], 10)[0]
    assert line == f"True 2 ['listener0', 'listener1'] [0, 1, 2, 3, 4, 5] [1, 1] True {limit} True False False"
    server.stop()
    assert not path.exists()


def test_a_binary_is_run_as_it_was_pinned(run, tmp_path):
    program = tmp_path / "sleeper"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    server = run(program, "1000", workers=1, flags=["--ready-after", "100ms"])
    first = wait_ready(server, 1)[0]
    assert proc.read(f"/proc/{first}/comm").strip() == b"sleeper", "run by its path as long as that is the same file"
    os.rename(program, tmp_path / "old")
    server.send(first, signal.SIGKILL)
    second = eventually("another runs", lambda: [pid for pid in wait_ready(server, 1) if pid != first], 10)[0]
    assert os.readlink(f"/proc/{second}/exe") == str(tmp_path / "old")
    covey(server, "reload", code=1)
    server.stop()


# Ready, and not


def test_without_notify_one_is_ready_once_it_has_lived_for_a_while(run):
    server = run("sleep", "1000", flags=["--ready-after", "300ms"])
    eventually("they run", lambda: len(children(server)) == 2, 5)
    assert {entry["state"] for entry in status(server).values()} == {"STARTING"}
    wait_ready(server, 2)
    server.stop()


def test_notify_that_does_not_come_is_named(run):
    server = run("sleep", "1000", workers=1, flags=["--notify", "--start-timeout", "500ms"])
    eventually("it is named", lambda: "worker 0 was not ready after 0.5 s (START_TIMEOUT)" in server.tail(), 10)
    server.stop()


def test_more_time_is_given_to_who_asks(run, script):
    slow = script("tell('EXTEND_TIMEOUT_USEC=5000000'); time.sleep(1.5); tell('READY=1'); time.sleep(1000)")
    server = run(slow, workers=1, flags=["--notify", "--start-timeout", "1s"])
    wait_ready(server, 1)
    assert "START_TIMEOUT" not in server.tail()
    server.stop()


def test_a_child_of_a_worker_may_speak_for_it(run, script):
    parent = script("""
if os.fork() == 0:
    tell("READY=1")
    time.sleep(0.5)
    os._exit(0)
time.sleep(1000)
""")
    server = run(parent, workers=1, flags=["--notify"])
    wait_ready(server, 1)
    server.stop()


def test_one_that_says_it_leaves_is_replaced(run, script):
    leaver = script("tell('READY=1'); time.sleep(0.5); tell('STOPPING=1'); time.sleep(0.5); sys.exit(0)")
    server = run(leaver, workers=1, flags=["--notify"])
    eventually("it is replaced", lambda: "worker 0 was asked to go and is replaced" in server.tail(), 10)
    eventually("another one leaves", lambda: server.tail().count("is replaced") > 1, 10)
    assert "sent by covey" not in server.tail()
    server.stop()


def test_silence_after_a_watchdog_is_a_hang(run, script):
    hang = script("tell('READY=1\\nWATCHDOG=1'); time.sleep(0.3); tell('WATCHDOG=1'); time.sleep(1000)")
    server = run(hang, workers=1, flags=["--notify", "--hang-timeout", "1s"])
    eventually("it is noticed", lambda: "has not come round its loop for" in server.tail(), 10)
    eventually("it has ended", lambda: "ended with signal 6 (Aborted), sent by covey" in server.tail(), 10)
    server.stop()


def test_garbage_is_refused_and_harms_nobody(run, script):
    chatter = script("""
for text in (b"", b"\\0" * 100, b"READY", b"=1", b"READY=1\\nnonsense\\xff", b"x" * 5000, b"STATUS=" + b"\\x1b[2J" * 100, b"STATUS=\\xc2\\x9b31m \\xff \\xe2\\x9c\\x93"):
    tell(text)
left, right = socket.socketpair()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
    socket.send_fds(out, [b"FDSTORE=1"], [left.fileno()])
tell("READY=1")
time.sleep(1000)
""")
    server = run(chatter, workers=1, flags=["--notify"])
    pid = wait_ready(server, 1)[0]
    assert status(server)["worker 0"]["says"] == "??31m ? ✓"
    assert server.tail().count("is refused") == 1
    variables = dict(entry.split("=", 1) for entry in proc.read(f"/proc/{pid}/environ").decode().split("\0") if entry)
    address = variables["NOTIFY_SOCKET"].replace("@", "\0", 1)
    descriptors = len(proc.fds(server.master()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for _ in range(50):
            stranger.sendto(b"STOPPING=1\nSTATUS=mine", address)
    time.sleep(0.2)
    entry = status(server)["worker 0"]
    assert (entry["pid"], entry["state"], entry["says"]) == (pid, "READY", "??31m ? ✓")
    assert len(proc.fds(server.master())) <= descriptors
    server.stop()


# Ends


def test_a_stop_while_they_block_in_their_start(run, script):
    blocked = script("time.sleep(1000)")

    def attempt(limit):
        server = run(blocked, flags=["--notify"])
        eventually("they run", lambda: len(children(server)) == 2, 5)
        taken = server.wait_gone(server.send(server.guardian, signal.SIGTERM), limit)
        assert server.code == 0
        server.assert_all_ended()
        return taken

    within(STARTING_BOUND, attempt)


def test_one_that_ignores_term_is_killed_with_the_deadline(run, script):
    deaf = script("signal.signal(signal.SIGTERM, signal.SIG_IGN); tell('READY=1'); time.sleep(1000)")

    def attempt(limit):
        server = run(deaf, flags=["--notify"])
        wait_ready(server, 2)
        taken = server.wait_gone(server.send(server.guardian, signal.SIGINT), limit)
        assert server.code == 0
        server.assert_all_ended()
        return taken

    assert within(INT_BOUND, attempt) > 2


def test_the_stop_signal_can_be_another(run, script):
    polite = script("""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGQUIT, lambda *_: sys.exit(0))
tell("READY=1")
time.sleep(1000)
""")
    server = run(polite, flags=["--notify", "--stop-signal", "QUIT"])
    wait_ready(server, 2)
    assert server.stop() < 1


@pytest.mark.parametrize("target", ["guardian", "master", "both"])
def test_kill_ends_all(run, target):
    def attempt(limit):
        server = run("sleep", "1000", flags=["--control", "off"])
        eventually("they run", lambda: len(children(server)) == 2, 5)
        pids = {"guardian": [server.guardian], "master": [server.master()], "both": [server.master(), server.guardian]}[target]
        for pid in pids if len(pids) > 1 else ():
            server.send(pid, signal.SIGSTOP)  # so that neither can act on the other's death
        sent = [server.send(pid, signal.SIGKILL) for pid in pids][-1]
        taken = server.wait_gone(sent, limit)
        server.assert_all_ended()
        return taken

    within(KILL_BOUND, attempt)


@pytest.mark.parametrize("body, code, sentence", [
    ("sys.exit(3)", 3, "worker 0 ended with exit code 3\n"),
    ("sys.exit(0)", 3, "worker 0 ended with exit code 0 (it left unasked)"),
    ("raise SystemError('no database')", 3, "no database"),
])
def test_a_program_that_does_not_start_ends_the_start(jobs, script, body, code, sentence):
    job = jobs.run([BUILD / "covey", "run", "--port", free_port(), "--workers", 2, "--", script(body)], timeout=10)
    assert job.code == code
    assert sentence in job.err and "the start has failed" in job.err


@pytest.mark.parametrize("words, code, sentence", [
    (["no-such-program"], 4, 'cannot run "no-such-program": there is no such program'),
    (["/etc/passwd"], 4, 'cannot run "/etc/passwd": it may not be executed'),
    ([], 2, "no command is given after --"),
    (["sleep", "1"], 2, "--single-process"),
])
def test_what_cannot_be_run_is_named(jobs, words, code, sentence):
    flags = ["--single-process"] if "single" in sentence else []
    job = jobs.run([BUILD / "covey", "run", "--port", free_port(), *flags, "--", *words], timeout=5)
    assert job.code == code
    assert sentence in job.err and job.err.count("\n") <= 3


def test_a_set_id_program_is_warned_of(run, tmp_path):
    program = tmp_path / "sleeper"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o4755)
    server = run(program, "1000", flags=["--ready-after", "0"])
    wait_ready(server, 2)
    assert "may outlive a master that is killed" in server.tail()
    server.stop()


# Somebody else


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_as_a_user_it_has_given_root_up_and_still_dies_with_its_master(run):
    who = HEAD + """
import ctypes
death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death))
print("I am", os.getresuid(), os.getresgid(), 0 in os.getgroups(), death.value, file=sys.stderr)
tell("READY=1")
time.sleep(1000)
"""

    def attempt(limit):
        server = run(sys.executable, "-c", who, flags=["--notify", "--user", "daemon"])
        wait_ready(server, 2)
        uid, gid = pwd.getpwnam("daemon")[2:4]
        assert server.tail().count(f"I am {(uid,) * 3} {(gid,) * 3} False 9") == 2, server.tail()
        taken = server.wait_gone(server.send(server.master(), signal.SIGKILL), limit)
        server.assert_all_ended()
        return taken

    within(KILL_BOUND, attempt)
