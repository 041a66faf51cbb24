"""What each signal means to a running server."""

import os
import shutil
import signal
import time

import pytest

from client import Closed, eventually
from harness import BUILD
from server import INT_BOUND, STARTING_BOUND, TERM_BOUND, within

COVEY = BUILD / "covey"

# /wait/<ms> waits on a fiber, /spin never returns, /deaf never returns and blocks every signal.
APP = """
#ifndef VERSION
#define VERSION "1"
#endif
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int version(covey_req *req) { return covey_text(req, 200, VERSION); }
static int wait_ms(covey_req *req)
{
    int rc = covey_sleep_ms(covey_param_int(req, "ms"));
    return rc < 0 ? rc : covey_text(req, 200, "waited");
}
static int stubborn(covey_req *req)
{
    while (covey_sleep_ms(100) != 12345)
        ;
    return covey_text(req, 200, "never");
}
static int spin(covey_req *req)
{
    for (volatile long n = 0;; n++)
        if (n < 0) return covey_text(req, 200, "never");
}
static int deaf(covey_req *req)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return spin(req);
}
#ifdef BROKEN
static int init(covey_app *app) { return covey_setup_fail(app, "version " VERSION " is broken"); }
#endif
static int stop_slowly(covey_app *app)
{
    if (covey_config_bool(app, "NEVER_STOP", false))
        for (;;)
            pause();
    return 0;
}
static int setup(covey_app *app)
{
    covey_get(app, "/pid", pid);
    covey_get(app, "/version", version);
    covey_get(app, "/wait/<ms:int>", wait_ms);
    covey_get(app, "/stubborn", stubborn);
    covey_get(app, "/spin", spin);
    covey_get(app, "/deaf", deaf);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, stop_slowly);
#ifdef BROKEN
    covey_listener(app, COVEY_BEFORE_SERVER_START, init);
#endif
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


@pytest.fixture
def deployed(app, tmp_path):
    """deploy(version, broken): puts that version of the app in place of the one before; its path.
    `shared` deploys a shared object for `covey run`."""
    def deploy(version, broken=False, shared=False):
        define = [f'VERSION="{version}"'] + (["BROKEN"] if broken else [])
        built = app(APP + ("COVEY_APP(setup)" if shared else ""), define=define, shared=shared,
                    name="app.so" if shared else "app")
        target = tmp_path / "deploy" / built.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(built, f"{target}.new")
        os.rename(f"{target}.new", target)
        return target

    return deploy


def send_and_wait(server, path, seconds=0.15):
    """A request in flight."""
    connection = server.connect()
    connection.ask("GET", path)
    time.sleep(seconds)
    return connection


def cut(connection):
    """Whether the request got no answer but, at most, that the server ends."""
    try:
        return connection.response().status == 503
    except Closed:
        return True


def versions(server, count=2):
    """The version that each worker runs."""
    found = []
    for connection in server.reach_all(count).values():
        with connection:
            found.append(connection.get("/version").text)
    return found


# Stopping

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_idle_server_ends_with_code_0(jobs, method, number):
    server = jobs.server("testbed", method=method)
    server.reach_all()
    assert server.stop(number) < 1.0


def test_term_answers_what_is_in_flight(jobs, program, method):
    server = jobs.server(program, method=method).wait_serving()
    connection = send_and_wait(server, "/wait/1500")
    server.stop()
    answer = connection.response()
    assert answer.text == "waited" and answer.closes


def test_term_closes_idle_connections_at_once(jobs):
    server = jobs.server("testbed")
    connections = server.reach_all()
    assert server.stop() < 1.0
    for connection in connections.values():
        assert connection.closed()


def test_term_answers_a_request_that_still_uploads(jobs):
    server = jobs.server("testbed").wait_serving()
    with server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234")
        time.sleep(0.1)
        sent = server.send(server.guardian, signal.SIGTERM)
        time.sleep(0.3)
        connection.send(b"56789")
        assert connection.response().text == "0123456789"
    server.wait_gone(sent, TERM_BOUND)
    assert server.code == 0


def test_quit_cuts_what_is_in_flight(jobs, program, method):
    server = jobs.server(program, method=method).wait_serving()
    connection = send_and_wait(server, "/wait/20000")
    assert server.stop(signal.SIGQUIT) < 3.0
    assert cut(connection)


def test_int_ends_a_long_request_within_its_bound(jobs, program, method):
    def attempt(limit):
        server = jobs.server(program, method=method).wait_serving()
        with send_and_wait(server, "/wait/60000"):
            return server.wait_gone(server.send(server.guardian, signal.SIGINT), limit)

    within(INT_BOUND, attempt)


@pytest.mark.parametrize("path", ["/spin", "/deaf", "/stubborn"])
def test_int_ends_a_worker_that_does_not_co_operate(jobs, program, method, path):
    def attempt(limit):
        server = jobs.server(program, method=method).wait_serving()
        with send_and_wait(server, path):
            taken = server.wait_gone(server.send(server.guardian, signal.SIGINT), limit)
        assert server.code == 0
        return taken

    within(INT_BOUND, attempt)


@pytest.mark.parametrize("path", ["/spin", "/deaf", "/stubborn", "/wait/60000"])
def test_term_ends_every_request_when_the_drain_is_over(jobs, program, path):
    def attempt(limit):
        server = jobs.server(program, ["--graceful-shutdown-timeout", "1", "--stop-timeout", "0.5"]).wait_serving()
        with send_and_wait(server, path):
            taken = server.wait_gone(server.send(server.guardian, signal.SIGTERM), limit)
        assert server.code == 0
        assert taken > 0.9, "it must wait for the request until the drain is over"
        return taken

    within(1 + 0.5 + 0.1, attempt)


def test_stop_listener_that_never_returns_is_ended(jobs, program):
    def attempt(limit):
        server = jobs.server(program, ["--graceful-shutdown-timeout", "1", "--stop-timeout", "1"],
                             never_stop="true").wait_serving()
        return server.wait_gone(server.send(server.guardian, signal.SIGTERM), limit)

    within(1 + 1 + 0.1, attempt)


def test_two_ints_within_half_a_second_are_one_stop(jobs, program):
    server = jobs.server(program).wait_serving()
    connection = send_and_wait(server, "/wait/1000")
    server.send(server.guardian, signal.SIGINT)
    time.sleep(0.1)
    sent = server.send(server.guardian, signal.SIGINT)
    assert connection.response().text == "waited"
    server.wait_gone(sent, INT_BOUND)
    assert server.code == 0


def test_a_later_second_int_is_immediate(jobs, program):
    server = jobs.server(program).wait_serving()
    connection = send_and_wait(server, "/wait/2500")
    server.send(server.guardian, signal.SIGINT)
    time.sleep(0.7)
    sent = server.send(server.guardian, signal.SIGINT)
    server.wait_gone(sent, 1.0)
    assert server.code == 0
    assert cut(connection)


def test_int_after_term_speeds_up(jobs, program):
    server = jobs.server(program).wait_serving()
    with send_and_wait(server, "/wait/60000"):
        server.send(server.guardian, signal.SIGTERM)
        time.sleep(0.7)
        server.wait_gone(server.send(server.guardian, signal.SIGINT), INT_BOUND)
    assert server.code == 0


def test_term_after_int_does_not_slow_down(jobs, program):
    server = jobs.server(program).wait_serving()
    with send_and_wait(server, "/wait/60000"):
        sent = server.send(server.guardian, signal.SIGINT)
        time.sleep(0.7)
        server.send(server.guardian, signal.SIGTERM)
        server.wait_gone(sent, INT_BOUND + 0.5)
    assert server.code == 0


def test_a_hundred_terms_are_one_stop(jobs, program):
    server = jobs.server(program).wait_serving()
    connection = send_and_wait(server, "/wait/1000")
    for _ in range(100):
        os.kill(server.guardian, signal.SIGTERM)
    sent = time.monotonic()
    assert connection.response().text == "waited"
    server.wait_gone(sent, TERM_BOUND)
    assert server.code == 0


def test_term_to_every_process_at_once_still_answers(jobs, program):
    """systemd's KillMode=mixed and pkill hit all of them."""
    server = jobs.server(program).wait_serving()
    connection = send_and_wait(server, "/wait/1000")
    sent = time.monotonic()
    for pid in (server.guardian, server.master(), *server.workers()):
        try:
            server.send(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass  # idle, so already gone
    assert connection.response().text == "waited"
    server.wait_gone(sent, TERM_BOUND)
    assert server.code == 0


def test_hup_while_stopping_is_ignored(jobs, program):
    server = jobs.server(program).wait_serving()
    connection = send_and_wait(server, "/wait/1000")
    sent = server.send(server.guardian, signal.SIGTERM)
    server.send(server.guardian, signal.SIGHUP)
    server.send(server.guardian, signal.SIGTTIN)
    assert connection.response().text == "waited"
    server.wait_gone(sent, TERM_BOUND)
    assert server.code == 0


# Before the first READY

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_before_the_first_ready(jobs, method, number):
    def attempt(limit):
        server = jobs.server("testbed", method=method, boot_delay=100)
        server.wait_booting()
        taken = server.wait_gone(server.send(server.guardian, number), limit)
        assert server.code == 0
        return taken

    within(STARTING_BOUND, attempt)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGWINCH, signal.SIGCONT, signal.SIGPIPE])
def test_other_signals_before_the_first_ready_do_not_end_the_server(jobs, number):
    server = jobs.server("testbed", boot_delay=1)
    server.wait_booting()
    server.send(server.guardian, number)
    server.reach_all()


def test_scaling_before_the_first_ready(jobs):
    server = jobs.server("testbed", boot_delay=1)
    server.wait_booting()
    server.send(server.guardian, signal.SIGTTIN)
    server.reach_all(3)


# Reload

def test_hup_replaces_every_worker(jobs, method):
    """fork reloads what `covey run` has loaded; a program with its own main() is another test."""
    server = jobs.server(COVEY, ["run", BUILD / "examples" / "testbed.so"], method=method)
    before = set(server.reach_all())
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are replaced", lambda: len(server.workers()) == 2 and not before & set(server.workers()), 15)
    server.reach_all()
    assert server.code is None


def test_fork_refuses_to_reload_a_program_with_its_own_main(jobs):
    server = jobs.server("testbed", method="fork")
    before = set(server.reach_all())
    server.send(server.guardian, signal.SIGHUP)
    eventually("a sentence that names spawn", lambda: "spawn" in server.err, 5)
    assert set(server.reach_all()) == before


def test_reload_runs_the_new_program_and_a_crash_the_pinned_one(jobs, deployed):
    server = jobs.server(deployed("1"))
    server.reach_all()
    deployed("2")
    victim = next(iter(server.workers()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    assert versions(server) == ["1", "1"], "a crash must not deploy"
    reload_to(server, "2")


def reload_to(server, version):
    before = set(server.workers())
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are replaced", lambda: len(server.workers()) == len(before) and not before & set(server.workers()),
               15)
    assert set(versions(server, len(before))) == {version}


def test_reload_of_a_shared_object(jobs, deployed, method):
    server = jobs.server(COVEY, ["run", deployed("1", shared=True)], method=method)
    server.reach_all()
    deployed("2", shared=True)
    reload_to(server, "2")
    deployed("3", shared=True)
    reload_to(server, "3")


def test_reload_follows_a_symbolic_link(jobs, app, tmp_path):
    """current -> release-N"""
    for number in ("1", "2"):
        shutil.copy(app(APP, define=[f'VERSION="{number}"']), tmp_path / f"release-{number}")
    current = tmp_path / "current"
    current.symlink_to("release-1")
    server = jobs.server(current)
    server.reach_all()
    current.unlink()
    current.symlink_to("release-2")
    reload_to(server, "2")


def test_broken_reload_keeps_the_old_generation(jobs, deployed):
    server = jobs.server(deployed("1"))
    before = set(server.reach_all())
    deployed("2", broken=True)
    server.send(server.guardian, signal.SIGHUP)
    eventually("the reason is told", lambda: "version 2 is broken" in server.err, 10)
    time.sleep(0.5)
    assert set(server.reach_all()) == before
    assert server.get("/version").text == "1"
    deployed("3")
    reload_to(server, "3")


@pytest.mark.parametrize("spoil", ["garbage", "gone", "mode"])
def test_reload_of_what_cannot_run_keeps_the_old_generation(jobs, deployed, spoil):
    path = deployed("1")
    server = jobs.server(path)
    before = set(server.reach_all())
    path.unlink()
    if spoil != "gone":
        path.write_bytes(b"\x7fnot a program")
        path.chmod(0o755 if spoil == "garbage" else 0o644)
    server.send(server.guardian, signal.SIGHUP)
    eventually("the failure is told", lambda: str(path) in server.err or "reload" in server.err, 10)
    time.sleep(0.5)
    assert set(server.reach_all()) == before
    victim = next(iter(before))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    assert server.get("/version").text == "1"


def test_reload_with_slow_start_keeps_serving(jobs):
    server = jobs.server("testbed", boot_delay=1)
    before = set(server.reach_all())
    server.send(server.guardian, signal.SIGHUP)
    until = time.monotonic() + 15
    while before & set(server.workers()):
        assert server.get("/").status == 200
        assert time.monotonic() < until
    server.reach_all()


def test_twenty_hups_in_a_row_settle(jobs):
    server = jobs.server("testbed")
    server.reach_all()
    for _ in range(20):
        server.send(server.guardian, signal.SIGHUP)
        time.sleep(0.05)
        assert len(server.workers()) <= 2 * 2 + 1, "at most two generations"
    eventually("it settles", lambda: len(server.workers()) == 2 and len(server.tree()) == 4, 15)
    server.reach_all()


def test_request_that_is_held_over_ten_reloads_is_answered_and_two_generations_are_the_most(jobs, program):
    server = jobs.server(program)
    server.reach_all()
    generations = set()
    with send_and_wait(server, "/wait/2500") as connection:
        for _ in range(10):
            server.send(server.guardian, signal.SIGHUP)
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                assert len(server.workers()) <= 2 * 2 + 1, "at most two generations"
                generations |= set(server.workers())
                time.sleep(0.01)
        assert connection.response().text == "waited"
    assert len(generations) > 2
    eventually("it settles", lambda: len(server.workers()) == 2 and len(server.tree()) == 4, 15)


def test_reload_answers_an_idle_connection_once_more(jobs):
    """A kept-alive connection of the old generation is not cut: its next request is answered, then it closes."""
    server = jobs.server("testbed")
    connections = server.reach_all()
    server.send(server.guardian, signal.SIGHUP)
    eventually("the new generation is there", lambda: set(server.workers()) - set(connections), 10)
    time.sleep(0.5)
    for pid, connection in connections.items():
        answer = connection.get("/pid")
        assert int(answer.text) == pid and answer.closes
    eventually("the old generation is gone", lambda: not set(connections) & set(server.workers()), 5)


# Scale

def test_ttin_and_ttou_change_the_number_of_workers(jobs, method):
    server = jobs.server("testbed", method=method)
    before = set(server.reach_all())
    server.send(server.guardian, signal.SIGTTIN)
    assert before < set(server.reach_all(3))
    for left in (2, 1):
        server.send(server.guardian, signal.SIGTTOU)
        server.wait_workers(left)
    server.send(server.guardian, signal.SIGTTOU)
    time.sleep(0.3)
    assert len(server.workers()) == 1, "the last worker stays"
    assert server.get("/").status == 200


def test_scale_down_answers_what_is_in_flight(jobs, program):
    server = jobs.server(program)
    connections = server.reach_all()
    for connection in connections.values():
        connection.ask("GET", "/wait/800")
    time.sleep(0.1)
    server.send(server.guardian, signal.SIGTTOU)
    for connection in connections.values():
        assert connection.response().text == "waited"
    server.wait_workers(1)
