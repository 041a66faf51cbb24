"""covey under a real bash on a real terminal: Ctrl+C, Ctrl+Z, hang-up, nohup, job control.

The first test is the scenario that started the project (sanic-org/sanic#2997): a worker is blocked in its
start-up listener for 100 s, the user presses Ctrl+C once.
"""

import os
import signal
import time

import pytest

import proc
from client import Connection, eventually
from harness import BUILD, free_port, port_is_free
from server import INT_BOUND, STARTING_BOUND, example, within
from terminal import Terminal

PROMPT_AGAIN = r"covey-test\$ "


@pytest.fixture
def terminals(tmp_path):
    made = []

    def terminal(**env):
        made.append(Terminal(tmp_path / f"terminal{len(made)}", env))
        return made[-1]

    yield terminal
    for one in made:
        one.close()


def start(terminal, program, port, *words, method="spawn", before="", after="", delay=None, workers=1):
    """Types the command line that starts a server; waits until its workers run."""
    delay = f"COVEY_CUSTOM_DELAY={delay} COVEY_BOOT_DELAY={delay} " if delay is not None else ""
    command = [str(example(program)), "--port", str(port), "--start-method", method, "--workers", str(workers), *words]
    terminal.enter(f"{delay}{before}{' '.join(command)}{after}")
    terminal.wait_role("worker", workers)
    if not delay or "DELAY=0" in delay:
        eventually("the server answers", lambda: answers(port), 15)


def answers(port):
    try:
        with Connection(("127.0.0.1", port)) as connection:
            return connection.get("/").status in (200, 404)
    except ConnectionError:
        return False


def in_sleep(terminal):
    workers = terminal.wait_role("worker")
    eventually("the worker sleeps", lambda: all(proc.in_sleep(pid) in (True, None) for pid in workers), 10)


def exit_code(terminal):
    """What the shell says about the last command. The answer is told from the echo of the question."""
    terminal.expect(PROMPT_AGAIN)
    terminal.enter("echo code=$?")
    return int(terminal.expect(r"code=(\d+)\n")[1])


def leave(terminal, timeout=5.0):
    """Leaves the shell properly: nothing may be left of anything."""
    sent = time.monotonic()
    terminal.enter("exit")
    terminal.wait_gone(sent, timeout)
    terminal.assert_nothing_left()


# Ctrl+C

def test_one_interrupt_ends_a_server_blocked_in_start_up(terminals, method):
    def attempt(limit):
        terminal, port = terminals(), free_port()
        start(terminal, "slow_start", port, method=method, delay=100)
        terminal.expect("going to sleep for 100 seconds")
        in_sleep(terminal)
        sent = time.monotonic()
        terminal.type("\x03")
        taken = terminal.wait_alone(sent, limit)
        assert port_is_free(port)
        assert exit_code(terminal) == 0
        leave(terminal)
        return taken

    within(STARTING_BOUND, attempt)


def test_one_interrupt_ends_a_running_server(terminals, method):
    def attempt(limit):
        terminal, port = terminals(), free_port()
        start(terminal, "testbed", port, method=method, workers=2)
        with Connection(("127.0.0.1", port)) as connection:
            connection.ask("GET", "/slow")
            time.sleep(0.2)
            sent = time.monotonic()
            terminal.type("\x03")
            taken = terminal.wait_alone(sent, limit)
            assert connection.response().text == "slow"
        assert exit_code(terminal) == 0
        leave(terminal)
        return taken

    within(INT_BOUND, attempt)


def test_interrupt_through_a_wrapper_script_is_one_stop(terminals):
    """The script's shell and the server both get the signal; the request is still answered."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, before="bash -c '", after="; echo wrapped=$?'")
    with Connection(("127.0.0.1", port)) as connection:
        connection.ask("GET", "/slow")
        time.sleep(0.2)
        terminal.type("\x03")
        terminal.wait_alone(time.monotonic(), 10 * INT_BOUND)
        assert connection.response().text == "slow"
    leave(terminal)


def test_interrupt_of_a_pipeline_whose_reader_dies_first(terminals):
    """`./app 2>&1 | cat`: cat dies of the same Ctrl+C, so that the server writes its last lines into a broken pipe."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, after=" 2>&1 | cat", workers=2)
    sent = time.monotonic()
    terminal.type("\x03")
    assert terminal.wait_alone(sent, 10 * INT_BOUND) < 10 * INT_BOUND
    terminal.expect(PROMPT_AGAIN)
    terminal.enter("echo codes=${PIPESTATUS[0]}")
    leave(terminal)


def test_quit_key_ends_a_running_server_at_once(terminals):
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, workers=2)
    sent = time.monotonic()
    terminal.type("\x1c")
    assert terminal.wait_alone(sent, 10) < 3.5
    leave(terminal)


# The terminal goes away

@pytest.mark.parametrize("after", ["", " &"], ids=["foreground", "background"])
@pytest.mark.parametrize("delay", [None, 100], ids=["running", "starting"])
def test_closing_the_terminal_ends_everything(terminals, method, after, delay):
    def attempt(limit):
        terminal, port = terminals(), free_port()
        start(terminal, "testbed", port, after=after, method=method, delay=delay, workers=2)
        taken = terminal.wait_gone(terminal.hang_up(), limit)
        terminal.assert_nothing_left()
        assert port_is_free(port)
        return taken

    within(STARTING_BOUND if delay else INT_BOUND, attempt)


def test_closing_the_terminal_ends_everything_when_bash_disowned_the_job(terminals):
    """The shell sends no HUP then and the kernel only to the foreground: the job lives on, as its user asked."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, after=" & disown")
    guardian = terminal.wait_role("guardian")[0]
    terminal.hang_up()
    eventually("the shell is gone", lambda: terminal.code is not None, 5)
    time.sleep(0.3)
    assert answers(port)
    sent = terminal.send(guardian, signal.SIGTERM)
    terminal.wait_gone(sent, 20.1)
    terminal.assert_nothing_left()


def test_nohup_survives_the_terminal_and_reloads_on_hup(terminals, method):
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, before="nohup ", after=" >/dev/null 2>&1 &", method=method)
    guardian, worker = terminal.wait_role("guardian")[0], terminal.wait_role("worker")[0]
    terminal.hang_up()
    eventually("the shell is gone", lambda: terminal.code is not None, 5)
    time.sleep(0.3)
    assert answers(port)
    assert terminal.wait_role("worker") == [worker], "the hang-up itself must change nothing"
    time.sleep(0.7)  # a HUP within half a second of the hang-up is the hang-up
    if method == "spawn":  # fork refuses to reload a program with its own main()
        terminal.send(guardian, signal.SIGHUP)
        eventually("another worker", lambda: worker not in terminal.by_role("worker") and answers(port), 15)
    sent = terminal.send(guardian, signal.SIGTERM)
    terminal.wait_gone(sent, 20.1)
    terminal.assert_nothing_left()


def test_hup_with_the_terminal_alive_is_a_reload(terminals):
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, workers=2)
    guardian, before = terminal.wait_role("guardian")[0], terminal.wait_role("worker", 2)
    terminal.send(guardian, signal.SIGHUP)

    def replaced():
        terminal.look()
        now = terminal.by_role("worker")
        return len(now) == 2 and not set(now) & set(before)

    eventually("both workers are replaced", replaced, 15)
    assert answers(port)
    terminal.type("\x03")
    terminal.wait_alone(time.monotonic(), 10 * INT_BOUND)
    leave(terminal)


# Job control

def suspend(terminal, count):
    """Ctrl+Z; waits until the shell has its prompt and all `count` processes are stopped."""
    terminal.type("\x1a")
    terminal.expect("Stopped")
    eventually("all are stopped", lambda: [process.state for process in terminal.started()] == ["T"] * count, 5)


def foreground(terminal):
    """The group that has the terminal."""
    return os.tcgetpgrp(terminal.keyboard)


def interrupt(terminal):
    terminal.type("\x03")
    terminal.wait_alone(time.monotonic(), 10 * INT_BOUND)


def test_suspended_server_stands_still_and_goes_on(terminals, method):
    """Ctrl+Z, a pause longer than every limit, fg: all stop, the same workers serve, the request is answered."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, "--hang-timeout", "1", method=method, workers=2)
    before = terminal.wait_role("worker", 2)
    with Connection(("127.0.0.1", port)) as connection:
        connection.ask("GET", "/slow")
        time.sleep(0.2)
        suspend(terminal, 4)
        time.sleep(3)
        terminal.enter("fg")
        assert connection.response().text == "slow"
    time.sleep(1.5)
    terminal.look()
    assert answers(port)
    assert terminal.wait_role("worker", 2) == before
    assert "is killed" not in terminal.screen and "too long" not in terminal.screen
    interrupt(terminal)
    assert exit_code(terminal) == 0
    leave(terminal)


def test_suspended_again_and_again(terminals):
    """Also in the background, and by kill."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, "--hang-timeout", "1", workers=2)
    guardian, before = terminal.wait_role("guardian")[0], terminal.wait_role("worker", 2)

    def states():
        return {process.state for process in terminal.started()}

    suspend(terminal, 4)
    terminal.enter("bg")
    eventually("it goes on", lambda: "T" not in states(), 5)
    assert answers(port)
    terminal.send(guardian, signal.SIGTSTP)
    eventually("all are stopped", lambda: states() == {"T"}, 5)
    terminal.send(guardian, signal.SIGCONT)
    eventually("it goes on", lambda: "T" not in states(), 5)
    assert answers(port)
    for _ in range(5):
        terminal.enter("fg")
        eventually("it is in the foreground", lambda: foreground(terminal) == guardian, 5)
        suspend(terminal, 4)
    terminal.enter("fg")
    eventually("it goes on", lambda: "T" not in states(), 5)
    assert answers(port)
    assert terminal.wait_role("worker", 2) == before
    interrupt(terminal)
    leave(terminal)


def test_suspended_start_has_as_much_time_as_before(terminals, method):
    """START_TIMEOUT is 3 s, the listener takes 2 s, the pauses 3.5 s: nobody is late. The second pause begins and ends
    where less than a second was left: too little for the master to notice a gap by itself."""
    terminal, port = terminals(), free_port()
    start(terminal, "slow_start", port, "--start-timeout", "3", "--hang-timeout", "1", method=method, delay=2)
    before = terminal.wait_role("worker")
    in_sleep(terminal)
    suspend(terminal, 3)
    time.sleep(2.5)
    terminal.enter("fg")
    time.sleep(0.2)
    suspend(terminal, 3)
    time.sleep(1)
    terminal.enter("fg")
    eventually("it serves", lambda: answers(port), 10)
    assert terminal.wait_role("worker") == before
    assert "START_TIMEOUT" not in terminal.screen
    interrupt(terminal)
    leave(terminal)


@pytest.mark.parametrize("command", ["kill %1", "kill -INT %1; kill -CONT %1", "kill -QUIT %1; kill -CONT %1"])
def test_suspended_server_can_be_ended_from_its_shell(terminals, command):
    """bash sends CONT behind TERM."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, workers=2)
    suspend(terminal, 4)
    terminal.enter(command)
    terminal.wait_alone(time.monotonic(), 10 * INT_BOUND)
    leave(terminal)


@pytest.mark.parametrize("who", ["guardian", "master"])
def test_suspended_server_ends_when_it_is_killed(terminals, who):
    """The master is stopped and could not see its guardian die; nor could the guardian see the master."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, workers=2)
    suspend(terminal, 4)
    terminal.send(terminal.wait_role(who)[0], signal.SIGKILL)
    if who == "master":
        eventually("the workers are gone", lambda: not terminal.by_role("worker"), 5)
        terminal.enter("fg")
    terminal.wait_alone(time.monotonic(), 5)
    leave(terminal)


def test_suspended_server_ends_with_its_terminal(terminals):
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, workers=2)
    suspend(terminal, 4)
    terminal.wait_gone(terminal.hang_up(), 10 * INT_BOUND)
    terminal.assert_nothing_left()


def test_suspended_server_hears_covey_stop(terminals):
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, workers=2)
    suspend(terminal, 4)
    terminal.enter(f"{BUILD}/covey stop")
    terminal.expect(r"testbed \(pid \d+\): stopped", 10 * INT_BOUND)
    terminal.wait_alone(time.monotonic(), 5)
    leave(terminal)


def test_tstp_to_a_server_without_a_terminal_means_nothing(jobs):
    """Nobody could continue it."""
    server = jobs.server("testbed", args=["--log-level", "debug"])
    before = set(server.reach_all())
    server.send(server.guardian, signal.SIGTSTP)
    server.send(server.master(), signal.SIGTSTP)
    eventually("it is said", lambda: "is ignored: there is no terminal" in server.err, 5)
    assert set(server.reach_all()) == before
    server.stop()


def test_background_job_writes_to_a_terminal_with_tostop(terminals):
    """Its log lines must not stop it (SIGTTOU)."""
    terminal, port = terminals(), free_port()
    terminal.enter("stty tostop")
    terminal.expect(PROMPT_AGAIN)
    start(terminal, "testbed", port, after=" &")
    guardian, worker = terminal.wait_role("guardian")[0], terminal.wait_role("worker")[0]
    terminal.send(worker, signal.SIGKILL)
    eventually("a successor serves", lambda: worker not in terminal.by_role("worker") and answers(port), 10)
    assert [process.state for process in terminal.started() if process.state == "T"] == []
    terminal.wait_alone(terminal.send(guardian, signal.SIGTERM), 20.1)
    terminal.enter("stty -tostop")
    leave(terminal)


def test_window_size_changes_mean_nothing(terminals):
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port, workers=2)
    before = terminal.wait_role("worker", 2)
    for columns in range(40, 140):
        terminal.resize(columns)
    time.sleep(0.2)
    assert answers(port) and terminal.wait_role("worker", 2) == before
    terminal.type("\x03")
    terminal.wait_alone(time.monotonic(), 10 * INT_BOUND)
    leave(terminal)


def test_workers_do_not_read_from_the_terminal(terminals):
    """What the user types stays with the shell's line; stdin of master and workers is /dev/null."""
    terminal, port = terminals(), free_port()
    start(terminal, "testbed", port)
    for pid in [*terminal.by_role("master"), *terminal.by_role("worker")]:
        assert proc.fds(pid)[0] == "/dev/null"
    terminal.type("\x03")
    terminal.wait_alone(time.monotonic(), 10 * INT_BOUND)
    leave(terminal)
