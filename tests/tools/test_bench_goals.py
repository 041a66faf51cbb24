"""The table of figures against goals says of each what was measured; what is drawn of it is all there."""

import pathlib
import re
import sys
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import goals  # noqa: E402
import plot  # noqa: E402
import shapes  # noqa: E402

FLAT = {curve.axis: {name: [2.0] * len(curve.points) for name in curve.servers} for curve in goals.CURVES}


def http(**costs):
    found = {name: [{"cpu_us": cost, "rate": 1000 / cost}] for name, cost in costs.items()}
    return {"requests": {key: found for key in shapes.ALL}}


def rows(figures=None, scaling=None, requests=None):
    """{figure: its other cells}"""
    text = goals.figures({"figures": figures or {}, "scaling": scaling or FLAT}, requests)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    return {title: rest for title, *rest in cells}


def test_median_of_the_rounds_is_judged():
    found = rows({"kill": {"covey": [0.004, 0.0049, 0.5], "nginx": [0.007]}})
    assert found["KILL of the only worker: next 200"] == ["≤ 5.0 ms", "4.9 ms", "reached", "", "7.0 ms"]


@pytest.mark.parametrize("rate, verdict", [(0.95, "reached"), (0.944, "**not reached**")])
def test_what_is_to_be_at_least_so_much(rate, verdict):
    (found,) = [cells for title, cells in rows({"rate": {"covey": [rate]}}).items() if "one listener" in title]
    assert found[0] == "≥ 0.95 x" and found[2] == verdict


def test_what_was_not_measured_is_said():
    found = rows({"start": {"covey": "failed: no answer"}})
    assert found["exec to first 200, 1 worker"][2] == "**not measured**: failed: no answer"
    assert "./dev bench http" in found["CPU per request: keep-alive"][2]


def test_cpu_counts_against_the_floor():
    found = rows(requests=http(floor=2.0, covey=2.2, nginx=3.0))
    assert found["CPU per request: keep-alive"] == ["≤ 1.10 x", "1.10 x", "reached", "1.00 x", "1.50 x"]
    assert found["CPU per request: file of 64 KiB"][2] == "**not reached**"
    assert found["requests a second: pipelined, 16 deep"][:3] == ["≥ 0.90 x", "0.91 x", "reached"]


def test_growth_with_connections_counts_against_the_floors():
    grown = {"covey": [1.0, 1.0, 1.0, 3.0], "floor": [2.0, 2.0, 2.0, 4.0]}
    (found,) = [cells for title, cells in rows(scaling=FLAT | {"connections": grown}).items() if "10,000 connections" in title]
    assert found[1:3] == ["1.50 x", "**not reached**"]


def test_each_goal_of_the_issue_has_a_row_and_each_row_a_number_of_its_own():
    keys = [goal.key for goal in goals.ENGINE]
    assert len(set(keys)) == len(keys)
    found = rows({key: {"covey": [0.0]} for key in keys}, requests=http(floor=1.0, covey=1.0))
    assert len(found) == len(goals.CPU) + len(goals.ENGINE) + 4
    assert not [title for title, cells in found.items() if "reached" not in cells[2]]


def test_details_leave_out_what_failed():
    figures = {"calls close, which": {"covey": "recvfrom 1.000"}, "instructions 1": {"covey": [3440.4], "nginx": "failed"},
               "instructions 16, own": {"covey": [{"few": 1.0, "many": 1200.0}]}, "pss worker, which": {"covey": "libc 90"}}
    text = goals.details({"figures": figures})
    for line in ("| a connection per request | covey | recvfrom 1.000 |", "| one at a time, one field | 3,440 |  |  |",
                 "| `many` | 0 | 1,200 |\n| `few` | 0 | 1 |", "| covey | libc 90 |", "|---|---:|---:|---:|"):
        assert line in text


def drawn(svg, name):
    return list(xml.etree.ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}" + name))


def test_every_server_has_a_bar_and_every_shape_its_goal():
    svg = plot.bars(http(floor=2.0, covey=2.2, nginx=3.0))
    bars = drawn(svg, "rect")
    assert len(bars) == 3 * len(shapes.ALL)
    assert len([path for path in drawn(svg, "path") if path.get("class") == "goal"]) == len(shapes.ALL)
    widths = [float(bar.get("width")) for bar in bars[:3]]
    assert widths == sorted(widths) and abs(widths[0] / widths[2] - 2 / 3) < 0.01


def test_curves_have_a_mark_at_each_point_that_was_measured():
    broken = FLAT | {"workers": FLAT["workers"] | {"covey": [1.0, 1.0, 2.0, 4.0], "nginx": [1.0, None, 1.0, 1.0]}}
    lines = [line.get("points").split() for line in drawn(plot.curves(broken), "polyline")]
    assert sorted(map(len, lines)) == [3, 3, 3, 4, 4, 4, 4]
    levels = [float(point.split(",")[1]) for point in lines[-1]]
    assert levels[0] == levels[1] > levels[2] > levels[3]


@pytest.mark.parametrize("top", [0.3, 1.0, 4.6, 9.4, 60])
def test_the_lines_of_a_grid_are_few(top):
    assert 2 <= int(top / plot.step(top)) <= 6


def test_what_counters_print_is_read():
    calls, instructions = counters()
    text = "200,,raw_syscalls:sys_enter,99,100.00,,\n150,,syscalls:sys_enter_recvfrom,99,100.00,,\n0,,syscalls:sys_enter_read,9,,\n"
    assert calls.counted(text) == {"all": 200, "recvfrom": 150}
    assert calls.said({"all": 2, "recvfrom": 1.0, "close": 0.0001, "sendto": 1.25}) == "sendto 1.250, recvfrom 1.000"
    assert instructions.total("events: Ir\nfn=(1) main\n0 17\ntotals: 123456\n") == 123456


def test_what_callgrind_leaves_is_read_by_function():
    text = """fn=(1) parse.lto_priv.0
27 12
+26 4
cfn=(2) copy'2
calls=4 +10
* 244
-1 3
fn=(2)
10 244
fn=(1)
* 1
totals: 264
"""
    instructions = counters()[1]
    assert instructions.by_function(text) == {"parse": 20, "copy": 244}


def test_memory_is_added_up_by_what_is_mapped():
    import servers  # noqa: F401  first: it makes tests/lib known

    import resting
    text = """00400000-00401000 r--p 00000000 08:01 12 /usr/lib/libc.so.6
Size:                  4 kB
Pss:                   3 kB
Pss_Dirty:             1 kB
00401000-00402000 rw-p 00001000 08:01 12   /usr/lib/libc.so.6
Pss:                   4 kB
00600000-00601000 rw-p 00000000 00:00 0 
Pss:                   8 kB
00700000-00701000 rw-p 00000000 00:00 0    [heap]
Pss:                   5 kB
00800000-00801000 rw-s 00000000 00:01 7    /memfd:covey-state (deleted)
Pss:                   2 kB
"""
    assert resting.by_mapping(text) == {"libc.so.6": 7, "anonymous": 8, "[heap]": 5, "memfd:covey-state": 2}


@pytest.mark.parametrize("text", ["", "Error:\nNo permission to enable raw_syscalls:sys_enter event.\n"])
def test_a_counter_that_was_refused_is_an_error(text):
    calls, instructions = counters()
    with pytest.raises(RuntimeError):
        calls.counted(text)
    with pytest.raises(RuntimeError):
        instructions.total(text)


def counters():
    import servers  # noqa: F401  first: it makes tests/lib known

    import calls
    import instructions
    return calls, instructions


def test_the_page_has_a_place_for_each_table():
    page = (ROOT / "docs/benchmarks.md").read_text()
    for mark in ("requests", "figures", "details", "scaling", "lifecycle"):
        assert re.search(f"<!-- {mark} -->.+\\|---.+<!-- end of {mark} -->", page, re.DOTALL), mark
    for picture in ("requests.svg", "scaling.svg"):
        assert f"]({picture})" in page and (ROOT / "docs" / picture).exists()
