"""How long starting, stopping and replacing a crashed worker take, next to nginx in the same run."""

import os
import signal
import statistics
import time

import servers

ROUNDS = 11
SHAPES = [(name, workers) for workers in (1, 4) for name in servers.SERVERS]


def crash(server):
    """Seconds from the SIGKILL of one worker to the next 200 on a new connection."""
    pidfd = os.pidfd_open(server.workers()[0])
    sent = time.monotonic()
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    servers.first_answer(server.port, sent + servers.TIMEOUT)
    return time.monotonic() - sent


def one_life(name, workers):
    """(start to first 200, SIGKILL of a worker to the next 200, SIGTERM to nothing left), in seconds."""
    with servers.Server(name, workers) as server:
        started = server.wait_first_answer()
        crashed = crash(server)
        server.workers()  # until the crashed one is replaced
        time.sleep(0.2)
        return started, crashed, server.end(signal.SIGTERM)


def shown(seconds):
    ms = [value * 1000 for value in seconds]
    return f"{statistics.median(ms):.1f} ({max(ms):.1f})"


def report():
    lives = {shape: [] for shape in SHAPES}
    for _ in range(ROUNDS):
        for shape in SHAPES:
            lives[shape].append(one_life(*shape))

    print("### Start, crash, stop\n")
    print(f"Milliseconds, median of {ROUNDS} interleaved rounds (worst). Idle servers, nothing pinned.\n")
    print("| server | workers | start to first 200 | kill -9 of a worker to next 200 | TERM to nothing left |")
    print("|---|---:|---:|---:|---:|")
    for (name, workers), measured in lives.items():
        cells = " | ".join(shown(column) for column in zip(*measured))
        print(f"| {name} | {workers} | {cells} |")
    print()
