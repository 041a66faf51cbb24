"""Where a server listens: the files of Unix sockets, several addresses at once."""

import os
import signal
import socket
import stat
import time

import pytest

import proc
from client import Connection
from harness import free_port
from server import KILL_BOUND, TERM_BOUND, example


@pytest.fixture
def path():
    """A short path outside the job's directory: socket paths have 107 bytes."""
    name = f"/tmp/covey-{os.getpid()}-{time.monotonic_ns()}.sock"
    yield name
    if os.path.lexists(name):
        os.unlink(name)


def unix_server(jobs, path, **how):
    return jobs.server("testbed", ["--listen", f"unix:{path}"], address=path, **how)


def test_socket_file_serves_and_is_removed(jobs, method, path):
    server = unix_server(jobs, path, method=method)
    server.reach_all()
    assert os.lstat(path).st_mode == stat.S_IFSOCK | 0o666  # its folder says who may connect, not the umask
    server.stop()
    assert not os.path.lexists(path)


@pytest.mark.parametrize("target", ["guardian", "master"])
def test_socket_file_is_removed_after_a_kill_too(jobs, method, path, target):
    """Whichever of the two is left removes it."""
    server = unix_server(jobs, path, method=method)
    server.reach_all()
    pid = server.guardian if target == "guardian" else server.master()
    server.wait_gone(server.send(pid, signal.SIGKILL), 10 * KILL_BOUND)
    server.assert_all_ended()


def test_stale_socket_file_is_replaced(jobs, path):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    assert os.path.lexists(path)
    unix_server(jobs, path).reach_all()


def test_socket_file_that_is_served_is_refused(jobs, path):
    first = unix_server(jobs, path)
    first.reach_all()
    second = jobs.run([example("testbed"), "--listen", f"unix:{path}"])
    assert second.code == 69 and path in second.err and len(second.err.splitlines()) == 1, second.err
    assert first.get("/").text == "Hello, World!"


def test_file_that_is_no_socket_is_refused_and_kept(jobs, path):
    with open(path, "w") as file:
        file.write("precious")
    job = jobs.run([example("testbed"), "--listen", f"unix:{path}"])
    assert job.code == 69 and path in job.err, job.err
    with open(path) as file:
        assert file.read() == "precious"


def test_socket_file_of_a_successor_is_not_removed(jobs, path):
    """Somebody else has put another file there meanwhile: it is not ours to remove."""
    server = unix_server(jobs, path)
    server.reach_all()
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        sent = server.send(server.guardian, signal.SIGTERM)
        server.wait_gone(sent, TERM_BOUND)
        assert os.path.lexists(path)
    os.unlink(path)


def test_several_addresses_at_once(jobs, path):
    first, second = free_port(), free_port("::1")
    server = jobs.server("testbed", ["--listen", f"127.0.0.1:{first},[::1]:{second},unix:{path}"], address=path)
    server.reach_all()
    for address in (("127.0.0.1", first), ("::1", second), path):
        with Connection(address) as connection:
            assert connection.get("/").text == "Hello, World!"
    server.stop()
    assert not proc.listens(first) and not proc.listens(second)
