"""main_process listeners run in a process of their own, NAME: main, which starts first and ends last."""

import os
import signal
import time

import pytest

import proc
from client import eventually
from harness import free_port
from server import KILL_BOUND, within

# Each listener appends "EVENT PID" to the file in COVEY_JOURNAL, in one write.
APP = """
static const char *journal;
static int note(const char *event)
{
    char line[100];
    int len = snprintf(line, sizeof line, "%s %d\\n", event, (int)getpid());
    int fd = open(journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int rc = write(fd, line, (size_t)len) == len ? 0 : -EIO;
    close(fd);
    return rc;
}
static int main_start(covey_app *app)
{
    note("main_process_start");
    if (covey_config_bool(app, "MAIN_FAILS", false))
        return covey_setup_fail(app, "no schema");
    sleep((unsigned)covey_config_int(app, "MAIN_DELAY", 0));
    return note("main_process_started");
}
static int main_ready(covey_app *app) { (void)app; return note("main_process_ready"); }
static int main_stop(covey_app *app) { (void)app; return note("main_process_stop"); }
static int before_start(covey_app *app) { (void)app; return note("before_server_start"); }
static int after_start(covey_app *app) { (void)app; return note("after_server_start"); }
static int before_stop(covey_app *app) { (void)app; return note("before_server_stop"); }
static int after_stop(covey_app *app) { (void)app; return note("after_server_stop"); }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int setup(covey_app *app)
{
    journal = covey_config_str(app, "JOURNAL", "/dev/null");
    covey_listener(app, COVEY_MAIN_PROCESS_START, main_start);
    covey_listener(app, COVEY_MAIN_PROCESS_READY, main_ready);
    covey_listener(app, COVEY_MAIN_PROCESS_STOP, main_stop);
    covey_listener(app, COVEY_BEFORE_SERVER_START, before_start);
    covey_listener(app, COVEY_AFTER_SERVER_START, after_start);
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, before_stop);
    covey_listener(app, COVEY_AFTER_SERVER_STOP, after_stop);
    covey_get(app, "/pid", pid);
    return 0;
}
"""


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def serve(jobs, app, journal):
    return lambda **how: jobs.server(app(APP), journal=journal, **how)


def entries(journal):
    """[(event, pid)] in the order they were written."""
    return [(line.split()[0], int(line.split()[1])) for line in journal.read_text().splitlines()]


def test_listeners_run_in_their_process_and_order(serve, journal, method):
    server = serve(method=method)
    workers = set(server.reach_all())
    eventually("every start listener has run", lambda: len(entries(journal)) == 3 + 2 * 2, 5)
    mains = server.mains()
    assert len(mains) == 1
    server.stop()

    told = entries(journal)
    for event, pid in told:
        assert (pid == mains[0]) == event.startswith("main_process"), told
        assert pid in workers or pid == mains[0]
    events = [event for event, _ in told]
    assert events[:2] == ["main_process_start", "main_process_started"]
    assert events.index("main_process_started") < events.index("before_server_start")
    assert events[-1] == "main_process_stop", "after all workers have gone"
    for pid in workers:
        mine = [event for event, author in told if author == pid]
        assert mine == ["before_server_start", "after_server_start", "before_server_stop", "after_server_stop"]


def test_without_main_listeners_there_is_no_main_process(jobs, method):
    server = jobs.server("testbed", method=method)
    server.reach_all()
    assert server.mains() == []
    assert len(server.tree()) == 4


def test_workers_wait_for_main_process_start(serve, journal, method):
    server = serve(method=method, main_delay=1)
    eventually("the listener runs", lambda: journal.exists() and entries(journal), 10)
    time.sleep(0.4)
    assert [event for event, _ in entries(journal)] == ["main_process_start"]
    server.reach_all()


def test_stop_while_main_process_start_blocks(serve, method):
    def attempt(limit):
        server = serve(method=method, main_delay=100)
        eventually("main is there", server.mains, 10)
        time.sleep(0.1)
        taken = server.wait_gone(server.send(server.guardian, signal.SIGINT), limit)
        assert server.code == 0
        server.assert_all_ended()
        return taken

    within(1.1, attempt)


def test_main_process_start_that_fails_ends_the_start(jobs, app, journal, method):
    job = jobs.run([app(APP), "--port", free_port(), "--workers", 2, "--start-method", method],
                   env={"COVEY_JOURNAL": journal, "COVEY_MAIN_FAILS": "yes"}, timeout=3)
    assert job.code == 3
    assert job.err.count("no schema") == 1


@pytest.mark.parametrize("target", ["guardian", "master"])
def test_kill_ends_main_too(serve, method, target):
    def attempt(limit):
        server = serve(method=method)
        server.reach_all()
        assert server.mains()
        pid = server.guardian if target == "guardian" else server.master()
        taken = server.wait_gone(server.send(pid, signal.SIGKILL), limit)
        server.assert_all_ended()
        return taken

    within(KILL_BOUND, attempt)


def test_main_that_is_killed_is_noticed_and_workers_go_on(serve, method):
    server = serve(method=method)
    workers = set(server.reach_all())
    main = server.mains()[0]
    server.send(main, signal.SIGKILL)
    eventually("it is reaped", lambda: proc.stat(main) is None, 5)
    time.sleep(0.3)
    assert set(server.reach_all()) == workers
    assert not server.zombies()
    server.stop()


def test_reload_replaces_main_without_two_at_work(serve, journal):
    """Whatever becomes of main in a reload, at the end there is one, and the stop runs its stop listener last."""
    server = serve()
    before = set(server.reach_all())
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are replaced", lambda: len(server.workers()) == 2 and not before & set(server.workers()), 15)
    server.reach_all()
    eventually("one main", lambda: len(server.mains()) == 1, 5)
    main, = server.mains()
    eventually("it has started", lambda: ("main_process_started", main) in entries(journal), 5)
    server.stop()
    assert entries(journal)[-1][0] == "main_process_stop"


def test_single_process_runs_all_listeners_itself(serve, journal):
    server = serve(method=None, workers=None, env={"COVEY_SINGLE_PROCESS": "1"}).wait_serving()
    assert [process.pid for process in server.tree()] == [server.pid]
    assert int(server.get("/pid").text) == server.pid
    server.stop()
    assert {pid for _, pid in entries(journal)} == {server.pid}
    assert os.path.exists(journal)
