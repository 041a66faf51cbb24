"""How evenly connections come to workers: one shared listener, and PER_SLOT_LISTENERS.

    python3 bench/balance.py        prints the table of docs/supervision.md

Uses the tests' harness (tests/lib). What a worker holds is the kernel's word.
"""

import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "lib"))

from load import accepted  # noqa: E402
from server import Server  # noqa: E402

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


main()
