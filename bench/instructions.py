"""How many instructions a request costs a server in its own code, the kernel's not counted: by valgrind's callgrind.

The same again every time, whatever else the machine does. Starting and stopping cancel out: what counts is the
difference between a run with FEW requests and one with MANY, on one connection, one at a time or in batches.
"""

import collections
import re
import signal
import socket

import harness
import peers
import rivals
import servers
import shapes

FEW, MANY = 1600, 3200
SMALL = b"GET / HTTP/1.1\r\nHost: localhost:8000\r\n\r\n"  # the least that a client sends
USUAL = shapes.Shape("", "", path="/").head()  # four fields


class Hello(peers.Peer):
    """The smallest app, in the process that is started."""

    name = "covey"

    def argv(self, server, quick):
        return [harness.BUILD / "examples/hello", "--single-process", "--port", server.port]


class Nginx(peers.Nginx):
    """In the process that is started; it closes no connection for having served many requests."""

    def argv(self, server, quick):
        command = super().argv(server, quick)
        conf = server.folder / "nginx.conf"
        conf.write_text("master_process off;\n" + conf.read_text())
        return command


class Sized(rivals.Floor):
    """The floor, told how long the request is."""

    def __init__(self, request):
        super().__init__(shapes.ALL["keep-alive"])
        self.request = request

    def command(self, server, conf):
        return [peers.BUILT / "floor", server.port, len(self.request), self.shape.body]


class Counted:
    """A peer that runs under callgrind."""

    def __init__(self, peer):
        self.peer, self.name = peer, peer.name

    def __getattr__(self, name):
        return getattr(self.peer, name)

    def argv(self, server, quick):
        return ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={server.folder}/callgrind",
                *self.peer.argv(server, quick)]


def total(text):
    """The sum of instructions in a file of callgrind."""
    found = re.search(r"^(?:totals|summary): (\d+)$", text, re.MULTILINE)
    if not found:
        raise RuntimeError("callgrind has left no sum")
    return int(found[1])


def by_function(text):
    """{function: its own instructions} in a file of callgrind; clones of a function count as one."""
    names, found, name, callee = {}, collections.Counter(), "", False
    for line in text.splitlines():
        if match := re.match(r"(c?)fn=\((\d+)\)(?: (.+))?$", line):
            names.setdefault(match[2], re.split(r"[.'@]", match[3] or "")[0])
            name = name if match[1] else names[match[2]]
        elif line.startswith("calls="):
            callee = True
        elif match := re.match(r"(?:[+-]?\d+|\*) (\d+)$", line):
            found[name] += 0 if callee else int(match[1])
            callee = False
    return found


def ask(address, request, count, batch):
    """So many requests after a first, `batch` at once, on one connection."""
    with socket.create_connection(address, 30) as client:
        client.sendall(request)
        size = len(client.recv(65536))
        for _ in range(count // batch):
            client.sendall(request * batch)
            left = size * batch
            while left > 0:
                got = len(client.recv(min(left, 65536)))
                if got == 0:
                    raise RuntimeError("the connection is lost")
                left -= got


def run(peer, request, count, batch):
    """What callgrind says of a server that is asked so often, from its start to its end."""
    with servers.Server(Counted(peer)) as server:
        server.wait_listening(30)
        ask(server.address, request, count, batch)
        server.send(server.pid, signal.SIGTERM)
        server.wait_code(30)
        return (server.folder / "callgrind").read_text()


def per_request(peer, request, batch):
    """(instructions of a request, {function: its own})"""
    few, many = (run(peer, request, count, batch) for count in (FEW, MANY))
    own, before = by_function(many), by_function(few)
    return ((total(many) - total(few)) / (MANY - FEW),
            {name: (own[name] - before[name]) / (MANY - FEW) for name in own})
