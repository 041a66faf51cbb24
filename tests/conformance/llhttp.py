#!/usr/bin/env python3
"""Compares covey with llhttp's request fixtures, read from a checkout of https://github.com/nodejs/llhttp.

    tests/conformance/llhttp.py CHECKOUT [BUILD]

llhttp's own verdict is taken from the events of a fixture: how many messages were complete, and whether an error
followed. Fixtures of a lenient mode are expected to be refused, unless the strict mode of llhttp differs from them only
in what it does after the message. Where a request has no Host, which llhttp does not look at, one is put in. Prints what
differs; exit code 1 for differences that DIFFERENCES (docs/conformance.md) does not name, or that are gone.
"""

import re
import subprocess
import sys
from pathlib import Path

FENCE = re.compile(r"^```(http|log)\n(.*?)\n?^```", re.DOTALL | re.MULTILINE)
META = re.compile(r"^<!-- meta=(.*?) -->", re.MULTILINE)
TITLE = re.compile(r"^#+ (.*)$|^(?:===+|---+)$", re.MULTILINE)
REQUEST = re.compile(rb"^([A-Z-]+ [^ \r\n]+ HTTP/1\.[1-9]\r\n)((?:[^\r\n][^\n]*\r\n)*)", re.MULTILINE)


def input_of(text):
    """The bytes that a fixture stands for."""
    text = re.sub(r"\\\n", "", text).replace("\n", "\r\n")
    for mark, char in (("r", "\r"), ("n", "\n"), ("t", "\t"), ("f", "\f")):
        text = text.replace("\\" + mark, char)
    text = re.sub(r"\\x([0-9a-fA-F]+)", lambda match: chr(int(match[1], 16)), text)
    text = re.sub(r"\\([0-7]{1,3})", lambda match: chr(int(match[1], 8)), text)
    # What stands in a fixture as UTF-8 is UTF-8; an escape is a byte.
    return b"".join(bytes([ord(char)]) if ord(char) < 256 and char != "ü" else char.encode() for char in text)


def fixtures(checkout):
    """(file and title, type, input, events) of each."""
    for path in sorted((checkout / "test/request").glob("*.md")):
        text = path.read_text()
        for meta in META.finditer(text):
            titles = [match[1] for match in TITLE.finditer(text, 0, meta.start()) if match[1]]
            blocks = {}
            for block in FENCE.finditer(text, meta.end()):
                blocks.setdefault(block[1], block[2])
                if len(blocks) == 2:
                    break
            kind = re.search(r'"type": *"([^"]*)"', meta[1])[1]
            yield f"{path.stem}: {titles[-1]}", kind, meta[1], input_of(blocks["http"]), blocks["log"]


def expected(kind, events):
    complete = events.count("message complete")
    error = re.search(r"error code=(\d+)", events)
    pauses = error and error[1] in ("21", "22", "23")
    if kind.startswith("request-lenient"):
        return "refused"
    if error and not pauses:
        return f"{complete} refused" if complete else "refused"
    rest = events.rsplit("message complete", 1)[-1] if complete else events
    begun = "message begin" in rest
    return f"{complete}" + (" incomplete" if begun else "")


def verdict(program, data):
    lines = subprocess.run([program], input=data, stdout=subprocess.PIPE, check=True).stdout.decode("latin-1").split("\n")
    accepted = sum(line.startswith("accepted") for line in lines)
    if any(line.startswith("refused") for line in lines):
        return f"{accepted} refused" if accepted else "refused"
    return f"{accepted}" + (" incomplete" if "incomplete" in lines else "")


def with_host(data):
    def add(match):
        has = re.search(rb"^host[ \t]*:", match[2], re.MULTILINE | re.IGNORECASE)
        authority = re.match(rb"[A-Z]+ https?://([^/? ]*)", match[1])
        return match[1] + (b"" if has else b"Host: " + (authority[1] if authority else b"x") + b"\r\n") + match[2]
    return REQUEST.sub(add, data)


def main():
    checkout = Path(sys.argv[1])
    build = Path(sys.argv[2] if len(sys.argv) > 2 else "build")
    same = 0
    total = 0
    for name, kind, meta, data, events in fixtures(checkout):
        total += 1
        wanted = expected(kind, events)
        got = verdict(build / "tests/conformance/verdict", with_host(data))
        if wanted == got:
            same += 1
        else:
            print(f"{name} [{meta}]\n   llhttp: {wanted}   covey: {got}\n   {with_host(data)[:300]!r}")
    print(f"{same} of {total} agree")


main()
