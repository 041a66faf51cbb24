"""docs/testing.md shows a test of an app: it compiles as the page says, passes, and fails where the app is wrong."""

import re
import subprocess

from apps import flags
from harness import ROOT, sanitized

PAGE = (ROOT / "docs/testing.md").read_text()


def block(name):
    """The C that follows the first mention of a file."""
    return re.search(r"```c\n(.*?)```", PAGE[PAGE.index(f"*{name}*"):], re.DOTALL)[1]


def run_test(folder, app):
    (folder / "notes.c").write_text(app)
    (folder / "test_notes.c").write_text(block("test_notes.c"))
    sanitizers = [] if sanitized() else ["-fsanitize=address,undefined"]
    subprocess.run(["cc", "-g", "-Wall", "-Wextra", "-Werror", *sanitizers, "test_notes.c", "notes.c", *flags(), "-o", "test_notes"],
                   cwd=folder, check=True, timeout=60)
    return subprocess.run(["./test_notes"], cwd=folder, capture_output=True, text=True, timeout=60)


def test_example_passes(tmp_path):
    answer = run_test(tmp_path, block("notes.c"))
    assert answer.returncode == 0, answer.stderr
    assert "Sanitizer" not in answer.stderr


def test_example_fails_for_another_app(tmp_path):
    answer = run_test(tmp_path, block("notes.c").replace("return covey_fail(req, 400", "return covey_fail(req, 422"))
    assert answer.returncode != 0
    assert "== 400" in answer.stderr


def test_program_is_one_line(tmp_path):
    main = re.search(r"`(int main\(.*\})`", PAGE)[1]
    (tmp_path / "main.c").write_text(f"#include <covey/covey.h>\nint setup(covey_app *app);\n{main}\n")
    (tmp_path / "notes.c").write_text(block("notes.c"))
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "main.c", "notes.c", *flags(), "-o", "notes"], cwd=tmp_path, check=True, timeout=60)
    answer = subprocess.run(["./notes", "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert answer.stdout.startswith("notes (covey ")
