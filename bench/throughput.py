"""hello against nginx's `return 200`: requests a second, and what one request costs the server.

Both run one worker on CPU 0; wrk has CPU 1. The rounds alternate between them, because a machine that is
shared changes its speed within minutes: only ratios of neighbouring rounds mean something. wrk is slower
than either server, so that the CPU time of a request tells more than the rate.
"""

import os
import pathlib
import re
import statistics
import subprocess

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
    """Requests answered by the server while wrk ran."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/", *options]
    pin = (lambda: os.sched_setaffinity(0, {1})) if PINNED else None
    output = subprocess.run(
        command, preexec_fn=pin, capture_output=True, text=True, check=True, timeout=seconds + 30
    ).stdout
    if "Socket errors" in output or "Non-2xx" in output:
        raise RuntimeError(f"wrk reports errors:\n{output}")
    return int(re.search(r"(\d+) requests in", output)[1])


def one_round(server, options):
    """(requests a second, server CPU microseconds a request)"""
    before = server.cpu_seconds()
    requests = load(server.port, options, SECONDS)
    return requests / SECONDS, (server.cpu_seconds() - before) / requests * 1e6


def compare(ours, theirs, options):
    """The rounds of both, as [(rate, cost)] each."""
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
    where = "on CPU 0, wrk on CPU 1" if PINNED else "nothing pinned (one CPU)"
    print(f"One worker, {where}; {CONNECTIONS} connections; {ROUNDS} interleaved rounds of {SECONDS} s: median")
    print("(least-most).\n")
    print("| | server | requests/s | server CPU, us a request |")
    print("|---|---|---:|---:|")
    with servers.Server("covey", cpu=cpu) as ours, servers.Server("nginx", cpu=cpu) as theirs:
        ours.wait_first_answer()
        theirs.wait_first_answer()
        for shape, options in SHAPES.items():
            results = compare(ours, theirs, options)
            for name, rounds in zip(("covey", "nginx"), results):
                rates, costs = zip(*rounds)
                print(f"| {shape} | {name} | {shown(rates, 0)} | {shown(costs, 2)} |")
            pairs = list(zip(*results))
            rate = [a[0] / b[0] for a, b in pairs]
            cost = [a[1] / b[1] for a, b in pairs]
            print(f"| | covey : nginx | {shown(rate, 2)} | {shown(cost, 2)} |", flush=True)
    print()
