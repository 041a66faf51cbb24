"""Sockets passed by the manager outside (LISTEN_FDS): served as they are, and left to whom they belong."""

import os
import signal
import socket

import pytest

import proc
from client import eventually
from harness import TAG, free_port, port_is_free
from manager import activated, listening


@pytest.fixture
def activate(jobs):
    """A server that is passed the sockets and is reached by the first of them."""
    def start(*names, more=(), **how):
        first = names[0]
        server = jobs.server(wrap=activated(*map(listening, names), *more), **how)
        server.unused, server.port = server.port, None if isinstance(first, str) else first
        server.address = first if isinstance(first, str) else ("127.0.0.1", first)
        return server

    return start


def test_passed_socket_is_served_instead_of_the_settings(activate, method):
    server = activate(free_port(), method=method)
    server.reach_all()
    assert port_is_free(server.unused)
    assert "LISTEN_FDS has passed 1: host, port and listen do not count" in server.err
    assert f"listening on http://127.0.0.1:{server.port} (2 workers)" in server.err


def test_all_passed_sockets_are_served(activate, tmp_path):
    other = free_port()
    server = activate(free_port(), other, str(tmp_path / "web.sock"))
    server.reach_all()
    with socket.create_connection(("127.0.0.1", other)), socket.socket(socket.AF_UNIX) as local:
        local.connect(str(tmp_path / "web.sock"))
        local.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in local.recv(100)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_file_of_a_passed_socket_is_left(activate, tmp_path, number):
    path = str(tmp_path / "web.sock")
    server = activate(path)
    server.reach_all()
    server.wait_gone(server.send(server.guardian, number), 30)
    assert os.path.exists(path)


def test_passed_sockets_survive_deaths_and_reloads(activate):
    server = activate(free_port())
    before = set(server.reach_all())
    victim = next(iter(before))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: len(server.workers()) == 2 and victim not in server.workers(), 10)
    server.reach_all()
    now = set(server.workers())
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are replaced", lambda: len(server.workers()) == 2 and not now & set(server.workers()), 15)
    server.reach_all()


def test_sockets_for_another_process_are_not_touched(jobs):
    server = jobs.server(wrap=activated(listening(free_port())), env={"LISTEN_PID": "1"})
    server.reach_all()
    assert "LISTEN_FDS" not in server.err


@pytest.mark.parametrize("more, env, words", [
    (["AF_INET,SOCK_DGRAM,0,"], {}, "descriptor 4 is no listening stream socket"),
    (["AF_INET,SOCK_STREAM,0,"], {}, "descriptor 4 is no listening stream socket"),
    ([], {"LISTEN_FDS": "2"}, "descriptor 4 is"),
    ([], {"LISTEN_FDS": "65"}, "65 sockets are more than 64"),
    ([], {"LISTEN_FDS": "one"}, "LISTEN_FDS"),
], ids=["datagram", "not listening", "fewer", "too many", "no number"])
def test_what_cannot_be_served_is_refused(jobs, more, env, words):
    server = jobs.server(wrap=activated(listening(free_port()), *more), env=env)
    assert server.wait_code() == 78
    assert words in server.err


def test_real_systemd_socket_activate(jobs, method):
    port = free_port()
    passed = lambda command: ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "-E", TAG, *command]
    server = jobs.server(wrap=passed, method=method)
    server.port, server.address = port, ("127.0.0.1", port)
    eventually("it listens", lambda: proc.listens(port), 10)
    assert server.connect().get("/").text == "Hello, World!"  # the first connection starts the program
    server.reach_all()
    assert f"listening on http://127.0.0.1:{port} (2 workers)" in server.err
