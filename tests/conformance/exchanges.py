"""The exchanges of exchanges.txt, and a way to have what they send as files: exchanges.py FOLDER."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Exchange:
    name: str
    sent: bytes = b""
    answers: list = field(default_factory=list)  # (status, body or None, is it to HEAD)
    fin: bool = False
    whole: bool = False
    end: str = ""


def unescape(text):
    repeated = re.sub(r"\{(.*?)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    return repeated.encode("latin-1").decode("unicode_escape").encode("latin-1")


def add_line(exchange, line):
    """A line of an exchange, behind its name."""
    if line.startswith("> "):
        exchange.sent += unescape(line[2:])
    elif line == "fin":
        exchange.fin = True
    elif line == "whole":
        exchange.whole = True
    elif line in ("< open", "< closed", "< cut"):
        exchange.end = line[2:]
    else:
        match = re.fullmatch(r"< (head )?(\d{3})(?: (.*))?", line)
        assert match, f"{exchange.name}: {line}"
        body = unescape(match[3]) if match[3] is not None else None
        exchange.answers.append((int(match[2]), body, match[1] is not None))


def load():
    """The exchanges of the file."""
    exchanges = []
    for line in (Path(__file__).parent / "exchanges.txt").read_text().splitlines():
        if line.startswith("#") or line == "":
            continue
        if line[0] in "<>" or line in ("fin", "whole"):
            add_line(exchanges[-1], line)
        else:
            exchanges.append(Exchange(line))
    assert all(exchange.end for exchange in exchanges)
    return exchanges


def dump(folder):
    """Writes what each sends to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, exchange in enumerate(load()):
        (folder / f"{number:03}").write_bytes(exchange.sent)


if __name__ == "__main__":
    dump(Path(sys.argv[1]))
