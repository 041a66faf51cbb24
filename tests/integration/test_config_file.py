"""A file of settings: what wins over it, what is wrong in it, when it is read anew."""

import os
import signal

import pytest

from client import eventually
from harness import free_port
from server import example

APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int setting(covey_req *req)
{
    return covey_text(req, 200, covey_config_str(covey_app_of(req), covey_param(req, "name"), "(none)"));
}
static int setup(covey_app *app)
{
    covey_get(app, "/pid", pid);
    covey_get(app, "/setting/<name:str>", setting);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


@pytest.fixture
def config(tmp_path):
    """config(text) writes the file; its path."""
    path = tmp_path / "app.ini"

    def write(text):
        path.write_text(text)
        return path

    return write


def setting(server, name):
    return server.get(f"/setting/{name}").text


def reload(server):
    before = set(server.workers())
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are replaced", lambda: len(server.workers()) == len(before) and not before & set(server.workers()),
               15)
    server.wait_serving()


def test_file_is_read_by_guardian_and_workers(jobs, program, config, method):
    path = config("[covey]\nworkers = 3\nrequest_timeout = 7s ; not long\n")
    server = jobs.server(program, ["--config", path], method=method, workers=None)
    server.reach_all(3)
    assert setting(server, "REQUEST_TIMEOUT") == "7000"


def test_environment_and_flags_win(jobs, program, config):
    path = config("request_timeout = 7\nresponse_timeout = 7\nkeep_alive_timeout = 7\nport = 1\n")
    server = jobs.server(program, ["--config", path, "--keep-alive-timeout", "9"], response_timeout=8,
                         keep_alive_timeout=8)
    server.reach_all()
    values = [setting(server, name) for name in ("REQUEST_TIMEOUT", "RESPONSE_TIMEOUT", "KEEP_ALIVE_TIMEOUT")]
    assert values == ["7000", "8000", "9000"]


def test_relative_path_means_the_directory_of_the_start(jobs, program, config):
    path = config("request_timeout = 7\n")
    server = jobs.server(program, ["--config", "../../app.ini"])
    assert (server.cwd / "../../app.ini").resolve() == path
    server.reach_all()
    assert setting(server, "REQUEST_TIMEOUT") == "7000"


def test_reload_reads_it_again(jobs, program, config):
    path = config("request_timeout = 7\n")
    server = jobs.server(program, ["--config", path])
    server.reach_all()
    config("request_timeout = 8\n")
    reload(server)
    assert setting(server, "REQUEST_TIMEOUT") == "8000"


def test_replacement_gets_what_the_last_reload_found(jobs, program, config):
    path = config("request_timeout = 7\n")
    server = jobs.server(program, ["--config", path])
    before = set(server.reach_all())
    config("prot = 8\n")
    for victim in before:
        server.send(victim, signal.SIGKILL)
    eventually("they are replaced", lambda: len(server.workers()) == 2 and not before & set(server.workers()), 10)
    path.unlink()
    server.wait_serving()
    assert setting(server, "REQUEST_TIMEOUT") == "7000"
    server.send(server.guardian, signal.SIGHUP)
    eventually("the file is missed", lambda: f"not reloaded: cannot read {path}" in server.err, 10)
    assert setting(server, "REQUEST_TIMEOUT") == "7000"


def test_reload_with_a_wrong_file_keeps_the_old_generation(jobs, program, config):
    path = config("request_timeout = 7\n")
    server = jobs.server(program, ["--config", path])
    before = set(server.reach_all())
    config("request_timeout = 8\nprot = 9\n")
    server.send(server.guardian, signal.SIGHUP)
    eventually("the line is named", lambda: f"{path}:2: there is no setting \"prot\"" in server.err, 10)
    eventually("the reload has failed", lambda: "the reload has failed" in server.err, 10)
    eventually("the old ones serve alone", lambda: set(server.workers()) == before, 10)
    assert setting(server, "REQUEST_TIMEOUT") == "7000"


@pytest.mark.parametrize("text, words", [
    ("port = http\n", ":1: port: \"http\" is not a number"),
    ("[covey]\nprot = 80\n", ":2: there is no setting \"prot\""),
    ("[other]\nport = 80\n", ":2: the only section"),
    ("port 80\n", ":1: neither"),
    ("config = other.ini\n", ":1: a file cannot name another"),
], ids=["value", "name", "section", "form", "nested"])
def test_wrong_line_ends_the_start_with_78(jobs, config, text, words):
    path = config(text)
    job = jobs.run([example("hello"), "--config", path])
    assert job.code == 78
    assert f"{path}{words}" in job.err and len(job.err.splitlines()) == 1


def test_missing_file_ends_the_start_with_78(jobs):
    job = jobs.run([example("hello"), "--config", "/nowhere/at.all", "--port", free_port()])
    assert job.code == 78
    assert "/nowhere/at.all: No such file" in job.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_that_may_not_be_read_ends_the_start_with_78(jobs, config):
    path = config("port = 1\n")
    path.chmod(0)
    assert jobs.run([example("hello"), "--config", path]).code == 78


def test_file_and_log_file_named_in_the_program(jobs, app, tmp_path):
    """Fields of covey_options; a flag wins over them."""
    file, log = tmp_path / "app.ini", tmp_path / "app.log"
    file.write_text("greeting = unknown\n")
    program = app(APP + """
int main(int argc, char **argv)
{
    return covey_main(argc, argv, setup, .config = FILE_OF_SETTINGS, .log_file = LOG, .pidfile = PID);
}
""", main=False, define=(f'FILE_OF_SETTINGS="{file}"', f'LOG="{log}"', f'PID="{tmp_path}/app.pid"'))
    failed = jobs.run([program, "--port", free_port()])
    assert failed.code == 78 and f"{file}:1" in failed.err
    file.write_text("request_timeout = 7s\n")
    server = jobs.server(program)
    server.reach_all()
    assert server.get("/setting/REQUEST_TIMEOUT").text == "7000"
    assert "listening on" in log.read_text()
    assert (tmp_path / "app.pid").read_text() == f"{server.guardian}\n"
    server.stop()
    other = jobs.server(program, ["--log-file", tmp_path / "other.log"])
    other.reach_all()
    assert "listening on" in (tmp_path / "other.log").read_text()
