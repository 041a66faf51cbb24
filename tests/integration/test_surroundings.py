"""Worlds that are not as usual: process 1 of a container, few pids, no /proc, an old kernel, a clock that is set back."""

import ctypes
import os
import re
import resource
import signal
import struct
import subprocess
import time

import pytest

import proc
from client import Connection, eventually
from harness import BUILD, LEAKS_UNSEEN, free_port, sanitized
from server import KILL_BOUND, TERM_BOUND, example

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces here")
native = pytest.mark.skipif(bool(sanitized()), reason="the sanitizers' runtime needs the usual world")


def unshared(script, *flags):
    """Wraps a command: `script` runs in new namespaces and ends in exec "$@"."""
    return lambda command: ["unshare", *flags, "sh", "-c", script, "sh", *command]


class Container:
    """A server that is process 1 of a PID namespace, in a job whose process is unshare(1)."""

    def __init__(self, jobs, script='exec "$@"', **how):
        self.server = jobs.server(wrap=unshared(script, "--pid", "--fork", "--mount-proc", "--kill-child"), **how)
        eventually("process 1 is the guardian", lambda: self.guardian() is not None, 10)
        self.server.wait_workers()
        self.server.wait_serving()

    def guardian(self):
        return next((process.pid for process in self.server.tree() if proc.role(process.pid)[0] == "guardian"), None)

    def master(self):
        return next(process.pid for process in self.server.tree() if proc.role(process.pid)[0] == "master")

    def enter(self, *command, **how):
        """Starts a command in the namespace, as `docker exec` does."""
        return subprocess.Popen(["nsenter", "-t", str(self.guardian()), "-p", "-m", *command], **how)

    def stop(self):
        sent = self.server.send(self.guardian(), signal.SIGTERM)
        self.server.wait_gone(sent, TERM_BOUND)
        assert self.server.code == 0, self.server.tail()
        self.server.assert_all_ended()


# Process 1 of a container

@root
def test_process_1_reaps_orphans_of_others(jobs):
    """What `docker exec` leaves behind becomes a child of process 1: reaped, never killed, never a worker."""
    container = Container(jobs)
    server = container.server
    before = server.workers()
    with container.enter("sh", "-c", "sleep 0.3 & sleep 303 & exit 7") as foreign:
        assert foreign.wait() == 7
    orphans = eventually("there are orphans", lambda: [
        process for process in server.tree() if process.ppid == container.guardian()
        and process.pid != container.master()], 5)
    assert len(orphans) in (1, 2)
    time.sleep(0.6)
    assert not server.zombies()
    left = [process.pid for process in server.tree() if proc.cmdline(process.pid) == "sleep 303"]
    assert len(left) == 1, "it is nobody's business here while the server runs"
    victim = next(iter(before))
    server.send(victim, signal.SIGKILL)
    eventually("it is replaced", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    assert proc.stat(left[0]), "the death of a worker does not take it either"
    container.stop()


@root
def test_process_1_leaves_nothing_when_it_is_killed(jobs):
    container = Container(jobs, control="off")  # its file would stay: nobody is left to remove it
    sent = container.server.send(container.guardian(), signal.SIGKILL)
    container.server.wait_gone(sent, 10 * KILL_BOUND)


# Few pids

BYSTANDERS = """
import os, signal, sys, time
started = signalled = 0
until = time.monotonic() + float(sys.argv[1])
alive = {}
while time.monotonic() < until:
    while len(alive) < 60:
        pid = os.fork()
        if pid == 0:
            time.sleep(0.02 + (os.getpid() % 7) / 100)
            os._exit(0)
        alive[pid] = True
        started += 1
    pid, status = os.wait()
    del alive[pid]
    signalled += os.WIFSIGNALED(status)
while alive:
    pid, status = os.wait()
    del alive[pid]
    signalled += os.WIFSIGNALED(status)
print(started, signalled, max(os.getpid(), 0))
"""


@root
@native
def test_reused_pids_are_never_signalled(jobs):
    """301..400 pids, which bystanders and workers take in turn within a fraction of a second, while workers are killed,
    retired and replaced: no bystander is ever sent a signal. pid_max is the namespace's own (Linux 6.14)."""
    few = 'echo 400 >/proc/sys/kernel/pid_max && exec "$@"'
    probe = subprocess.run(["unshare", "-pf", "--mount-proc", "sh", "-c", few, "sh", "true"], capture_output=True,
                           check=False)
    before = proc.read("/proc/sys/kernel/pid_max")
    if probe.returncode != 0:
        pytest.skip("the kernel does not let a namespace have a pid_max of its own")
    assert int(before) > 400
    container = Container(jobs, few, workers=4)
    server = container.server
    with container.enter("python3", "-c", BYSTANDERS, "6", stdout=subprocess.PIPE, text=True) as crowd:
        kills = 0
        while crowd.poll() is None:
            for pid in list(server.workers()):
                try:
                    server.send(pid, signal.SIGKILL if kills % 3 else signal.SIGTERM)
                    kills += 1
                except ProcessLookupError:
                    pass
            server.send(container.guardian(), signal.SIGTTIN if kills % 2 else signal.SIGTTOU)
            time.sleep(0.15)
        started, signalled, _ = map(int, crowd.stdout.read().split())
    print(f"{kills} kills among {started} bystanders")
    assert started > 1000 and kills > 20
    assert signalled == 0
    container.stop()


# Without /proc

HIDE_PROC = "mount -t tmpfs none /proc"


@root
@native
def test_without_proc_the_start_is_refused_in_one_sentence(jobs):
    job = jobs.run(unshared(f'{HIDE_PROC} && exec "$@"', "--mount")([str(example("testbed")), "--port", str(free_port())]),
                   env={"LD_LIBRARY_PATH": BUILD})  # the loader itself finds the library by /proc/self/exe
    assert job.code == 71
    assert len(job.err.splitlines()) == 1 and "is /proc mounted?" in job.err


@root
def test_read_only_proc_is_enough(jobs, method):
    server = jobs.server(wrap=unshared('mount -o remount,bind,ro /proc && exec "$@"', "--mount"), method=method)
    worker, connection = next(iter(server.reach_all().items()))
    connection.get("/child?double=1")
    server.send(worker, signal.SIGKILL)
    eventually("its daemon is gone", lambda: not server.strays(), 5)
    server.reach_all()


@root
def test_proc_that_disappears_later_holds_up_no_end(jobs):
    """The sweep at the end knows from the kernel's ECHILD, not from a list, that it is done."""
    server = jobs.server(wrap=unshared('exec "$@"', "--mount"), env=LEAKS_UNSEEN)
    server.reach_all()
    subprocess.run(["nsenter", "-t", str(server.guardian), "-m", "sh", "-c", HIDE_PROC], check=True)
    assert server.stop() < 2 or sanitized()


# A kernel that lacks what is needed

ENOSYS, PIDFD_OPEN, CLOSE_RANGE, SECCOMP_FILTER = 38, 434, 436, 2


def forbid(number):
    """A seccomp filter in the child: that system call does not exist there."""
    load, equal, answer = 0x20, 0x15, 0x06
    code = [(load, 0, 0, 0), (equal, 0, 1, number), (answer, 0, 0, 0x00050000 | ENOSYS), (answer, 0, 0, 0x7FFF0000)]
    text = b"".join(struct.pack("=HBBI", *line) for line in code)

    def prepare():
        libc = ctypes.CDLL(None, use_errno=True)
        program = ctypes.create_string_buffer(text)
        filter_ = struct.pack("@HP", len(code), ctypes.addressof(program))
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, SECCOMP_FILTER, filter_, 0, 0) == 0, os.strerror(ctypes.get_errno())

    return prepare


@native
def test_without_pidfds_the_start_is_refused_in_one_sentence(jobs):
    """There is no second, weaker way to supervise (DESIGN 1)."""
    job = jobs.run([example("testbed"), "--port", free_port()], prepare=forbid(PIDFD_OPEN))
    assert job.code == 71
    lines = [line for line in job.err.splitlines() if "ERROR" in line]
    assert len(lines) == 1 and "pidfd_open" in lines[0], job.err


# The clock

SET_BACK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void) { return access(BACK_FILE, F_OK) == 0 ? -86400 : 0; }

int clock_gettime(clockid_t id, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ret);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        ret->tv_sec += shift();
    return rc;
}
int gettimeofday(struct timeval *ret, void *zone)
{
    (void)zone;
    int rc = (int)syscall(SYS_gettimeofday, ret, 0);
    ret->tv_sec += shift();
    return rc;
}
time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
"""


@native
def test_clock_that_is_set_back_a_day_changes_nothing(jobs, app, tmp_path):
    """By a library that lies about the time of day to every process of the server: the machine's clock is not ours."""
    mark = tmp_path / "back"
    library = app(SET_BACK, name="clock.so", shared=True, head="", define=[f'BACK_FILE="{mark}"'])
    server = jobs.server("testbed", ["--hang-timeout", "1"], env={"LD_PRELOAD": library})
    before = server.reach_all()
    mark.touch()
    time.sleep(1.5)
    assert set(server.workers()) == set(before)
    for pid, connection in before.items():
        answer = connection.get("/pid")
        assert int(answer.text) == pid
    victim = next(iter(before))
    server.send(victim, signal.SIGSTOP)
    eventually("deadlines go on", lambda: victim not in server.workers() and len(server.workers()) == 2, 10)
    day = re.findall(r"^(\d{4}-\d\d-\d\d) .* stopped by a signal", server.err, re.MULTILINE)
    assert day and day[0] == time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400)), "the library has no effect"
    assert server.stop() < 2


# Limits

def limit(pid, what, soft):
    """Sets the soft limit of another process, as its own user; what it was."""
    user = int(proc.status(pid)["Uid"].split()[0])
    script = f"import resource as r; b, h = r.prlimit({pid}, {what}); r.prlimit({pid}, {what}, ({soft}, h)); print(b)"
    return int(subprocess.run(["/usr/bin/python3", "-c", script], user=user, group=user, extra_groups=[],
                              stdout=subprocess.PIPE, text=True, check=True).stdout)


def starve(server, what, soft, words):
    """A worker dies while the master may have no more of that; how long its successor took once it might again."""
    (victim, _), (other, connection) = server.reach_all().items()
    refusal = f"cannot start worker {server.workers()[victim]}: {words}"
    before = limit(server.master(), what, soft)
    server.send(victim, signal.SIGKILL)
    eventually("it has failed three times", lambda: server.err.count(refusal) >= 3, 15)
    assert int(connection.get("/pid").text) == other, "the other one serves"
    assert len(server.workers()) == 1 and not server.zombies()
    limit(server.master(), what, before)
    since = time.monotonic()
    server.wait_workers(2)
    server.reach_all()
    return time.monotonic() - since


@root
@native
def test_master_without_descriptors_tries_again(jobs):
    server = jobs.server("testbed")
    assert starve(server, resource.RLIMIT_NOFILE, 3, "Too many open files") < 5


@root
def test_master_that_may_not_fork_tries_again(jobs, public):
    """RLIMIT_NPROC counts the processes of a user, and binds everybody but root."""
    def prepare():
        os.setgroups([])
        os.setresgid(54321, 54321, 54321)
        os.setresuid(54321, 54321, 54321)

    server = jobs.server(public(example("testbed")), prepare=prepare, control="off")
    assert starve(server, resource.RLIMIT_NPROC, 1, "Resource temporarily unavailable") < 5


# A busy machine

@pytest.fixture
def hogs(jobs):
    """Twice as many busy loops as processors, at the lowest priority."""
    busy = [jobs.job(["nice", "-n", "19", "sh", "-c", "while :; do :; done"]) for _ in range(2 * os.cpu_count())]
    yield busy
    for job in busy:
        job.close()


@pytest.mark.parametrize("end", ["TERM", "INT while blocked", "KILL of the master", "KILL of the guardian"])
def test_busy_machine_changes_nothing_but_the_times(jobs, hogs, method, end):
    server = jobs.server("testbed", method=method, workers=4)
    connections = server.reach_all(timeout=60)
    for connection in connections.values():
        connection.get("/child?double=1")
    if end == "INT while blocked":
        for connection in list(connections.values())[1:]:
            connection.ask("GET", "/block")
        server.send(next(iter(connections)), signal.SIGSTOP)
    victim = server.master() if end == "KILL of the master" else server.guardian
    number = getattr(signal, "SIG" + end.split()[0])
    server.wait_gone(server.send(victim, number), TERM_BOUND)
    assert server.code == {"KILL of the master": 137, "KILL of the guardian": -9}.get(end, 0)
    server.assert_all_ended()


# Two at once

def test_two_instances_started_at_once_do_not_both_serve(jobs, tmp_path):
    """One address and one pid file for both: one serves, the other says why it does not, in every round."""
    for round_ in range(4):
        port, pidfile = free_port(), tmp_path / f"{round_}.pid"
        both = [jobs.job([example("testbed"), "--port", port, "--pidfile", pidfile]) for _ in range(2)]
        eventually("one has given up", lambda: any(job.code is not None for job in both), 10)
        loser = next(job for job in both if job.code is not None)
        winner = both[1 - both.index(loser)]
        assert loser.code == 69, loser.tail()
        assert "another instance runs" in loser.err or "in use" in loser.err

        def answers_():
            try:
                with Connection(("127.0.0.1", port)) as connection:
                    return connection.get("/").status == 200
            except ConnectionError:
                return False

        eventually("the other serves", answers_, 10)
        assert pidfile.read_text() == f"{winner.pid}\n"
        winner.wait_gone(winner.send(winner.pid, signal.SIGTERM), TERM_BOUND)
        assert winner.code == 0
