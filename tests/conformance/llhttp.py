#!/usr/bin/env python3
"""Compares covey with llhttp's request fixtures, read from a checkout of https://github.com/nodejs/llhttp.

    tests/conformance/llhttp.py CHECKOUT [BUILD]

llhttp's verdict on a fixture is taken from its events: how many messages were complete, and whether an error followed or
another one had begun. A fixture of a lenient mode counts as one to be refused. Where a request has no Host, which llhttp
does not look at, one is put in. Prints what differs. Exit code 1 if that is not what DIFFERENCES says; why each of those is
right is said in docs/conformance.md.
"""

import re
import subprocess
import sys
from pathlib import Path

DIFFERENCES = {
    "what follows a close is not read, so it is not refused": [
        "connection: No restart when keep-alive is off (1.0)",
        "connection: Resetting flags when keep-alive is off (1.0, lenient)",
        "connection: CRLF between requests, explicit `close`",
        "connection: CRLF between requests, explicit `close` followed by tab",
        "connection: CRLF between requests, explicit `close` (lenient)",
    ],
    "Upgrade is ignored: what follows is the next request": [
        "connection: Multiple tokens with folding and LWS",
        "connection: Emitting part of body and pausing",
        "connection: Upgrade GET request",
        "connection: Upgrade POST request",
    ],
    "CONNECT is not implemented": [
        "method: CONNECT request",
        "method: CONNECT request with CAPS",
        "method: CONNECT with body",
        "uri: Underscore in hostname",
    ],
    "every token is a method": [
        "invalid: HTTP protocol and ANNOUNCE method",
        "invalid: Invalid method",
    ],
    "only HTTP/1 is spoken": [
        "method: SOURCE request with ICE",
        "method: OPTIONS request with RTSP",
        "method: ANNOUNCE request with RTSP",
        "method: PRI request HTTP2",
        "sample: No HTTP version",
    ],
    "the asterisk is for OPTIONS": ["method: M-SEARCH request"],
    "no coding below chunked is implemented": [
        "transfer-encoding: POST with `chunked` as last transfer-encoding",
        "transfer-encoding: POST with `chunked` as last transfer-encoding (multiple headers)",
    ],
    "a target is a URI without user name and fragment": [
        "uri: Quotes in URI",
        "uri: Fragment in URI",
        "uri: `host:port` and basic auth",
    ],
    "the version is judged with its line": ["invalid: Invalid HTTP version"],
    "the fixture is about something else: its first request is fine": [
        "lenient-headers: Second request header value (lenient)",
    ],
    "a parser's mode in which bodies are left out": [
        "content-length: Content-Length reset when no body is received",
    ],
}

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
    """(file and title, kind of parser, input, events) of each."""
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
            yield f"{path.stem}: {titles[-1]}", kind, input_of(blocks["http"]), blocks["log"]


def expected(kind, events):
    """The number of complete messages, and what came of the rest."""
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
    """`data` with a Host in every request that needs one."""
    def add(match):
        has = re.search(rb"^host[ \t]*:", match[2], re.MULTILINE | re.IGNORECASE)
        authority = re.match(rb"[A-Z]+ https?://([^/? ]*)", match[1])
        return match[1] + (b"" if has else b"Host: " + (authority[1] if authority else b"x") + b"\r\n") + match[2]
    return REQUEST.sub(add, data)


def main():
    checkout = Path(sys.argv[1])
    program = Path(sys.argv[2] if len(sys.argv) > 2 else "build") / "tests/conformance/verdict"
    agreed = {name: reason for reason, names in DIFFERENCES.items() for name in names}
    count = {"same": 0, "agreed": 0, "other": 0}
    for name, kind, data, events in fixtures(checkout):
        data = with_host(data)
        wanted, got = expected(kind, events), verdict(program, data)
        if wanted == got:
            count["same"] += 1
            continue
        reason = agreed.pop(name, None)
        count["agreed" if reason else "other"] += 1
        print(f"{name}: llhttp {wanted}, covey {got}: {reason or data}")
    for name in agreed:
        print(f"{name}: there is no such difference any more")
    print(f"{sum(count.values())} fixtures: {count['same']} agree, {count['agreed']} differ as they should, {count['other']} otherwise")
    return 1 if count["other"] or agreed else 0


if __name__ == "__main__":
    sys.exit(main())
