"""Upgrade of covey itself in place: USR2 and `covey upgrade`. Same processes, new program, nothing lost."""

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import threading
import time

import pytest

import proc
from client import eventually
from deployment import COVEY, pids_of, run, runs, status, supervisors, upgrade, wait_log
from load import Load
from manager import Manager

# It works

@pytest.mark.parametrize("method", ["spawn", "fork", "preload"])
def test_same_processes_run_the_new_program(jobs, deployment, method):
    server = jobs.server(deployment.path, method=method)
    before = set(server.reach_all())
    old, same = runs(server.guardian), supervisors(server)
    deployment.deploy(answer="new")
    assert upgrade(server) == f"shop (pid {server.guardian}): upgraded: generation 2 serves\n"
    assert supervisors(server) == same
    assert runs(server.guardian) == runs(server.master()) == os.stat(deployment.path).st_ino != old
    assert server.get("/").text == "new"
    assert not before & set(server.workers())
    found = status(server)
    assert (found["upgrades"], found["generation"], found["ready"]) == (1, 2, 2)
    assert {worker["pid"] for worker in found["workers"] if worker["role"] == "worker"} == set(server.workers())
    assert proc.role(server.guardian)[0] == "guardian"


def test_by_signal_to_guardian_or_master(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    same = supervisors(server)
    for count, target in enumerate(same, 1):
        deployment.deploy(answer=f"new {count}")
        server.send(target, signal.SIGUSR2)
        eventually("the new program serves", lambda c=count: server.get("/").text == f"new {c}")
        eventually("it is over", lambda c=count: status(server)["generation"] == c + 1)
    assert status(server)["upgrades"] == 2
    assert supervisors(server) == same


def test_requests_in_flight_and_connections_go_on(jobs, deployment):
    server = jobs.server(deployment.path, workers=1)
    (connection,) = server.reach_all().values()
    with server.connect() as slow:
        slow.ask("GET", "/wait/1500")
        time.sleep(0.2)
        deployment.deploy()
        answered = threading.Thread(target=upgrade, args=[server])
        answered.start()
        wait_log(server, "has taken over")
        assert connection.get("/").text == "old"
        assert slow.response().text == "old"
        answered.join()
    assert server.get("/").text == "new"


@pytest.mark.parametrize("method", ["spawn", "fork", "preload"])
def test_nothing_is_lost_under_load(jobs, deployment, method):
    server = jobs.server(deployment.path, method=method, workers=3)
    server.reach_all()
    same = supervisors(server)

    async def storm():
        load = Load(server.address)
        for round in range(5):
            deployment.deploy(answer=f"round {round}")
            await asyncio.to_thread(upgrade, server)
            await asyncio.sleep(0.3)
        await load.finish()
        return load

    load = asyncio.run(storm())
    assert load.answers > 500 and load.failures == []
    assert server.get("/").text == "round 4"
    assert supervisors(server) == same and status(server)["upgrades"] == 5
    assert not server.zombies()


def test_a_link_stays_a_link(jobs, deployment):
    link = deployment.path.with_name("current")
    link.symlink_to("shop")
    server = jobs.server(link)
    server.reach_all()
    other = deployment.path.with_name("release-2")
    shutil.copy(deployment.compile(answer="release 2"), other)
    link.unlink()
    link.symlink_to("release-2")
    upgrade(server)
    assert server.get("/").text == "release 2"
    link.unlink()
    link.symlink_to("shop")
    upgrade(server)
    assert server.get("/").text == "old"


def test_covey_run(jobs, app, deployment, tmp_path):
    place = tmp_path / "shop.so"
    shutil.copy(deployment.compile(answer="old", shared=True), place)
    server = jobs.server(COVEY, ["run", place])
    server.reach_all()
    same = supervisors(server)
    fresh = tmp_path / "fresh.so"
    shutil.copy(deployment.compile(answer="new", shared=True), fresh)
    fresh.rename(place)
    upgrade(server)
    assert server.get("/").text == "new" and supervisors(server) == same


def test_covey_run_of_a_foreign_command(jobs, tmp_path):
    """covey is upgraded; the command is reloaded."""
    server = jobs.server(COVEY, workers=2, method=None,
                         wrap=lambda words: [words[0], "run", *words[1:], "--ready-after", "0.2", "--", "sleep", "1000"])
    eventually("it serves", lambda: "listening on" in server.err)
    same = supervisors(server)
    assert "upgraded: generation 2 serves" in upgrade(server)
    assert supervisors(server) == same and status(server)["ready"] == 2


def test_main_process_follows(jobs, deployment):
    deployment.deploy("WITH_MAIN", answer="old")
    server = jobs.server(deployment.path)
    server.reach_all()
    before = eventually("main runs", server.mains)
    deployment.deploy("WITH_MAIN", answer="new")
    upgrade(server)
    eventually("another main runs", lambda: len(server.mains()) == 1 and server.mains() != before)
    assert server.get("/").text == "new"


def test_managed_processes(jobs, deployment):
    """A durable one lives on through an upgrade, as through a reload, and is replaced when it dies."""
    deployment.deploy("MANAGED", answer="old")
    server = jobs.server(deployment.path)
    server.reach_all()
    durable = eventually("both run", lambda: pids_of(server, "durable"))
    transient = eventually("both run", lambda: pids_of(server, "transient"))
    deployment.deploy("MANAGED", answer="new")
    upgrade(server)
    eventually("the transient one is replaced", lambda: pids_of(server, "transient") not in ([], transient))
    assert pids_of(server, "durable") == durable
    server.send(durable[0], signal.SIGKILL)
    eventually("it is replaced", lambda: pids_of(server, "durable") not in ([], durable))
    deployment.deploy(answer="without")
    upgrade(server)
    eventually("nobody declares them", lambda: not server.strays())


def test_per_slot_listeners(jobs, deployment):
    server = jobs.server(deployment.path, workers=3, per_slot_listeners=1)
    server.reach_all()
    for answer in ("new", "newer"):
        deployment.deploy(answer=answer)
        upgrade(server)
        assert {server.get("/").text for _ in range(20)} == {answer}
    assert status(server)["ready"] == 3


def test_unix_socket_and_pid_file(jobs, deployment, tmp_path):
    path, pidfile = str(tmp_path / "shop.sock"), tmp_path / "shop.pid"
    server = jobs.server(deployment.path, ["--listen", f"unix:{path}", "--pidfile", pidfile], address=path)
    server.reach_all()
    inode = os.stat(path).st_ino
    deployment.deploy()
    upgrade(server)
    assert server.get("/").text == "new" and os.stat(path).st_ino == inode
    assert pidfile.read_text() == f"{server.guardian}\n"
    second = subprocess.run([deployment.path, "--pidfile", pidfile, "--port", "0"], text=True, capture_output=True,
                            timeout=30, check=False)
    assert second.returncode == 69 and "another instance runs" in second.stderr
    server.stop()
    assert not pidfile.exists() and not os.path.exists(path)


def test_the_settings_are_the_new_ones(jobs, deployment, tmp_path):
    file = tmp_path / "settings"
    file.write_text("workers = 2\n")
    server = jobs.server(deployment.path, ["--config", file], workers=None)
    server.reach_all(2)
    file.write_text("workers = 3\nlog_level = debug\n")
    upgrade(server)
    assert len(server.wait_workers(3)) == 3
    # a number that was asked for by hand stays, as long as the file says what it said
    assert run(server, "scale", "4").returncode == 0
    upgrade(server)
    assert status(server)["wanted"] == 4


def test_the_limit_of_descriptors_is_the_users(jobs, deployment):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    server = jobs.server(deployment.path, prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
    server.reach_all()
    upgrade(server)
    upgrade(server)
    assert proc.read(f"/proc/{server.guardian}/limits").decode().split("Max open files")[1].split()[0] == "256"
    master = proc.read(f"/proc/{server.master()}/limits").decode().split("Max open files")[1].split()[0]
    assert master == str(hard)


def test_no_descriptor_is_left_over(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    upgrade(server)
    open_before = [proc.held(pid) for pid in supervisors(server)]
    for _ in range(3):
        upgrade(server)
    eventually("as many as before", lambda: [proc.held(pid) for pid in supervisors(server)] == open_before)
    for pid in server.workers():
        assert not any("handover" in name or "beat" in name for name in proc.fds(pid).values())


# And afterwards

@pytest.mark.parametrize("who", ["guardian", "master"])
def test_killed_afterwards(jobs, deployment, who):
    server = jobs.server(deployment.path)
    server.reach_all()
    deployment.deploy()
    upgrade(server)
    victim = server.guardian if who == "guardian" else server.master()
    sent = server.send(victim, signal.SIGKILL)
    server.wait_gone(sent, 10)
    assert server.code == (-9 if who == "guardian" else 137)
    server.assert_all_ended()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_signals_afterwards(jobs, deployment, number):
    server = jobs.server(deployment.path)
    server.reach_all()
    upgrade(server)
    if number == signal.SIGHUP:
        deployment.deploy()
        server.send(server.guardian, number)
        eventually("it has reloaded", lambda: server.get("/").text == "new")
        number = signal.SIGTERM
    server.stop(number)


def test_a_worker_that_hangs_afterwards(jobs):
    server = jobs.server(hang_timeout="500ms")
    server.reach_all()
    upgrade(server)
    (victim, connection), *_ = server.reach_all().items()
    server.send(victim, signal.SIGSTOP)
    eventually("it is replaced", lambda: victim not in server.workers(), 20)
    connection.close()


def test_the_notify_socket(jobs, deployment, tmp_path):
    manager = Manager(folder=tmp_path)
    try:
        server = jobs.server(deployment.path, env=manager.env)
        server.reach_all()
        manager.wait_states("READY")
        deployment.deploy("CRASH")
        upgrade(server, code=1)
        deployment.deploy()
        upgrade(server)
        manager.wait_states("READY", "RELOADING", "READY")
        server.stop()
        assert manager.states() == ["READY", "RELOADING", "READY", "STOPPING"]
        texts = manager.texts()
        assert "STATUS=not upgraded (the log says why): the old program serves" in texts
        assert texts[-2:] == ["READY=1\nSTATUS=serving: generation 2", "STOPPING=1\nSTATUS=stopping: draining"]
        assert {pid for _, pid, _ in manager.said} == {server.pid}
    finally:
        manager.close()


def test_the_environment_has_no_trace(jobs, deployment):
    server = jobs.server()
    server.reach_all()
    upgrade(server)
    for pid in server.workers():
        assert b"_COVEY_HANDOVER" not in proc.read(f"/proc/{pid}/environ")


def test_fork_reloads_only_by_upgrade(jobs, deployment):
    server = jobs.server(deployment.path, method="fork")
    server.reach_all()
    deployment.deploy()
    refused = run(server, "reload")
    assert refused.returncode == 1 and "use covey upgrade" in refused.stderr
    upgrade(server)
    assert server.get("/").text == "new"
    assert run(server, "reload").returncode == 1
