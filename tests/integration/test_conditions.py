"""The conditions a server may be started under: signals, descriptors, environment, folders, pipes."""

import os
import resource
import signal

import pytest

import proc
from client import eventually


def test_ignored_and_blocked_signals_are_no_trap(jobs, method):
    """A shell with trap '' CHLD TERM, a launcher that blocks signals."""
    def prepare():
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    server = jobs.server("testbed", method=method, prepare=prepare)
    victim = next(iter(server.reach_all()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    server.reach_all()
    assert not server.zombies()
    server.stop()


def test_hup_ignored_at_start_still_reloads_by_kill(jobs):
    server = jobs.server("testbed", prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    before = set(server.reach_all())
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are replaced", lambda: len(server.workers()) == 2 and not before & set(server.workers()), 15)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_descriptors(jobs, method, closed):
    server = jobs.server("testbed", method=method, prepare=lambda: [os.close(fd) for fd in closed])
    server.reach_all()
    for pid in (server.guardian, server.master(), *server.workers()):
        open_ones = proc.fds(pid)
        for fd in closed:
            assert open_ones.get(fd) == "/dev/null", f"{pid}: {open_ones}"
        for fd in (0, 1, 2):
            assert not open_ones[fd].startswith("socket:")


def test_inherited_descriptors_are_no_trap(jobs, method):
    """1,000 of them, beyond what the soft limit allows to add."""
    def prepare():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2000, hard), hard))
        for _ in range(1000):
            os.set_inheritable(os.open("/dev/zero", os.O_RDONLY), True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1010, hard))

    server = jobs.server("testbed", method=method, prepare=prepare)
    server.reach_all()


def test_worst_start_of_all(jobs, method):
    """CHLD ignored, TERM blocked, 0 to 2 closed, 1,000 descriptors inherited, no environment: all at once."""
    def prepare():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2000, hard), hard))
        for fd in range(3):
            os.close(fd)
        taken = [os.open("/dev/zero", os.O_RDONLY) for _ in range(1003)]
        for fd in taken[3:]:
            os.set_inheritable(fd, True)
        for fd in taken[:3]:
            os.close(fd)

    server = jobs.server("testbed", method=method, prepare=prepare,
                         env={name: None for name in ("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "LC_ALL")})
    victim = next(iter(server.reach_all()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    for pid in (server.guardian, server.master()):
        assert [proc.fds(pid)[fd] for fd in range(3)] == ["/dev/null"] * 3
    server.stop()


@pytest.mark.parametrize("path", ["/child", "/child?double=1"])
def test_what_a_handler_starts_gets_none_of_coveys_descriptors(jobs, method, path):
    """Above all not the listener: the port must be free even if such a child lived on."""
    server = jobs.server("testbed", method=method, workers=1)
    server.reach_all()
    assert server.get(path).status == 200
    child = eventually("the child sleeps", lambda: [process.pid for process in server.tree()
                                                    if proc.cmdline(process.pid) == "sleep 300"], 5)[0]
    assert set(proc.fds(child)) == {0, 1, 2}, proc.fds(child)


def test_empty_environment(jobs, method):
    server = jobs.server("testbed", method=method,
                         env={name: None for name in ("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "LC_ALL")})
    server.reach_all()


def test_working_directory_that_is_gone(jobs, method, tmp_path):
    """Started from a directory that was deleted: the program's path is absolute, so it serves."""
    def prepare():
        gone = tmp_path / "gone"
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()

    server = jobs.server("testbed", method=method, prepare=prepare)
    server.reach_all()
    victim = next(iter(server.workers()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_full_pipe_as_log_stops_nothing(jobs, stream):
    """Nobody reads: lines are dropped, requests and the stop are not."""
    reader, writer = os.pipe()
    number = 1 if stream == "stdout" else 2
    server = jobs.server("testbed", ["--access-log"], prepare=lambda: os.dup2(writer, number))
    os.close(writer)
    try:
        connections = server.reach_all()
        for _ in range(1500):
            for connection in connections.values():
                assert connection.get("/hello/" + "x" * 100).status == 200
        server.stop()
    finally:
        os.close(reader)


def test_broken_pipe_as_log_changes_nothing(jobs):
    reader, writer = os.pipe()
    server = jobs.server("testbed", ["--access-log"], prepare=lambda: os.dup2(writer, 2))
    os.close(writer)
    os.close(reader)
    victim = next(iter(server.reach_all()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    server.stop()
