"""Tests that a page names as `FILE::TEST`, FILE below tests/: are they there?"""

import ast
import functools
import pathlib
import re

TESTS = pathlib.Path(__file__).parents[1]
NAME = re.compile(r"`([\w/]+\.(?:py|c))::([\w-]+)`")


@functools.cache
def names_in(file):
    """The names of the tests that file really has."""
    text = (TESTS / file).read_text() if (TESTS / file).exists() else ""
    if file.endswith(".py"):
        return {node.name for node in ast.parse(text).body
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    if file.startswith("sim/"):  # the list of invariants at its head
        return set(re.findall(r"^ \*     ([\w-]+)(?:  |,)", text.split("*/")[0], re.MULTILINE))
    if file.startswith("examples/"):  # one test each
        return set(re.findall(r"^int (main)\(void\)", text, re.MULTILINE))
    defined = set(re.findall(r"^(?:static void |TEST\()(test_\w+)\(?", text, re.MULTILINE))
    return {name for name in defined if len(re.findall(rf"\b{name}\b", text)) > 1 or f"TEST({name}" in text}


def missing(line):
    """Those that a line names and that do not exist."""
    return [f"{file}::{name}" for file, name in NAME.findall(line) if name not in names_in(file)]
