"""Replays exchanges/*.txt (exchanges.py has their format), each in many ways:

whole, cut in two at every byte, and byte by byte: the outcome is the same;
with another request behind it: after an end that request is not interpreted;
twice in one go: where the first ends, the second begins.
"""

import re
import socket
import subprocess
import time
from dataclasses import replace

import pytest
from exchanges import Step, dump, load
from harness import BUILD, EMULATOR

# Long enough for the server to have read what was sent so far, mostly; correctness does not depend on it.
PAUSE = 0.0005
CUT_MAX = 400  # longer exchanges are cut at their first and last bytes only
REPEATED_MAX = 4000
BATCH = 40  # clients at once
ANOTHER = b"GET /known HTTP/1.1\r\nHost: x\r\n\r\n"


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
        assert len(fields) == len(lines) - 1, f"one comes twice: {lines}"
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


class Client:
    """One exchange, sent in pieces: a list of them for each step."""

    def __init__(self, exchange, pieces, host):
        self.exchange, self.pieces = exchange, pieces
        self.socket = host.connect()
        self.reader = Reader(self.socket)
        self.complete, self.fields = True, {}

    def send(self, step, number):
        if number < len(self.pieces[step]):
            self.socket.sendall(self.pieces[step][number])

    def take(self, step):
        """Takes the answers of a step, which must be those of the exchange."""
        for wanted in self.exchange.steps[step].answers:
            got, fields, body, complete = self.reader.answer(wanted.to_head)
            if got == 100 and wanted.status != 100 and self.exchange.maybe_100:
                got, fields, body, complete = self.reader.answer(wanted.to_head)
            assert (got, body if wanted.body is not None else None) == (wanted.status, wanted.body)
            assert ("date" in fields) == (got >= 200)
            self.complete, self.fields = complete, fields

    def finish(self):
        assert self.complete == (self.exchange.end != "cut")
        if self.exchange.end == "open":
            assert self.fields.get("connection") != "close"
            self.socket.sendall(ANOTHER)
            assert self.reader.answer(False)[::2] == (200, b"one two three")
            return
        assert not self.reader.more() and self.reader.buffer == b""
        if self.exchange.end == "closed" and not self.exchange.fin:
            assert self.fields.get("connection") == "close"


def at_once(clients):
    """Sends to all of them in turn, so that one pause does for all, then takes their answers."""
    exchange = clients[0].exchange
    for step in range(len(exchange.steps)):
        count = max(len(client.pieces[step]) for client in clients)
        for number in range(count):
            for client in clients:
                client.send(step, number)
            if count > 1:
                time.sleep(PAUSE)
        if exchange.fin and step == len(exchange.steps) - 1:
            for client in clients:
                client.socket.shutdown(socket.SHUT_WR)
        for client in clients:
            yield client, lambda client=client, step=step: client.take(step)
    for client in clients:
        yield client, client.finish


def check(exchange, host, ways):
    for first in range(0, len(ways), BATCH):
        clients = [Client(exchange, pieces, host) for pieces in ways[first : first + BATCH]]
        try:
            for client, action in at_once(clients):
                try:
                    action()
                except (AssertionError, OSError) as error:
                    pieces = [[piece[-40:] for piece in step][:4] for step in client.pieces]
                    raise AssertionError(f"sent as {pieces}: {error!r}") from error
        finally:
            for client in clients:
                client.socket.close()


def cuts_of(exchange):
    """Whole, cut in two, byte by byte: the pieces of each step."""
    steps = [step.sent for step in exchange.steps]
    yield [[sent] for sent in steps]
    if exchange.whole:
        return
    for number, sent in enumerate(steps):
        cuts = range(1, len(sent))
        if len(sent) > CUT_MAX:
            cuts = [*range(1, 60), *range(len(sent) - 20, len(sent))]
        for cut in cuts:
            yield [[sent[:cut], sent[cut:]] if here == number else [other] for here, other in enumerate(steps)]
    if all(len(sent) <= CUT_MAX for sent in steps):
        yield [[bytes([byte]) for byte in sent] for sent in steps]


EXCHANGES = load()


def parametrize(exchanges):
    return pytest.mark.parametrize("exchange", exchanges, ids=lambda exchange: exchange.name.replace(" ", "_"))


@parametrize(EXCHANGES)
def test_exchange(exchange, shared_host):
    check(exchange, shared_host, list(cuts_of(exchange)))


@parametrize([exchange for exchange in EXCHANGES if exchange.end != "open" and not (exchange.fin or exchange.waits)])
def test_nothing_behind_an_end_is_interpreted(exchange, shared_host):
    *steps, last = exchange.steps
    followed = replace(exchange, steps=[*steps, Step(last.sent + ANOTHER, last.answers)])
    check(followed, shared_host, [[[step.sent] for step in followed.steps]])


@parametrize([one for one in EXCHANGES if one.end == "open" and len(one.steps) == 1 and len(one.sent) < REPEATED_MAX])
def test_twice_in_one_go_is_two_exchanges(exchange, shared_host):
    step = exchange.steps[0]
    twice = replace(exchange, steps=[Step(step.sent * 2, step.answers * 2)])
    check(twice, shared_host, [[[step.sent * 2]]])


def test_the_parser_reads_each_alike_in_pieces_and_as_a_second_reader_does(tmp_path):
    dump(tmp_path)
    subprocess.run([*EMULATOR, BUILD / "tests/differential/differential", "0", "1", tmp_path], check=True)
