"""hello against nginx's `return 200`: requests a second, and what one request costs the server.

Both run one worker on CPU 0; wrk has CPU 1. The rounds alternate between them, because a machine that is
shared changes its speed within minutes: only ratios of neighbouring rounds mean something. Where wrk is busier
than the server, the rate is wrk's, and only the server's CPU time tells something about the server.
"""

import os
import pathlib
import re
import resource
import statistics
import subprocess

import peers
import servers

ROUNDS = 7
SECONDS = 4
CONNECTIONS = 64
DEPTH = 16  # as in pipeline.lua
SHAPES = {
    "keep-alive": [],
    f"pipelined, {DEPTH} deep": ["-s", str(pathlib.Path(__file__).with_name("pipeline.lua"))],
}
PINNED = os.sched_getaffinity(0) >= {0, 1}


def load(port, options, seconds):
    """Requests that the server has answered to wrk."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/", *options]
    pin = (lambda: os.sched_setaffinity(0, {1})) if PINNED else None
    output = subprocess.run(
        command, preexec_fn=pin, capture_output=True, text=True, check=True, timeout=seconds + 30
    ).stdout
    if "Socket errors" in output or "Non-2xx" in output:
        raise RuntimeError(f"wrk reports errors:\n{output}")
    return int(re.search(r"(\d+) requests in", output)[1])


def wrk_seconds():
    """CPU time of all runs of wrk so far: of the children that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one_round(server, options):
    """(requests a second, server CPU microseconds a request, how busy the server was, and wrk, 0 to 1)"""
    server_before, wrk_before = server.cpu_seconds(), wrk_seconds()
    requests = load(server.port, options, SECONDS)
    used = server.cpu_seconds() - server_before
    return requests / SECONDS, used / requests * 1e6, used / SECONDS, (wrk_seconds() - wrk_before) / SECONDS


def compare(ours, theirs, options):
    """The rounds of both, as lists of what one_round() returns."""
    for server in (ours, theirs):
        load(server.port, options, 1)
    rounds = {ours: [], theirs: []}
    for number in range(ROUNDS):
        for server in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            rounds[server].append(one_round(server, options))
    return rounds[ours], rounds[theirs]


def shown(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def report():
    cpu = 0 if PINNED else None
    print("### Requests\n")
    where = " on CPU 0, wrk on CPU 1" if PINNED else ", nothing pinned (one CPU)"
    print(f"One worker{where}; {CONNECTIONS} connections; {ROUNDS} interleaved rounds of {SECONDS} s: median")
    print("(least-most).\n")
    print("| | server | requests/s | server CPU, us a request | server, wrk busy |")
    print("|---|---|---:|---:|---:|")
    with servers.Server(peers.Hello("spawn"), cpu=cpu) as ours, servers.Server(peers.Nginx(), cpu=cpu) as theirs:
        ours.wait_first_answer()
        theirs.wait_first_answer()
        for shape, options in SHAPES.items():
            results = compare(ours, theirs, options)
            for name, rounds in zip(("covey", "nginx"), results):
                rates, costs, *busy = zip(*rounds)
                busy = ", ".join(f"{statistics.median(values):.0%}" for values in busy)
                print(f"| {shape} | {name} | {shown(rates, 0)} | {shown(costs, 2)} | {busy} |")
            pairs = list(zip(*results))
            rate = [a[0] / b[0] for a, b in pairs]
            cost = [a[1] / b[1] for a, b in pairs]
            print(f"| | covey : nginx | {shown(rate, 2)} | {shown(cost, 2)} | |", flush=True)
    print()
