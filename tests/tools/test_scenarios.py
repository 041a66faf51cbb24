"""docs/scenarios.md and the table of guarantees name tests, and those tests are there."""

import pathlib
import re

import pytest

from named_tests import NAME, missing

ROOT = pathlib.Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \|.*\|$", re.MULTILINE)


def rows(page, behind):
    """[(number, line)] of the tables behind those words whose first column is a number."""
    text = (ROOT / "docs" / page).read_text()
    return [(int(match[1]), match[0]) for match in ROW.finditer(text, text.index(behind))]


SCENARIOS = rows("scenarios.md", "## Stop and kill")
GUARANTEES = rows("supervision.md", "## What is guaranteed")


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
    found = [f"{path.name}: {match[0]}" for path in sorted((ROOT / "src/supervise").rglob("*.[ch]"))
             for match in of_day.finditer(path.read_text())]
    assert found == []
