"""The pid file: one instance, a file that is gone when it is gone, and none that stands in the way."""

import signal
import time

import pytest

from client import eventually
from harness import free_port
from server import example


@pytest.fixture
def path(tmp_path):
    return tmp_path / "app.pid"


def test_it_holds_the_guardians_pid_and_is_removed(jobs, path, method):
    server = jobs.server(args=["--pidfile", path], method=method)
    server.reach_all()
    assert path.read_text() == f"{server.guardian}\n"
    server.stop()
    assert not path.exists()


def test_live_instance_is_named_and_left_alone(jobs, path):
    server = jobs.server(args=["--pidfile", path])
    server.reach_all()
    second = jobs.run([example("hello"), "--pidfile", path, "--port", free_port()])
    assert second.code == 69
    assert f"another instance runs, as process {server.guardian}: it holds {path}" in second.err
    assert path.read_text() == f"{server.guardian}\n"
    server.reach_all()


def test_stale_file_of_a_killed_instance_is_replaced(jobs, path):
    """Guardian and master at once: nobody is left to remove it."""
    server = jobs.server(args=["--pidfile", path])
    server.reach_all()
    master = server.master()
    for pid in (master, server.guardian):  # neither sees the other die
        server.send(pid, signal.SIGSTOP)
    server.send(master, signal.SIGKILL)
    server.wait_gone(server.send(server.guardian, signal.SIGKILL), 10)
    assert path.read_text() == f"{server.guardian}\n"
    server.close()  # it leaves its control socket, too
    other = jobs.server(args=["--pidfile", path])
    other.reach_all()
    assert path.read_text() == f"{other.guardian}\n"


def test_master_removes_it_when_the_guardian_is_killed(jobs, path, method):
    server = jobs.server(args=["--pidfile", path], method=method)
    server.reach_all()
    server.wait_gone(server.send(server.guardian, signal.SIGKILL), 10)
    assert not path.exists()


def test_guardian_removes_it_when_the_master_is_killed(jobs, path):
    server = jobs.server(args=["--pidfile", path])
    server.reach_all()
    server.wait_gone(server.send(server.master(), signal.SIGKILL), 10)
    assert not path.exists()


def test_file_of_something_else_is_left_alone(jobs, path):
    path.write_text("precious\n")
    job = jobs.run([example("hello"), "--pidfile", path, "--port", free_port()])
    assert job.code == 71 and "what is there is no pid file" in job.err
    assert path.read_text() == "precious\n"


def test_start_that_fails_leaves_none(jobs, path):
    job = jobs.run([example("hello"), "--pidfile", path, "--listen", "unix:/nowhere/at/all"])
    assert job.code == 69
    assert not path.exists()


def test_single_process_has_one_too(jobs, path):
    job = jobs.job([example("hello"), "--pidfile", path, "--single-process", "--port", free_port()])
    eventually("it is written", lambda: path.exists() and path.read_text() == f"{job.pid}\n", 10)
    time.sleep(0.2)
    job.send(job.pid, signal.SIGTERM)
    assert job.wait_code() == 0
    assert not path.exists()
