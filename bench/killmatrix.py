"""The kill matrix of covey and its peers: does one signal end everything?

phases   booting  every worker is blocked in its start
         idle     every worker has answered and has nothing to do
         serving  a request that takes 1 s is in flight on each worker
         child    each worker has started `sleep 300`
targets  main     the process that was started
         group    its process group, as Ctrl+C and kill -- -PGID hit it
         worker   one of the two; what becomes of it is looked at for 3 s, then TERM goes to main
signals  INT, TERM, KILL; STOP (worker only): it is SIGSTOPped, and TERM goes to main

A cell is passed if no process of the server, zombie or child of a worker is left 12 s after the signal (to main, for
the worker's cells), which the reaper above it knows from the kernel. What happened otherwise is noted:

    unanswered   a request in flight was lost, though nobody was killed but by INT or TERM
    not replaced a worker that had ended had no successor after 3 s
    exit code    neither 0 nor that of the signal
    files, port  something stayed in its folder, or somebody still listened

Whatever is left is then killed. Cells run several at a time, since they mostly wait.
"""

import concurrent.futures
import itertools
import signal
import sys
import time

import harness
import peers
import picture
import proc
import servers

WITHIN = 12.0
FATE = 3.0
AT_ONCE = 6
SETTLED = 1.0
WORKERS = 2
COLUMNS = picture.COLUMNS


def number(name):
    return signal.Signals["SIG" + name]


def bring(server, phase):
    """Leads the server into the phase; the connections that wait for an answer."""
    if phase == "booting":
        servers.eventually("all workers are blocked in their start", lambda: server.code is not None or all(
            proc.in_sleep(pid) in (True, None) for pid in server.wait_workers()), 60)
        time.sleep(SETTLED)
        return []
    server.wait_first_answer()
    connections = server.reach()
    time.sleep(SETTLED)
    if phase == "child":
        start_children(server)
    if phase == "serving" and server.peer.keeps_alive:
        return ask_slowly(connections.values())
    for connection in connections.values():
        connection.close()
    if phase == "serving":  # who keeps no connection takes one request at a time: each worker gets one
        return ask_slowly(servers.Connection(server.address) for _ in range(WORKERS))
    return []


def ask_slowly(connections):
    connections = list(connections)
    for connection in connections:
        connection.ask("GET", "/slow", Connection="close")
    time.sleep(0.2)
    return connections


def start_children(server):
    def all_have():
        for connection, _ in server.ask_many("/child", 4 * WORKERS):
            connection.close()
        parents = {process.ppid for process in server.tree() if process.comm == "sleep"}
        return parents >= set(server.workers())

    servers.eventually("each worker has a child", all_have, 30)


def lose_worker(server, name):
    """(the worker's fate in words, when TERM was sent to main, its pid)"""
    before = server.workers()
    victim = before[0]
    if name == "STOP":
        server.send(victim, signal.SIGSTOP)
        servers.eventually("it is stopped", lambda: proc.stat(victim).state == "T", 5)
        return "stopped", server.send(server.pid, signal.SIGTERM)
    until = server.send(victim, number(name)) + FATE
    while time.monotonic() < until and server.code is None:
        time.sleep(0.02)
    there = {process.pid for process in server.tree() if not process.zombie}
    enough = len(set(server.workers()) - {victim}) >= WORKERS
    fate = "stays" if victim in there else "replaced" if enough else "not replaced"
    return fate, server.send(server.pid, signal.SIGTERM) if server.code is None else time.monotonic()


def shoot(server, target, name):
    """(the worker's fate, when the signal was sent)"""
    if target == "worker":
        return lose_worker(server, name)
    if target == "group":
        return "", server.send_group(number(name))
    return "", server.send(server.pid, number(name))


def answered(connections):
    count = 0
    for connection in connections:
        try:
            connection.socket.settimeout(1.0)  # whoever answers has done so
            count += connection.response().status == 200
        except servers.LOST:
            pass
        connection.close()
    return count


def flaws(target, name, fate, lost, code, files, port):
    """What is wrong with an end that left no process."""
    expected = number("TERM" if target == "worker" else name)
    may_be_lost = 0 if name in ("INT", "TERM") else 1 if target == "worker" else WORKERS
    return (["not replaced"] * (fate == "not replaced") + ["unanswered"] * (lost > may_be_lost)
            + ["exit code"] * (code not in (0, -expected, 128 + expected)) + ["files"] * bool(files) + ["port"] * port)


def cell(server_name, phase, target, name):
    """One cell of the matrix."""
    peer = peers.ALL[server_name]
    result = {"server": server_name, "phase": phase, "target": target, "signal": name}
    with servers.Server(peer, WORKERS, boot=100 if phase == "booting" else 0) as server:
        asked = bring(server, phase)
        workers = set(server.workers())
        fate, sent = shoot(server, target, name)
        left = []
        try:
            result["seconds"] = round(max(0.0, server.wait_gone(sent, WITHIN)), 3)
        except AssertionError:
            left = [role(server, process, workers) for process in server.tree()]
        port = not harness.port_is_free(server.port)
        files = harness.files_below(server.cwd) - server.files
        answers = answered(asked)
        result |= {"passed": not left, "left": left, "fate": fate, "code": server.code,
                   "answered": [answers, len(asked)] if asked else None,
                   "flaws": [] if left else flaws(target, name, fate, len(asked) - answers, server.code, files, port)}
    return result


def role(server, process, workers):
    """What one of those that are left is; `workers` were there before."""
    if process.zombie:
        return "zombie"
    if process.comm == "sleep":
        return "child"
    if process.pid == server.pid:
        return "main"
    return "worker" if process.pid in workers or server.peer.is_worker(server, process) else "helper"


def attempt(*which):
    """A cell, or why there is none: it is tried twice."""
    for last in (False, True):
        try:
            return cell(*which)
        except (AssertionError, OSError, RuntimeError, TimeoutError) as error:
            reason = str(error).splitlines()[0][:200]
            if last:
                return dict(zip(("server", "phase", "target", "signal"), which)) | {"passed": None, "error": reason}


def measure():
    """All cells of all servers on this machine."""
    names = [name for name in peers.versions() if not name.startswith("covey (")]
    wanted = [(name, *column) for column, name in itertools.product(COLUMNS, names) if column[0] in peers.ALL[name].phases]
    found = []
    peers.compiled_app()  # once, not in each of the processes below
    with concurrent.futures.ProcessPoolExecutor(AT_ONCE) as pool:
        for result in pool.map(attempt, *zip(*wanted)):
            words = [str(result[key]) for key in ("server", "phase", "target", "signal", "passed")]
            print("  " + " ".join(words), result.get("error", result.get("left", "")), file=sys.stderr, flush=True)
            found.append(result)
    return found
