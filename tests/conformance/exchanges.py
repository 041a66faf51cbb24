"""The raw exchanges of exchanges/*.txt: what is sent to the test host, and what must come back.

    name of the exchange
    > bytes to send; Python's escapes; {a*100} is a hundred a's; lines are joined as they are
    < 200 body          an answer, with this body (escapes) if one is given; {< 200*20} is twenty of them
    < head 200          an answer to HEAD: no body, whatever its head says
    < 100               the client has been told to continue; what is sent below this line, is sent then
    < open              then the connection stays, and serves another request
    < closed            then the server closes, as its last answer says, without a reset
    < closed later      the same, but it was not known yet when the answer was sent
    < cut               then it closes within the last answer
    maybe 100           a 100 may come in front of the answer: it depends on when the body comes
    waits               the client sends nothing more before the answer has come
    whole               not cut: a client that goes on after its own `close` may meet a closed socket
    fin                 before the outcome is awaited, the client shuts down its side

Numbers in names and headings are sections of RFC 9112, or of the RFC that is named. `exchanges.py FOLDER` writes what
each sends to a file.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Answer:
    status: int
    body: bytes = None  # None: any
    to_head: bool = False


@dataclass
class Step:
    sent: bytes = b""
    answers: list = field(default_factory=list)


@dataclass
class Exchange:
    name: str
    steps: list = field(default_factory=lambda: [Step()])
    fin: bool = False
    whole: bool = False
    waits: bool = False
    maybe_100: bool = False
    end: str = ""

    @property
    def sent(self):
        return b"".join(step.sent for step in self.steps)


FLAGS = {"fin": "fin", "whole": "whole", "waits": "waits", "maybe 100": "maybe_100"}


def unescape(text):
    repeated = re.sub(r"\{(.*?)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    return repeated.encode("latin-1").decode("unicode_escape").encode("latin-1")


def add_line(exchange, line):
    """A line of an exchange, behind its name."""
    many = re.fullmatch(r"\{(< .*)\*(\d+)\}", line)
    if many:
        for _ in range(int(many[2])):
            add_line(exchange, many[1])
    elif line.startswith("> "):
        if exchange.steps[-1].answers:
            exchange.steps.append(Step())
        exchange.steps[-1].sent += unescape(line[2:])
    elif line in FLAGS:
        setattr(exchange, FLAGS[line], True)
    elif line in ("< open", "< closed", "< closed later", "< cut"):
        exchange.end = line[2:]
    else:
        match = re.fullmatch(r"< (head )?(\d{3})(?: (.*))?", line)
        assert match, f"{exchange.name}: {line}"
        body = unescape(match[3]) if match[3] is not None else None
        exchange.steps[-1].answers.append(Answer(int(match[2]), body, match[1] is not None))


def load():
    """All exchanges."""
    exchanges = []
    for path in sorted((Path(__file__).parent / "exchanges").glob("*.txt")):
        for line in path.read_text().splitlines():
            if line.startswith("#") or line == "":
                continue
            if line[0] in "<>{" or line in FLAGS:
                add_line(exchanges[-1], line)
            else:
                exchanges.append(Exchange(f"{path.stem}: {line}"))
    assert all(exchange.end for exchange in exchanges)
    assert len({exchange.name for exchange in exchanges}) == len(exchanges)
    return exchanges


def dump(folder):
    """Writes what each sends to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, exchange in enumerate(load()):
        (folder / f"{number:03}").write_bytes(exchange.sent)


if __name__ == "__main__":
    dump(Path(sys.argv[1]))
