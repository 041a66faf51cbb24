"""The death of guardian, master or both while workers are in every state at once: none outlives them by more than the bound.

The kill matrix has one phase at a time; here one worker idles, one spins, one has blocked every signal and one is
stopped. COVEY_LONG: 200 rounds instead of 12.
"""

import contextlib
import os
import signal
import time

import pytest

import proc
from client import eventually
from harness import sanitized
from server import KILL_BOUND

ROUNDS = 200 if "COVEY_LONG" in os.environ else 12

APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
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
    for (;;)
        sleep(1000);
    return spin(req);
}
static int setup(covey_app *app)
{
    covey_get(app, "/pid", pid);
    covey_get(app, "/spin", spin);
    covey_get(app, "/deaf", deaf);
    return 0;
}
"""


def occupy(jobs, program):
    """A server whose four workers are idle, busy, deaf and stopped."""
    server = jobs.server(program, workers=4, control="off")  # its file would stay if both die
    connections = list(server.reach_all().items())
    connections[1][1].ask("GET", "/spin")
    connections[2][1].ask("GET", "/deaf")
    server.send(connections[3][0], signal.SIGSTOP)
    eventually("one is busy", lambda: proc.stat(connections[1][0]).state == "R", 5, 0.002)
    eventually("one is deaf", lambda: proc.in_sleep(connections[2][0]) in (True, None), 5, 0.002)
    return server


def kill(server, victims):
    """All of them at the same time, as near as can be; when."""
    fds = [os.pidfd_open(pid) for pid in victims]
    since = time.monotonic()
    for fd in fds:
        with contextlib.suppress(ProcessLookupError):  # the first one's death may have ended it already
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        os.close(fd)
    return since


@pytest.mark.limit(60 + 4 * ROUNDS)
@pytest.mark.parametrize("who, codes", [("master", {137}), ("guardian", {-9}), ("both", {-9, 137})])
def test_nothing_outlives_its_watchers(jobs, app, who, codes):
    program, taken = app(APP), []
    for _ in range(ROUNDS):
        server = occupy(jobs, program)
        victims = [server.master()] if who != "guardian" else []
        victims += [server.guardian] if who != "master" else []
        taken.append(server.wait_gone(kill(server, victims), 10 * KILL_BOUND))
        assert server.code in codes, server.tail()
        server.assert_all_ended()
    taken.sort()
    print(f"{who}: median {taken[len(taken) // 2] * 1000:.1f} ms, worst {taken[-1] * 1000:.1f} ms of {ROUNDS}")
    assert sanitized() or taken[len(taken) // 2] <= KILL_BOUND


def test_kill_of_the_masters_group_ends_everything(jobs, app):
    """Master and workers share a group; the guardian is in another, and takes what is left with it."""
    server = occupy(jobs, app(APP))
    master = server.master()
    group = proc.stat(master).pgrp
    assert group == master != proc.stat(server.guardian).pgrp
    since = time.monotonic()
    os.killpg(group, signal.SIGKILL)
    server.wait_gone(since, 10 * KILL_BOUND)
    assert server.code == 137
    server.assert_all_ended()


# Makes every arming of a worker's parent-death signal take a second, so that the master can be killed before it.
SLOW_PRCTL = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int prctl(int option, ...)
{
    va_list rest;
    va_start(rest, option);
    unsigned long a = va_arg(rest, unsigned long), b = va_arg(rest, unsigned long);
    unsigned long c = va_arg(rest, unsigned long), d = va_arg(rest, unsigned long);
    va_end(rest);
    if (option == PR_SET_PDEATHSIG && a == 9) {
        const char *mark = getenv("BORN");
        int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        char text[16];
        int len = 0;
        for (pid_t pid = getpid(); pid > 0; pid /= 10)
            text[len++] = (char)('0' + pid % 10);
        (void)!write(fd, text, (size_t)len);
        close(fd);
        struct timespec pause = {1, 0};
        while (nanosleep(&pause, &pause) != 0)
            ;
    }
    return (int)syscall(SYS_prctl, option, a, b, c, d);
}
"""


@pytest.mark.skipif(bool(sanitized()), reason="the sanitizers' runtime wants to be preloaded first")
def test_worker_born_of_a_master_that_dies_before_the_death_signal_is_armed(jobs, app, tmp_path, method):
    """The window between fork and prctl(PR_SET_PDEATHSIG): the worker looks who its parent is right after, and goes.
    The guardian is stopped, so that nobody else can end it."""
    library = app(SLOW_PRCTL, name="slow.so", shared=True, head="")
    born = tmp_path / "born"
    server = jobs.server("testbed", method=method, workers=1, control="off",
                         env={"LD_PRELOAD": library, "BORN": born})
    eventually("a worker is being born", lambda: born.exists() and born.read_text(), 10, 0.002)
    child = int(born.read_text()[::-1])
    server.send(server.guardian, signal.SIGSTOP)
    server.send(proc.stat(child).ppid, signal.SIGKILL)
    time.sleep(0.2)
    assert not proc.stat(child).zombie, "nothing has told it yet"
    eventually("the worker is gone", lambda: getattr(proc.stat(child), "zombie", True), 5, 0.005)
    since = server.send(server.guardian, signal.SIGCONT)
    server.wait_gone(since, 10 * KILL_BOUND)
    assert server.code == 137
