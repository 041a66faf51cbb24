"""--daemon: the command ends when the server serves, or with the code of the start that failed."""

import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

import proc
from client import Connection, eventually
from harness import BUILD, Job, free_port, port_is_free, sanitized
from server import example
from terminal import Terminal

# FAIL_IF: a start listener fails if that file is there; SLOW_MS: it takes so long. Setup is said on standard error.
APP = """
static int begin(covey_app *app)
{
    usleep((unsigned)covey_config_int(app, "SLOW_MS", 0) * 1000);
    return access(covey_config_str(app, "FAIL_IF", "/nowhere/at/all"), F_OK) == 0
               ? covey_setup_fail(app, "the database is on fire") : 0;
}
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, begin);
    covey_get(app, "/pid", pid);
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(app):
    return app(APP)


class Daemon(Job):
    """The command that starts one, and what it leaves behind."""

    def __init__(self, folder, program, *args, env=None, prepare=None, before=()):
        self.port = free_port()
        self.pidfile, self.log = folder / "app.pid", folder / "app.log"
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, [*before, program, "--daemon", "--pidfile", self.pidfile, "--log-file", self.log,
                                  "--port", self.port, "--workers", "2", *args], env, prepare)

    @property
    def guardian(self):
        return int(self.pidfile.read_text())

    def covey(self, *words):
        env = {**os.environ, "XDG_RUNTIME_DIR": str(self.cwd)}
        return subprocess.run([BUILD / "covey", *words], env=env, text=True, capture_output=True, timeout=30, check=False)

    def get(self):
        with Connection(("127.0.0.1", self.port)) as connection:
            return connection.get("/pid")

    def end(self, number=signal.SIGTERM):
        since = self.send(self.guardian, number)
        self.wait_gone(since, 25)
        self.assert_nothing_left()
        assert port_is_free(self.port) and not self.pidfile.exists()


@pytest.fixture
def daemons(tmp_path):
    made = []

    def daemon(program, *args, **how):
        made.append(Daemon(tmp_path / f"daemon{len(made)}", program, *args, **how))
        return made[-1]

    yield daemon
    for one in made:
        one.close()


def test_command_ends_when_the_server_serves(daemons, program, method):
    daemon = daemons(program, "--start-method", method, env={"COVEY_SLOW_MS": 700})
    assert daemon.wait_code(20) == 0
    assert time.monotonic() - daemon.started_at > 0.7
    assert daemon.get().status == 200, "at once"
    assert daemon.err == "" and daemon.out == ""
    guardian = proc.stat(daemon.guardian)
    assert proc.role(guardian.pid)[0] == "guardian"
    assert guardian.session == guardian.pid and guardian.ppid == daemon.reaper
    assert os.readlink(f"/proc/{guardian.pid}/cwd") == str(daemon.cwd)
    assert all(process.session == guardian.pid for process in daemon.tree())
    for process in daemon.tree():
        fds = proc.fds(process.pid)
        assert fds[0] == "/dev/null" and fds[1] == fds[2] == str(daemon.log)
        assert str(daemon.folder / "stderr") not in fds.values(), "nothing is held of where it was started"
    assert "listening on" in daemon.log.read_text()
    found = daemon.covey("status")
    assert found.returncode == 0 and f"(pid {guardian.pid})" in found.stdout
    assert daemon.covey("stop").returncode == 0
    daemon.wait_gone(time.monotonic(), 1)
    daemon.assert_nothing_left()
    assert not daemon.pidfile.exists()


def test_umask_is_the_users(daemons, program):
    daemon = daemons(program, prepare=lambda: os.umask(0o037))
    assert daemon.wait_code(20) == 0
    assert "Umask:\t0037" in proc.read(f"/proc/{daemon.guardian}/status").decode()
    daemon.end()


def test_a_substitution_in_a_shell_does_not_wait_for_the_server(daemons, program):
    """$(app --daemon) reads until the last holder of the pipe is gone."""
    daemon = daemons(program, before=["sh", "-c", 'said=$("$@" 2>&1); echo "code=$? said=$said"', "sh"])
    assert daemon.wait_code(20) == 0
    assert daemon.out == "code=0 said=\n"
    daemon.end()


def test_without_a_log_file_that_is_said(daemons, program):
    daemon = daemons(program, "--log-file", "", "--access-log")
    assert daemon.wait_code(20) == 0
    assert "LOG_FILE is not set: what the server says from here on is lost" in daemon.err
    for process in daemon.tree():
        assert {proc.fds(process.pid)[fd] for fd in range(3)} == {"/dev/null"}
    daemon.end()


def test_access_log_goes_to_the_log_file_and_is_reopened_with_it(daemons, program):
    daemon = daemons(program, "--access-log")
    assert daemon.wait_code(20) == 0
    daemon.get()
    eventually("it is written", lambda: "GET /pid" in daemon.log.read_text(), 5)
    old = daemon.log.rename(daemon.log.with_suffix(".1"))
    assert daemon.covey("logs", "reopen").returncode == 0
    daemon.get()
    eventually("it is written", lambda: "GET /pid" in daemon.log.read_text(), 5)
    assert all(str(old) not in proc.fds(process.pid).values() for process in daemon.tree())
    daemon.end()


# Starts that fail

def test_failed_start_listener_is_said_with_its_code(daemons, program, tmp_path, method):
    (tmp_path / "fail").touch()
    daemon = daemons(program, "--start-method", method, env={"COVEY_FAIL_IF": tmp_path / "fail"})
    assert daemon.wait_code(20) == 3
    daemon.wait_gone(time.monotonic(), 1)
    assert "the database is on fire" in daemon.err
    assert "the database is on fire" in daemon.log.read_text()
    daemon.assert_nothing_left()
    assert not daemon.pidfile.exists()


def test_address_in_use_is_said(daemons, program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = daemons(program, "--port", taken.getsockname()[1])
        assert daemon.wait_code(20) == 69
    assert "in use" in daemon.err
    daemon.wait_gone(time.monotonic(), 1)


def test_second_instance_is_refused(daemons, program):
    daemon = daemons(program)
    assert daemon.wait_code(20) == 0
    second = daemons(program, "--pidfile", daemon.pidfile)
    assert second.wait_code(20) == 69
    assert f"another instance runs, as process {daemon.guardian}: it holds {daemon.pidfile}" in second.err
    assert daemon.get().status == 200
    daemon.end()


def test_log_file_that_cannot_be_opened_is_said(daemons, program, tmp_path):
    daemon = daemons(program, "--log-file", tmp_path)
    assert daemon.wait_code(20) == 71
    assert f"cannot open the log file {tmp_path}: Is a directory" in daemon.err
    daemon.wait_gone(time.monotonic(), 1)


@pytest.mark.parametrize(("args", "env", "said"), [
    (["--single-process"], {}, "exclude each other"),
    ([], {"NOTIFY_SOCKET": "/nowhere/notify"}, "started by a service manager"),
])
def test_where_it_makes_no_sense_it_is_refused(daemons, program, args, env, said):
    daemon = daemons(program, *args, env=env)
    assert daemon.wait_code(20) == 2
    assert said in daemon.err
    daemon.wait_gone(time.monotonic(), 1)


def test_passed_sockets_are_refused(daemons, program):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def prepare():
            os.dup2(listener.fileno(), 3)
        daemon = daemons(program, prepare=prepare,
                         before=["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh"])
        assert daemon.wait_code(20) == 2
    assert "LISTEN_FDS" in daemon.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a PID namespace")
def test_process_1_is_refused(tmp_path, program):
    found = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", program, "--daemon", "--port",
                            str(free_port())], text=True, capture_output=True, timeout=30, check=False, cwd=tmp_path)
    if "unshare" in found.stderr:
        pytest.skip(found.stderr)
    assert found.returncode == 2
    assert "process 1 of a container" in found.stderr


# While it waits

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_command_takes_the_server_along(daemons, program, number):
    daemon = daemons(program, env={"COVEY_SLOW_MS": 60000})
    eventually("workers start", lambda: len(daemon.tree()) == 5, 20)
    time.sleep(0.2)
    since = daemon.send(daemon.pid, number)
    daemon.wait_gone(since, 20 if sanitized() else 3)
    assert daemon.code == -number
    daemon.assert_nothing_left()
    assert not daemon.pidfile.exists()


def test_server_that_is_stopped_before_it_serves(daemons, program):
    daemon = daemons(program, env={"COVEY_SLOW_MS": 60000})
    eventually("workers start", lambda: len(daemon.tree()) == 5, 20)
    time.sleep(0.2)
    daemon.wait_gone(daemon.send(daemon.guardian, signal.SIGTERM), 20)
    assert daemon.code == 1
    assert "was stopped before it served" in daemon.err


def test_server_that_is_killed_before_it_serves(daemons, program):
    daemon = daemons(program, env={"COVEY_SLOW_MS": 60000})
    eventually("workers start", lambda: len(daemon.tree()) == 5, 20)
    time.sleep(0.2)
    daemon.wait_gone(daemon.send(daemon.guardian, signal.SIGKILL), 20)
    assert daemon.code == 128 + signal.SIGKILL
    assert "was killed by signal 9" in daemon.err
    assert not daemon.pidfile.exists()


def test_command_that_is_killed_leaves_the_server(daemons, program):
    daemon = daemons(program, env={"COVEY_SLOW_MS": 1000})
    eventually("workers start", lambda: len(daemon.tree()) == 5, 20)
    daemon.send(daemon.pid, signal.SIGKILL)

    def serves():
        with contextlib.suppress(ConnectionError):
            return daemon.get().status == 200

    eventually("it serves", serves, 20)
    daemon.end()


# From a terminal

def test_it_outlives_its_terminal_and_reloads_on_hup(tmp_path):
    terminal, port, pidfile = Terminal(tmp_path / "terminal"), free_port(), tmp_path / "app.pid"
    try:
        terminal.enter(f"{example('testbed')} --daemon --pidfile {pidfile} --log-file {tmp_path}/log --port {port}")
        terminal.expect(r"covey-test\$ ", 20)
        terminal.enter("echo code=$?")
        terminal.expect(r"code=0\n")
        guardian = int(pidfile.read_text())
        worker = terminal.wait_role("worker")[0]
        terminal.hang_up()
        eventually("the shell is gone", lambda: terminal.code is not None, 5)
        time.sleep(0.3)
        assert terminal.wait_role("worker") == [worker]
        terminal.send(guardian, signal.SIGTSTP)
        terminal.send(guardian, signal.SIGHUP)
        eventually("it reloads", lambda: list(terminal.by_role("worker")) not in ([], [worker]), 20)
        terminal.wait_gone(terminal.send(guardian, signal.SIGTERM), 25)
        terminal.assert_nothing_left()
    finally:
        terminal.close()
