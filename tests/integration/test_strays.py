"""What workers leave behind in the worst way: deaf to TERM, in sessions of their own, with the listener in hand."""

import signal
import time

import pytest

import proc
from client import eventually
from harness import port_is_free

# /deaf: a daemon, forked twice, that ignores what can be ignored and holds every descriptor of its worker.
APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int deaf(covey_req *req)
{
    if (fork() == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        for (int number = 1; number < NSIG; number++)
            signal(number, SIG_IGN);
        for (;;)
            sleep(1000);
    }
    return covey_text(req, 200, "started");
}
static int setup(covey_app *app)
{
    covey_get(app, "/pid", pid);
    covey_get(app, "/deaf", deaf);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


def leave_one(server):
    """A daemon of a worker: (pid of the worker, pid of the daemon)."""
    worker, connection = next(iter(server.reach_all().items()))
    before = {process.pid for process in server.tree()}
    assert connection.get("/deaf").text == "started"
    connection.close()

    def daemon():
        new = [process for process in server.tree() if process.pid not in before and not process.zombie]
        return new[0].pid if len(new) == 1 and new[0].ppid == server.master() else None

    return worker, eventually("the daemon lives alone", daemon, 5)


def holds_listener(pid):
    return any(what.startswith("socket:") for what in proc.fds(pid).values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_deaf_daemon_that_holds_the_listener_ends_with_the_server(jobs, program, method, number):
    server = jobs.server(program, method=method)
    _, daemon = leave_one(server)
    assert holds_listener(daemon)
    server.wait_gone(server.send(server.guardian, number), 5)
    assert port_is_free(server.port), "the next server could not start"


def test_deaf_daemon_ends_with_its_worker(jobs, program):
    server = jobs.server(program)
    worker, daemon = leave_one(server)
    server.send(worker, signal.SIGKILL)
    eventually("it is gone and reaped", lambda: proc.stat(daemon) is None, 5)
    time.sleep(0.1)
    server.reach_all()
    assert not server.strays() and not server.zombies()
