"""The harness itself: whatever a server could leave behind, it sees. A test that cannot fail proves nothing."""

import os
import signal
import socket
import sys
import time

import pytest

import cgroups
import proc
import server
from client import eventually
from harness import Job, free_port, port_is_free
from load import Failure, Kill, unexplained


@pytest.fixture
def job(tmp_path):
    """job(shell script): started; whatever it leaves is killed at the end."""
    made = []

    def start(script):
        made.append(Job(tmp_path / f"job{len(made)}", ["sh", "-c", script]))
        return made[-1]

    yield start
    for one in made:
        one.close()


def left(job):
    """What assert_nothing_left() has to say once the started process has ended."""
    job.wait_code()
    time.sleep(0.05)
    with pytest.raises(AssertionError) as error:
        job.assert_nothing_left()
    return str(error.value)


@pytest.mark.parametrize("script", [
    "sleep 300 & exit 0",
    "(setsid sleep 300 &) ; exit 0",
    "env -i sleep 300 & exit 0",  # without the tag
    "(env -i setsid sh -c 'sleep 300 & exit' &) ; sleep 0.1",
    "trap '' TERM INT HUP; sleep 300 & exit 0",
])
def test_process_that_is_left_is_seen_and_ended(job, script):
    one = job(script)
    assert "sleep 300" in left(one)
    pids = [process.pid for process in one.tree()]
    assert pids and one.close()
    assert all(proc.stat(pid) is None for pid in pids)


def test_file_that_is_left_is_seen(job):
    assert "'run/app.pid'" in left(job("mkdir run; touch run/app.pid"))


def test_shared_memory_that_is_left_is_seen(job):
    one = job("touch /dev/shm/covey-harness-$$")
    try:
        assert f"/dev/shm/covey-harness-{one.pid}" in left(one)
    finally:
        os.unlink(f"/dev/shm/covey-harness-{one.pid}")


def test_cgroup_that_is_left_is_seen(job):
    if cgroups.mount() is None or not cgroups.can_be_made(cgroups.mount()):
        pytest.skip("no cgroup of version 2 can be made here")
    box = cgroups.Box()
    try:
        path = box.path / "covey-0123456789abcdef"
        assert str(path) in left(job(f"mkdir {path}"))
    finally:
        box.close()


def test_zombie_is_seen(job):
    """A parent that does not wait for its child."""
    one = job(f"exec {sys.executable} -c 'import os, time; os.fork() or os._exit(0); time.sleep(300)'")
    eventually("a zombie", lambda: [process for process in one.tree() if process.zombie], 5)


def test_what_others_had_to_reap_is_recorded(job):
    """A child that outlives its parent comes to the reaper: no clean end."""
    one = job("sleep 0.2 & exit 3")
    one.wait_gone(time.monotonic(), 5)
    assert len(one.reaped) == 2 and one.code == 3


def test_time_until_all_is_gone_is_exact(job):
    one = job("sleep 0.3 & exit 0")
    assert 0.25 < one.wait_gone(one.started_at, 5) < 1.5


def test_only_processes_of_the_job_can_be_signalled(job):
    one = job("sleep 300")
    with pytest.raises(AssertionError):
        one.send(os.getpid(), signal.SIGCONT)


def test_taken_port_is_seen():
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        port = other.getsockname()[1]
        assert proc.listens(port) and not port_is_free(port)
    assert not proc.listens(port) and port_is_free(port)


def test_bound_holds_in_the_best_of_three(monkeypatch):
    monkeypatch.setattr(server, "sanitized", lambda: "")
    times = iter([5.0, 4.0, 0.9])
    assert server.within(1.0, lambda limit: next(times)) == 0.9
    times = iter([5.0, 4.0, 3.0])
    with pytest.raises(AssertionError):
        server.within(1.0, lambda limit: next(times))


def test_failure_is_excused_only_by_the_worker_that_held_the_connection():
    answered = Failure(port=4000, began=1.0, failed=3.0, worker=77, error="")
    fresh = Failure(port=4000, began=1.0, failed=3.0, worker=0, error="")
    refused = Failure(port=0, began=1.0, failed=3.0, worker=0, error="")

    def excused(failure, **kill):
        return not unexplained([failure], [Kill(**{"pid": 77, "at": 2.5, "ports": frozenset({4000}), **kill})])

    assert excused(answered) and excused(fresh)
    assert not excused(answered, pid=78), "another worker"
    assert not excused(answered, at=0.5), "before the connection"
    assert not excused(answered, at=3.5), "after the failure"
    assert not excused(fresh, ports=frozenset({4001})), "it held another connection"
    assert excused(fresh, ports=None) and not excused(fresh, ports=None, at=1.5), "not looked at: right after only"
    assert not excused(refused) and not excused(refused, ports=None)
