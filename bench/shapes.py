"""The shapes of traffic that servers are compared in (throughput.py)."""

import dataclasses

DEPTH = 16
FILES = {"hello.txt": b"Hello, World!", "1k.txt": b"k" * 1024, "64k.txt": b"f" * 65536}
ECHO = b"e" * 4096


@dataclasses.dataclass(frozen=True)
class Shape:
    key: str
    title: str
    path: str = "/hello.txt"
    body: int = 13  # bytes of the answer's body
    depth: int = 1  # requests sent at once
    close: bool = False  # a connection per request
    echo: bool = False  # POST; the answer is what was sent
    goal: float = 0  # x, the CPU of a request against the floor's, is to be at most that
    paths: tuple = ()  # all as long as `path`: asked in turn, in its place

    def head(self, path=None):
        """The request's head: four fields, those of TechEmpower's benchmark, and what the shape needs."""
        lines = [f"{'POST' if self.echo else 'GET'} {path or self.path} HTTP/1.1", "Host: localhost",
                 "Accept: text/plain,text/html;q=0.9,application/xhtml+xml;q=0.9,application/xml;q=0.8,*/*;q=0.7",
                 f"Connection: {'close' if self.close else 'keep-alive'}"]
        if self.echo:
            lines += ["Content-Type: text/plain", f"Content-Length: {len(ECHO)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def request(self):
        return self.head() + (ECHO if self.echo else b"")

    def requests(self):
        """Those that are asked in turn."""
        return [self.head(path) for path in self.paths] or [self.request()]


ALL = {shape.key: shape for shape in (
    Shape("keep-alive", "keep-alive", goal=1.10),
    Shape("pipelined", f"pipelined, {DEPTH} deep", depth=DEPTH, goal=1.5),
    Shape("close", "a connection per request", close=True, goal=0.80),
    Shape("1k", "body of 1 KiB", path="/1k.txt", body=1024, goal=1.10),
    Shape("echo", "POST of 4 KiB, echoed", path="/echo", body=len(ECHO), echo=True, goal=1.10),
    Shape("file", "file of 64 KiB", path="/64k.txt", body=65536, goal=1.05),
)}
