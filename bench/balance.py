"""How evenly connections come to workers: one shared listener, and PER_SLOT_LISTENERS.

    python3 bench/balance.py        prints the table of docs/supervision.md

What a worker holds is the kernel's word.
"""

import statistics
import tempfile

import servers  # noqa: F401  first: it makes tests/lib known

import rivals
import shapes
import throughput
from load import accepted
from server import Server

WORKERS, CONNECTIONS, ROUNDS = 8, 256, 10


def spread(per_slot, at_once):
    """How many connections each worker gets: of one after the other, each asked once, or all at once."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, "hello", workers=WORKERS, per_slot_listeners=int(per_slot))
        try:
            server.wait_workers()
            server.wait_serving()
            connections = []
            for _ in range(CONNECTIONS):
                connections.append(server.connect())
                if at_once:
                    connections[-1].ask("GET", "/")
                else:
                    connections[-1].get("/")
            for connection in connections if at_once else []:
                connection.response()
            counts = [len(accepted(pid, server.port) - {0}) for pid in server.workers()]
            assert sum(counts) == CONNECTIONS, counts
            for connection in connections:
                connection.close()
            return counts
        finally:
            server.close()


def most_to_least(at_once):
    """How many connections the worker with most has for each of that with least, with the shared listener."""
    counts = spread(False, at_once)
    return max(counts) / max(min(counts), 1)


def rate_of_shared(rounds=7, seconds=0.5):
    """Requests a second with the shared listener against those with one per worker, the best rounds of each. The workers
    and the client have all CPUs."""
    cases = {per_slot: throughput.Case(rivals.Covey(per_slot_listeners=per_slot), shapes.ALL["keep-alive"], WORKERS,
                                       CONNECTIONS, pinned=False) for per_slot in (0, 1)}
    found = throughput.take_turns(cases, rounds, seconds)
    for outcome in found.values():
        if isinstance(outcome, str):
            raise RuntimeError(outcome)
    return throughput.best_rate(found[0]) / throughput.best_rate(found[1])


def row(name, how, per_slot, at_once):
    rounds = [spread(per_slot, at_once) for _ in range(ROUNDS)]
    least, most = (statistics.median(f(counts) for counts in rounds) for f in (min, max))
    deviation = statistics.median(statistics.pstdev(counts) for counts in rounds)
    worst = max(max(counts) for counts in rounds)
    print(f"| {name} | {how} | {least:.0f} | {most:.0f} | {deviation:.1f} | {worst} |", flush=True)


def main():
    print("| listeners | connections come | least | most | deviation | most in all rounds |")
    print("|---|---|---:|---:|---:|---:|")
    for name, per_slot in (("shared", False), ("per slot", True)):
        for how, at_once in (("one by one", False), ("at once", True)):
            row(name, how, per_slot, at_once)


if __name__ == "__main__":
    main()
