"""The documents name only files that exist."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACES = ["", "docs", "src", "include", "src/supervise", "src/cli"]


def exists(name):
    return any((ROOT / place / name).exists() for place in PLACES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    named = re.findall(r"`([\w./-]+\.(?:c|h|S|def|py|md))`", page.read_text())
    linked = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    placeholder = re.compile(r"NAME|FOLDER|^app\.c$")  # app.c: the reader's own
    missing = [name for name in named if not exists(name) and not placeholder.search(name)]
    missing += [name for name in linked if not (page.parent / name).exists()]
    assert missing == []
