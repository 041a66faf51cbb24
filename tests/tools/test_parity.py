"""docs/sanic-parity.md: every row of it is there, has a state, and names what exists."""

import collections
import pathlib
import re

import pytest

from named_tests import NAME, missing

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/sanic-parity.md").read_text()
HEADERS = "".join(path.read_text() for path in sorted((ROOT / "include/covey").glob("*.h")))
COMMANDS = "".join(path.read_text() for path in sorted((ROOT / "src/cli").rglob("*.[ch]")))
SETTINGS = set(re.findall(r"^ +X\((\w+),", (ROOT / "src/cli/settings/conf.def").read_text(), re.MULTILINE))

# How many lines the inventory of Sanic has in each group.
GROUPS = {"A": 38, "B": 12, "C": 25, "D": 25, "E": 10, "F": 10, "G": 13, "H": 22, "I": 17, "J": 17, "K": 11, "L": 5,
          "M": 6, "N": 7, "O": 14, "P": 13, "Q": 6, "R": 4, "S": 4, "T": 12}
STATES = ["done", "differs", "later", "not"]
LATER = re.compile(r"\b(TLS|WebSocket|HTTP/2|HTTP/3|Python)\b")
SAME = re.compile(r"as [A-T]\d+\b")  # the reason of another row


def rows(pattern):
    """[cells] of the lines of tables whose first cell is like the pattern."""
    lines = re.findall(rf"^\| (?:{pattern}) \|.*\|$", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


ROWS = rows(r"[A-Z]\d+")


def unknown(text):
    """What is named in backticks as covey's, and is not there."""
    for name in re.findall(r"`([^`]+)`", text):
        symbol = re.match(r"(covey_\w+|COVEY_[A-Z_]*[A-Z])\b", name)
        field = re.fullmatch(r"\.(\w+)", name)
        command = re.match(r"covey (\w+)", name)
        if (symbol and not re.search(rf"\b{symbol[1]}\b", HEADERS)
                or field and not re.search(rf"\b{field[1]};", HEADERS)
                or command and f'"{command[1]}"' not in COMMANDS
                or re.fullmatch(r"[A-Z][A-Z_]+", name) and not symbol and name not in SETTINGS):
            yield name


def test_every_line_of_the_inventory_has_one_row():
    assert [row[0] for row in ROWS] == [f"{group}{i}" for group, n in GROUPS.items() for i in range(1, n + 1)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_row(row):
    assert len(row) == 5, "a cell contains a bar"
    assert all(row), "a cell is empty"
    _, _, covey, state, text = row
    assert state in STATES
    words = NAME.sub("", text).split()
    assert missing(text) == [], "tests that do not exist"
    assert list(unknown(covey + NAME.sub("", text))) == [], "names that do not exist"
    if state == "done":
        assert NAME.search(text), "no test"
        assert not covey.startswith("no"), "no name of covey's"
    if state in ("differs", "not"):
        assert len(words) >= 5 or SAME.match(text), "no reason"
    if state == "later":
        assert LATER.search(text), "which issue brings it?"


@pytest.mark.parametrize("group", [*GROUPS, "all"])
def test_counts_are_right(group):
    counts = collections.Counter(row[3] for row in ROWS if group in (row[0][0], "all"))
    right = [sum(counts.values()), *(counts[state] for state in STATES)]
    said = [row for row in rows(r"\*\*all\*\*" if group == "all" else rf"\[{group}[^|]*")]
    assert [[int(cell.strip("*")) for cell in row[1:]] for row in said] == [right]
