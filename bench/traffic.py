"""The client that makes the traffic of a shape: bench/load, and where it and the server run."""

import json
import os
import subprocess

import peers

CONNECTIONS = 64
PINNED = os.sched_getaffinity(0) >= {0, 1}
SERVER_CPU, CLIENT_CPU = (0, 1) if PINNED else (None, None)


class Client:
    """bench/load, connected to a server; as a context manager it is gone at the end."""

    def __init__(self, server, shape, seconds, connections=CONNECTIONS, cpu=CLIENT_CPU):
        requests = shape.requests()
        file = server.folder / "requests"
        file.write_bytes(b"".join(requests))
        words = [peers.BUILT / "load", server.port, connections, shape.depth, seconds, file, "kinds", len(requests),
                 *["close"] * shape.close]
        self.name = server.peer.name

        def prepare():
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self.process = subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=prepare)
        self.hear()

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client of {self.name}: {self.process.communicate()[1].strip()}")
        return line

    def run(self):
        """Asks for the time that was given: {"requests", "seconds", "client_cpu" in seconds, "p50_us", "p99_us"}."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.hear())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
