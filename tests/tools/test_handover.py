"""What is handed over at an upgrade: no field of a struct that has a table (supervise/handover/handover.h) is missing in it."""

import functools
import pathlib
import re

import pytest

SUPERVISE = pathlib.Path(__file__).parents[2] / "src/supervise"
TABLES = {"cv_fleet", "cv_slot", "cv_managed_spec", "cv_seat", "cv_crew", "cv_member", "cv_seat_state", "cv_seated",
          "cv_listener", "cv_control_file", "cv_pidfile", "cv_outer", "cv_logs", "cv_control_client", "cv_doing", "cv_template", "cv_cgroup", "cv_pinned",
          "master", "guardian"}


def without_comments(text):
    return re.sub(r"/\*.*?\*/|^#.*?$", " ", text, flags=re.S | re.M)


@functools.cache
def headers():
    return without_comments("\n".join(path.read_text() for path in sorted(SUPERVISE.rglob("*.h"))))


@functools.cache
def members(struct):
    """[(name, the struct it is, or None)] of the fields of a struct, in order."""
    body = re.search(rf"\bstruct {struct} \{{(.*?)\n\}};", headers(), re.S)
    assert body, f"struct {struct} is not found, or not written as one struct after another"
    found = []
    flat = re.sub(r"\{[^{}]*\}", "", body[1])  # what a field is made of that has a struct of its own in place
    for declaration in " ".join(flat.split()).split(";"):
        if not declaration.strip():
            continue
        assert "," not in re.sub(r"\(.*\)|\[[^]]*\]", "", declaration), f"one field a line: {declaration}"
        pointer = re.search(r"\(\*(\w+)\)\(", declaration)
        last = re.search(r"(\w+)(?:\[[^]]*\])*\s*$", declaration)
        assert pointer or last, declaration
        inner = re.match(r"\s*struct (\w+) \w+$", declaration)
        found.append((pointer[1] if pointer else last[1], inner[1] if inner else None))
    return found


@functools.cache
def tables():
    """{struct: the names in its table}"""
    found = {}
    for path in SUPERVISE.rglob("*.c"):
        for struct, name in re.findall(r"\bCV_FIELD\w*\(struct (\w+), ([\w.]+)", path.read_text()):
            found.setdefault(struct, set()).add(name)
    return found


def missing(struct, names, prefix=""):
    for name, inner in members(struct):
        path = prefix + name
        if path in names:
            continue
        if inner and any(other.startswith(path + ".") for other in names):
            yield from missing(inner, names, path + ".")
        else:
            yield path


def test_the_tables_are_those_that_are_known():
    assert set(tables()) == TABLES


@pytest.mark.parametrize("struct", sorted(TABLES))
def test_no_field_is_forgotten(struct):
    assert list(missing(struct, tables()[struct])) == [], (
        f"struct {struct}: add a line to its table: CV_FIELD (handed over) or CV_FIELD_LEFT (on purpose not)")


def test_a_forgotten_field_is_found():
    names = tables()["cv_fleet"] - {"brake.degraded", "wanted"}
    assert list(missing("cv_fleet", names)) == ["wanted", "brake.degraded"]
