"""What one request costs each server, in each shape of traffic (shapes.py, rivals.py).

All run one worker on CPU 0, the client has CPU 1. The rounds go from server to server, because a machine that is
shared changes its speed within minutes. What counts is the CPU time of the server, not requests a second: the client is
saturated first. And of that the least of the rounds, against the least of the floor's: what disturbs only ever adds.
"""

import contextlib
import dataclasses
import sys

import peers
import rivals
import servers
import shapes
import traffic

ROUNDS, SECONDS = 7, 1.2
QUICK_ROUNDS, QUICK_SECONDS = 5, 0.4


def one_round(server, client):
    before = server.cpu_seconds()
    found = client.run()
    cpu = server.cpu_seconds() - before
    return {"cpu_us": cpu / found["requests"] * 1e6, "rate": found["requests"] / found["seconds"],
            "server_busy": cpu / found["seconds"], "client_busy": found["client_cpu"] / found["seconds"],
            "p50_us": found["p50_us"], "p99_us": found["p99_us"]}


@dataclasses.dataclass(frozen=True)
class Case:
    """One server that takes its turns with others, and what it is asked."""

    rival: peers.Peer
    shape: shapes.Shape
    workers: int = 1
    connections: int = traffic.CONNECTIONS
    pinned: bool = True  # the server has CPU 0 and its client CPU 1, or each has all


def start(stack, case, seconds):
    """(server, client) of a case, until the stack is left."""
    cpus = (traffic.SERVER_CPU, traffic.CLIENT_CPU) if case.pinned else (None, None)
    server = stack.enter_context(servers.Server(case.rival, case.workers, cpu=cpus[0]))
    try:
        server.wait_listening()
        if case.workers > 1:
            case.rival.gather(server)
        client = traffic.Client(server, case.shape, seconds, case.connections, cpus[1])
    except (AssertionError, OSError, RuntimeError) as error:
        raise RuntimeError(f"failed: {error}; {server.tail(3)}") from error
    return server, stack.enter_context(client)


def take_turns(cases, rounds, seconds):
    """{key: rounds} of {key: case}, a sentence for one that failed."""
    running, found = {}, {}
    with contextlib.ExitStack() as stack:
        for key, case in cases.items():
            try:
                running[key], found[key] = start(stack, case, seconds), []
            except (OSError, RuntimeError) as error:
                found[key] = str(error)
                print(f"  {key}: {error}", file=sys.stderr)
        for number in range(rounds):
            for key in list(running)[::1 if number % 2 == 0 else -1]:
                try:
                    found[key].append(one_round(*running[key]))
                except (OSError, RuntimeError) as error:
                    found[key] = f"failed: {error}"
                    del running[key]
                    print(f"  {key}: {error}", file=sys.stderr)
    return found


def compare(shape, quick=False):
    """{server: rounds}, a sentence for one that failed."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if quick else (ROUNDS, SECONDS)
    return take_turns({rival.name: Case(rival, shape) for rival in rivals.of(shape)}, rounds, seconds)


def least(rounds, key="cpu_us"):
    return min(each[key] for each in rounds)


def best_rate(rounds):
    return max(each["rate"] for each in rounds)


def measure(quick=False):
    """{shape: {server: rounds}}"""
    found = {}
    for key, shape in shapes.ALL.items():
        found[key] = compare(shape, quick)
        for name, rounds in found[key].items():
            if not isinstance(rounds, str):
                x = least(rounds) / least(found[key]["floor"])
                print(f"  {key}: {name}: {least(rounds):.2f} us, x {x:.2f}, {best_rate(rounds):.0f}/s, "
                      f"busy {rounds[-1]['server_busy']:.2f} {rounds[-1]['client_busy']:.2f}", file=sys.stderr, flush=True)
    return found
