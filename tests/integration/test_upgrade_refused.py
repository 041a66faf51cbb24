"""Upgrades that cannot be, and such that come at a bad moment: nothing has changed then, or nothing is lost."""

import os
import signal
import time

import pytest

from client import eventually
from deployment import runs, status, supervisors, upgrade, wait_log

# It is refused, and nothing has changed

REFUSED = [
    ("CRASH", "was killed by signal 6 (Aborted) in its trial"),
    ("DULL", "has ended with exit code 0 instead of answering whether it can take over"),
    ("THREAD", "has started threads before covey_main()"),
    ("SHY", "has passed its trial, but cannot be run now: Permission denied"),
]


@pytest.mark.parametrize("kind, why", REFUSED, ids=[kind for kind, _ in REFUSED])
def test_a_program_that_cannot_take_over(jobs, deployment, kind, why):
    server = jobs.server(deployment.path)
    before, same = set(server.reach_all()), supervisors(server)
    deployment.deploy(kind)
    assert why in upgrade(server, code=1)
    assert (set(server.workers()), supervisors(server)) == (before, same)
    assert server.get("/").text == "old" and status(server)["upgrades"] == 0
    wait_log(server, "not upgraded: ")
    deployment.deploy(answer="better")
    upgrade(server)
    assert server.get("/").text == "better"


def test_a_program_that_does_not_answer(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    deployment.deploy("HANG")
    began = time.monotonic()
    assert "has not answered within 10 s" in upgrade(server, code=1)
    assert 9.5 < time.monotonic() - began < 15
    assert server.get("/").text == "old"


def test_no_program_at_all(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    deployment.path.chmod(0o644)
    assert "Permission denied" in upgrade(server, code=1)
    garbage = deployment.path.with_name("garbage")
    garbage.write_bytes(b"nonsense")
    garbage.chmod(0o755)
    garbage.rename(deployment.path)
    assert "Exec format error" in upgrade(server, code=1)
    deployment.path.unlink()
    assert "No such file or directory" in upgrade(server, code=1)
    assert server.get("/").text == "old"
    server.stop()


def test_bad_settings(jobs, deployment, tmp_path):
    file = tmp_path / "settings"
    file.write_text("workers = 2\n")
    server = jobs.server(deployment.path, ["--config", file], workers=None)
    server.reach_all(2)
    file.write_text("workers = many\n")
    assert 'settings:1: workers: "many" is not a number' in upgrade(server, code=1)
    file.write_text("single_process = yes\n")
    assert "single process" in upgrade(server, code=1)
    file.write_text("workers = 2\n")
    upgrade(server)


def test_a_new_version_that_cannot_serve_is_rolled_back(jobs, deployment):
    """The trial is about taking over; whether the app starts is the reload's to find out."""
    server = jobs.server(deployment.path)
    before, same = set(server.reach_all()), supervisors(server)
    deployment.deploy("SULK")
    assert "not upgraded: " in upgrade(server, code=1)
    assert set(server.workers()) == before and supervisors(server) == same
    assert server.get("/").text == "old"
    # the old program, pinned, is what a worker that crashes is replaced from
    server.send(next(iter(before)), signal.SIGKILL)
    eventually("it is replaced", lambda: len(server.workers()) == 2 and set(server.workers()) != before)
    assert server.get("/").text == "old"
    deployment.deploy(answer="better")
    upgrade(server)
    assert server.get("/").text == "better"


# It comes at a bad moment

def test_during_a_reload(jobs, deployment):
    server = jobs.server(deployment.path, slow_ms=500)
    server.reach_all()
    deployment.deploy(answer="reloaded")
    server.send(server.guardian, signal.SIGHUP)
    wait_log(server, "reloading: generation 2")
    deployment.deploy(answer="upgraded")
    assert "generation 3 serves" in upgrade(server)
    assert server.get("/").text == "upgraded"
    assert status(server)["upgrades"] == 1


def test_during_the_start(jobs, deployment):
    server = jobs.server(deployment.path, slow_ms=1000)
    server.wait_workers(2)
    server.send(server.guardian, signal.SIGUSR2)
    wait_log(server, "reloaded: generation 2 serves")
    assert status(server)["upgrades"] == 1


def test_twice(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    same = supervisors(server)
    for _ in range(5):
        server.send(server.guardian, signal.SIGUSR2)
        time.sleep(0.002)
    eventually("it is over", lambda: (found := status(server))["upgrades"] >= 1 and found["reload"] == "none"
               and found["ready"] == 2)
    deployment.deploy()
    upgrade(server)
    assert server.get("/").text == "new" and supervisors(server) == same


def test_asked_again_while_one_is_tried(jobs, deployment):
    """What lies there by then is tried instead."""
    server = jobs.server(deployment.path)
    server.reach_all()
    deployment.deploy("HANG")
    server.send(server.guardian, signal.SIGUSR2)
    wait_log(server, "the new program is tried")
    deployment.deploy(answer="better")
    upgrade(server)
    assert server.get("/").text == "better" and "not upgraded" not in server.err


def test_a_reload_waits_for_the_trial(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    deployment.deploy("HANG")
    server.send(server.guardian, signal.SIGUSR2)
    wait_log(server, "the new program is tried")
    server.send(server.guardian, signal.SIGHUP)
    deployment.deploy(answer="better")
    upgrade(server)
    assert server.get("/").text == "better"
    time.sleep(0.3)
    assert status(server)["generation"] == 2


@pytest.mark.parametrize("pause", [0, 0.002, 0.005, 0.01, 0.03])
def test_stop_right_after(jobs, deployment, pause):
    server = jobs.server(deployment.path)
    server.reach_all()
    server.send(server.guardian, signal.SIGUSR2)
    time.sleep(pause)
    server.stop()


@pytest.mark.parametrize("who", ["guardian", "master"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_killed_at_any_moment_of_an_upgrade(jobs, deployment, who, number):
    """Killed: all is gone. Stopped, and continued by a stop: the same."""
    for pause in (0, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.011, 0.015, 0.02):
        server = jobs.server(deployment.path)
        server.reach_all()
        guardian, master = supervisors(server)
        server.send(guardian, signal.SIGUSR2)
        time.sleep(pause)
        sent = server.send(guardian if who == "guardian" else master, number)
        if number == signal.SIGSTOP:
            time.sleep(0.05)
            server.send(guardian, signal.SIGCONT)
            sent = server.send(guardian, signal.SIGTERM)
        server.wait_gone(sent, 20)
        assert server.code == {signal.SIGSTOP: 0, signal.SIGKILL: -9 if who == "guardian" else 137}[number], server.err
        server.assert_all_ended()


def test_during_a_stop(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    with server.connect() as slow:
        slow.ask("GET", "/wait/1000")
        time.sleep(0.2)
        sent = server.send(server.guardian, signal.SIGTERM)
        wait_log(server, "stopping")
        server.send(server.guardian, signal.SIGUSR2)
        assert slow.response().text == "old"
    server.wait_gone(sent, 30)
    assert server.code == 0 and "tried" not in server.err


def test_a_trial_ends_with_the_server(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    deployment.deploy("HANG")
    server.send(server.guardian, signal.SIGUSR2)
    wait_log(server, "the new program is tried")
    server.stop()


def test_what_a_trial_leaves_behind_is_ended(jobs, deployment):
    server = jobs.server(deployment.path)
    server.reach_all()
    deployment.deploy("LEAVES", "DULL")
    upgrade(server, code=1)
    eventually("no stray is left", lambda: not server.strays())


def test_a_guardian_that_cannot_follow_goes_on(jobs, deployment):
    """The program makes itself unusable when the master has become it."""
    server = jobs.server(deployment.path)
    server.reach_all()
    same = supervisors(server)
    deployment.deploy("SHY_LATER")
    assert "not upgraded: " in upgrade(server, code=1)  # the reload has nothing to run
    (server.cwd / "tried").unlink()
    assert "the guardian goes on with the old program, cannot become the master's: Permission denied" in server.err
    assert runs(server.guardian) != runs(server.master())
    assert server.get("/").text == "old" and status(server)["ready"] == 2
    deployment.deploy(answer="better")
    upgrade(server)
    assert runs(server.guardian) == runs(server.master()) == os.stat(deployment.path).st_ino
    assert server.get("/").text == "better" and supervisors(server) == same
