"""Containment: what holds together the processes that a worker starts, whatever they do to get away."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import time

import pytest

import cgroups
import proc
from client import eventually
from harness import BUILD, free_port, sanitized
from server import KILL_BOUND

# What is started by /daemon has no tag, no parent, and a session of its own.
APP = """
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *none[] = {NULL};
static char self[4096];

/* Fills all places the user has. */
static _Noreturn void bomb(void)
{
    struct rlimit limit = {200, 200};
    setrlimit(RLIMIT_NPROC, &limit);
    for (;;)
        if (fork() < 0)
            usleep(50000);
}

static int escape(char **argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() == 0) {
            signal(SIGTERM, SIG_IGN);
            execve(argv[0], argv, none);
        }
        _exit(0);
    }
    return waitpid(pid, NULL, 0) == pid;
}
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int daemon_(covey_req *req)
{
    char *argv[] = {"/bin/sleep", "4321", NULL};
    return covey_textf(req, 200, "%d", escape(argv));
}
static int bomb_(covey_req *req)
{
    char *argv[] = {self, "bomb", NULL};
    return covey_textf(req, 200, "%d", escape(argv));
}
static int nest(covey_req *req)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/inner", covey_query(req, "at"));
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/inner/cgroup.procs", covey_query(req, "at"));
    FILE *file = fopen(path, "w");
    fprintf(file, "0");
    return covey_textf(req, 200, "%d", fclose(file));
}
static int eat(covey_req *req)
{
    for (int i = 0; i < 512; i++) {
        char *piece = malloc(1 << 20);
        memset(piece, i | 1, 1 << 20);
    }
    return covey_text(req, 200, "full");
}
static int spin(covey_req *req)
{
    for (volatile int on = 1; on;)
        continue;
    return covey_text(req, 200, "");
}
static int who(covey_req *req) { return covey_textf(req, 200, "%d", (int)getuid()); }
static int setup(covey_app *app)
{
    covey_get(app, "/spin", spin);
    covey_get(app, "/who", who);
    covey_get(app, "/pid", pid);
    covey_get(app, "/daemon", daemon_);
    covey_get(app, "/bomb", bomb_);
    covey_get(app, "/nest", nest);
    covey_get(app, "/eat", eat);
    return 0;
}
int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "bomb") == 0)
        bomb();
    self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = '\\0';
    return covey_main(argc, argv, setup);
}
"""
FORCED = ["--containment", "cgroup"]
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can prepare this")


@pytest.fixture
def program(app):
    return app(APP, main=False)


@pytest.fixture
def anybodys(public, program):
    return public(program)


@pytest.fixture
def box():
    """A cgroup to start servers in. It is not delegated."""
    where = cgroups.mount()
    if where is None or not cgroups.can_be_made(where):
        pytest.skip("no cgroup of version 2 can be made here")
    made = cgroups.Box()
    if not (made.path / "cgroup.kill").exists():
        made.close()
        pytest.skip("the kernel has no cgroup.kill (5.14)")
    yield made
    made.close()


def escaped(server):
    return [process.pid for process in server.strays() if proc.cmdline(process.pid) == "/bin/sleep 4321"]


def start_daemon(server, connection):
    before = set(escaped(server))
    assert connection.get("/daemon").text == "1"
    found = eventually("the daemon runs", lambda: set(escaped(server)) - before, 5)
    assert b"_COVEY_TAG" not in proc.read(f"/proc/{list(found)[0]}/environ")
    return found.pop()


def status(server):
    socket, = list((server.cwd / "covey").glob("*.sock"))
    text = subprocess.run([BUILD / "covey", "status", "--json", socket], capture_output=True, text=True, check=True,
                          timeout=20)
    return json.loads(text.stdout)


# One cgroup for each worker

def test_each_worker_has_a_cgroup_of_its_own(box, jobs, program, method):
    server = jobs.server(program, FORCED, method=method, prepare=box.enter)
    workers = set(server.reach_all())
    assert {pid for pids in box.incarnations().values() for pid in pids} == workers
    assert len(box.incarnations()) == 2
    assert status(server)["containment"] == "cgroup"
    assert not any(str(box.path) in name for pid in workers for name in proc.fds(pid).values())


def test_a_daemon_without_a_tag_dies_with_its_worker_and_no_other(box, jobs, program, method):
    server = jobs.server(program, FORCED, method=method, prepare=box.enter)
    (victim, first), (_, second) = server.reach_all().items()
    doomed = [start_daemon(server, first) for _ in range(3)]
    kept = start_daemon(server, second)
    server.send(victim, signal.SIGKILL)
    eventually("its daemons are gone and reaped", lambda: not any(proc.stat(pid) for pid in doomed), 5, 0.002)
    server.reach_all()
    assert escaped(server) == [kept] and not server.zombies()
    eventually("as many cgroups as workers", lambda: len(box.incarnations()) == 2, 5)
    server.stop()
    assert not box.runs()


def test_an_upgrade_keeps_the_cgroups(box, jobs, program):
    """Those of the old workers, with what they have started, go with them; the server's end leaves nothing."""
    server = jobs.server(program, FORCED, prepare=box.enter)
    daemon = start_daemon(server, next(iter(server.reach_all().values())))
    runs = box.runs()
    env = {**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)}
    for _ in range(2):
        subprocess.run([BUILD / "covey", "upgrade"], env=env, check=True, timeout=30)
    eventually("the old daemon is gone", lambda: proc.stat(daemon) is None, 5)
    workers = set(server.reach_all())
    eventually("as many cgroups as workers", lambda: len(box.incarnations()) == 2, 5)
    assert {pid for pids in box.incarnations().values() for pid in pids} == workers
    assert box.runs() == runs and status(server)["containment"] == "cgroup"
    server.stop()
    assert not box.runs()


def test_without_containment_it_lives_until_the_stop(jobs, program, method):
    server = jobs.server(program, ["--containment", "none"], method=method)
    victim, connection = next(iter(server.reach_all().items()))
    daemon = start_daemon(server, connection)
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 5)
    assert escaped(server) == [daemon]
    assert status(server)["containment"] == "none"
    server.stop()


@root
@pytest.mark.skipif(bool(sanitized()), reason="the sanitizer's own files are root's")
def test_a_fork_bomb_dies_with_its_worker(box, jobs, anybodys):
    server = jobs.server(anybodys, [*FORCED, "--user", "daemon"], prepare=box.enter)
    victim, connection = next(iter(server.reach_all().items()))
    connection.get("/bomb")
    eventually("the bomb has gone off", lambda: len(server.strays()) > 100, 20)
    sent = server.send(victim, signal.SIGKILL)
    eventually("it is gone", lambda: not server.strays(), 10, 0.005)
    print(f"200 processes were gone after {time.monotonic() - sent:.3f} s")
    server.reach_all()


def test_a_hundred_successors_on_one_slot(box, jobs, program):
    """A cgroup that was killed once kills what is started in it: none is used twice."""
    server = jobs.server(program, FORCED, workers=1, prepare=box.enter)
    seen = set()
    for _ in range(100):
        (pid, connection), = server.reach_all().items()
        seen.add(pid)
        start_daemon(server, connection)
        server.send(pid, signal.SIGTERM)
        connection.close()
        eventually("it is replaced", lambda: pid not in server.workers() and len(server.workers()) == 1, 5, 0.005)
    assert len(seen) == 100
    eventually("only the last one's cgroup is left", lambda: len(box.incarnations()) == 1, 5)
    assert max(box.incarnations()) == 101 and not escaped(server)
    assert len(proc.fds(server.master())) < 40


@root
def test_cgroups_that_a_worker_makes_go_with_it(box, jobs, program):
    server = jobs.server(program, FORCED, workers=1, prepare=box.enter)
    (pid, connection), = server.reach_all().items()
    run, = box.runs()
    assert connection.get(f"/nest?at={run}/1").text == "0"
    assert proc.read(run / "1/inner/cgroup.procs").split() == [str(pid).encode()]
    server.send(pid, signal.SIGKILL)
    eventually("only the successor's is left", lambda: list(box.incarnations()) == [2], 5)
    assert not escaped(server)


# Nothing is left

@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, None)])
def test_no_cgroup_is_left_when_the_guardian_gets(box, jobs, program, method, number, code):
    server = jobs.server(program, FORCED, method=method, prepare=box.enter)
    for connection in server.reach_all().values():
        start_daemon(server, connection)
    sent = server.send(server.guardian, number)
    server.wait_gone(sent, 5)
    server.assert_all_ended()
    assert server.code == (code if code is not None else -signal.SIGKILL) and not box.runs()


def test_no_cgroup_is_left_when_the_master_is_killed(box, jobs, program, method):
    server = jobs.server(program, FORCED, method=method, prepare=box.enter)
    for connection in server.reach_all().values():
        start_daemon(server, connection)
    sent = server.send(server.master(), signal.SIGKILL)
    assert server.wait_gone(sent, 10 * KILL_BOUND) and server.code == 137
    server.assert_all_ended()
    assert not box.runs()


def test_what_is_left_when_both_are_killed_is_ended_by_the_next_server(box, jobs, program):
    server = jobs.server(program, FORCED, prepare=box.enter)
    daemon = start_daemon(server, next(iter(server.reach_all().values())))
    master, workers = server.master(), server.workers()
    for pid in (server.guardian, master):
        server.send(pid, signal.SIGSTOP)
    server.send(master, signal.SIGKILL)
    server.send(server.guardian, signal.SIGKILL)
    eventually("covey's own processes are gone", lambda: not any(
        proc.stat(pid) for pid in (server.guardian, master, *workers)), 5)
    assert proc.stat(daemon) and len(box.runs()) == 1

    successor = jobs.server(program, FORCED, prepare=box.enter).wait_serving()
    assert not proc.stat(daemon)
    assert "a server that was killed has left processes" in successor.err
    assert len(box.runs()) == 1
    server.close()
    third = jobs.server(program, FORCED, prepare=box.enter).wait_serving()
    assert len(box.runs()) == 2, "the directory of a living server is left alone"
    third.stop()
    assert len(box.runs()) == 1
    successor.wait_serving()


# Who may have them

def as_user(name):
    setpriv = shutil.which("setpriv")
    user = pwd.getpwnam(name)
    return lambda command: [setpriv, "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups",
                            *command]


@root
@pytest.mark.skipif(bool(sanitized()), reason="the sanitizer's own files are root's")
def test_a_user_has_them_in_a_cgroup_that_is_theirs(box, jobs, anybodys):
    box.give_to(pwd.getpwnam("nobody").pw_uid)
    server = jobs.server(anybodys, ["--control", "off"], prepare=box.enter, wrap=as_user("nobody"))
    victim, connection = next(iter(server.reach_all().items()))
    daemon = start_daemon(server, connection)
    assert len(box.incarnations()) == 2
    server.send(victim, signal.SIGKILL)
    eventually("its daemon is gone", lambda: not proc.stat(daemon), 5)
    server.stop()
    assert not box.runs()


@root
def test_root_has_them_where_systemd_has_delegated(box, jobs, program):
    os.setxattr(box.path, "user.delegate", b"1")
    server = jobs.server(program, prepare=box.enter)
    server.reach_all()
    assert len(box.incarnations()) == 2


@root
def test_root_leaves_alone_what_is_not_delegated(box, jobs, program):
    server = jobs.server(program, ["--log-level", "debug"], prepare=box.enter)
    server.reach_all()
    assert not box.runs() and "is not delegated" in server.err
    assert status(server)["containment"] == "none"


@root
@pytest.mark.skipif(bool(sanitized()), reason="the sanitizer's own files are root's")
def test_who_asks_for_them_in_vain_is_told(box, jobs, anybodys):
    job = jobs.run(as_user("nobody")([str(anybodys), "--control", "off", "--port", str(free_port()), *FORCED]),
                   prepare=box.enter)
    assert job.code == 71
    line, = job.err.splitlines()
    assert f"no cgroups can be made in {box.path} (Permission denied)" in line
    assert "Delegate=yes" in line and "--containment auto" in line


# PID namespaces

def can_have_namespaces(*flags):
    return subprocess.run(["unshare", *flags, "--pid", "--fork", "--mount-proc", "true"], capture_output=True,
                          check=False).returncode == 0


NAMESPACE = ["--containment", "pidns"]
pidns = pytest.mark.skipif(os.geteuid() != 0 or not can_have_namespaces(), reason="no PID namespace can be made here")


def start_daemons(server, count=2):
    """Pids inside are not those outside, so that a worker cannot be told by its answer."""
    server.wait_serving()
    server.wait_workers()
    for _ in range(count):
        assert server.get("/daemon").text == "1"
    return eventually("the daemons run", lambda: escaped(server) if len(escaped(server)) >= count else None, 5)


@pidns
@pytest.mark.parametrize("target", ["master", "guardian", "both"])
@pytest.mark.parametrize("rounds", [7])
def test_in_a_namespace_nothing_at_all_is_left(jobs, program, method, target, rounds):
    for _ in range(rounds):
        server = jobs.server(program, [*NAMESPACE, "--control", "off"], method=method)
        start_daemons(server)
        guardian, master = server.guardian, server.master()
        victims = [guardian] if target == "guardian" else [master] if target == "master" else [master, guardian]
        if target == "both":
            for pid in victims:
                server.send(pid, signal.SIGSTOP)  # so that neither sees the other's end
        sent = [server.send(pid, signal.SIGKILL) for pid in victims][0]
        taken = server.wait_gone(sent, 10 * KILL_BOUND)
        server.assert_all_ended()
        assert server.code == (137 if target == "master" else -signal.SIGKILL)
        print(f"{target}: nothing left after {1000 * taken:.1f} ms")


@pidns
def test_in_a_namespace_status_shows_the_pids_outside(jobs, program, method):
    server = jobs.server(program, NAMESPACE, method=method)
    server.wait_serving()
    workers = server.wait_workers()
    shown = status(server)
    assert shown["containment"] == "pidns"
    assert (shown["pid"], shown["master"]) == (server.guardian, server.master())
    assert {worker["pid"]: worker["slot"] for worker in shown["workers"] if worker["role"] == "worker"} == workers
    assert proc.status(server.master())["NSpid"].split()[-1] == "1"


@pidns
def test_in_a_namespace_it_reloads_replaces_and_stops(jobs, program, method):
    server = jobs.server(program, NAMESPACE, method=method)
    server.wait_serving()
    before = set(server.wait_workers())
    start_daemons(server)
    if method != "fork":
        server.send(server.guardian, signal.SIGHUP)
        eventually("all are replaced", lambda: len(server.workers()) == 2 and not before & set(server.workers()), 10)
    victim = next(iter(server.wait_workers()))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: len(server.workers()) == 2 and victim not in server.workers(), 10)
    assert server.get("/pid").status == 200
    server.stop()


@pytest.mark.parametrize("contained", ["cgroup", pytest.param("pidns", marks=pidns)])
def test_an_upgrade_in_place_keeps_the_containment(box, jobs, program, contained):
    server = jobs.server(program, ["--containment", contained], prepare=box.enter)
    start_daemons(server)
    guardian, master, before = server.guardian, server.master(), set(server.wait_workers())
    server.send(guardian, signal.SIGUSR2)
    eventually("a new program runs, with new workers",
               lambda: len(server.workers()) == 2 and not before & set(server.workers()), 15)
    assert (server.guardian, server.master()) == (guardian, master)
    shown = status(server)
    assert shown["containment"] == contained and shown["upgrades"] == 1, server.tail()
    assert (shown["pid"], shown["master"]) == (guardian, master)
    assert {worker["pid"] for worker in shown["workers"]} == set(server.wait_workers())
    start_daemons(server)
    sent = server.send(master, signal.SIGKILL)
    server.wait_gone(sent, 10 * KILL_BOUND)
    server.assert_all_ended()
    assert server.code == 137 and not box.runs()


@pidns
def test_in_a_namespace_a_hang_is_described(jobs, program):
    server = jobs.server(program, [*NAMESPACE, "--hang-timeout", "1"], workers=1)
    server.wait_serving()
    with server.connect() as connection:
        connection.ask("GET", "/spin")
        assert connection.rest() == b""
    assert "has not come round its loop" in server.err and "the stack:" in server.err, server.tail()


@pidns
def test_in_a_namespace_a_crash_of_the_master_has_its_code(jobs, program):
    server = jobs.server(program, NAMESPACE)
    server.wait_serving()
    sent = server.send(server.master(), signal.SIGABRT)
    server.wait_gone(sent, 10 * KILL_BOUND)
    assert server.code == 134 and "the stack:" in server.err, server.tail()


@pidns
@pytest.mark.skipif(bool(sanitized()), reason="the sanitizer's own files are root's")
def test_in_a_namespace_workers_become_the_user(jobs, anybodys):
    server = jobs.server(anybodys, [*NAMESPACE, "--user", "daemon"])
    server.wait_serving()
    assert server.get("/who").text == str(pwd.getpwnam("daemon").pw_uid)


@pidns
def test_a_guardian_that_is_process_1_has_a_namespace_below(jobs, program):
    wrap = lambda command: ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *command]  # noqa: E731
    server = jobs.server(program, NAMESPACE, wrap=wrap)
    start_daemons(server)
    master, = [process.pid for process in server.tree() if proc.role(process.pid)[0] == "master"]
    sent = server.send(master, signal.SIGKILL)
    server.wait_gone(sent, 10 * KILL_BOUND)
    server.assert_all_ended()
    assert server.code == 137


@root
@pytest.mark.skipif(bool(sanitized()), reason="the sanitizer's own files are root's")
def test_a_user_has_a_namespace_or_is_told_why_not(jobs, anybodys):
    wrap = as_user("daemon")
    server = jobs.server(anybodys, [*NAMESPACE, "--control", "off"], wrap=wrap)
    if subprocess.run(wrap(["unshare", "-Urp", "--mount-proc", "--fork", "true"]), capture_output=True,
                      check=False).returncode != 0:
        server.wait_code()
        line, = server.err.splitlines()
        assert server.code == 71 and "containment pidns: " in line and " is refused (" in line
        return
    start_daemons(server)
    master = server.master()
    assert proc.status(master)["NSpid"].split()[-1] == "1"
    for pid in (server.guardian, master):
        server.send(pid, signal.SIGSTOP)
    sent = server.send(master, signal.SIGKILL)
    server.send(server.guardian, signal.SIGKILL)
    server.wait_gone(sent, 10 * KILL_BOUND)
    server.assert_all_ended()


@root
@pytest.mark.skipif(bool(sanitized()), reason="the sanitizer's own files are root's")
def test_who_may_not_have_a_namespace_is_told(jobs, anybodys):
    command = [str(anybodys), "--control", "off", "--port", str(free_port()), *NAMESPACE]
    job = jobs.run(["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", *command])
    line, = job.err.splitlines()
    assert job.code == 71 and "unshare(CLONE_NEWPID) is refused (Operation not permitted)" in line
    job = jobs.run(as_user("nobody")(command))
    line, = job.err.splitlines()
    assert job.code == 71 and "user 65534 cannot be told from anybody else" in line


# Out of memory

@pytest.fixture
def narrow():
    """A cgroup with little memory, of the version that has that here."""
    unified, v1 = cgroups.mount(), cgroups.memory_v1()
    for where, name in ((unified, "memory__max"), (v1, "memory__limit_in_bytes")):
        if where is None:
            continue
        try:
            made = cgroups.Box(where, **{name: 96 << 20})
        except OSError:
            continue
        yield made
        made.close()
        return
    pytest.skip("no cgroup with a limit on memory can be made here")


@root
@pytest.mark.skipif(bool(sanitized()), reason="sanitizers need more memory, and take out of memory for a bug")
def test_a_worker_that_runs_out_of_memory_is_told_so(narrow, jobs, program, method):
    server = jobs.server(program, method=method, prepare=narrow.enter)
    victim, connection = next(iter(server.reach_all().items()))
    connection.ask("GET", "/eat")
    assert connection.rest() == b""
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    assert "signal 9 (Killed), killed by the kernel: out of memory" in server.err, server.tail()
    assert any("out of memory" in (worker["last_exit"] or "") for worker in status(server)["workers"])

    other = next(iter(server.reach_all()))
    server.send(other, signal.SIGKILL)
    eventually("the other is replaced", lambda: other not in server.workers() and len(server.workers()) == 2, 10)
    assert "not sent by covey and not by the OOM killer" in server.err, server.tail()
