"""A small HTTP/1.1 client over raw sockets that hides nothing: tests decide about every byte."""

import socket
import time
from dataclasses import dataclass, field


class Closed(Exception):
    """The server closed the connection before a whole answer was there."""


@dataclass
class Response:
    status: int
    reason: str
    version: str
    fields: list = field(default_factory=list)
    body: bytes = b""

    def header(self, name):
        """The value of a header field, None if there is none such."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def closes(self):
        connection = (self.header("Connection") or "").lower()
        return "close" in connection or (self.version == "HTTP/1.0" and "keep-alive" not in connection)


class Connection:
    """One connection. `address` is (host, port) or the path of a Unix socket."""

    def __init__(self, address, timeout=20.0):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, method, path, body=None, **fields):
        """Sends a request. Field names are written with _ for -."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def request(self, method, path, body=None, **fields):
        self.ask(method, path, body, **fields)
        return self.response(head=method == "HEAD")

    def get(self, path, **fields):
        return self.request("GET", path, **fields)

    def post(self, path, body=b"", **fields):
        return self.request("POST", path, body, **fields)

    def response(self, head=False):
        """Reads one final answer (`head`: without body); 1xx answers are returned as such."""
        status_line, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
        version, status, reason = (status_line.split(" ", 2) + [""])[:3]
        answer = Response(int(status), reason, version,
                          [tuple(part.strip() for part in line.split(":", 1)) for line in lines])
        if head or answer.status < 200 or answer.status in (204, 304):
            return answer
        if "chunked" in (answer.header("Transfer-Encoding") or "").lower():
            answer.body = self._chunks()
        elif answer.header("Content-Length") is not None:
            answer.body = self._exactly(int(answer.header("Content-Length")))
        else:
            answer.body = self.rest()
        return answer

    def rest(self):
        """Everything until the server closes. A reset ends it too."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                found, self.buffer = self.buffer, b""
                return found
            self.buffer += data

    def closed(self, within=5.0):
        """Whether the server closes within that time without sending anything more."""
        before = self.socket.gettimeout()
        self.socket.settimeout(within)
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(before)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed(f"{error}; had {self.buffer[:200]!r}") from None
        if not data:
            raise Closed(f"closed; had {self.buffer[:200]!r}")
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        end = self.buffer.index(mark) + len(mark)
        found, self.buffer = self.buffer[:end], self.buffer[end:]
        return found

    def _exactly(self, size):
        while len(self.buffer) < size:
            self._more()
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self._until(b"\r\n") != b"\r\n":
                    pass
                return body
            body += self._exactly(size)
            assert self._exactly(2) == b"\r\n"


def eventually(what, check, timeout=10.0, pause=0.01):
    """Calls `check` until it returns something true, which is returned; fails naming `what`."""
    until = time.monotonic() + timeout
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(pause)
