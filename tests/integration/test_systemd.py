"""systemd: what is said on the notify socket, in which order, and when nothing must be said."""

import os
import re
import signal
import subprocess
import time

import pytest

import proc
from client import eventually
from harness import ROOT
from manager import Manager

# The file named by COVEY_BREAK makes setup fail: a version that cannot start.
APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int variable(covey_req *req)
{
    const char *value = getenv(covey_param(req, "name"));
    return covey_text(req, 200, value != NULL ? value : "(none)");
}
static int wait_ms(covey_req *req)
{
    int rc = covey_sleep_ms(covey_param_int(req, "ms"));
    return rc < 0 ? rc : covey_text(req, 200, "waited");
}
static int nap(covey_app *app)
{
    usleep((unsigned)covey_config_int(app, "NAP", 0) * 1000);
    return 0;
}
static int setup(covey_app *app)
{
    if (access(covey_config_str(app, "BREAK", "/nowhere/at/all"), F_OK) == 0)
        return covey_setup_fail(app, "broken");
    covey_listener(app, COVEY_BEFORE_SERVER_START, nap);
    covey_get(app, "/pid", pid);
    covey_get(app, "/env/<name:str>", variable);
    covey_get(app, "/wait/<ms:int>", wait_ms);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


@pytest.fixture
def managed(tmp_path):
    made = []

    def make(**how):
        made.append(Manager(**how))
        return made[-1]

    yield make
    for manager in made:
        manager.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, managed, tmp_path):
    return managed(folder=tmp_path if request.param == "path" else None)


def by_the_guardian(server, manager):
    return {pid for _, pid, _ in manager.hear().said} == {server.pid}


# What is said

def test_start_and_stop(jobs, program, manager, method):
    server = jobs.server(program, method=method, env=manager.env)
    server.reach_all()
    manager.wait_states("READY")
    server.stop()
    assert manager.texts() == ["STATUS=starting", "READY=1\nSTATUS=serving: 2 workers",
                               "STOPPING=1\nSTATUS=stopping: draining"]
    assert by_the_guardian(server, manager)


def test_ready_is_said_when_all_are_ready(jobs, program, manager):
    server = jobs.server(program, workers=3, env=manager.env, nap=700)
    server.wait_workers(3)
    assert manager.states() == []
    manager.wait_states("READY")
    assert len(server.reach_all()) == 3


def test_reload(jobs, program, manager):
    server = jobs.server(program, env=manager.env)
    before = set(server.reach_all())
    manager.wait_states("READY")
    asked = time.monotonic_ns() // 1000
    server.send(server.guardian, signal.SIGHUP)
    manager.wait_states("READY", "RELOADING", "READY")
    heard = time.monotonic_ns() // 1000
    assert not before & set(server.workers())
    reloading, ready = manager.texts()[2:]
    first, stamp, status = reloading.splitlines()
    assert (first, status) == ("RELOADING=1", "STATUS=reloading: generation 2")
    assert asked <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= heard
    assert ready == "READY=1\nSTATUS=serving: generation 2"
    assert by_the_guardian(server, manager)


def test_reload_that_fails_in_a_worker_ends_with_ready(jobs, program, manager, tmp_path):
    server = jobs.server(program, env={**manager.env, "COVEY_BREAK": tmp_path / "break"})
    server.reach_all()
    manager.wait_states("READY")
    (tmp_path / "break").touch()
    server.send(server.guardian, signal.SIGHUP)
    manager.wait_states("READY", "RELOADING", "READY")
    assert manager.texts()[-1] == "READY=1\nSTATUS=the reload to generation 2 has failed: the old one serves"
    (tmp_path / "break").unlink()
    server.send(server.guardian, signal.SIGHUP)
    manager.wait_states("READY", "RELOADING", "READY", "RELOADING", "READY")
    assert manager.texts()[-1] == "READY=1\nSTATUS=serving: generation 3"


def test_reload_that_is_refused_ends_with_ready(jobs, program, manager):
    """fork does not reload a program with its own main()."""
    server = jobs.server(program, method="fork", env=manager.env)
    server.reach_all()
    manager.wait_states("READY")
    server.send(server.guardian, signal.SIGHUP)
    manager.wait_states("READY", "RELOADING", "READY")
    assert manager.texts()[-1] == "READY=1\nSTATUS=the reload to generation 2 has failed: the old one serves"


def test_reloads_asked_at_once_are_each_answered(jobs, program, manager):
    """The manager compares MONOTONIC_USEC with when it asked: the last one must be later than the last HUP."""
    server = jobs.server(program, env=manager.env, nap=300)
    server.reach_all()
    manager.wait_states("READY")
    for _ in range(3):
        server.send(server.guardian, signal.SIGHUP)
        last = time.monotonic_ns() // 1000
        time.sleep(0.1)
    manager.wait_states("READY", "RELOADING", "READY", "RELOADING", "READY")
    stamps = [int(line.partition("=")[2]) for text in manager.texts() for line in text.splitlines()
              if line.startswith("MONOTONIC_USEC=")]
    assert stamps[-1] >= last


def test_stop_during_a_reload_is_final(jobs, program, manager):
    server = jobs.server(program, env=manager.env, nap=500)
    server.reach_all()
    manager.wait_states("READY")
    server.send(server.guardian, signal.SIGHUP)
    manager.wait_states("READY", "RELOADING")
    server.stop()
    assert manager.states() == ["READY", "RELOADING", "STOPPING"]


def test_stop_before_ready(jobs, program, manager):
    server = jobs.server(program, env=manager.env, nap=20000)
    server.wait_workers()
    server.stop(starting=True)
    assert manager.states() == ["STOPPING"]


def test_start_that_fails(jobs, program, manager, tmp_path):
    (tmp_path / "break").touch()
    job = jobs.run([program, "--port", "0"], env={**manager.env, "COVEY_BREAK": tmp_path / "break"})
    assert job.code == 4
    assert manager.texts() == ["STATUS=starting", "STOPPING=1\nSTATUS=the start has failed: exit code 4"]


def test_death_of_the_master(jobs, program, manager):
    server = jobs.server(program, env=manager.env)
    server.reach_all()
    manager.wait_states("READY")
    server.wait_gone(server.send(server.master(), signal.SIGKILL), 10)
    assert server.code == 137
    assert manager.texts()[-1] == "STOPPING=1\nSTATUS=the master is gone: all is stopped"


def test_status_follows_the_number_of_workers(jobs, program, manager):
    server = jobs.server(program, env=manager.env)
    server.reach_all()
    server.send(server.guardian, signal.SIGTTIN)
    server.reach_all(3)
    assert manager.texts()[-1] == "STATUS=3 workers wanted"


# Signs of life

def test_more_time_is_asked_for_each_second_while_starting_and_stopping_only(jobs, program, manager):
    extend = "EXTEND_TIMEOUT_USEC=2000000"
    server = jobs.server(program, workers=1, env=manager.env, nap=2500)
    server.reach_all()
    manager.wait_states("READY")
    while_starting = len(manager.times(extend))
    assert 1 <= while_starting <= 3
    connection = server.connect()
    connection.ask("GET", "/wait/4000")
    wakes = proc.switches(server.guardian)
    time.sleep(1.5)
    assert len(manager.times(extend)) == while_starting
    assert proc.switches(server.guardian) == wakes, "an idle guardian does not wake up"
    sent = server.send(server.guardian, signal.SIGTERM)
    assert connection.response().text == "waited"
    server.wait_gone(sent, 30)
    times = [when for when in manager.times(extend) if when > sent]
    assert 1 <= len(times) <= 3


def test_no_more_time_is_asked_for_while_the_master_hangs(jobs, program, manager):
    server = jobs.server(program, workers=1, env=manager.env, nap=3000)
    server.wait_workers(1)
    server.send(server.master(), signal.SIGSTOP)
    time.sleep(0.2)
    before = len(manager.times("EXTEND_TIMEOUT_USEC=2000000"))
    time.sleep(2.2)
    assert len(manager.times("EXTEND_TIMEOUT_USEC=2000000")) == before
    server.send(server.master(), signal.SIGCONT)
    manager.wait_states("READY")


def test_watchdog_is_silent_while_the_master_hangs(jobs, program, managed):
    manager = managed(watchdog=0.6)
    server = jobs.server(program, env=manager.env)
    server.reach_all()
    eventually("signs of life", lambda: len(manager.times("WATCHDOG=1")) >= 3, 10)
    server.send(server.master(), signal.SIGSTOP)
    time.sleep(0.3)
    before = len(manager.times("WATCHDOG=1"))
    time.sleep(1.0)
    assert len(manager.times("WATCHDOG=1")) == before
    server.send(server.master(), signal.SIGCONT)
    eventually("signs of life again", lambda: len(manager.times("WATCHDOG=1")) >= before + 3, 10)


def test_stop_reaches_a_master_that_has_been_asked_for_signs_of_life_in_vain(jobs, program, managed):
    manager = managed(watchdog=0.01)
    server = jobs.server(program, env=manager.env)
    server.reach_all()
    server.send(server.master(), signal.SIGSTOP)
    time.sleep(1.5)
    server.stop()


def test_watchdog_of_another_process_is_not_fed(jobs, program, managed):
    manager = managed(watchdog=0.1)
    server = jobs.server(program, env={**manager.env, "WATCHDOG_PID": os.getpid()})
    server.reach_all()
    time.sleep(0.5)
    assert manager.times("WATCHDOG=1") == []


# What workers see of it

@pytest.mark.parametrize("name", ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
                                  "LISTEN_FDNAMES"])
def test_workers_do_not_see_the_variables(jobs, program, managed, method, name):
    env = {**managed(watchdog=60).env, "WATCHDOG_PID": 1, "LISTEN_FDS": 1, "LISTEN_PID": 1, "LISTEN_FDNAMES": "web"}
    server = jobs.server(program, method=method, workers=1, env=env)
    server.wait_serving()
    assert server.get(f"/env/{name}").text == "(none)"


# A manager that is gone, or wrong

def test_nobody_at_the_socket_does_no_harm(jobs, program, tmp_path):
    server = jobs.server(program, env={"NOTIFY_SOCKET": tmp_path / "nobody"})
    server.reach_all()
    server.stop()


def test_manager_that_does_not_read_does_not_hold_up_the_stop(jobs, program, managed):
    manager = managed(watchdog=0.003)
    server = jobs.server(program, env=manager.env)
    server.reach_all()
    time.sleep(1.0)
    assert server.stop() < 10


@pytest.mark.parametrize("name, value", [("NOTIFY_SOCKET", "relative/path"), ("NOTIFY_SOCKET", "@"),
                                         ("NOTIFY_SOCKET", "/" + "x" * 200), ("WATCHDOG_USEC", "soon"),
                                         ("WATCHDOG_USEC", "0"), ("WATCHDOG_USEC", "-1")])
def test_wrong_variable_is_refused(jobs, program, name, value):
    job = jobs.run([program, "--port", "0"], env={name: value})
    assert job.code == 78
    assert name in job.err


# The unit files

def test_unit_files_are_right(tmp_path):
    """As systemd itself sees them, with paths that exist here."""
    for kind in ("service", "socket"):
        text = (ROOT / f"packaging/covey@.{kind}").read_text()
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text)
        (tmp_path / f"covey@.{kind}").write_text(text)
    answer = subprocess.run(["systemd-analyze", "verify", "--man=no", "covey@shop.service", "covey@shop.socket"],
                            cwd=tmp_path, capture_output=True, text=True, timeout=60,
                            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert [line for line in answer.stderr.splitlines() if "covey" in line] == []
