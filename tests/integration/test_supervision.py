"""Supervision in all the cases that are not a stop: deaths, back-off, strays, socket files, pauses, lost watchers."""

import os
import signal
import time

import pytest

import proc
from client import Connection, eventually
from harness import TAG, free_port, sanitized
from server import KILL_BOUND, TERM_BOUND, example, within

# /exit/<code> ends the worker, /die/<signal> kills it, /spin never returns; COVEY_FATE=exit ends it in its start.
APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int leave(covey_req *req) { _exit((int)covey_param_int(req, "code")); }
static int die(covey_req *req) { return raise((int)covey_param_int(req, "number")); }
static int wait_ms(covey_req *req)
{
    int rc = covey_sleep_ms(covey_param_int(req, "ms"));
    return rc < 0 ? rc : covey_text(req, 200, "waited");
}
static int setup(covey_app *app)
{
    if (strcmp(covey_config_str(app, "FATE", ""), "crash") == 0)
        raise(SIGSEGV);
    covey_get(app, "/pid", pid);
    covey_get(app, "/exit/<code:int>", leave);
    covey_get(app, "/die/<number:int>", die);
    covey_get(app, "/wait/<ms:int>", wait_ms);
    return 0;
}
"""
THREAD_LIVES_ON = """
static void *forever(void *arg) { for (;;) pause(); return arg; }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int part(covey_req *req)
{
    (void)req;
    pthread_t thread;
    pthread_create(&thread, NULL, forever, NULL);
    pthread_exit(NULL);
}
static int setup(covey_app *app) { covey_get(app, "/pid", pid); covey_get(app, "/part", part); return 0; }
"""


@pytest.fixture
def program(app):
    return app(APP)


def poke(connection, path):
    """A request whose worker will not answer."""
    connection.ask("GET", path)
    assert connection.rest() == b""


def wait_replaced(server, victim, timeout=10.0):
    """Waits until the victim is reaped and as many workers as before serve; seconds it took."""
    began = time.monotonic()
    eventually(f"{victim} is reaped", lambda: proc.stat(victim) is None, timeout, 0.002)
    server.wait_workers(timeout=timeout)
    return time.monotonic() - began


# Deaths of workers

@pytest.mark.parametrize("path, told", [("/exit/0", "exit code 0"), ("/exit/7", "exit code 7"),
                                         ("/die/11", "signal 11"),
                                         ("/die/9", "signal 9 (Killed), not sent by covey")])
def test_worker_that_ends_unasked_is_told_and_replaced(jobs, program, method, path, told):
    server = jobs.server(program, method=method)
    victim, connection = next(iter(server.reach_all().items()))
    poke(connection, path)
    wait_replaced(server, victim)
    server.reach_all()
    assert told in server.err, server.tail()
    assert not server.zombies()


def test_death_of_a_worker_does_not_touch_the_others(jobs, program):
    server = jobs.server(program)
    (victim, connection), (other, working) = server.reach_all().items()
    working.ask("GET", "/wait/1000")
    time.sleep(0.1)
    poke(connection, "/die/9")
    assert working.response().text == "waited"
    assert int(working.get("/pid").text) == other


@pytest.mark.timed
def test_first_death_is_replaced_at_once(jobs, program):
    def attempt(limit):
        server = jobs.server(program)
        victim = next(iter(server.reach_all()))
        server.send(victim, signal.SIGKILL)
        return wait_replaced(server, victim, limit)

    within(0.25, attempt)


@pytest.mark.timed
def test_repeated_deaths_are_replaced_more_and_more_slowly(jobs, program):
    """0, 100, 200, 400, 800 ms (and 20 % either way), counted from death to the successor's appearance."""
    server = jobs.server(program, workers=1)
    pauses = []
    for _ in range(5):
        victim = next(iter(server.reach_all()))
        server.send(victim, signal.SIGKILL)
        pauses.append(wait_replaced(server, victim))
    for pause, aim in zip(pauses, (0.0, 0.1, 0.2, 0.4, 0.8)):
        assert pause >= 0.8 * aim - 0.01, pauses
        assert sanitized() or pause <= 1.2 * aim + 0.5, pauses
    server.send(next(iter(server.reach_all())), signal.SIGKILL)
    assert server.stop() < 1.0, "a stop does not wait for a back-off"


@pytest.mark.timed
def test_one_bad_worker_does_not_slow_down_the_others(jobs, program):
    """Back-off belongs to the slot."""
    server = jobs.server(program)
    bad = 0
    for _ in range(4):
        victim = next(pid for pid, slot in server.wait_workers().items() if slot == bad)
        server.send(victim, signal.SIGKILL)
        wait_replaced(server, victim)
    good = next(pid for pid, slot in server.wait_workers().items() if slot != bad)
    server.send(good, signal.SIGKILL)
    assert sanitized() or wait_replaced(server, good) < 0.5


def test_descriptors_do_not_grow_with_deaths(jobs, program):
    server = jobs.server(program, workers=4)
    server.reach_all()
    before = [len(proc.fds(pid)) for pid in (server.guardian, server.master())]
    for slot in (0, 1, 2, 3, 0, 1, 2, 3):
        victim = next(pid for pid, at in server.wait_workers().items() if at == slot)
        server.send(victim, signal.SIGKILL)
        wait_replaced(server, victim)
    server.reach_all()
    time.sleep(0.2)
    assert [len(proc.fds(pid)) for pid in (server.guardian, server.master())] == before


def test_worker_whose_main_thread_has_gone_is_ended_by_the_stop(jobs, app):
    """A zombie leader with a living thread: its loop is dead, it cannot be waited for, but it can be killed."""
    def attempt(limit):
        server = jobs.server(app(THREAD_LIVES_ON), workers=1)
        server.wait_serving()
        with server.connect() as connection:
            connection.ask("GET", "/part")
            time.sleep(0.2)
        taken = server.wait_gone(server.send(server.guardian, signal.SIGINT), limit)
        assert server.code == 0
        return taken

    within(3.1, attempt)


def test_crash_in_every_start_backs_off_instead_of_spinning(jobs, program, method):
    """No READY ever: the deaths are told with growing pauses, and a TERM ends it."""
    server = jobs.server(program, method=method, fate="crash")
    time.sleep(2)
    if server.code is None:
        deaths = server.err.count("ended with signal 11")
        assert 2 <= deaths <= 2 * 8, f"{deaths} deaths in 2 s\n{server.tail()}"
        server.stop(starting=True)


@pytest.mark.limit(150)
@pytest.mark.skipif("COVEY_LONG" not in os.environ, reason="takes 70 s: COVEY_LONG=1")
def test_crash_loop_ends_with_75(jobs, program):
    server = jobs.server(program, fate="crash")
    assert server.wait_code(120) == 75
    server.wait_gone(time.monotonic(), 1)
    server.assert_all_ended()


def test_start_timeout_ends_a_start_that_hangs(jobs, method):
    server = jobs.server("testbed", ["--start-timeout", "1"], method=method, workers=1, boot_delay=100)
    victim = next(iter(server.wait_booting()))
    began = time.monotonic()
    eventually("it is ended", lambda: proc.stat(victim) is None or server.code is not None, 10)
    assert 0.5 < time.monotonic() - began < 5
    if server.code is None:
        server.stop(starting=True)
    assert "START_TIMEOUT" in server.err


def test_start_that_takes_its_time_is_not_ended(jobs):
    server = jobs.server("testbed", ["--start-timeout", "5"], boot_delay=1)
    server.reach_all()
    assert "signal" not in server.err


# Hangs and pauses

def test_long_request_that_waits_is_no_hang(jobs, program):
    server = jobs.server(program, ["--hang-timeout", "1"])
    pid, connection = next(iter(server.reach_all().items()))
    connection.ask("GET", "/wait/2500")
    assert connection.response().text == "waited"
    assert pid in server.workers()


def test_stopped_worker_is_replaced(jobs, method):
    server = jobs.server("testbed", ["--hang-timeout", "1"], method=method)
    victim = next(iter(server.reach_all()))
    began = server.send(victim, signal.SIGSTOP)
    wait_replaced(server, victim)
    assert 0.9 < time.monotonic() - began < 5
    server.reach_all()


@pytest.mark.timed
def test_briefly_stopped_worker_is_left_alone(jobs):
    server = jobs.server("testbed", ["--hang-timeout", "2"])
    before = server.reach_all()
    for pid in before:
        server.send(pid, signal.SIGSTOP)
        time.sleep(0.3)
        server.send(pid, signal.SIGCONT)
    time.sleep(2)
    assert set(server.workers()) == set(before)


@pytest.mark.timed
def test_pause_of_the_whole_server_is_no_hang(jobs):
    """A suspended machine or a frozen container: nobody was running, nobody is to blame."""
    server = jobs.server("testbed", ["--hang-timeout", "1"])
    before = server.reach_all()
    everyone = [server.guardian, server.master(), *before]
    for pid in everyone:
        server.send(pid, signal.SIGSTOP)
    time.sleep(2.5)
    for pid in reversed(everyone):
        server.send(pid, signal.SIGCONT)
    time.sleep(1.5)
    assert set(server.workers()) == set(before)
    for pid, connection in before.items():
        assert int(connection.get("/pid").text) == pid


@pytest.mark.timed
def test_idle_server_has_no_wake_up(jobs):
    """No connection, nothing to do: nobody's timer goes off."""
    server = jobs.server("testbed")
    for connection in server.reach_all().values():
        connection.close()
    time.sleep(1.5)
    pids = [server.guardian, server.master(), *server.workers()]
    before = [proc.switches(pid) for pid in pids]
    time.sleep(3)
    assert [proc.switches(pid) for pid in pids] == before


# Lost watchers

@pytest.mark.parametrize("number, code", [(signal.SIGSEGV, 139), (signal.SIGABRT, 134), (signal.SIGKILL, 137)])
def test_crash_of_the_master_ends_everything_with_its_code(jobs, method, number, code):
    def attempt(limit):
        server = jobs.server("testbed", method=method)
        server.reach_all()
        taken = server.wait_gone(server.send(server.master(), number), limit)
        assert server.code == code
        server.assert_all_ended()
        return taken

    within(KILL_BOUND, attempt)


def test_guardian_and_master_killed_at_once_leave_no_covey_process(jobs, method):
    """The parent-death signal alone does this. What an app has daemonised is beyond it, by design."""
    def attempt(limit):
        server = jobs.server("testbed", method=method, control="off")  # its file would stay
        server.reach_all()
        master = server.master()
        server.send(server.guardian, signal.SIGSTOP)
        sent = server.send(master, signal.SIGKILL)
        server.send(server.guardian, signal.SIGKILL)
        return server.wait_gone(sent, limit)

    within(KILL_BOUND, attempt)


def test_master_dies_while_the_guardian_is_stopped(jobs):
    """Workers die at once; the rest when the guardian runs again."""
    server = jobs.server("testbed")
    workers = server.reach_all()
    for connection in workers.values():
        assert connection.get("/child?double=1").status == 200
    server.send(server.guardian, signal.SIGSTOP)
    server.send(server.master(), signal.SIGKILL)
    eventually("no worker runs", lambda: all(getattr(proc.stat(pid), "zombie", True) for pid in workers), 2)
    sent = server.send(server.guardian, signal.SIGCONT)
    server.wait_gone(sent, 10 * KILL_BOUND)
    assert server.code == 137
    server.assert_all_ended()


def test_stop_with_a_stopped_master(jobs):
    """TERM to the guardian while the master is stopped: it is continued or killed, nothing stays."""
    server = jobs.server("testbed")
    server.reach_all()
    server.send(server.master(), signal.SIGSTOP)
    sent = server.send(server.guardian, signal.SIGTERM)
    server.wait_gone(sent, TERM_BOUND + 5)
    server.assert_all_ended()


# What workers leave behind

def start_child(server, connection, path):
    before = {process.pid for process in server.tree()}
    assert connection.get(path).status == 200
    return eventually("the child sleeps", lambda: [
        process.pid for process in server.tree()
        if process.pid not in before and proc.cmdline(process.pid) == "sleep 300"], 5)


@pytest.mark.parametrize("path", ["/child", "/child?double=1"])
def test_strays_of_a_dead_worker_die_and_others_stay(jobs, method, path):
    server = jobs.server("testbed", method=method)
    (victim, first), (other, second) = server.reach_all().items()
    doomed, spared = start_child(server, first, path), start_child(server, second, path)
    server.send(victim, signal.SIGKILL)
    eventually("its children are gone and reaped", lambda: all(proc.stat(pid) is None for pid in doomed), 5)
    time.sleep(0.3)
    assert all(proc.stat(pid) for pid in spared)
    assert other in server.workers()
    assert not server.zombies()
    server.stop()


def test_stray_that_ends_by_itself_is_reaped(jobs):
    server = jobs.server("testbed")
    connection = next(iter(server.reach_all().values()))
    child = start_child(server, connection, "/child?double=1")[0]
    server.send(child, signal.SIGTERM)
    eventually("no zombie stays", lambda: proc.stat(child) is None, 1)


def test_strays_of_a_retired_worker_end_with_it(jobs):
    """A reload: the old generation's daemons do not serve the new one."""
    server = jobs.server("testbed")
    before = server.reach_all()
    doomed = []
    for connection in before.values():
        doomed += start_child(server, connection, "/child?double=1")
        connection.close()
    server.send(server.guardian, signal.SIGHUP)
    eventually("all are replaced", lambda: len(server.workers()) == 2 and not set(before) & set(server.workers()), 15)
    eventually("their strays are gone", lambda: all(proc.stat(pid) is None for pid in doomed), 5)


def test_chain_of_forks_is_ended(jobs, app):
    """A stray that forks and exits for ever: always another pid, never without a tag or a parent."""
    server = jobs.server(app("""
        static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
        static int chain(covey_req *req)
        {
            if (fork() == 0) {
                setsid();
                for (;;) {
                    usleep(200);
                    if (fork() != 0)
                        _exit(0);
                }
            }
            return covey_text(req, 200, "started");
        }
        static int setup(covey_app *app)
        {
            covey_get(app, "/pid", pid);
            covey_get(app, "/chain", chain);
            return 0;
        }
        """))
    server.reach_all()
    assert server.get("/chain").text == "started"
    time.sleep(0.2)
    server.stop(signal.SIGINT)


@pytest.mark.parametrize("end", ["TERM", "KILL of a worker"])
def test_children_from_before_are_left_alone(jobs, end):
    """sh -c 'sleep & exec ./app': the sleep is the app's child, but not its business."""
    server = jobs.server("testbed", wrap=lambda command: ["sh", "-c", 'sleep 301 & exec "$@"', "sh", *command])
    server.reach_all()
    sleeper = next(process for process in server.tree() if proc.cmdline(process.pid) == "sleep 301")
    assert sleeper.ppid == server.guardian
    if end == "TERM":
        server.send(server.guardian, signal.SIGTERM)
        assert server.wait_code(TERM_BOUND) == 0
    else:
        victim = next(iter(server.workers()))
        server.send(victim, signal.SIGKILL)
        wait_replaced(server, victim)
        server.send(server.guardian, signal.SIGINT)
        assert server.wait_code(TERM_BOUND) == 0
    time.sleep(0.1)
    assert [process.pid for process in server.tree()] == [sleeper.pid]
    server.send(sleeper.pid, signal.SIGKILL)
    server.wait_gone(time.monotonic(), 5)
    server.assert_all_ended()


def test_app_started_from_a_handler_is_a_server_of_its_own(jobs, app):
    """A covey program that a handler starts is not mistaken for a worker, and ends with its worker."""
    inner = free_port()
    server = jobs.server(app("""
        #include <spawn.h>
        extern char **environ;
        static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
        static int start(covey_req *req)
        {
            /* Its guardian and master die at once, which leaves the file of a control socket (supervision.md). */
            char *argv[] = {getenv("INNER"), "--port", getenv("INNER_PORT"), "--control", "off", NULL};
            pid_t child;
            return covey_textf(req, 200, "%d", posix_spawn(&child, argv[0], NULL, NULL, argv, environ));
        }
        static int setup(covey_app *app)
        {
            covey_get(app, "/pid", pid);
            covey_get(app, "/start", start);
            return 0;
        }
        """), env={"INNER": example("testbed"), "INNER_PORT": inner})
    server.reach_all()
    assert server.get("/start").text == "0"

    def inner_answers():
        try:
            with Connection(("127.0.0.1", inner)) as connection:
                return connection.get("/").text == "Hello, World!"
        except ConnectionError:
            return False

    eventually("the inner server answers", inner_answers, 10)
    server.stop()
    assert not proc.listens(inner)


# Titles, environment, single process

def test_processes_say_who_they_are(jobs, method):
    server = jobs.server("testbed", method=method)
    server.reach_all()
    assert proc.cmdline(server.guardian) == "testbed: guardian"
    assert proc.cmdline(server.master()) == "testbed: master"
    assert sorted(proc.cmdline(pid) for pid in server.workers()) == ["testbed: worker 0", "testbed: worker 1"]


def test_master_and_workers_are_in_another_group_than_the_guardian(jobs, method):
    """So that `kill -9 -- -PGID` cannot take both watchers at once."""
    server = jobs.server("testbed", method=method)
    server.reach_all()
    group = proc.stat(server.guardian).pgrp
    assert proc.stat(server.master()).pgrp != group
    assert all(proc.stat(pid).pgrp != group for pid in server.workers())


def test_worker_sees_the_users_environment_and_directory(jobs, app, method):
    server = jobs.server(app("""
        extern char **environ;
        static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
        static int env(covey_req *req)
        {
            char cwd[4096];
            char *all = covey_sprintf(req, "cwd=%s\\n", getcwd(cwd, sizeof cwd));
            for (char **at = environ; *at != NULL; at++)
                all = covey_sprintf(req, "%s%s\\n", all, *at);
            return covey_text(req, 200, all);
        }
        static int setup(covey_app *app) { covey_get(app, "/pid", pid); covey_get(app, "/env", env); return 0; }
        """), method=method, env={"COLOUR": "green"})
    server.reach_all()
    lines = server.get("/env").text.splitlines()
    assert f"cwd={server.cwd}" in lines and "COLOUR=green" in lines and f"{TAG}={server.tag}" in lines
    assert not [line for line in lines if line.startswith("_COVEY_BOOT")]


def test_single_process_serves_alone(jobs):
    server = jobs.server("testbed", ["--single-process"], method=None, workers=None).wait_serving()
    assert [process.pid for process in server.tree()] == [server.pid]
    assert int(server.get("/pid").text) == server.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_single_process_answers_what_is_in_flight(jobs, number):
    server = jobs.server("testbed", ["--single-process"], method=None, workers=None).wait_serving()
    with server.connect() as connection:
        connection.ask("GET", "/slow")
        time.sleep(0.2)
        server.stop(number)
        assert connection.response().text == "slow"


def test_single_process_keeps_the_default_action_of_quit(jobs):
    """It is for debuggers: Ctrl+\\ may leave a core."""
    server = jobs.server("testbed", ["--single-process"], method=None, workers=None).wait_serving()
    server.stop(signal.SIGQUIT, code=-signal.SIGQUIT)


def test_single_process_blocked_in_its_start_ends_at_once(jobs):
    server = jobs.server("testbed", ["--single-process"], method=None, workers=None, boot_delay=100)
    eventually("it sleeps", lambda: proc.in_sleep(server.pid) in (True, None), 5)
    time.sleep(0.1)
    taken = server.wait_gone(server.send(server.pid, signal.SIGINT), 10)
    assert server.code in (0, -signal.SIGINT) and taken < 1.1


@pytest.mark.parametrize("option", [[], ["--start-method", "fork"]], ids=["spawn", "fork"])
def test_many_workers_start_and_end(jobs, option):
    server = jobs.server("testbed", option, method=None, workers=64)
    server.wait_workers(64, 60)
    server.wait_serving()
    assert server.stop() < 5 or sanitized()


def test_shared_memory_of_a_running_server_has_no_name(jobs):
    server = jobs.server("testbed")
    server.reach_all()
    for pid in (server.guardian, server.master(), *server.workers()):
        for what in proc.fds(pid).values():
            assert what.startswith(("socket:", "pipe:", "anon_inode:", "/memfd:", "/dev/null", "/proc/vmstat",
                                    "/sys/fs/cgroup/", str(server.folder), str(example("testbed")))), what
