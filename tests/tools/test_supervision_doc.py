"""docs/supervision.md says what fleet.def, policy.c and exit.h say."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
DOC = (ROOT / "docs/supervision.md").read_text()
FLEET = (ROOT / "src/supervise/policy/fleet.def").read_text()
POLICY = (ROOT / "src/supervise/policy/policy.c").read_text()
EXIT = (ROOT / "src/base/exit.h").read_text()


def rows(header):
    """The rows of the table that begins with `header`, as lists of cells."""
    body = DOC.split(header + "\n", 1)[1].split("\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]


def listed(macro):
    """The (name, text) pairs of a list in fleet.def."""
    body = re.search(rf"#define {macro}\(X\)(.*?)(?:\n\n|#endif)", FLEET, re.S)[1]
    return re.findall(r'X\((\w+), "([^"]*)"\)', body)


def rules():
    """The (state, event) pairs that have a rule."""
    shared = re.search(r"#define STARTING_RULES(.*?)\n\n", POLICY, re.S)[1]
    table = POLICY.split("cv_policy_rules = {", 1)[1].replace("STARTING_RULES", shared)
    pairs = set()
    for state, cells in re.findall(r"\[CV_SLOT_(\w+)\] = \{(.*?)\}", table, re.S):
        pairs |= {(state, event) for event in re.findall(r"\[CV_ON_(\w+)\]", cells)}
    return pairs


def test_states_are_those_of_the_list():
    documented = [(row[0], row[1]) for row in rows("| state | what it is | deadline (default) | after it |")]
    assert documented == listed("CV_SLOT_STATES")


def test_events_are_those_of_the_list():
    assert [tuple(row) for row in rows("| event | what it tells |")] == listed("CV_SLOT_EVENTS")


def test_each_rule_of_the_table_is_described_once():
    pairs = [
        (state, event)
        for row in rows("| in | on | it does |")
        for state in row[0].split(", ")
        for event in row[1].split(", ")
    ]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == rules()


def test_exit_codes_are_those_of_the_header():
    codes = {code: text.strip() for code, text in re.findall(r"= (\d+), +/\*(.*?)\*/", EXIT)}
    documented = {row[0]: row[1] for row in rows("| code | meaning |")}
    assert codes == {code: text for code, text in documented.items() if code in codes}
    assert set(documented) - set(codes) == {"0", "128 + s"}
