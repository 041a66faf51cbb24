"""The table of what requests cost says of each goal what the figures say."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import shapes  # noqa: E402
import tables  # noqa: E402


def rounds(*costs):
    return [{"cpu_us": cost, "rate": 1000 / cost, "server_busy": 0.9, "client_busy": 0.5, "p99_us": 100} for cost in costs]


def made(covey, **others):
    found = {"floor": rounds(2.1, 2.0), "covey": covey, **others}
    lines = tables.requests({"requests": {key: found for key in shapes.ALL}}).splitlines()
    return {tuple(cell.strip() for cell in line.split("|")[1:3]): line for line in lines}


def test_least_of_covey_is_compared_with_least_of_floor():
    line = made(rounds(9.9, 2.2))[shapes.ALL["keep-alive"].title, "covey"]
    assert "| 2.20 | 1.10 | ≤ 1.10: reached |" in line


def test_a_goal_that_is_missed_is_said():
    line = made(rounds(2.4))[shapes.ALL["keep-alive"].title, "covey"]
    assert "| 1.20 | ≤ 1.10: **not reached** |" in line


def test_others_have_no_goal_and_failures_a_sentence():
    lines = made(rounds(2.0), nginx=rounds(1.0), h2o="failed: it does not listen")
    title = shapes.ALL["file"].title
    assert "| 0.50 |  |" in lines[title, "nginx"]
    assert "failed: it does not listen" in lines[title, "h2o"]


def test_figures_of_a_machine_that_is_busy_are_marked():
    quiet = {"requests": {"close": {"floor": rounds(2.0)}}}
    busy = {"requests": {"close": {"floor": [rounds(2.0)[0] | {"server_busy": 0.4}], "h2o": "failed"}}}
    assert tables.disturbed(quiet) == ""
    assert "floor (close)" in tables.disturbed(busy)
