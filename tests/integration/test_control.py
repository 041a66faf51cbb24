"""The control socket and its commands: answered when they are done, refused to others, gone with the server."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import proc
from client import eventually
from control import DONE, FLEET, HEAD, RELOAD, SCALE, STATUS, STOP, answer, folder_of, message, raw, socket_of
from harness import BUILD, sanitized
from server import TERM_BOUND, Server

COVEY = BUILD / "covey"
ATTACH, DETACH = 16, 17  # of ptrace(2)

# FATE=sleep makes new workers slow to start; a file named by FAIL_IF makes them fail.
APP = """
static int begin(covey_app *app)
{
    if (access(covey_config_str(app, "FAIL_IF", "/nowhere/at/all"), F_OK) == 0)
        return covey_setup_fail(app, "the database is on fire");
    usleep((unsigned)covey_config_int(app, "SLOW_MS", 0) * 1000);
    return 0;
}
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, begin);
    covey_get(app, "/pid", pid);
    return 0;
}
"""


def covey(*words, runtime=None, timeout=30, **how):
    """Runs the covey command; the finished process."""
    env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime or "/nowhere")}
    return subprocess.run([str(word) for word in (COVEY, *words)], env=env, text=True, capture_output=True,
                          timeout=timeout, check=False, **how)


def control(server, *words, code=0, **how):
    """A command for that server; what it wrote."""
    found = covey(*words, runtime=server.cwd, **how)
    assert found.returncode == code, f"{words}: {found}\n{server.tail()}"
    return found.stdout + found.stderr


def status(server):
    return json.loads(control(server, "status", "--json"))


@pytest.fixture
def program(app):
    return app(APP)


# Status

def test_status_is_true(jobs, method):
    server = jobs.server(workers=3, method=method)
    server.reach_all()
    found = status(server)
    assert (found["name"], found["pid"], found["master"]) == ("testbed", server.guardian, server.master())
    assert (found["wanted"], found["ready"], found["generation"], found["reload"]) == (3, 3, 1, "none")
    assert found["listeners"] == [f"http://127.0.0.1:{server.port}"]
    assert {worker["pid"]: worker["slot"] for worker in found["workers"]} == server.workers()
    assert {worker["state"] for worker in found["workers"]} == {"READY"}


def test_status_counts_connections_and_tells_how_workers_ended(jobs):
    server = jobs.server(workers=1)
    (victim, connection), = server.reach_all().items()
    assert status(server)["workers"][0]["connections"] >= 1
    server.send(victim, signal.SIGSEGV)
    eventually("it is replaced", lambda: status(server)["ready"] == 1 and victim not in server.workers())
    worker, = status(server)["workers"]
    assert worker["restarts"] == 1 and "signal 11" in worker["last_exit"]
    assert "signal 11" in control(server, "status")
    connection.close()


def test_status_is_whole_while_workers_are_killed(jobs):
    """Each page has one writer and no lock: a death in the middle of a write hurts neither reader nor successor."""
    server = jobs.server(workers=4)
    server.reach_all()
    for _ in range(25):
        for pid in list(server.workers())[:2]:
            with contextlib.suppress(ProcessLookupError):
                server.send(pid, signal.SIGKILL)
        before = {process.pid for process in server.tree()}  # also those that have not said their name yet
        asked = time.monotonic()
        found = status(server)
        assert sanitized() or time.monotonic() - asked < 1
        known = before | {process.pid for process in server.tree()}
        assert [worker["slot"] for worker in found["workers"]] == [0, 1, 2, 3]
        told = {worker["pid"] for worker in found["workers"] if worker["pid"]}
        assert all(pid in known or proc.stat(pid) is None for pid in told), f"{told} are not all of {known}"
        for worker in found["workers"]:
            assert 0 <= worker["connections"] < 100 and 0 <= worker["requests"] < 1000


def test_status_works_while_workers_start_and_while_they_stop(jobs):
    server = jobs.server(boot_delay=100)
    server.wait_booting()
    assert {worker["state"] for worker in status(server)["workers"]} == {"STARTING"}
    server = jobs.server()
    connection = next(iter(server.reach_all().values()))
    connection.ask("GET", "/slow")
    time.sleep(0.2)
    server.send(server.guardian, signal.SIGTERM)
    eventually("it says that it stops", lambda: "stopping" in server.err, 5)
    assert status(server)["stopping"] is True
    assert "the server is stopping" in control(server, "scale", 3, code=1)
    assert connection.response().status == 200


@pytest.mark.limit(240)
def test_status_of_many_workers_is_complete(jobs):
    many = 40 if sanitized() else 200
    server = jobs.server(workers=many)
    server.wait_workers(timeout=100)
    eventually("all are ready", lambda: status(server)["ready"] == many, 100, 0.2)
    assert len(status(server)["workers"]) == many


def test_top_goes_on_until_the_server_ends(jobs):
    server = jobs.server().wait_serving()
    eventually("both are ready", lambda: status(server)["ready"] == 2)
    env = {**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)}
    with subprocess.Popen([COVEY, "top"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as top:
        assert "2 of 2 workers ready" in top.stdout.readline()
        server.stop()
        top.communicate(timeout=20)
        assert top.returncode in (1, 69)


# Commands that are answered when they are done

def test_scale_is_answered_when_all_are_ready(jobs, program, method):
    server = jobs.server(program, workers=1, method=method, slow_ms=300)
    server.wait_serving()
    began = time.monotonic()
    assert "3 workers ready" in control(server, "scale", 3)
    assert time.monotonic() - began >= 0.3
    assert status(server)["ready"] == 3
    assert "1 worker ready" in control(server, "scale", 1)
    assert "1 worker ready" in control(server, "scale", 1)
    server.wait_workers(1)


def test_scale_that_cannot_work_says_why(jobs, program, tmp_path):
    server = jobs.server(program, workers=1, fail_if=tmp_path / "fire")
    server.wait_serving()
    assert "1 to 1023" in control(server, "scale", 0, code=1)
    assert "1 to 1023" in control(server, "scale", 5000, code=1)
    assert "no number" in control(server, "scale", "many", code=2)
    (tmp_path / "fire").touch()
    assert "does not get ready" in control(server, "scale", 2, code=1)
    (tmp_path / "fire").unlink()
    assert "1 worker ready" in control(server, "scale", 1)


def test_scale_that_another_one_overtakes_is_told(jobs, program):
    server = jobs.server(program, workers=1, slow_ms=1500)
    server.wait_serving()
    with raw(socket_of(server)) as first:
        first.send(message(SCALE, 2))
        time.sleep(0.3)
        assert "3 workers ready" in control(server, "scale", 3)
        kind, failed, sentence = answer(first)
        assert (kind, failed) == (DONE, 1) and b"another request" in sentence


def test_reload_is_answered_when_the_new_generation_serves(jobs, program):
    server = jobs.server(program, slow_ms=200)
    before = set(server.reach_all())
    assert "generation 2 serves" in control(server, "reload")
    assert not before & set(server.workers())
    assert status(server)["generation"] == 2


def test_reload_that_fails_says_why_and_is_an_error(jobs, program, tmp_path):
    server = jobs.server(program, fail_if=tmp_path / "fire")
    before = set(server.reach_all())
    (tmp_path / "fire").touch()
    said = control(server, "reload", code=1)
    assert "the database is on fire" in said and "the old one stays" in said
    assert set(server.workers()) >= before
    (tmp_path / "fire").unlink()
    assert "reloaded" in control(server, "reload")


def test_reload_that_cannot_begin_says_why(jobs, program):
    server = jobs.server(program, method="fork")
    server.reach_all()
    assert "--start-method spawn" in control(server, "reload", code=1)


def test_reloads_asked_at_once_are_all_answered(jobs, program):
    server = jobs.server(program, slow_ms=200)
    server.reach_all()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(raw(socket_of(server))) for _ in range(5)]
        for client in clients:
            client.send(message(RELOAD))
        assert {answer(client)[:2] for client in clients} == {(DONE, 0)}
    assert status(server)["generation"] == 3  # one ran, and those that came meanwhile were one


def test_restart_replaces_one_worker(jobs, program, method):
    server = jobs.server(program, method=method, slow_ms=200)
    before = {slot: pid for pid, slot in server.workers().items()} if server.reach_all() else {}
    control(server, "restart", 1)
    after = status(server)
    ready = {worker["pid"] for worker in after["workers"] if worker["state"] == "READY"}
    assert after["ready"] == 2 and before[0] in ready and before[1] not in ready
    assert "does not exist" in control(server, "restart", 77, code=1)
    assert "does not exist" in control(server, "restart", "main", code=1)
    assert "no worker" in control(server, "restart", "one", code=2)


def test_restart_of_main(jobs, app):
    server = jobs.server(app("""
        static int begin(covey_app *app) { (void)app; return 0; }
        static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
        static int setup(covey_app *app)
        {
            covey_listener(app, COVEY_MAIN_PROCESS_START, begin);
            covey_get(app, "/pid", pid);
            return 0;
        }"""))
    server.reach_all()
    main, = server.mains()
    control(server, "restart", "main")
    assert server.mains() and server.mains() != [main]


@pytest.mark.parametrize("words", [(), ("--now",)])
def test_stop_is_answered_when_nothing_is_left(jobs, words):
    server = jobs.server()
    server.reach_all()
    assert "stopped" in control(server, "stop", *words)
    assert server.wait_code(1.0) == 0
    server.wait_gone(time.monotonic(), 1.0)
    server.assert_all_ended()
    assert "no server" in control(server, "stop", code=69)


def test_stop_now_does_not_wait_for_requests(jobs):
    server = jobs.server()
    connection = next(iter(server.reach_all().values()))
    connection.ask("GET", "/slow")
    time.sleep(0.1)
    began = time.monotonic()
    control(server, "stop", "--now")
    assert sanitized() or time.monotonic() - began < 0.9
    server.wait_gone(began, 1.0)
    connection.close()


def test_stop_while_everything_is_blocked(jobs):
    server = jobs.server(boot_delay=100)
    server.wait_booting()
    control(server, "stop")
    assert server.wait_code(1.0) == 0


# Which server

@pytest.mark.parametrize("who", [("guardian",), ("master",), ("guardian", "master")], ids="+".join)
def test_stop_continues_what_is_stopped(jobs, program, who):
    server = jobs.server(program)
    server.reach_all()
    pids = {"guardian": server.guardian, "master": server.master()}
    for name in who:
        server.send(pids[name], signal.SIGSTOP)
    eventually("stopped", lambda: all(proc.stat(pids[name]).state == "T" for name in who), 5)
    since = time.monotonic()
    assert control(server, "stop").endswith(": stopped\n")
    assert time.monotonic() - since < TERM_BOUND
    server.wait_gone(since, 1.0)
    assert server.code == 0
    server.assert_all_ended()


def test_stop_says_what_stays_stopped(jobs, program):
    """A debugger holds the guardian."""
    server = jobs.server(program)
    server.reach_all()
    ptrace = ctypes.CDLL(None).ptrace
    if ptrace(ATTACH, server.guardian, None, None) != 0:
        pytest.skip("ptrace is forbidden here")
    try:
        answer = control(server, "stop", code=1)
    finally:
        ptrace(DETACH, server.guardian, None, None)
    assert f"its guardian, process {server.guardian}, stays stopped" in answer
    server.wait_gone(time.monotonic(), 10)  # let go, it ends


def test_status_of_a_stopped_server_says_so(jobs, program):
    server = jobs.server(program)
    server.reach_all()
    master = server.master()
    server.send(master, signal.SIGSTOP)
    answer = control(server, "status", code=1)
    assert f"its master, process {master}, is stopped by a signal" in answer
    server.send(master, signal.SIGCONT)
    assert "2 of 2 workers ready" in control(server, "status")


def test_server_is_found_by_name_pid_and_path(jobs):
    server = jobs.server().wait_serving()
    for target in ("testbed", server.guardian, socket_of(server)):
        assert str(server.guardian) in control(server, "status", target)
    for target in ("other", 1, "/nowhere/at/all.sock"):
        control(server, "status", target, code=69)


def test_several_servers_are_told_apart(jobs, tmp_path):
    (tmp_path / "run").mkdir()
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    servers = [jobs.server(env=env).wait_serving() for _ in range(2)]
    said = covey("status", runtime=tmp_path / "run")
    assert said.returncode == 2
    for server in servers:
        assert f"(pid {server.guardian})" in said.stderr
        assert covey("stop", server.guardian, runtime=tmp_path / "run").returncode == 0
    assert not (tmp_path / "run" / "covey").exists()


@pytest.mark.parametrize("words", [("status", "a", "b"), ("status", "--now"), ("scale",), ("stop", "--json")])
def test_wrong_usage_is_told(words):
    found = covey(*words)
    assert found.returncode == 2 and "Usage" in found.stderr


def test_place_of_ones_own_and_none(jobs, tmp_path):
    server = jobs.server(args=["--control", tmp_path / "here"]).wait_serving()
    assert covey("status", tmp_path / "here").returncode == 0
    assert not folder_of(server).exists()
    server.stop()
    assert not (tmp_path / "here").exists()
    server = jobs.server(args=["--control", "off"]).wait_serving()
    assert not folder_of(server).exists()
    control(server, "status", code=69)


def test_place_that_cannot_be_had_ends_the_start(jobs, tmp_path):
    (tmp_path / "taken").touch()
    server = jobs.server(args=["--control", tmp_path / "taken"])
    assert server.wait_code() == 69
    assert str(tmp_path / "taken") in server.err
    assert (tmp_path / "taken").exists()


def test_without_a_runtime_folder_the_server_goes_on(jobs, tmp_path):
    """The next place is taken, and found by the commands too."""
    (tmp_path / "file").touch()
    server = jobs.server(env={"XDG_RUNTIME_DIR": str(tmp_path / "file")}).wait_serving()
    assert covey("stop", server.guardian, runtime=tmp_path / "file").returncode == 0


# Others

@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused(jobs, tmp_path):
    place = tmp_path / "open"
    place.mkdir()
    server = jobs.server(args=["--control", place / "s"]).wait_serving()
    for folder in (place, *place.parents):  # let nobody in, as an administrator might by mistake
        if folder.owner() == "root" and len(folder.parts) > 2:
            folder.chmod(0o755)
    reach = (place / "s").stat()
    assert reach.st_mode & 0o777 == 0o600
    (place / "s").chmod(0o777)
    pid = os.fork()
    if pid == 0:
        code = 9
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with raw(place / "s") as connection:
                with contextlib.suppress(OSError):
                    connection.send(message(STOP))
                kind, failed, sentence = answer(connection) or answer(connection)
                code = 0 if (kind, failed) == (DONE, 1) and b"only the user" in sentence else 8
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert "another user" in server.err
    server.wait_serving()


def test_garbage_does_no_harm(jobs):
    server = jobs.server().wait_serving()
    junk = [b"x", b"\0" * HEAD.size, os.urandom(HEAD.size), os.urandom(5000), b"GET / HTTP/1.1\r\n\r\n",
            message(STATUS, body=b"more"), message(7), message(FLEET), message(STOP, number=3), message(0xffffffff)]
    for data in junk:
        with raw(socket_of(server)) as connection:
            connection.send(data)
            found = answer(connection)
            assert found is None or found[:2] == (DONE, 1)
    with raw(socket_of(server)) as connection:
        connection.send(message(RELOAD, version=99))
        kind, failed, sentence = answer(connection)
        assert (kind, failed) == (DONE, 1) and b"another version" in sentence
    assert "nonsense" in server.err
    assert status(server)["ready"] == 2


def test_clients_that_stall_block_nobody(jobs):
    server = jobs.server()
    server.reach_all()
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(raw(socket_of(server)))  # says nothing
        for _ in range(4):
            stack.enter_context(raw(socket_of(server))).send(message(STATUS))  # reads nothing
        assert status(server)["ready"] == 2
        assert "3 workers ready" in control(server, "scale", 3)
        server.stop()


def test_client_that_is_killed_leaves_the_command_running(jobs, program):
    server = jobs.server(program, workers=1, slow_ms=500)
    server.wait_serving()
    with raw(socket_of(server)) as connection:
        connection.send(message(SCALE, 2))
    eventually("it is done all the same", lambda: status(server)["ready"] == 2)


def test_idle_server_is_not_woken_by_its_control_socket(jobs):
    server = jobs.server().wait_serving()
    with raw(socket_of(server)):
        time.sleep(0.5)
        before = proc.switches(server.master())
        time.sleep(1.5)
        assert proc.switches(server.master()) - before <= 1


# Ends

@pytest.mark.parametrize("who", ["guardian", "master"])
def test_socket_is_gone_when_one_of_two_is_killed(jobs, who):
    server = jobs.server()
    server.reach_all()
    path = socket_of(server)
    assert path.is_socket()
    sent = server.send(server.guardian if who == "guardian" else server.master(), signal.SIGKILL)
    server.wait_gone(sent, 20)
    assert not path.exists() and not path.parent.exists()


def test_commands_that_wait_end_with_the_server(jobs, program):
    server = jobs.server(program, slow_ms=3000)
    server.wait_serving()
    with raw(socket_of(server)) as connection:
        connection.send(message(RELOAD))
        eventually("it has begun", lambda: "reloading" in server.err)
        since = server.send(server.guardian, signal.SIGTERM)
        kind, failed, sentence = answer(connection)
        assert (kind, failed) == (DONE, 1) and b"stopping" in sentence
    server.wait_gone(since, 25)


def test_stale_socket_is_passed_over_and_removed_by_the_next_server(tmp_path):
    """Killed at the very same instant, guardian and master leave the socket behind."""
    run = tmp_path / "run"
    run.mkdir()
    env = {"XDG_RUNTIME_DIR": str(run)}
    first = Server(tmp_path / "first", env=env)
    try:
        first.wait_serving()
        stale = run / "covey" / socket_of(first).name
        master = first.master()
        first.send(first.guardian, signal.SIGSTOP)
        first.send(master, signal.SIGKILL)
        first.send(first.guardian, signal.SIGKILL)
        first.wait_gone(time.monotonic(), 20)
    finally:
        first.close()
    assert stale.is_socket()
    assert covey("status", runtime=run).returncode == 69
    assert covey("status", stale).returncode == 69

    second = Server(tmp_path / "second", env=env)
    try:
        second.wait_serving()
        assert not stale.exists()
        assert covey("status", runtime=run).returncode == 0
        second.stop()
    finally:
        second.close()
    assert not stale.parent.exists()
