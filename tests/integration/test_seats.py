"""PER_SLOT_LISTENERS: listening sockets per worker's place, owned by the master."""

import asyncio
import os
import signal
import socket
import subprocess
import time

import pytest

import proc
from client import Connection, Closed, eventually
from load import Load
from network import own_network

APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int block(covey_req *req) { sleep(1000); return covey_text(req, 200, ""); }
static int setup(covey_app *app)
{
    covey_get(app, "/pid", pid);
    covey_get(app, "/block", block);
    return 0;
}
"""
QUEUED = 40


@pytest.fixture
def program(app):
    return app(APP)


def listening(pid, port):
    """The inodes of the sockets of that process that listen on the port."""
    inodes = {name[8:-1] for name in proc.fds(pid).values() if name.startswith("socket:[")}
    return {line.split()[9] for line in proc.read("/proc/net/tcp").decode().splitlines()[1:]
            if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
            and line.split()[9] in inodes}


def seats(server):
    """{pid: the socket it listens on}."""
    found = {}
    for pid in server.workers():
        [found[pid]] = listening(pid, server.port)
    return found


def block(server, victim_slot):
    """Blocks the worker in that slot; its pid."""
    victim = next(pid for pid, slot in server.wait_workers().items() if slot == victim_slot)
    connection = server.reach_all()[victim]
    connection.ask("GET", "/block")
    eventually("it is blocked", lambda: proc.in_sleep(victim), 5.0)
    server.blocking = connection
    return victim


def queue_up(server):
    """Connections with a request each: those in the queue of a blocked worker get no answer for now."""
    connections = []
    for _ in range(QUEUED):
        connections.append(server.connect(timeout=15.0))
        connections[-1].ask("GET", "/pid")
    time.sleep(0.3)
    waiting = []
    for connection in connections:
        connection.socket.setblocking(False)
        try:
            connection.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            waiting.append(connection)
        connection.socket.settimeout(15.0)
    assert QUEUED / 8 < len(waiting) < QUEUED
    return waiting


def answers(connections):
    """How many of them are answered after all."""
    count = 0
    for connection in connections:
        try:
            count += connection.response().status == 200
        except (ConnectionError, Closed):
            pass
    return count


# Who has which socket

def test_each_worker_has_a_socket_and_the_master_all(jobs, program, method):
    server = jobs.server(program, method=method, workers=3, per_slot_listeners=1)
    server.reach_all()
    own = seats(server)
    assert len(set(own.values())) == 3
    assert listening(server.master(), server.port) == set(own.values())
    assert listening(server.guardian, server.port) == set()
    server.stop()


def test_the_port_is_one_although_it_was_0(jobs, program):
    server = jobs.server(program, ["--listen", "127.0.0.1:0"], workers=2, per_slot_listeners=1)
    eventually("it serves", lambda: "(2 workers)" in server.err, 10.0)
    server.port = int(server.err.split("listening on http://127.0.0.1:")[1].split()[0])
    server.address = ("127.0.0.1", server.port)
    assert len(set(seats(server).values())) == 2
    server.reach_all()
    server.stop()


def test_a_second_server_on_the_port_is_refused(jobs, program):
    """SO_REUSEPORT alone would let it in."""
    server = jobs.server(program, workers=2, per_slot_listeners=1)
    server.reach_all()
    other = jobs.run([str(program), "--port", str(server.port), "--per-slot-listeners"])
    assert other.code == 69, other.tail()
    server.stop()


def test_a_reload_and_scaling_keep_one_worker_per_socket(jobs, program, method):
    if method == "fork":
        pytest.skip("a forked server does not reload a program")
    server = jobs.server(program, workers=3, per_slot_listeners=1)
    server.reach_all()
    before = seats(server)
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are new", lambda: len(server.workers()) == 3 and not set(before) & set(server.workers()), 10.0)
    assert sorted(seats(server).values()) == sorted(before.values())
    server.send(server.guardian, signal.SIGTTIN)
    server.wait_workers(4)
    eventually("the new one has a socket", lambda: len(set(seats(server).values())) == 4, 5.0)
    assert len(listening(server.master(), server.port)) == 4
    for left in (3, 2, 1):
        time.sleep(0.6)
        server.send(server.guardian, signal.SIGTTOU)
        server.wait_workers(left)
        eventually("a socket is closed", lambda: len(listening(server.master(), server.port)) == left, 5.0)
    assert server.get("/pid").status == 200
    server.stop()


def test_passed_sockets_are_refused(jobs, program):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        def pass_on():
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
        job = subprocess.run(["/bin/sh", "-c", f"LISTEN_FDS=1 LISTEN_PID=$$ exec {program} --per-slot-listeners"],
                             preexec_fn=pass_on, pass_fds=(3,), capture_output=True, text=True, timeout=10)
    assert job.returncode == 78 and "cannot be multiplied" in job.stderr, job.stderr


# What is lost, and what is not

def test_a_killed_worker_loses_nothing_that_waits(jobs, program, method):
    server = jobs.server(program, method=method, workers=2, per_slot_listeners=1)
    victim = block(server, 1)
    waiting = queue_up(server)
    server.send(victim, signal.SIGKILL)
    assert answers(waiting) == len(waiting)
    server.stop(signal.SIGQUIT)


def test_no_request_fails_over_reloads(jobs, program):
    """A shared accept queue is no part of this; each old worker empties its own before it goes."""
    server = jobs.server(program, workers=3, per_slot_listeners=1)
    server.reach_all()

    async def reload_under_load():
        load = Load(server.address)
        for _ in range(5):
            before = set(server.workers())
            server.send(server.guardian, signal.SIGHUP)
            until = time.monotonic() + 20
            while before & set(server.workers()) or len(server.workers()) != 3:
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
        await load.finish()
        return load

    load = asyncio.run(reload_under_load())
    assert load.failures == [] and load.answers > 1000
    server.stop()


@pytest.fixture(params=[1, 0])
def migrate(request):
    with own_network(tcp_migrate_req=request.param):
        yield request.param


def test_scaling_down_a_blocked_worker(jobs, program, migrate):
    """The worker that goes is killed at the end of its drain, with connections in the queue of its own socket: the
    kernel gives them to the other socket if net.ipv4.tcp_migrate_req is set, and resets them if it is not."""
    server = jobs.server(program, workers=2, per_slot_listeners=1, graceful_shutdown_timeout=0.5, stop_timeout=0.2)
    victim = block(server, 1)
    waiting = queue_up(server)
    server.send(server.guardian, signal.SIGTTOU)
    eventually("it is killed", lambda: proc.stat(victim) is None, 5.0)
    assert answers(waiting) == (len(waiting) if migrate else 0)
    assert server.get("/pid").status == 200
    server.stop(signal.SIGQUIT)


def test_scaling_down_under_load(jobs, program, migrate):
    """An idle worker empties its queue before it closes. What comes in between is lost without tcp_migrate_req."""
    server = jobs.server(program, workers=4, per_slot_listeners=1)
    server.reach_all()

    async def scale_under_load():
        load = Load(server.address, kept=0, lazy=0, fresh=24)
        for _ in range(5):
            for number, count in ((signal.SIGTTOU, 3), (signal.SIGTTIN, 4)):
                server.send(server.guardian, number)
                until = time.monotonic() + 10
                while len(listening(server.master(), server.port)) != count or len(server.workers()) != count:
                    assert time.monotonic() < until
                    await asyncio.sleep(0.05)
        await load.finish()
        return load

    load = asyncio.run(scale_under_load())
    print(f"tcp_migrate_req={migrate}: {len(load.failures)} of {load.answers} failed")
    assert len(load.failures) <= (0 if migrate else load.answers / 100), load.failures[:5]
    server.stop()
