"""docs/scenarios.md and the table of guarantees name tests, and those tests are there."""

import ast
import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TESTS = ROOT / "tests"
ROW = re.compile(r"^\| (\d+) \|.*\|$", re.MULTILINE)
NAME = re.compile(r"`([\w/]+\.(?:py|c))::([\w-]+)`")


def rows(page, behind):
    """[(number, line)] of the tables behind those words whose first column is a number."""
    text = (ROOT / "docs" / page).read_text()
    return [(int(match[1]), match[0]) for match in ROW.finditer(text, text.index(behind))]


SCENARIOS = rows("scenarios.md", "## Stop and kill")
GUARANTEES = rows("supervision.md", "## What is guaranteed")


@functools.cache
def names_in(file):
    """The names of the tests that file really has."""
    text = (TESTS / file).read_text() if (TESTS / file).exists() else ""
    if file.endswith(".py"):
        return {node.name for node in ast.parse(text).body
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    if file.startswith("sim/"):  # the list of invariants at its head
        return set(re.findall(r"^ \*     ([\w-]+)(?:  |,)", text.split("*/")[0], re.MULTILINE))
    defined = set(re.findall(r"^(?:static void |TEST\()(test_\w+)\(?", text, re.MULTILINE))
    return {name for name in defined if len(re.findall(rf"\b{name}\b", text)) > 1 or f"TEST({name}" in text}


def missing(line):
    return [f"{file}::{name}" for file, name in NAME.findall(line) if name not in names_in(file)]


def test_every_scenario_is_there_once():
    assert [number for number, _ in SCENARIOS] == list(range(1, 93))


def test_every_guarantee_is_there_once():
    assert [number for number, _ in GUARANTEES] == list(range(1, 28))


@pytest.mark.parametrize("number, line", SCENARIOS, ids=[str(number) for number, _ in SCENARIOS])
def test_scenario_names_tests_that_exist_or_a_reason(number, line):
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert len(cells) == 3, "a cell contains a bar"
    assert NAME.search(line) or len(cells[2].split()) >= 3, "neither a test nor a reason"
    assert missing(line) == []


@pytest.mark.parametrize("number, line", GUARANTEES, ids=[str(number) for number, _ in GUARANTEES])
def test_guarantee_names_a_test_that_exists(number, line):
    assert NAME.search(line), "no test"
    assert missing(line) == []


def test_supervision_knows_one_clock():
    """Nothing in src/supervise asks for the time of day (log lines are base's): setting the clock changes nothing."""
    of_day = re.compile(r"CLOCK_(?:REALTIME|TAI)|\b(?:time|gettimeofday|cv_clock_wall\w*|alarm|setitimer)\(")
    found = [f"{path.name}: {match[0]}" for path in sorted((ROOT / "src/supervise").glob("*.[ch]"))
             for match in of_day.finditer(path.read_text())]
    assert found == []
