"""The public headers compile without a warning in every dialect they promise, and so does what their macros make."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
HEADERS = sorted(ROOT.glob("include/covey/*.h")) + sorted(ROOT.glob("include/covey/*.hpp"))
WARNINGS = "-Werror -Wall -Wextra -Wconversion -Wpedantic -Wundef -Wcast-qual -Wwrite-strings".split()
C_WARNINGS = "-Wshadow -Wstrict-prototypes -Wmissing-prototypes".split()  # in C++ a struct's name is a function's
C = [(compiler, dialect) for compiler in ("gcc", "clang") for dialect in ("c11", "c17", "c2x")]
CPP = [("g++", "c++20"), ("clang++", "c++20")]
MACRO = re.compile(r"^#define covey_(\w+)\((?:[^\\\n]|\\\n)*", re.MULTILINE)


def compile_text(compiler, dialect, text):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    language = "c++" if "++" in compiler else "c"
    more = C_WARNINGS if language == "c" else []
    made = subprocess.run([compiler, f"-std={dialect}", *WARNINGS, *more, f"-I{ROOT}/include", "-fsyntax-only", "-x", language, "-"],
                          input=text, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("compiler, dialect", C + CPP)
def test_each_header_compiles_by_itself(compiler, dialect):
    for header in HEADERS:
        if header.suffix == ".h" or "++" in compiler:
            compile_text(compiler, dialect, f"#include <covey/{header.name}>\nextern int something;\n")


@pytest.mark.parametrize("compiler, dialect", C)
def test_macros_compile(compiler, dialect):
    compile_text(compiler, dialect, (ROOT / "tests/headers/uses.c").read_text())


@pytest.mark.parametrize("compiler, dialect", CPP)
def test_cpp_header_compiles(compiler, dialect):
    compile_text(compiler, dialect, (ROOT / "tests/headers/uses.cpp").read_text())


def test_every_macro_is_among_those_that_compile():
    uses = (ROOT / "tests/headers/uses.c").read_text()
    missing = []
    for header in HEADERS:
        for name, body in ((macro[1], macro[0]) for macro in MACRO.finditer(header.read_text())):
            calls = re.findall(rf"\bcovey_{name}\([^;]*", uses)
            has_options = "__VA_ARGS__" in body and "const[]" not in body
            if not any(not re.search(r"[(, ]\.\w", call) for call in calls):
                missing.append(f"covey_{name} without options")
            if has_options and not any(re.search(r"[(, ]\.\w", call) for call in calls):
                missing.append(f"covey_{name} with options")
    assert missing == []


# What is called otherwise there, because its name is taken; members of covey::test are not functions of their own.
OTHER_NAMES = {"delete": "del", "static": "static_files", "test_new": "test"}


def test_every_macro_has_its_cpp_call():
    header = without_comments((ROOT / "include/covey/covey.hpp").read_text())
    uses = (ROOT / "tests/headers/uses.cpp").read_text()
    names = {macro[1] for path in HEADERS for macro in MACRO.finditer(path.read_text())}
    names = {OTHER_NAMES.get(name, name) for name in names if not name.startswith("test_") or name in OTHER_NAMES}
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\(", header)] == []
    assert [name for name in sorted(names) if f"covey::{name}" not in uses] == []


def test_cpp_options_are_what_the_tool_makes():
    made = subprocess.run([sys.executable, ROOT / "tools/options"], capture_output=True, text=True, check=True, timeout=30)
    assert (ROOT / "include/covey/options.hpp").read_text() == made.stdout, "tools/options >include/covey/options.hpp"
