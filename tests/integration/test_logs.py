"""Log files: everything is in them, they are reopened by all, and a file that cannot be opened changes nothing."""

import os
import resource
import signal
import subprocess
import threading
import time

import pytest

import proc
from client import eventually
from harness import BUILD, free_port
from server import Server, example

# Writes to standard error like a library does, also from a child; setup() waits while a file is there.
APP = """
static int begin(covey_app *app)
{
    while (access(covey_config_str(app, "WAIT_WHILE", "/nowhere/at/all"), F_OK) == 0)
        usleep(10000);
    return access(covey_config_str(app, "FAIL_IF", "/nowhere/at/all"), F_OK) == 0
               ? covey_setup_fail(app, "the database is on fire") : 0;
}
static int say(covey_req *req)
{
    covey_info("the log says %s", covey_query(req, "x"));
    fprintf(stderr, "stderr says %s\\n", covey_query(req, "x"));
    char command[100];
    snprintf(command, sizeof(command), "echo a child says %s >&2", covey_query(req, "x"));
    return system(command) == 0 ? covey_text(req, 200, "said") : -EIO;
}
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int block(covey_req *req) { sleep(2); return covey_text(req, 200, "done"); }
static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, begin);
    covey_get(app, "/say", say);
    covey_get(app, "/pid", pid);
    covey_get(app, "/block", block);
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(app):
    return app(APP)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "app.log"


@pytest.fixture
def access(tmp_path):
    return tmp_path / "access.log"


def reopen(server, code=0):
    env = {**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)}
    found = subprocess.run([BUILD / "covey", "logs", "reopen"], env=env, text=True, capture_output=True, timeout=30,
                           check=False)
    assert found.returncode == code, f"{found}\n{server.tail()}"
    return found.stdout + found.stderr


def rotate(path):
    old = path.with_suffix(".1")
    path.rename(old)
    return old


def holders(server, path):
    """Who of the server has that file open."""
    tree = [process.pid for process in server.tree()]
    return [pid for pid in tree if str(path) in proc.fds(pid).values()]


# What is in them

def test_everything_is_in_the_files(jobs, program, method, log, access):
    server = jobs.server(program, ["--log-file", log, "--access-log-file", access], method=method)
    for connection in server.reach_all().values():
        assert connection.get("/say?x=hello").text == "said"
    text = log.read_text()
    assert "listening on" in text
    for line in ("the log says hello", "stderr says hello", "a child says hello"):
        assert text.count(line) == 2
    eventually("the access log is written", lambda: access.read_text().count('"GET /say?x=hello HTTP/1.1" 200') == 2, 5)
    assert "GET" not in text and "listening" not in access.read_text()
    assert server.err == "" and server.out == ""
    assert log.stat().st_mode & 0o777 == 0o640 and access.stat().st_mode & 0o777 == 0o640
    server.stop()
    assert "stopping" in log.read_text()


def test_standard_output_stays_where_it_was(jobs, program, log):
    """Also where it was the same as standard error, as on a terminal."""
    server = jobs.server(program, ["--log-file", log, "--access-log"], prepare=lambda: os.dup2(1, 2))
    server.reach_all()
    old = rotate(log)
    reopen(server)
    server.get("/say?x=hello")
    eventually("the access log is written", lambda: "GET /say?x=hello" in server.out, 5)
    assert "GET" not in log.read_text() + old.read_text()


def test_files_are_appended_to(jobs, program, log):
    log.write_text("what was there\n")
    server = jobs.server(program, ["--log-file", log])
    server.reach_all()
    assert log.read_text().startswith("what was there\n2")


@pytest.mark.parametrize("name", ["log", "access-log"])
def test_file_that_cannot_be_opened_ends_the_start(jobs, tmp_path, name):
    server = jobs.run([example("hello"), f"--{name}-file", tmp_path / "no" / "such" / "file", "--port", free_port()])
    assert server.code == 71
    assert f"cannot open the log file {tmp_path}/no/such/file: No such file or directory" in server.err


def test_fifo_without_a_reader_blocks_nobody(jobs, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    server = jobs.run([example("hello"), "--log-file", tmp_path / "fifo", "--port", free_port()])
    assert server.code == 71
    assert "nobody reads from that FIFO" in server.err


def test_failed_start_is_said_in_the_file_and_where_it_was_started(jobs, program, tmp_path, log):
    (tmp_path / "fail").touch()
    server = jobs.run([program, "--log-file", log, "--port", free_port()],
                      env={"COVEY_FAIL_IF": str(tmp_path / "fail")})
    assert server.code == 3
    assert "the database is on fire" in log.read_text()
    assert "the database is on fire" in server.err


def test_failed_start_is_said_once_where_both_are_one(jobs, program, tmp_path, log):
    (tmp_path / "fail").touch()
    server = jobs.run(["sh", "-c", 'exec "$@" 2>>"$LOG"', "sh", program, "--log-file", log, "--port", free_port()],
                      env={"COVEY_FAIL_IF": str(tmp_path / "fail"), "LOG": str(log)})
    assert server.code == 3
    assert log.read_text().count("the database is on fire") == 1


def test_single_process_has_them_too(jobs, program, log, access):
    server = jobs.server(program, ["--log-file", log, "--access-log-file", access, "--single-process"], workers=0,
                         method=None)
    server.wait_serving()
    server.get("/say?x=one")
    assert "the log says one" in log.read_text()
    server.stop()
    assert "GET /say?x=one" in access.read_text()


# Reopening

@pytest.mark.parametrize("way", ["command", "guardian", "master"])
def test_all_write_to_the_new_files(jobs, program, method, log, access, way):
    server = jobs.server(program, ["--log-file", log, "--access-log-file", access], method=method)
    connections = server.reach_all()
    old_log, old_access = rotate(log), rotate(access)
    if way == "command":
        assert reopen(server).endswith(": the log files have been opened anew\n")
    else:
        server.send(getattr(server, way) if way == "guardian" else server.master(), signal.SIGUSR1)
        eventually("the old ones are closed", lambda: not holders(server, old_log) and not holders(server, old_access),
                   5)
    assert not holders(server, old_log) and not holders(server, old_access)
    before = old_log.read_text(), old_access.read_text()
    for connection in connections.values():
        connection.get("/say?x=again")
    victim = next(iter(server.workers()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    for connection in server.reach_all().values():
        connection.get("/say?x=third")
    text = log.read_text()
    for line in ("the log says again", "stderr says again", "a child says again", "the log says third"):
        assert text.count(line) == 2, text
    eventually("the access log is written", lambda: access.read_text().count("GET /say?x=third") == 2, 5)
    assert old_log.read_text() == before[0]
    assert "again" not in old_access.read_text() and "third" not in old_access.read_text()


def test_reopening_waits_for_those_who_serve(jobs, program, log):
    """One is blocked for 2 s: the command ends when it writes to the new file too."""
    server = jobs.server(program, ["--log-file", log])
    connections = server.reach_all()
    blocked, connection = next(iter(connections.items()))
    connection.ask("GET", "/block")
    time.sleep(0.3)
    old = rotate(log)
    since = time.monotonic()
    reopen(server)
    assert time.monotonic() - since > 1
    assert not holders(server, old)
    assert connection.response().text == "done"
    assert blocked in server.workers()


def test_who_starts_meanwhile_has_the_new_file(jobs, program, log, tmp_path):
    """It is not waited for, and takes the file when its start listener is through."""
    wait = tmp_path / "wait"
    server = jobs.server(program, ["--log-file", log], wait_while=wait)
    server.reach_all()
    wait.touch()
    victim = next(iter(server.workers()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    time.sleep(0.2)
    old = rotate(log)
    reopen(server)
    assert len(holders(server, old)) == 1
    wait.unlink()
    eventually("it has taken it", lambda: not holders(server, old), 10)
    assert set(holders(server, log)) == {process.pid for process in server.tree()}


def test_file_that_cannot_be_reopened_keeps_the_old_one(jobs, program, log, access):
    server = jobs.server(program, ["--log-file", log, "--access-log-file", access])
    connections = server.reach_all()
    old_log, old_access = rotate(log), rotate(access)
    access.mkdir()
    assert f"cannot open the log file {access}: Is a directory" in reopen(server, code=1)
    assert "the old ones stay" in old_log.read_text()
    for connection in connections.values():
        connection.get("/say?x=still")
    assert old_log.read_text().count("the log says still") == 2
    assert set(holders(server, old_access)) == {process.pid for process in server.tree()}


def test_without_files_there_is_nothing_to_reopen(jobs, program):
    server = jobs.server(program)
    server.reach_all()
    assert "there are no log files to reopen" in reopen(server, code=1)


def test_worker_without_descriptors_keeps_the_old_file(jobs, program, log):
    server = jobs.server(program, ["--log-file", log], workers=1)
    server.reach_all()
    worker = next(iter(server.workers()))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, 3))
    old = rotate(log)
    assert "worker 0 keeps the old log files" in reopen(server, code=1)
    assert holders(server, old) == [worker]
    assert "it may open no more descriptors" in log.read_text()


def test_no_line_is_lost_or_torn_while_files_are_reopened(jobs, program, method, log, access):
    server = jobs.server(program, ["--log-file", log, "--access-log-file", access], method=method)
    connections = list(server.reach_all().values())
    asked, over = [0, 0], threading.Event()

    def ask(i):
        while not over.is_set():
            connections[i].get("/say?x=line")
            asked[i] += 1

    askers = [threading.Thread(target=ask, args=(i,)) for i in range(2)]
    for asker in askers:
        asker.start()
    logs, accesses = [], []
    try:
        for i in range(20):
            time.sleep(0.05)
            for path, found in ((log, logs), (access, accesses)):
                found.append(path.with_suffix(f".{i}"))
                path.rename(found[-1])
            reopen(server)
    finally:
        over.set()
        for asker in askers:
            asker.join()
    server.stop()
    text = "".join(path.read_text() for path in [*logs, log]).splitlines()
    assert sum(line.endswith(": the log says line") for line in text) == sum(asked)
    assert text.count("a child says line") == text.count("stderr says line") == sum(asked)
    lines = "".join(path.read_text() for path in [*accesses, access]).splitlines()
    assert sum('"GET /say?x=line HTTP/1.1" 200' in line for line in lines) == sum(asked)
    assert all(line.startswith("2") and line.endswith((" /say", " /pid")) for line in lines), lines


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_workers_of_another_user_get_files_they_may_not_open(jobs, program, tmp_path, method):
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    log, access = folder / "app.log", folder / "access.log"
    os.chmod(program, 0o755)
    for parent in [*program.parents][:4]:
        os.chmod(parent, 0o755)
    server = jobs.server(program, ["--log-file", log, "--access-log-file", access, "--user", "nobody"], method=method)
    connections = server.reach_all()
    old = rotate(log)
    rotate(access)
    reopen(server)
    for connection in connections.values():
        connection.get("/say?x=nobody")
    assert log.read_text().count("the log says nobody") == 2
    assert not holders(server, old)
    eventually("the access log is written", lambda: access.read_text().count("GET /say?x=nobody") == 2, 5)


def test_logrotate_as_in_the_docs(jobs, program, log):
    """Where logrotate is installed."""
    if not os.path.exists("/usr/sbin/logrotate"):
        pytest.skip("logrotate is not installed")
    server: Server = jobs.server(program, ["--log-file", log])
    server.reach_all()
    conf = log.parent / "logrotate.conf"
    conf.write_text(f"{log} {{\n  rotate 3\n  nocreate\n  su root root\n  postrotate\n"
                    f"    XDG_RUNTIME_DIR={server.cwd} {BUILD}/covey logs reopen\n  endscript\n}}\n")
    os.chmod(conf, 0o644)
    os.chmod(log.parent, 0o755)
    subprocess.run(["/usr/sbin/logrotate", "-f", "-s", log.parent / "state", conf], check=True, timeout=30)
    assert "the log files have been opened anew" in log.read_text()
    assert not holders(server, f"{log}.1")
