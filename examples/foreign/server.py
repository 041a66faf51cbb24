#!/usr/bin/env python3
"""Any program as covey's workers: Python's own http.server on the socket that covey has opened.

    covey run --workers 4 --notify -- examples/foreign/server.py

What it takes: serve on descriptor 3 (LISTEN_FDS), say READY=1, and finish on TERM.
"""

import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def tell(text):
    """sd_notify(3) in three lines."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(text.encode(), address.replace("@", "\0", 1))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = str(os.getpid()).encode() if self.path == "/pid" else b"Hello from Python!\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests in flight are finished


def main():
    assert os.environ.get("LISTEN_PID") == str(os.getpid()), "start me by: covey run -- examples/foreign/server.py"
    server = Server(("", 0), Handler, bind_and_activate=False)
    server.socket = socket.socket(fileno=3)
    server.socket.setblocking(False)  # all workers are woken by a connection, and one gets it
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    tell("READY=1\nSTATUS=serving")
    server.serve_forever(poll_interval=0.1)
    server.server_close()


main()
