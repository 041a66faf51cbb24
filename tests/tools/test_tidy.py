"""tools/tidy finds each kind of untidiness, and nothing else."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def judge(tmp_path, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return subprocess.run(
        [sys.executable, ROOT / "tools/tidy", tmp_path], capture_output=True, text=True, timeout=30
    )


def assert_refused(result, *words):
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1
    for word in words:
        assert word in result.stdout


def c_function(lines):
    return "/* a */\nstatic int f(void)\n{\n" + "    x();\n" * (lines - 3) + "}\n"


def test_tidy_files_pass(tmp_path):
    judge(tmp_path, "src/base/header_first.c", '#include "base/header_first.h"\n')
    judge(tmp_path, "tests/unit/base/test_buf.c", "#include <errno.h>\n")
    judge(tmp_path, "tools/script", "#!/bin/sh\n# Does it.\n")
    judge(tmp_path, "tests/a.py", '"""Tests it."""\n')
    result = judge(tmp_path, "src/base/a.c", "/* What it is for. */\n")
    assert (result.returncode, result.stdout) == (0, "")


def test_file_over_600_lines_is_refused(tmp_path):
    assert judge(tmp_path, "src/a.c", "/* a */\n" + "int a;\n" * 599).returncode == 0
    assert_refused(judge(tmp_path, "src/a.c", "/* a */\n" + "int a;\n" * 600), "601 lines")


def test_c_function_over_70_lines_is_refused(tmp_path):
    assert judge(tmp_path, "src/a.c", c_function(70)).returncode == 0
    assert_refused(judge(tmp_path, "src/a.c", c_function(71)), "src/a.c:2", "f() has 71 lines")


def test_table_over_70_lines_passes(tmp_path):
    table = "/* a */\nint table[] =\n{\n" + "    1,\n" * 100 + "};\n"
    assert judge(tmp_path, "src/a.c", table).returncode == 0


def test_python_function_over_70_lines_is_refused(tmp_path):
    body = '"""a"""\n\n\ndef f():\n' + "    x()\n" * 70
    assert_refused(judge(tmp_path, "tests/a.py", body), "tests/a.py:4", "f() has 71 lines")


@pytest.mark.parametrize(
    "name, text",
    [("src/a.c", "int a;\n"), ("src/a.h", "#ifndef A\n"), ("tools/a", "#!/bin/sh\nset -e\n"), ("bench/a.py", "x = 1\n")],
)
def test_file_without_purpose_is_refused(tmp_path, name, text):
    assert_refused(judge(tmp_path, name, text), f"{name}:1", "what it is for")


@pytest.mark.parametrize("call", ["strcpy", "sprintf", "atoi", "gets", "strncasecmp"])
def test_banned_call_is_refused(tmp_path, call):
    text = f"/* a */\nint f(void)\n{{\n    return {call}(p);\n}}\n"
    assert_refused(judge(tmp_path, "src/a.c", text), "src/a.c:4", f"{call}() is banned")


def test_banned_word_that_is_no_call_passes(tmp_path):
    text = '/* not sprintf() */\nconst char *a = "atoi(x)"; // gets(x)\nint b = covey_sprintf(r) + x.gets(1);\n'
    assert judge(tmp_path, "src/a.c", text).returncode == 0


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME"])
def test_unfinished_work_is_refused(tmp_path, word):
    assert_refused(judge(tmp_path, "src/a.c", f"/* a */\n/* {word}: later */\n"), "src/a.c:2")
