"""The command line: what is wrong is said in one sentence, with the documented exit code, and nothing is left."""

import os
import re
import signal
import socket
import time

import pytest

import proc
from client import eventually
from harness import BUILD, free_port
from server import example

COVEY = BUILD / "covey"
GREETING = """
#ifndef GREETING
#define GREETING "plain"
#endif
static int root(covey_req *req) { return covey_text(req, 200, GREETING); }
static int setup(covey_app *app) { covey_get(app, "/", root); return 0; }
"""
THREAD = """
static void *idle(void *arg) { sleep(10); return arg; }
static int setup(covey_app *app) { (void)app; return 0; }
int main(int argc, char **argv)
{
    pthread_t thread;
    pthread_create(&thread, NULL, idle, NULL);
    return covey_main(argc, argv, setup);
}
"""


def complaint(job, code, *words):
    """The job said one sentence on stderr that has all the words, and ended with that code."""
    assert job.code == code, f"exit code {job.code}, not {code}; stderr: {job.err}"
    assert job.out == ""
    lines = [line for line in job.err.splitlines() if line.strip()]
    assert len(lines) == 1, f"not one sentence: {job.err}"
    for word in words:
        assert str(word).lower() in lines[0].lower(), f"{word!r} is not in: {lines[0]}"


def cause(job, code, *words):
    """Like complaint() for failures after the start, when there are other lines: one of them tells the cause."""
    assert job.code == code, f"exit code {job.code}, not {code}; stderr: {job.err}"
    telling = [line for line in job.err.splitlines() if all(str(word).lower() in line.lower() for word in words)]
    assert len(telling) == 1, f"not told once: {words} in:\n{job.err}"


# Wrong use

@pytest.mark.parametrize("args, words", [
    (["--bogus"], ["--bogus"]),
    (["--bogus=1"], ["--bogus"]),
    (["-z"], ["-z"]),
    (["stray-word"], ["stray-word"]),
    (["--port"], ["--port"]),
    (["--port", "http"], ["port", "http"]),
    (["--port", "65536"], ["port", "65536"]),
    (["--port", "-1"], ["port", "-1"]),
    (["--port", "80 80"], ["port", "80 80"]),
    (["--workers", "many"], ["workers", "many"]),
    (["--workers", "0x2"], ["workers", "0x2"]),
    (["--workers", "99999999999999999999"], ["workers"]),
    (["--workers", "5000"], ["workers", "5000"]),
    (["--start-method", "thread"], ["start", "thread", "spawn", "fork"]),
    (["--stop-timeout", "soon"], ["stop", "soon"]),
    (["--graceful-shutdown-timeout", "-3"], ["graceful", "-3"]),
    (["--host", "no.such.host.invalid"], ["no.such.host.invalid"]),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_wrong_flag_is_named(jobs, args, words):
    job = jobs.run([example("hello"), *args])
    complaint(job, 2, *words)


@pytest.mark.parametrize("name, value", [("PORT", "http"), ("WORKERS", "many"), ("START_METHOD", "thread"),
                                         ("REQUEST_TIMEOUT", "1 year"), ("ACCESS_LOG", "perhaps")])
def test_wrong_value_in_the_environment_is_named(jobs, name, value):
    args = [] if name == "PORT" else ["--port", free_port()]
    job = jobs.run([example("hello"), *args], env={f"COVEY_{name}": value})
    complaint(job, 2, f"COVEY_{name}", value)


def test_unknown_variable_is_a_warning(jobs):
    server = jobs.server("hello", env={"COVEY_PROT": "8000"})
    server.wait_serving()
    assert "COVEY_PROT" in server.err


def test_variable_that_the_app_reads_is_no_warning(jobs):
    server = jobs.server("testbed", boot_delay=0)
    server.wait_serving()
    assert "BOOT_DELAY" not in server.err


def test_program_that_has_started_a_thread_is_refused(jobs, app):
    complaint(jobs.run([app(THREAD, main=False), "--port", free_port()]), 2, "thread")


# Addresses

def test_port_in_use(jobs, method):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        job = jobs.run([example("hello"), "--host", "127.0.0.1", "--port", port, "--start-method", method])
        complaint(job, 69, f"127.0.0.1:{port}", "in use")


def test_port_that_becomes_free_within_a_second_is_taken(jobs):
    """The previous instance may still be ending."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        port = other.getsockname()[1]
        server = jobs.job([example("hello"), "--host", "127.0.0.1", "--port", port])
        time.sleep(0.4)
    eventually("it listens", lambda: proc.listens(port), 5)
    server.send(server.pid, signal.SIGTERM)
    assert server.wait_code() == 0


def test_address_that_is_not_ours(jobs):
    complaint(jobs.run([example("hello"), "--host", "192.0.2.1", "--port", free_port()]), 69, "192.0.2.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_second_instance_is_refused(jobs, host):
    port = free_port(host)
    first = jobs.job([example("hello"), "--host", host, "--port", port])
    eventually("the first listens", lambda: proc.listens(port), 10)
    second = jobs.run([example("hello"), "--host", host, "--port", port])
    complaint(second, 69, str(port), "in use")
    assert first.code is None
    first.send(first.pid, signal.SIGTERM)
    assert first.wait_code() == 0


# covey run

def test_run_serves_a_shared_object(jobs, app, method):
    shared = app(GREETING + "COVEY_APP(setup)", name="app.so", shared=True)
    assert jobs.server(COVEY, ["run", shared], method=method).wait_serving().get("/").text == "plain"


def test_run_serves_a_named_symbol(jobs, app, method):
    shared = app(GREETING + "COVEY_APP_AS(other, setup)", name="app.so", shared=True, define=['GREETING="other"'])
    assert jobs.server(COVEY, ["run", f"{shared}:other"], method=method).wait_serving().get("/").text == "other"


def test_run_takes_a_path_without_a_slash(jobs, app):
    """`covey run app.so` means the file in this directory, not a library of the system."""
    shared = app(GREETING + "COVEY_APP(setup)", name="app.so", shared=True)
    server = jobs.server(COVEY, ["run", "app.so"], prepare=lambda: os.chdir(shared.parent))
    assert server.wait_serving().get("/").text == "plain"


def test_run_without_a_file(jobs):
    complaint(jobs.run([COVEY, "run"]), 2, "run")


def test_unknown_command(jobs):
    complaint(jobs.run([COVEY, "fly"]), 2, "fly")


def test_missing_file(jobs, method):
    complaint(jobs.run([COVEY, "run", "./nope.so", "--start-method", method, "--port", free_port()]), 4, "./nope.so")


def test_file_that_is_no_shared_object(jobs, tmp_path, method):
    text = tmp_path / "text.so"
    text.write_text("just text\n")
    cause(jobs.run([COVEY, "run", text, "--start-method", method, "--port", free_port()]), 4, text)


def test_directory_instead_of_a_file(jobs, tmp_path):
    cause(jobs.run([COVEY, "run", tmp_path, "--port", free_port()]), 4, tmp_path)


def test_missing_symbol(jobs, app, method):
    shared = app(GREETING + "COVEY_APP(setup)", name="app.so", shared=True)
    job = jobs.run([COVEY, "run", f"{shared}:nope", "--start-method", method, "--port", free_port()])
    cause(job, 4, shared, "nope")


def test_shared_object_without_an_entry(jobs, app):
    shared = app("int nothing(void); int nothing(void) { return 0; }", name="app.so", shared=True)
    cause(jobs.run([COVEY, "run", shared, "--port", free_port()]), 4, shared, "COVEY_APP")


def test_wrong_abi(jobs, app, method):
    shared = app("#undef COVEY_ABI\n#define COVEY_ABI 4711\n" + GREETING + "COVEY_APP(setup)",
                 name="app.so", shared=True)
    job = jobs.run([COVEY, "run", shared, "--start-method", method, "--port", free_port()])
    cause(job, 78, shared, "4711")


def test_unresolved_symbol_of_the_app(jobs, app):
    shared = app("int missing_function(void);\nstatic int setup(covey_app *a) { (void)a; return missing_function(); }\n"
                 "COVEY_APP(setup)", name="app.so", shared=True)
    cause(jobs.run([COVEY, "run", shared, "--port", free_port()]), 4, "missing_function")


# Apps that fail

SETUP_FAILS = 'static int setup(covey_app *app) { return covey_setup_fail(app, "no licence for %d seats", 7); }'
SETUP_NEGATIVE = "static int setup(covey_app *app) { (void)app; return -EACCES; }"
LISTENER_FAILS = """
static int init(covey_app *app) { return covey_setup_fail(app, "cannot reach the database at %s", "db1"); }
static int setup(covey_app *app) { covey_listener(app, COVEY_BEFORE_SERVER_START, init); return 0; }
"""
LISTENER_NEGATIVE = """
static int init(covey_app *app) { (void)app; return -EACCES; }
static int setup(covey_app *app) { covey_listener(app, COVEY_BEFORE_SERVER_START, init); return 0; }
"""
PATTERN_WRONG = """
static int root(covey_req *req) { return covey_text(req, 200, ""); }
static int setup(covey_app *app) { covey_get(app, "/x/<a:real>", root); return 0; }
"""
CONFLICT = """
static int root(covey_req *req) { return covey_text(req, 200, ""); }
static int setup(covey_app *app) { covey_get(app, "/x", root); covey_get(app, "/x", root); return 0; }
"""
NUMBER_WRONG = """
static int setup(covey_app *app) { covey_config_int(app, "SEATS", 1); return 0; }
"""


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("source, code, words", [
    pytest.param(SETUP_FAILS, 4, ["no licence for 7 seats"], id="setup_fail"),
    pytest.param(SETUP_NEGATIVE, 4, ["setup", "Permission denied"], id="setup_negative"),
    pytest.param(LISTENER_FAILS, 3, ["cannot reach the database at db1"], id="listener_fail"),
    pytest.param(LISTENER_NEGATIVE, 3, ["before_server_start", "Permission denied"], id="listener_negative"),
    pytest.param(PATTERN_WRONG, 4, ["app.c:", "real"], id="pattern"),
    pytest.param(CONFLICT, 4, ["app.c:", "/x"], id="conflict"),
    pytest.param(NUMBER_WRONG, 4, ["SEATS", "many"], id="config"),
])
def test_app_that_fails_ends_the_start_with_its_reason_once(jobs, app, method, workers, source, code, words):
    job = jobs.run([app(source), "--port", free_port(), "--workers", workers, "--start-method", method],
                   env={"COVEY_SEATS": "many"}, timeout=3)
    cause(job, code, *words)


def test_crash_in_setup_is_no_silent_loop(jobs, app, method):
    """A first start in which every worker dies of a signal names the signal; a TERM ends it."""
    job = jobs.job([app("static int setup(covey_app *app) { (void)app; abort(); }"), "--port", free_port(),
                    "--start-method", method])
    eventually("the death is told", lambda: "signal 6" in job.err or job.code is not None, 5)
    if job.code is None:
        job.send(job.pid, signal.SIGTERM)
        assert job.wait_code() == 0
    assert "signal 6" in job.err


# What works

def test_help_lists_every_setting(jobs):
    job = jobs.run([example("hello"), "--help"])
    assert job.code == 0 and job.err == ""
    for flag in ("--host", "--port", "--workers", "--start-method", "--single-process", "--graceful-shutdown-timeout",
                 "--request-timeout", "--response-timeout", "--keep-alive-timeout", "--request-max-size",
                 "--request-max-header-size", "--access-log", "--help", "--version"):
        assert flag in job.out, flag
    assert "COVEY_" in job.out


@pytest.mark.parametrize("argv", [[COVEY, "--help"], [COVEY, "run", "--help"]], ids=["covey", "run"])
def test_help_of_the_command(jobs, argv):
    job = jobs.run(argv)
    assert job.code == 0 and job.err == "" and "run" in job.out


def test_version(jobs):
    for program in (example("hello"), COVEY):
        job = jobs.run([program, "--version"])
        assert job.code == 0 and re.search(r"\d+\.\d+\.\d+", job.out), job.out


def test_environment_sets_the_same_as_flags(jobs):
    port = free_port()
    job = jobs.job([example("testbed")], env={"COVEY_HOST": "127.0.0.1", "COVEY_PORT": port, "COVEY_WORKERS": 3,
                                              "COVEY_START_METHOD": "fork"})
    eventually("it listens", lambda: proc.listens(port), 10)
    eventually("3 workers", lambda: sum(proc.role(p.pid)[0] == "worker" for p in job.tree()) == 3, 10)
    job.send(job.pid, signal.SIGTERM)
    assert job.wait_code() == 0


def test_flag_wins_over_the_environment(jobs):
    port, other = free_port(), free_port()
    job = jobs.job([example("hello"), "--port", port], env={"COVEY_PORT": other})
    eventually("it listens", lambda: proc.listens(port), 10)
    assert not proc.listens(other)
    job.send(job.pid, signal.SIGTERM)
    assert job.wait_code() == 0


@pytest.mark.parametrize("form", ["--port={}", "--port {}"])
def test_forms_of_a_flag(jobs, form):
    port = free_port()
    job = jobs.job([example("hello"), *form.format(port).split()])
    eventually("it listens", lambda: proc.listens(port), 10)
    job.send(job.pid, signal.SIGTERM)
    assert job.wait_code() == 0


def test_arguments_after_two_dashes_are_the_apps(jobs):
    server = jobs.server("hello", wrap=lambda command: [*command, "--", "--bogus", "word"])
    server.wait_serving()


def test_listening_address_is_logged(jobs):
    server = jobs.server("hello").wait_serving()
    eventually("the address is told", lambda: f"127.0.0.1:{server.port}" in server.err, 2)
