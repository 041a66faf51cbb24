"""The control socket as a client that is not covey's own sees it: its place, its messages."""

import contextlib
import os
import re
import socket
import struct
from pathlib import Path

from harness import ROOT

HEAD = struct.Struct("=II4Iq")  # kind, length of the body, 4 words, time: struct cv_message
STATUS, SCALE, RELOAD, RESTART, STOP, LOGS, UPGRADE, METRICS = range(128, 136)
FLEET, SLOTS, DONE, REGIONS = range(192, 196)
VERSION = int(re.search(r"CV_CONTROL_VERSION (\d+)", (ROOT / "src/supervise/control/message.h").read_text())[1])


def folder_of(server):
    return Path(server.cwd) / "covey"


def socket_of(server):
    return folder_of(server) / f"{Path(server.argv[0]).name}-{server.guardian}.sock"


@contextlib.contextmanager
def raw(path):
    """A connection to a control socket, whatever the length of its path."""
    folder = os.open(Path(path).parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(f"/proc/self/fd/{folder}/{Path(path).name}")
            connection.settimeout(10)
            yield connection
        finally:
            os.close(folder)


def message(kind, number=0, version=VERSION, body=b""):
    return HEAD.pack(kind, len(body), number, 0, 0, version, 0) + body


def answer(connection):
    """(kind, word[0], body) of the next message; None at the end."""
    try:
        data = connection.recv(65536)
    except ConnectionResetError:
        data = b""
    if not data:
        return None
    kind, length, number, *_ = HEAD.unpack(data[:HEAD.size])
    assert length == len(data) - HEAD.size
    return kind, number, data[HEAD.size:]
