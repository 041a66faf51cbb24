"""One Ctrl+C, one closed terminal, one killed shell, whatever the workers are doing."""

import signal
import time

import pytest

import proc
from client import Connection, eventually
from harness import free_port, port_is_free
from server import INT_BOUND, within
from terminal import Terminal

APP = """
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int wait_ms(covey_req *req) { covey_sleep_ms(covey_param_int(req, "ms")); return covey_text(req, 200, "waited"); }
static int blocked(covey_req *req)
{
    for (;;)
        sleep(1000);
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
static void shrug(int number) { (void)number; }
static int handles(covey_req *req)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, shrug);
    return spin(req);
}
static int setup(covey_app *app)
{
    covey_get(app, "/pid", pid);
    covey_get(app, "/wait/<ms:int>", wait_ms);
    covey_get(app, "/blocked", blocked);
    covey_get(app, "/spin", spin);
    covey_get(app, "/deaf", deaf);
    covey_get(app, "/handles", handles);
    return 0;
}
"""


@pytest.fixture
def program(app):
    return app(APP)


@pytest.fixture
def terminals(tmp_path):
    made = []

    def terminal(**env):
        made.append(Terminal(tmp_path / f"terminal{len(made)}", env))
        return made[-1]

    yield terminal
    for one in made:
        one.close()


def start(terminal, program, workers, after=""):
    """Types the command line; the address once it serves."""
    port = free_port()
    terminal.enter(f"{program} --port {port} --workers {workers}{after}")
    terminal.wait_role("worker", workers)

    def answers():
        try:
            with Connection(("127.0.0.1", port)) as connection:
                return connection.get("/pid").status == 200
        except ConnectionError:
            return False

    eventually("the server answers", answers, 15)
    return "127.0.0.1", port


def occupy(address, path):
    """A worker that has taken this request, on the connection that is returned."""
    connection = Connection(address)
    pid = int(connection.get("/pid").text)
    connection.ask("GET", path)
    time.sleep(0.1)  # it has begun, so that the next connection is taken by another
    return connection, pid


def test_one_interrupt_ends_workers_in_every_state(terminals, program):
    """Asleep, busy, with every signal blocked, with a handler for each signal, stopped: at once, in one bound."""
    def attempt(limit):
        terminal = terminals()
        address = start(terminal, program, 5)
        held = [occupy(address, path) for path in ("/blocked", "/spin", "/deaf", "/handles")]
        busy = {pid for _, pid in held}
        assert len(busy) == 4, "each has another worker"
        last = next(pid for pid in terminal.by_role("worker") if pid not in busy)
        terminal.send(last, signal.SIGSTOP)
        sent = time.monotonic()
        terminal.type("\x03")
        taken = terminal.wait_alone(sent, limit)
        assert port_is_free(address[1])
        return taken

    within(INT_BOUND, attempt)


def test_closed_terminal_lets_requests_end(terminals, program):
    terminal = terminals()
    connection, _ = occupy(start(terminal, program, 2), "/wait/1200")
    closed = terminal.hang_up()
    assert connection.response().text == "waited"
    terminal.wait_gone(closed, 20.1)
    terminal.assert_nothing_left()


def test_shell_that_is_killed_takes_the_foreground_job_with_it(terminals, program):
    """The kernel tells the foreground group, and nobody else, when its session's leader dies; the terminal itself, whose
    other side is the test's, stays open."""
    terminal = terminals()
    connection, _ = occupy(start(terminal, program, 2), "/wait/700")
    killed = terminal.send(terminal.pid, signal.SIGKILL)
    assert connection.response().text == "waited"
    terminal.wait_gone(killed, 20.1)
    terminal.assert_nothing_left()


def test_shell_that_is_killed_leaves_a_server_in_the_background(terminals, program):
    """Nobody hangs up on it: it serves on, as it would under nohup, and ends by TERM."""
    terminal = terminals()
    address = start(terminal, program, 2, after=" &")
    guardian = terminal.wait_role("guardian")[0]
    terminal.send(terminal.pid, signal.SIGKILL)
    eventually("the shell is gone", lambda: terminal.code is not None, 5)
    time.sleep(0.3)
    with Connection(address) as connection:
        assert int(connection.get("/pid").text) in terminal.by_role("worker")
    terminal.wait_gone(terminal.send(guardian, signal.SIGTERM), 20.1)
    terminal.assert_nothing_left()
    assert not proc.listens(address[1])
