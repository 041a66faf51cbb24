"""Replays exchanges.txt: each whole, cut in two at every byte, and byte by byte."""

import re
import socket
import subprocess
import time

import pytest
from exchanges import dump, load
from harness import BUILD

# Long enough for the server to have read what was sent so far, mostly; correctness does not depend on it.
PAUSE = 0.0005
CUT_MAX = 400  # longer exchanges are cut at their first and last bytes only


class Reader:
    """Takes answers apart as they come."""

    def __init__(self, client):
        self.client, self.buffer, self.ended = client, b"", False

    def more(self):
        """False at the end of the connection."""
        piece = b"" if self.ended else self.client.recv(65536)
        self.ended = piece == b""
        self.buffer += piece
        return not self.ended

    def until(self, mark):
        while mark not in self.buffer:
            assert self.more(), f"ended within {self.buffer!r}"
        part, self.buffer = self.buffer.split(mark, 1)
        return part

    def exactly(self, count):
        """That many bytes, or fewer at the end of the connection."""
        while len(self.buffer) < count and self.more():
            pass
        part, self.buffer = self.buffer[:count], self.buffer[count:]
        return part

    def chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                if not self.more():
                    return body, False
            size = int(self.until(b"\r\n"), 16)
            body += self.exactly(size)
            assert self.exactly(2) in (b"\r\n", b"")
            if size == 0:
                return body, True

    def answer(self, to_head):
        """(status, fields, body, whether it is complete)."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.1 \d{3} [ -~]+", lines[0]), lines[0]
        status = int(lines[0].split()[1])
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        if to_head or status in (204, 304) or status < 200:
            assert not (status == 204 and {"content-length", "transfer-encoding"} & fields.keys())
            return status, fields, b"", True
        if "transfer-encoding" in fields:
            assert "content-length" not in fields
            return (status, fields, *self.chunks())
        if "content-length" in fields:
            length = int(fields["content-length"])
            body = self.exactly(length)
            return status, fields, body, len(body) == length
        while self.more():
            pass
        return status, fields, self.exactly(len(self.buffer)), True


def send_pieces(client, pieces, fin):
    """Sends; the server may close before all is taken."""
    try:
        for piece in pieces:
            client.sendall(piece)
            if len(pieces) > 1:
                time.sleep(PAUSE)
        if fin:
            client.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise AssertionError("reset while sending") from error


def check_open(client, reader):
    client.sendall(b"GET /known HTTP/1.1\r\nHost: x\r\n\r\n")
    assert reader.answer(False)[::2] == (200, b"one two three")


def check(exchange, host, pieces):
    with host.connect() as client:
        send_pieces(client, pieces, exchange.fin)
        reader = Reader(client)
        complete = True
        for status, body, to_head in exchange.answers:
            got, fields, content, complete = reader.answer(to_head)
            assert (got, content if body is not None else None) == (status, body)
            assert "date" in fields
        assert complete == (exchange.end != "cut")
        if exchange.end == "open":
            assert fields.get("connection") != "close"
            check_open(client, reader)
        else:
            assert not reader.more() and reader.buffer == b""


def pieces_of(exchange):
    """The ways in which it is sent: whole, cut in two, byte by byte."""
    sent = exchange.sent
    yield [sent]
    if exchange.whole:
        return
    cuts = range(1, len(sent))
    if len(sent) > CUT_MAX:
        cuts = [*range(1, 60), *range(len(sent) - 20, len(sent))]
    for cut in cuts:
        yield [sent[:cut], sent[cut:]]
    if len(sent) <= CUT_MAX:
        yield [bytes([byte]) for byte in sent]


@pytest.mark.parametrize("exchange", load(), ids=lambda exchange: exchange.name.replace(" ", "_"))
def test_exchange(exchange, shared_host):
    for pieces in pieces_of(exchange):
        try:
            check(exchange, shared_host, pieces)
        except (AssertionError, OSError) as error:
            raise AssertionError(f"sent as {[piece[-40:] for piece in pieces][:4]}: {error!r}") from error


def test_the_parser_reads_each_alike_in_pieces_and_as_a_second_reader_does(tmp_path):
    dump(tmp_path)
    subprocess.run([BUILD / "tests/differential/differential", "0", "1", tmp_path], check=True)
