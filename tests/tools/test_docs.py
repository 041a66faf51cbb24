"""The documents name only files that exist."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACES = ["", "docs", "src", "include", "src/supervise", "src/supervise/policy", "src/cli"]


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


def test_settings_page_is_what_the_table_makes():
    made = subprocess.run([sys.executable, ROOT / "tools/settings"], capture_output=True, text=True, check=True, timeout=30)
    assert (ROOT / "docs/settings.md").read_text() == made.stdout


def test_settings_page_has_every_setting():
    names = re.findall(r"^ +X\((\w+),", (ROOT / "src/cli/settings/conf.def").read_text(), re.MULTILINE)
    page = (ROOT / "docs/settings.md").read_text()
    assert names != [] and [name for name in names if f"`--{name.lower().replace('_', '-')}`" not in page] == []
