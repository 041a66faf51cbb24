"""A manager in the place of systemd: the socket it gives its services, and what they say there."""

import os
import secrets
import select
import socket
import sys
import time


class Manager:
    """Receives what one service says by sd_notify(3); `env` is what the service gets.

    The socket lies in `folder`, or in the abstract namespace if there is none.
    """

    def __init__(self, folder=None, watchdog=None):
        name = f"{folder}/notify" if folder else "\0covey-test-" + secrets.token_hex(8)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(name)
        self.env = {"NOTIFY_SOCKET": name.replace("\0", "@")}
        if watchdog:
            self.env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        self.said = []  # (time, sender's pid, text)

    def close(self):
        self.socket.close()

    def hear(self, wait=0.0):
        """Takes in what has been said, waiting up to `wait` for the first of it."""
        while select.select([self.socket], [], [], wait)[0]:
            data, ancillary, _, _ = self.socket.recvmsg(4096, 256)
            pid = int.from_bytes(ancillary[0][2][:4], "little")
            self.said.append((time.monotonic(), pid, data.decode()))
            wait = 0.0
        return self

    def texts(self, keep=("READY", "RELOADING", "STOPPING", "MAINPID", "STATUS")):
        """The messages but for signs of life, in order."""
        self.hear()
        return [text for _, _, text in self.said if any(line.partition("=")[0] in keep for line in text.splitlines())]

    def states(self):
        """The changes of state, in order: ["READY", "RELOADING", ...]."""
        return [line.partition("=")[0] for text in self.texts() for line in text.splitlines()
                if line in ("READY=1", "RELOADING=1", "STOPPING=1") or line.startswith("MAINPID")]

    def times(self, line):
        """When exactly that line was said."""
        self.hear()
        return [when for when, _, text in self.said if line in text.splitlines()]

    def wait_states(self, *states, timeout=15.0):
        until = time.monotonic() + timeout
        while self.states()[:len(states)] != list(states):
            rest = until - time.monotonic()
            assert rest > 0, f"not {states}, but {self.states()}: {self.said}"
            self.hear(min(rest, 0.2))
        return self


# Opens the sockets, leaves them at descriptor 3 and on, and becomes the command, as systemd does.
ACTIVATE = """
import os, socket, sys
split = sys.argv.index("--")
made = []
for word in sys.argv[1:split]:
    family, kind, name, listens = word.split(",")
    made.append(socket.socket(getattr(socket, family), getattr(socket, kind)))
    made[-1].bind(name if family == "AF_UNIX" else ("127.0.0.1", int(name)))
    if listens:
        made[-1].listen()
high = [os.dup2(each.fileno(), 100 + number) for number, each in enumerate(made)]
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ.setdefault("LISTEN_FDS", str(len(made)))
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ["LISTEN_FDNAMES"] = ":".join(["web"] * len(made))
os.execv(sys.argv[split + 1], sys.argv[split + 1:])
"""


def listening(name):
    """For activated(): a listening socket at a port or a path."""
    return f"{'AF_UNIX' if isinstance(name, str) else 'AF_INET'},SOCK_STREAM,{name},1"


def activated(*sockets):
    """A `wrap` for servers: the command is started with these sockets ("FAMILY,KIND,NAME,LISTENS")."""
    return lambda command: [sys.executable, "-c", ACTIVATE, *sockets, "--", *command]
