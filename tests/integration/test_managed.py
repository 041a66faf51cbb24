"""Managed processes: functions and commands that run beside the workers."""

import contextlib
import json
import os
import pwd
import random
import signal
import subprocess
import time

import pytest

import proc
from client import eventually
from harness import BUILD, free_port
from server import INT_BOUND, KILL_BOUND, within

APP = r"""
static const char *journal;
static int note(const char *what)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "%s %d\n", what, (int)getpid());
    int fd = open(journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, (size_t)len) != len)
        return -EIO;
    return close(fd);
}
static int work(covey_app *app)
{
    note("begun");
    while (!covey_is_stopping(app))
        if (covey_sleep_ms(20) < 0)
            note("cancelled");
    note("ended");
    return 0;
}
static int block(covey_app *app)
{
    note("begun");
    while (!covey_is_stopping(app))
        sleep(100);
    note("ended");
    return 0;
}
static int deaf(covey_app *app)
{
    while (app != NULL)
        sleep(100);
    return 0;
}
static int once(covey_app *app)
{
    note("begun");
    return (int)covey_config_int(app, "CODE", 0);
}
static int fails(covey_app *app)
{
    (void)app;
    return -EIO;
}
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static void task(void *arg)
{
    (void)arg;
    note("task");
}
static int setup(covey_app *app)
{
    covey_add_task(app, task);
    static covey_process_fn *const of[] = {work, block, deaf, once, fails};
    static const char *const sleeper[] = {"sleep", "1000", NULL};
    static const char *const teller[] = {"sh", "-c", "echo $(ls /proc/self/fd) $(ulimit -n) >&2; exec sleep 1000", NULL};
    static const char *const nobody[] = {"no-such-program-anywhere", NULL};
    journal = covey_config_str(app, "JOURNAL", "/dev/null");
    int workers = (int)covey_config_int(app, "PROCESSES", 1);
    enum covey_restart restart = (enum covey_restart)covey_config_int(app, "RESTART", 0);
    bool transient = covey_config_bool(app, "TRANSIENT", false);
    int64_t kind = covey_config_int(app, "KIND", 0);
    covey_get(app, "/pid", pid);
    if (kind < 5)
        covey_manage(app, "queue", of[kind], .workers = workers, .restart = restart, .transient = transient);
    if (kind == 5)
        covey_manage_command(app, "queue", sleeper, .workers = workers, .restart = restart, .transient = transient);
    if (kind == 6)
        covey_manage_command(app, "teller", teller);
    if (kind == 7)
        covey_manage_command(app, "nobody", nobody);
    if (kind == 8)
        covey_manage(app, "queue", once);
    if (kind == 9)
        covey_manage(app, "queue", once, .workers = 65);
    if (kind == 8)
        covey_manage(app, "queue", work);
    return 0;
}
"""
WORK, BLOCK, DEAF, ONCE, FAILS, COMMAND, TELLER, NOBODY, TWICE, MANY = range(10)
ALWAYS, ON_FAILURE, NEVER = range(3)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def program(app):
    return app(APP)


@pytest.fixture
def serve(jobs, program, journal):
    def start(kind, **how):
        return jobs.server(program, kind=kind, journal=journal, **how)

    return start


def begun(journal):
    return [int(line.split()[1]) for line in journal.read_text().splitlines() if line.startswith("begun")] \
        if journal.exists() else []


def said(journal, what):
    return journal.exists() and what in journal.read_text()


def sleepers(server):
    return [process.pid for process in server.tree() if proc.cmdline(process.pid) == "sleep 1000" and not process.zombie]


def wait_managed(server, count, name="queue"):
    def enough():
        found = server.managed(name)
        return found if len(found) == count else None

    try:
        return eventually(f"{count} processes of {name}", enough, 10)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{[str(process) for process in server.tree()]}\n{server.tail()}") from None


def covey(server, *words):
    env = {**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)}
    return subprocess.run([BUILD / "covey", *words], env=env, capture_output=True, text=True, timeout=30, check=False)


def status(server):
    answer = covey(server, "status", "--json")
    return {entry["name"]: entry for entry in json.loads(answer.stdout)["workers"]}


def test_a_function_runs_beside_the_workers(serve, journal, method):
    server = serve(WORK, method=method, processes=2)
    workers = set(server.reach_all())
    found = wait_managed(server, 2)
    eventually("both have begun", lambda: sorted(begun(journal)) == sorted(found), 5)
    assert sorted(found.values()) == [0, 1] and not workers & set(found)
    entries = status(server)
    for pid, index in found.items():
        entry = entries[f"queue {index}"]
        assert (entry["role"], entry["pid"], entry["state"]) == ("managed", pid, "READY")
    assert server.stop() < 1
    lines = journal.read_text().splitlines()
    assert sum(line.startswith("cancelled ") for line in lines) == 2
    assert sum(line.startswith("ended ") for line in lines) == 2
    assert {int(line.split()[1]) for line in lines if line.startswith("task ")} == workers  # setup's, in workers only


def test_one_that_is_killed_is_replaced_and_nobody_else(serve, journal, method):
    server = serve(WORK, method=method)
    workers = set(server.reach_all())
    first = next(iter(wait_managed(server, 1)))
    server.send(first, signal.SIGKILL)
    eventually("another runs", lambda: set(server.managed("queue")) not in (set(), {first}), 5)
    assert set(server.workers()) == workers
    assert "queue 0 ended with signal 9" in server.tail()
    server.stop()


@pytest.mark.parametrize("restart, code, starts", [(ALWAYS, 0, 2), (ON_FAILURE, 0, 1), (ON_FAILURE, 7, 2), (NEVER, 7, 1)])
def test_restart_policies(serve, journal, restart, code, starts):
    server = serve(ONCE, restart=restart, code=code)
    server.reach_all()
    eventually("it has begun", lambda: len(begun(journal)) >= starts, 5)
    if starts == 1:
        eventually("that is said", lambda: "is not started again" in server.tail(), 5)
        time.sleep(0.3)
        assert len(begun(journal)) == 1
    assert f"queue 0 ended with exit code {code}" in server.tail()
    server.stop()


def test_a_failure_is_named_and_takes_nothing_from_the_server(serve):
    server = serve(FAILS)
    server.reach_all()
    eventually("it was tried again", lambda: server.tail().count("queue 0 ended with exit code 1") > 2, 10)
    assert "managed process queue (" in server.tail() and "Input/output error" in server.tail()
    assert server.get("/pid").status == 200
    server.stop()


def test_a_durable_one_survives_a_reload_and_a_transient_one_does_not(serve, journal):
    for transient in (False, True):
        server = serve(WORK, transient=transient)
        before = set(server.reach_all())
        first = next(iter(wait_managed(server, 1)))
        server.send(server.guardian, signal.SIGHUP)
        eventually("it is over", lambda: "reloaded: generation 2" in server.tail(), 15)
        assert not before & set(server.workers())
        after = wait_managed(server, 1)
        assert (first in after) == (not transient)
        server.stop()


def test_a_stop_ends_one_that_blocks_in_libc(serve, journal, method):
    server = serve(BLOCK, method=method)
    server.reach_all()
    eventually("it has begun", lambda: begun(journal), 5)
    time.sleep(0.1)
    assert server.stop() < 1.5
    assert said(journal, "ended")


def test_one_that_does_not_listen_is_killed_with_the_deadline(serve):
    def attempt(limit):
        server = serve(DEAF)
        server.reach_all()
        wait_managed(server, 1)
        time.sleep(0.2)
        taken = server.wait_gone(server.send(server.guardian, signal.SIGINT), limit)
        assert server.code == 0
        server.assert_all_ended()
        return taken

    assert within(INT_BOUND, attempt) > 2


def test_term_and_restart_bring_another(serve, journal):
    server = serve(WORK)
    server.reach_all()
    first = next(iter(wait_managed(server, 1)))
    server.send(first, signal.SIGTERM)
    eventually("another runs", lambda: set(server.managed("queue")) not in (set(), {first}), 5)
    second = next(iter(wait_managed(server, 1)))
    answer = covey(server, "restart", "queue")
    assert answer.returncode == 0 and "queue 0 is ready" in answer.stdout, answer
    assert second not in server.managed("queue")
    answer = covey(server, "restart", "nothing")
    assert answer.returncode == 2 and "no managed process that runs" in answer.stderr
    server.stop()


@pytest.mark.parametrize("kind", [WORK, COMMAND])
@pytest.mark.parametrize("target", ["guardian", "master"])
def test_kill_ends_them_too(serve, kind, target, method):
    def attempt(limit):
        server = serve(kind, method=method)
        server.reach_all()
        eventually("it runs", lambda: server.managed("queue") or sleepers(server), 5)
        pid = server.guardian if target == "guardian" else server.master()
        taken = server.wait_gone(server.send(pid, signal.SIGKILL), limit)
        server.assert_all_ended()
        return taken

    within(KILL_BOUND, attempt)


# Commands


def test_a_command_is_looked_after(serve, method):
    server = serve(COMMAND, method=method, processes=2)
    server.reach_all()
    found = eventually("both run", lambda: len(sleepers(server)) == 2 and sleepers(server), 5)
    assert {entry["pid"] for name, entry in status(server).items() if name.startswith("queue")} == set(found)
    server.send(found[0], signal.SIGKILL)
    eventually("it is replaced", lambda: len(sleepers(server)) == 2 and found[0] not in sleepers(server), 5)
    assert server.stop() < 1


def test_a_command_inherits_nothing_but_its_output(serve):
    server = serve(TELLER)
    server.reach_all()
    line = eventually("it has told", lambda: [line for line in server.tail().splitlines() if line.startswith("0 1 2 ")], 5)[0]
    assert line.split()[:4] == ["0", "1", "2", "3"], "3 is the folder that ls reads"
    assert line.split()[4] == subprocess.run(["sh", "-c", "ulimit -n"], capture_output=True, text=True).stdout.strip()
    server.stop()


@pytest.mark.parametrize("kind, sentence", [
    (TWICE, "managed process queue: that name has been declared before"),
    (MANY, "managed process queue: there can be 64 managed processes in all"),
    (NOBODY, 'managed process nobody: there is no such program ("no-such-program-anywhere")'),
])
def test_wrong_declarations_end_the_start_with_file_and_line(jobs, program, kind, sentence):
    job = jobs.run([program, "--port", free_port()], env={"COVEY_KIND": kind}, timeout=5)
    assert job.code == 4
    assert sentence in job.err and "app.c:" in job.err


def test_a_single_process_says_that_it_has_none(serve):
    server = serve(WORK, method=None, workers=None, env={"COVEY_SINGLE_PROCESS": "1"}).wait_serving()
    assert "managed process queue does not run" in server.tail()
    server.stop()


def test_a_stop_while_it_starts(serve):
    server = serve(DEAF, workers=1)
    server.wait_workers(1)
    server.stop(signal.SIGQUIT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_commands_and_functions_are_the_user_that_workers_are(serve):
    uid = str(pwd.getpwnam("daemon").pw_uid)
    for kind in (WORK, COMMAND):
        server = serve(kind, user="daemon")
        server.reach_all()
        found = eventually("it runs", lambda: list(server.managed("queue")) or sleepers(server), 5)
        assert [proc.status(pid)["Uid"].split() for pid in found] == [[uid] * 4]
        assert "0" not in proc.status(found[0])["Groups"].split()
        server.send(server.master(), signal.SIGKILL)
        eventually("all is gone", lambda: not server.tree(), 5)


def test_kills_and_reloads_in_any_order(serve, method):
    """Whatever is killed when: in the end there are as many as declared, each index once."""
    dice = random.Random(4)
    server = serve(WORK, processes=3, transient=True, method=method)
    server.reach_all()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        found = list(server.managed("queue"))
        with contextlib.suppress(ProcessLookupError, IndexError):  # it has just ended; there is none just now
            server.send(dice.choice(found), dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]))
        if dice.random() < 0.2 and method == "spawn":
            server.send(server.guardian, signal.SIGHUP)
        time.sleep(dice.uniform(0, 0.15))
    eventually("three run, each index once", lambda: sorted(server.managed("queue").values()) == [0, 1, 2], 30)
    eventually("no zombie is left", lambda: not server.zombies(), 10)  # the last reload may still be ending workers
    assert server.get("/pid").status == 200
    server.stop()
